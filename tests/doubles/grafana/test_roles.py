"""Replays recorded responses of Grafana 9.4 and 12.4 to each role, as far as monctl uses them, and compares status and content."""

import functools
import json
import operator
import pathlib
import time
import unittest

from running import Running
from test_recordings import RECORDED_PROMETHEUS, recorded_prometheus

RECORDINGS = pathlib.Path(__file__).resolve().parent / "recordings"
ADMIN = ("admin", "right-password")
RECORDED_AT = {"9": RECORDED_PROMETHEUS, "12": "http://127.0.0.1:19390"}
ROLES = ("Admin", "Editor", "Viewer")
# Made up by the server.
RANDOM = ("id", "url")


def differences(recorded, got, at=""):
    """Where an answer lacks something of the recorded one. The recordings are reduced to what a client can look at."""
    if isinstance(recorded, dict) and isinstance(got, dict):
        found = [f"{at}/{key}: only recorded" for key in recorded.keys() - got.keys()]
        for key in recorded.keys() & got.keys():
            found += [] if key in RANDOM else differences(recorded[key], got[key], f"{at}/{key}")
        return found
    if isinstance(recorded, list) and isinstance(got, list):
        if len(recorded) != len(got):
            return [f"{at}: {len(recorded)} recorded, ours {len(got)}"]
        return [one for pair in zip(recorded, got, strict=True) for one in differences(*pair, f"{at}/[]")]
    return [] if recorded == got else [f"{at}: recorded {recorded!r}, ours {got!r}"]


def is_within(recorded, all_of_ours):
    return any(not differences(recorded, one) for one in all_of_ours)


class Replay(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.tokens, self.accounts, self.release = {}, {}, "12"
        # Of the resource that was read last.
        self.revision = ""

    def start(self, release, *options, prometheus=None, **environment):
        """A server of a release, with a token of each role, and folders of the Editor's."""
        self.release = release
        # The replay itself may take a minute.
        options = options or ("--permission-seconds", "3600")
        grafana = Running(options=("--release", release, *options), environment=environment)
        self.enterContext(grafana)
        for role in ROLES:
            name = f"sa-{role.lower()}"
            account = grafana.ask("POST", "/api/serviceaccounts", {"name": name, "role": role}, auth=ADMIN).body["id"]
            tokens = f"/api/serviceaccounts/{account}/tokens"
            self.tokens[f"<{role}-token>"] = grafana.ask("POST", tokens, {"name": role}, auth=ADMIN).body["key"]
        body = {"login": "anna", "password": "password-of-anna"}
        anna = grafana.ask("POST", "/api/admin/users", body, auth=ADMIN).body["id"]
        grafana.ask("PATCH", f"/api/org/users/{anna}", {"role": "Editor"}, auth=ADMIN)
        # What each may is known from here on, and for a minute.
        for role in ROLES:
            grafana.ask("GET", "/api/folders/none", auth=f"Bearer {self.tokens[f'<{role}-token>']}")
        if prometheus:
            body = {"uid": "prom", "name": "Prom", "type": "prometheus", "access": "proxy", "url": prometheus}
            grafana.ask("POST", "/api/datasources", {**body, "jsonData": {"timeInterval": "5s"}}, auth=ADMIN)
        return grafana

    def folders(self, grafana):
        for uid in ("fa", "fb"):
            body = {"uid": uid, "title": f"Folder {uid[-1].upper()}"}
            grafana.ask("POST", "/api/folders", body, auth=f"Bearer {self.tokens['<Editor-token>']}")

    def dashboard(self, grafana, uid, folder, title="Web page", auth=None):
        """What an importer made before the recording began."""
        body = {"dashboard": {"uid": uid, "title": title, "panels": []}, "folderUid": folder, "message": "importer 1.0"}
        grafana.ask("POST", "/api/dashboards/db", body, auth=auth or f"Bearer {self.tokens['<Editor-token>']}")

    def replay(self, grafana, case):
        folder = RECORDINGS / "12.4.0" if self.release == "12" else RECORDINGS
        for number, exchange in enumerate(json.loads((folder / f"{case}.json").read_text())):
            with self.subTest(release=self.release, case=case, number=number, note=exchange["note"]):
                self.exchange(grafana, exchange)

    def exchange(self, grafana, exchange):
        text = json.dumps(exchange)
        for placeholder, key in self.tokens.items():
            text = text.replace(placeholder, key)
        # Accounts are numbered otherwise here.
        for recorded, ours in self.accounts.items():
            text = text.replace(f"/api/serviceaccounts/{recorded}", f"/api/serviceaccounts/{ours}")
        text = text.replace("<the one that was read>", self.revision)
        exchange = json.loads(text.replace("<admin-password>", "right-password").replace("<password-of-anna>", "password-of-anna"))
        if exchange.get("after"):
            time.sleep(exchange["after"])
        auth = exchange.get("auth")
        if auth and auth.startswith("Basic ") and ":" in auth:
            auth = tuple(auth.removeprefix("Basic ").split(":", 1))
        got = grafana.ask(exchange["method"], exchange["path"], exchange.get("body"), auth=auth)
        self.learn(exchange, got)
        self.assertEqual(exchange["status"], got.status, got.text)
        if "answer" in exchange:
            self.assertEqual([], differences(exchange["answer"], got.body))
        for one in exchange.get("answer_includes", []):
            self.assertTrue(is_within(one, got.body), f"{one} is not among {got.text}")
        for path in exchange.get("answer_lacks", []):
            *parents, key = path.split("/")
            self.assertNotIn(key, functools.reduce(operator.getitem, parents, got.body))

    def learn(self, exchange, got):
        """Keys, numbers and revisions that later exchanges use."""
        if exchange["method"] == "GET" and got.status == 200 and "/apis/" in exchange["path"]:
            self.revision = got.body.get("metadata", {}).get("resourceVersion", "")
        if got.status >= 300 or exchange["method"] != "POST" or "/serviceaccounts" not in exchange["path"]:
            return
        if "makes" in exchange:
            self.tokens |= {exchange["makes"]: got.body["key"], "<token>": str(got.body["id"])}
        if "makes_account" in exchange:
            self.accounts[exchange["makes_account"]] = got.body["id"]

    def test_folders(self):
        self.replay(self.start("9"), "folder-by-role")
        self.replay(self.start("12"), "folder-by-role")

    def test_a_folder_of_somebody_elses_shows_late(self):
        self.replay(self.start("9"), "folder-made-by-another-by-role")
        self.replay(self.start("12"), "folder-made-by-another")

    def test_what_an_account_may_is_read_again_after_a_while(self):
        for release in ("9", "12"):
            grafana = self.start(release, "--permission-seconds", "1")
            editor = f"Bearer {self.tokens['<Editor-token>']}"
            self.assertEqual(403, grafana.ask("GET", "/api/folders/late", auth=editor).status)
            grafana.ask("POST", "/api/folders", {"uid": "late", "title": "Late"}, auth=ADMIN)
            deadline = time.monotonic() + 30
            while grafana.ask("GET", "/api/folders/late", auth=editor).status != 200:
                self.assertLess(time.monotonic(), deadline, "still forbidden")

    def test_a_half_made_folder_is_the_administrators_alone(self):
        grafana = self.start("12")
        grafana.ask("POST", "/api/folders", {"uid": "kg12", "title": "KG 12"}, auth=ADMIN)
        grafana.ask("POST", "/api/folders/kg12/permissions", {"items": []}, auth=ADMIN)
        self.replay(grafana, "kill-9-half-made-folder")

    def test_folders_as_resources(self):
        self.replay(self.start("12"), "apis-folder")

    def test_dashboards(self):
        grafana = self.start("12")
        self.folders(grafana)
        self.replay(grafana, "dashboard-create-update")
        self.replay(grafana, "dashboard-conflicts")
        self.replay(grafana, "delete-and-not-found")

    def test_the_history_masks_the_first_message(self):
        self.replay(self.start("9"), "dashboard-versions-by-role")
        grafana = self.start("12")
        self.folders(grafana)
        self.replay(grafana, "dashboard-versions")

    def test_who_edits_by_apis_carries_the_message_along(self):
        grafana = self.start("12")
        self.folders(grafana)
        self.replay(grafana, "apis-annotations")

    def test_a_dashboard_as_a_resource(self):
        grafana = self.start("12")
        self.folders(grafana)
        self.replay(grafana, "apis-dashboard")

    def test_a_dashboard_in_the_new_schema_is_converted_by_its_layout(self):
        grafana = self.start("12")
        self.folders(grafana)
        self.replay(grafana, "apis-schema-v2")

    def test_a_browser_saves_without_a_message(self):
        grafana = self.start("12")
        self.folders(grafana)
        self.dashboard(grafana, "web", "fa")
        self.replay(grafana, "browser-save")

    def test_a_young_folder_is_not_empty_to_an_editor(self):
        grafana = self.start("12")
        for uid in ("fx1", "fy"):
            body = {"uid": uid, "title": f"X {uid}"}
            grafana.ask("POST", "/api/folders", body, auth=f"Bearer {self.tokens['<Editor-token>']}")
        self.replay(grafana, "folder-delete-not-empty")

    def test_what_an_importer_needs_at_least(self):
        with recorded_prometheus() as prometheus:
            self.replay(self.start("12", prometheus=prometheus), "importer-least-role")

    def test_library_panels(self):
        grafana = self.start("12")
        self.folders(grafana)
        self.replay(grafana, "library-elements")

    def test_annotations(self):
        self.replay(self.start("12"), "annotations")

    def test_anonymous_access_hides_wrong_credentials(self):
        grafana = self.start("12", GF_AUTH_ANONYMOUS_ENABLED="true")
        grafana.ask("POST", "/api/folders", {"uid": "pub", "title": "Public"}, auth=ADMIN)
        self.dashboard(grafana, "pubd", "pub", "Pub", auth=ADMIN)
        self.replay(grafana, "anonymous")

    def test_anonymous_access_does_not_hide_wrong_credentials_in_9(self):
        grafana = self.start("9", GF_AUTH_ANONYMOUS_ENABLED="true")
        grafana.ask("POST", "/api/folders", {"uid": "pub", "title": "Public"}, auth=ADMIN)
        self.replay(grafana, "anonymous")

    def test_the_api_answers_without_the_path_of_a_proxy(self):
        for release in ("9", "12"):
            root = {"GF_SERVER_ROOT_URL": "http://localhost/team/grafana/", "GF_SERVER_SERVE_FROM_SUB_PATH": "true"}
            with self.subTest(release=release), Running(options=("--release", release), environment=root) as grafana:
                for path in ("/api/health", "/team/grafana/api/health"):
                    self.assertEqual("ok", grafana.ask("GET", path).body["database"], path)

    def test_credentials(self):
        self.replay(self.start("12"), "auth-missing-or-wrong")

    def test_accounts_and_tokens(self):
        self.replay(self.start("12"), "service-account-and-token")

    def test_queries_and_their_steps(self):
        with recorded_prometheus() as prometheus:
            self.replay(self.start("9", prometheus=prometheus), "other-by-role")
            grafana = self.start("12", prometheus=prometheus)
            self.replay(grafana, "ds-query-intervals")
            self.replay(grafana, "ds-query")


if __name__ == "__main__":
    unittest.main()
