"""What no single exchange shows: how the server starts, keeps its data, locks a name for a while."""

import subprocess
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from running import Running

ADMIN = ("admin", "right-password")
DASHBOARD = {"dashboard": {"uid": "one", "title": "One", "panels": []}}


class Start(unittest.TestCase):
    def test_the_first_password_comes_from_a_file_and_counts_once(self):
        with Running() as grafana:
            self.assertEqual(200, grafana.ask("GET", "/api/org", auth=ADMIN).status)
            self.assertEqual(401, grafana.ask("GET", "/api/org", auth=("admin", "admin")).status)
            grafana.stop()
            grafana.password_file.write_text("another-password")
            grafana.start()
            self.assertEqual(200, grafana.ask("GET", "/api/org", auth=ADMIN).status)
            self.assertEqual(401, grafana.ask("GET", "/api/org", auth=("admin", "another-password")).status)

    def test_a_variable_that_ends_in_file_is_ignored(self):
        grafana = Running()
        self.addCleanup(grafana.clean)
        grafana.configure("admin")
        grafana.start(GF_SECURITY_ADMIN_PASSWORD__FILE=str(grafana.password_file))
        with_file = grafana.ask("GET", "/api/org", auth=ADMIN).status
        with_default = grafana.ask("GET", "/api/org", auth=("admin", "admin")).status
        grafana.stop()
        self.assertEqual((401, 200), (with_file, with_default))

    def test_a_missing_password_file_ends_the_start(self):
        grafana = Running()
        self.addCleanup(grafana.clean)
        grafana.password_file.unlink()
        ended = subprocess.run(grafana.command(), capture_output=True, text=True, check=False, timeout=30)
        self.assertEqual(1, ended.returncode)
        self.assertIn("got error while expanding security.admin_password with expander 'file': stat", ended.stderr)

    def test_what_was_saved_survives_a_restart(self):
        with Running() as grafana:
            grafana.ask("POST", "/api/dashboards/db", DASHBOARD, auth=ADMIN)
            grafana.stop()
            grafana.start()
            self.assertEqual(200, grafana.ask("GET", "/api/dashboards/uid/one", auth=ADMIN).status)


class Tokens(unittest.TestCase):
    def test_a_token_ends_at_its_time(self):
        with Running() as grafana:
            account = grafana.ask("POST", "/api/serviceaccounts", {"name": "a", "role": "Viewer"}, auth=ADMIN).body["id"]
            short = {"name": "short", "secondsToLive": 1}
            key = grafana.ask("POST", f"/api/serviceaccounts/{account}/tokens", short, auth=ADMIN).body["key"]
            deadline = time.monotonic() + 30
            while (answer := grafana.ask("GET", "/api/org", auth=f"Bearer {key}")).status == 200:
                self.assertLess(time.monotonic(), deadline, "still good")
            self.assertEqual((401, {"message": "Expired API key"}), (answer.status, answer.body))

    def test_an_editor_annotates_and_a_viewer_does_not(self):
        with Running() as grafana:
            for role, status in (("Viewer", 403), ("Editor", 200)):
                account = grafana.ask("POST", "/api/serviceaccounts", {"name": role, "role": role}, auth=ADMIN).body["id"]
                tokens = f"/api/serviceaccounts/{account}/tokens"
                key = grafana.ask("POST", tokens, {"name": role}, auth=ADMIN).body["key"]
                body = {"text": "A drill", "tags": ["a", "b"], "time": 1000, "timeEnd": 2000}
                self.assertEqual(status, grafana.ask("POST", "/api/annotations", body, auth=f"Bearer {key}").status)
            found = grafana.ask("GET", "/api/annotations?tags=a&tags=b", auth=ADMIN).body
            self.assertEqual([("A drill", 1000, 2000)], [(one["text"], one["time"], one["timeEnd"]) for one in found])
            self.assertEqual([], grafana.ask("GET", "/api/annotations?tags=a&tags=c", auth=ADMIN).body)
            self.assertEqual(400, grafana.ask("POST", "/api/annotations", {"tags": ["a"]}, auth=ADMIN).status)


class Settings(unittest.TestCase):
    def test_the_home_page_and_the_path_below_which_everything_is(self):
        grafana = Running()
        settings = grafana.ini.read_text().replace(
            "[server]", "[users]\nhome_page = /d/one\n[server]\nroot_url = http://x/grafana/\nserve_from_sub_path = true"
        )
        grafana.ini.write_text(settings)
        with grafana:
            self.assertEqual({"redirectUri": "/d/one"}, grafana.ask("GET", "/grafana/api/dashboards/home", auth=ADMIN).body)
            self.assertEqual(200, grafana.ask("GET", "/api/org", auth=ADMIN).status, "the API answers without the path, too")
            page = grafana.ask("GET", "/d/one", auth=ADMIN)
            self.assertEqual((301, "/grafana/d/one"), (page.status, page.headers["Location"]))


class Lock(unittest.TestCase):
    def test_a_locked_name_opens_again_by_itself(self):
        with Running(options=("--lock-seconds", "1")) as grafana:
            for _ in range(5):
                grafana.ask("GET", "/api/org", auth=("admin", "wrong"))
            self.assertEqual(401, grafana.ask("GET", "/api/org", auth=ADMIN).status)
            deadline = time.monotonic() + 30
            while grafana.ask("GET", "/api/org", auth=ADMIN).status != 200:
                self.assertLess(time.monotonic(), deadline, "still locked")


class Provisioned(unittest.TestCase):
    def test_what_a_file_owns_is_neither_changed_nor_deleted(self):
        source = {"uid": "p", "name": "P", "type": "prometheus", "access": "proxy", "url": "http://x"}
        grafana = Running()
        self.addCleanup(grafana.clean)
        grafana.provision({"a.json": DASHBOARD["dashboard"]}, [source])
        with grafana:
            meta = grafana.ask("GET", "/api/dashboards/uid/one", auth=ADMIN).body["meta"]
            self.assertEqual((True, "a.json"), (meta["provisioned"], meta["provisionedExternalId"]))
            saved = grafana.ask("POST", "/api/dashboards/db", {**DASHBOARD, "overwrite": True}, auth=ADMIN)
            self.assertEqual((400, "Cannot save provisioned dashboard"), (saved.status, saved.body["message"]))
            deleted = grafana.ask("DELETE", "/api/dashboards/uid/one", auth=ADMIN)
            self.assertEqual(400, deleted.status)
            self.assertEqual("provisioned dashboard cannot be deleted", deleted.body["message"])
            self.assertTrue(grafana.ask("GET", "/api/datasources/uid/p", auth=ADMIN).body["readOnly"])
            self.assertEqual(403, grafana.ask("PUT", "/api/datasources/uid/p", source, auth=ADMIN).status)
            self.assertEqual(403, grafana.ask("DELETE", "/api/datasources/uid/p", auth=ADMIN).status)
            grafana.stop()
            grafana.start()
            self.assertEqual(1, grafana.ask("GET", "/api/dashboards/uid/one", auth=ADMIN).body["meta"]["version"])


class Resources(unittest.TestCase):
    """What is documented of `/apis`; no recording holds it true."""

    DASHBOARDS = "/apis/dashboard.grafana.app/v2beta1/namespaces/default/dashboards"
    SPEC = {"title": "X", "elements": {"panel-1": {"kind": "Panel", "spec": {"id": 1}}}, "layout": {"kind": "GridLayout"}}

    def resource(self, name="x", **metadata):
        return {"kind": "Dashboard", "metadata": {"name": name, **metadata}, "spec": self.SPEC}

    def test_releases_before_12_have_none(self):
        with Running() as grafana:
            self.assertEqual(404, grafana.ask("GET", "/apis/dashboard.grafana.app", auth=ADMIN).status)

    def test_a_write_names_the_version_that_it_replaces(self):
        with Running(options=("--invented-release", "13")) as grafana:
            def ask(method, path, body=None):
                return grafana.ask(method, self.DASHBOARDS + path, body, auth=ADMIN)

            made = ask("POST", "", self.resource())
            self.assertEqual((201, 1), (made.status, made.body["metadata"]["generation"]))
            first = made.body["metadata"]["resourceVersion"]
            again = ask("POST", "", self.resource())
            self.assertEqual((409, "AlreadyExists"), (again.status, again.body["reason"]))
            self.assertEqual(1, ask("PUT", "/x", self.resource(resourceVersion=first)).body["metadata"]["generation"])
            changed = {**self.resource(resourceVersion=first), "spec": {**self.SPEC, "title": "Y"}}
            self.assertEqual(2, ask("PUT", "/x", changed).body["metadata"]["generation"])
            stale = ask("PUT", "/x", changed)
            self.assertEqual((409, "Conflict"), (stale.status, stale.body["reason"]))
            self.assertEqual(422, ask("PUT", "/x", {**changed, "spec": {"title": "Y"}}).status)
            self.assertEqual((200, 404), (ask("DELETE", "/x").status, ask("DELETE", "/x").status))

    def test_the_classic_interface_names_the_way_to_a_dashboard_in_the_new_schema(self):
        with Running(options=("--invented-release", "13")) as grafana:
            grafana.ask("POST", self.DASHBOARDS, self.resource(), auth=ADMIN)
            answer = grafana.ask("GET", "/api/dashboards/uid/x", auth=ADMIN)
            self.assertEqual(406, answer.status)
            self.assertIn(f"use {self.DASHBOARDS}/x instead", answer.body["message"])

    def test_a_viewer_may_not_write(self):
        with Running(options=("--invented-release", "13")) as grafana:
            account = grafana.ask("POST", "/api/serviceaccounts", {"name": "a", "role": "Viewer"}, auth=ADMIN).body["id"]
            key = grafana.ask("POST", f"/api/serviceaccounts/{account}/tokens", {"name": "a"}, auth=ADMIN).body["key"]
            self.assertEqual(403, grafana.ask("POST", self.DASHBOARDS, self.resource(), auth=f"Bearer {key}").status)


class Parallel(unittest.TestCase):
    def test_many_writers_leave_whole_dashboards(self):
        with Running() as grafana, ThreadPoolExecutor(8) as pool:
            def save(number):
                body = {"dashboard": {"uid": f"d{number}", "title": f"Number {number}"}}
                return grafana.ask("POST", "/api/dashboards/db", body, auth=ADMIN).status

            self.assertEqual({200}, set(pool.map(save, range(40))))
            self.assertEqual(40, len(grafana.ask("GET", "/api/search?type=dash-db", auth=ADMIN).body))


if __name__ == "__main__":
    unittest.main()
