"""Replays what was recorded from a real Grafana 9.4 and compares status, messages and the shape of each answer."""

import contextlib
import http.server
import json
import pathlib
import re
import threading
import unittest
import urllib.parse

from running import Running

RECORDINGS = pathlib.Path(__file__).resolve().parent / "recordings"
RECORDED_PROMETHEUS = "http://127.0.0.1:19090"
PASSWORDS = {
    "<admin-password>": "right-password",
    "<wrong-password>": "wrong-password",
    "<password from the changed setting>": "changed-password",
    "<next-password>": "next-password",
    "<right-password>": "lockme-password",
}
# What differs from run to run, or is the recorded build's own.
VOLATILE = {
    "id", "created", "updated", "createdAt", "updatedAt", "dashboardId", "folderId", "commit", "version of the build",
    "values", "value", "expiration", "secondsUntilExpiration", "key",
}
# Made up by the server at random, so only their presence counts.
RANDOM_UIDS = {"oempKIgOk", "d4XaKIgOz"}


class RecordedPrometheus(http.server.BaseHTTPRequestHandler):
    """Knows the two series that were there at the recording, and refuses the expressions that were refused."""

    SERIES = [
        {"__name__": "up", "instance": "127.0.0.1:19090", "job": "prometheus"},
        {"__name__": "up", "instance": "127.0.0.1:19100", "job": "node-exporter"},
    ]

    def log_message(self, *_arguments):
        pass

    def result(self, expression):
        if expression == "up":
            return [(series, "1") for series in self.SERIES]
        if expression == "sum(up)":
            return [({}, "2")]
        if expression == "vector(0)/vector(0)":
            return [({}, "NaN")]
        if expression.startswith("rate(prometheus_http_requests_total[20s]"):
            return [({"code": "200", "handler": "/api/v1/query", **self.SERIES[0]}, "0.2")]
        return []

    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        query = {**urllib.parse.parse_qs(address.query), **urllib.parse.parse_qs(form, keep_blank_values=True)}
        if address.path not in ("/api/v1/query", "/api/v1/query_range"):
            return self.send(404, "404 page not found\n", "text/plain; charset=utf-8")
        expression = query["query"][0]
        fraction = re.search(r"\[[^]]*\d\.\d", expression)
        broken = expression.count("(") != expression.count(")") or expression.count("{") != expression.count("}")
        if not expression or broken or fraction or '"("' in expression or expression == "rate(up)":
            text = 'invalid parameter "query": 1:7: parse error: unclosed left parenthesis'
            return self.send(400, json.dumps({"status": "error", "errorType": "bad_data", "error": text}))
        series = []
        for labels, value in self.result(expression):
            if expression.startswith("rate"):
                labels = {key: text for key, text in labels.items() if key != "__name__"}
            point = [1795450705.028, value]
            series.append({"metric": labels, **({"values": [point]} if "range" in address.path else {"value": point})})
        kind = "matrix" if "range" in address.path else "vector"
        return self.send(200, json.dumps({"status": "success", "data": {"resultType": kind, "result": series}}))

    do_POST = do_GET

    def send(self, status, text, content_type="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.end_headers()
        self.wfile.write(text.encode())


@contextlib.contextmanager
def recorded_prometheus():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RecordedPrometheus)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def differences(recorded, got, reduced=False, at=""):
    """Where an answer differs from the recorded one. A `reduced` recording may hold fewer keys than there were."""
    if isinstance(recorded, dict) and isinstance(got, dict):
        found = [f"{at}/{key}: only recorded" for key in recorded.keys() - got.keys()]
        if not reduced:
            found += [f"{at}/{key}: only ours" for key in got.keys() - recorded.keys()]
        for key in recorded.keys() & got.keys() - VOLATILE:
            found += differences(recorded[key], got[key], reduced, f"{at}/{key}")
        return found
    if isinstance(recorded, list) and isinstance(got, list) and len(recorded) == len(got):
        return [one for pair in zip(recorded, got, strict=True) for one in differences(*pair, reduced, f"{at}/[]")]
    if recorded == got or recorded in RANDOM_UIDS or str(recorded).startswith("/d/d4XaKIgOz"):
        return []
    return [f"{at}: recorded {recorded!r}, ours {got!r}"]


class Replay(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        # The tokens that stand for the recorded ones.
        self.keys = {}

    def replay(self, grafana, case, prometheus=RECORDED_PROMETHEUS):
        """Every exchange of a case, in its order."""
        for exchange in json.loads((RECORDINGS / f"{case}.json").read_text()):
            with self.subTest(case=case, note=exchange["note"]):
                self.exchange(grafana, exchange, prometheus)

    def exchange(self, grafana, exchange, prometheus):
        down = exchange.get("prometheus") == "down"
        text = json.dumps(exchange).replace(RECORDED_PROMETHEUS, prometheus)
        for placeholder, password in {**PASSWORDS, **self.keys}.items():
            text = text.replace(placeholder, password)
        exchange = json.loads(text)
        if down:
            self.point_to(grafana, "http://127.0.0.1:1")
        auth = exchange.get("auth")
        if auth and ":" in auth:
            auth = tuple(auth.removeprefix("Basic ").split(":", 1))
        body = exchange.get("body", exchange.get("body_text"))
        got = grafana.ask(exchange["method"], exchange["path"], body, auth=auth, headers=exchange.get("headers"))
        if "key" in exchange.get("answer", {}):
            self.keys[exchange["answer"]["key"]] = got.body["key"]
        if down:
            self.point_to(grafana, prometheus)
        self.assertEqual(exchange["status"], got.status, got.text)
        if "location" in exchange:
            self.assertEqual(exchange["location"], got.headers["Location"])
        if "answer_text" in exchange:
            self.assertEqual(exchange["answer_text"], got.text)
        if "answer" in exchange:
            reduced = exchange["method"] == "GET" and exchange["path"].startswith("/api/dashboards/uid/")
            self.assertEqual([], differences(exchange["answer"], got.body, reduced))

    def point_to(self, grafana, url):
        for uid in ("monctl-prometheus", "monctl_prometheus"):
            body = {"name": uid, "type": "prometheus", "access": "proxy", "url": url, "jsonData": {"timeInterval": "5s"}}
            grafana.ask("PUT", f"/api/datasources/uid/{uid}", body, auth=ADMIN)

    def add_data_sources(self, grafana, url):
        for uid in ("monctl-prometheus", "monctl_prometheus"):
            body = {"name": uid, "uid": uid, "type": "prometheus", "access": "proxy", "url": url}
            grafana.ask("POST", "/api/datasources", {**body, "jsonData": {"timeInterval": "5s"}}, auth=ADMIN)

    def test_open_addresses_and_every_401(self):
        with Running() as grafana:
            self.replay(grafana, "health-without-credentials")
            self.replay(grafana, "auth-missing-or-wrong")
            self.replay(grafana, "metrics-and-anonymous")

    def test_passwords_by_api(self):
        with Running() as grafana:
            self.replay(grafana, "admin-password-after-first-start")

    def test_five_wrong_passwords_lock_a_name(self):
        with Running() as grafana:
            self.replay(grafana, "auth-brute-force-lockout")

    def test_service_accounts_and_their_tokens(self):
        with Running() as grafana:
            source = {
                "uid": "monctl-prometheus", "name": "Prometheus", "type": "prometheus", "access": "proxy", "isDefault": True,
                "url": RECORDED_PROMETHEUS, "jsonData": {"httpMethod": "POST", "timeInterval": "5s"},
                "secureJsonData": {"httpHeaderValue1": "x"},
            }
            grafana.ask("POST", "/api/datasources", source, auth=ADMIN)
            grafana.ask("POST", "/api/folders", {"uid": "monctl", "title": "Django monitoring"}, auth=ADMIN)
            grafana.ask("POST", "/api/admin/users", {"login": "second", "password": "second-password"}, auth=ADMIN)
            self.replay(grafana, "service-account-and-token")

    def test_data_sources(self):
        with Running() as grafana:
            self.replay(grafana, "datasource-create-update")
            self.replay(grafana, "datasource-delete")

    def test_a_data_source_in_use(self):
        with Running() as grafana, recorded_prometheus() as prometheus:
            grafana.ask("POST", "/api/folders", {"uid": "monctl", "title": "Django monitoring"}, auth=ADMIN)
            self.replay(grafana, "datasource-delete-in-use", prometheus)

    def test_ways_to_prometheus(self):
        with Running() as grafana, recorded_prometheus() as prometheus:
            self.add_data_sources(grafana, prometheus)
            self.replay(grafana, "datasource-resources-and-proxy", prometheus)
            self.replay(grafana, "ds-query", prometheus)
            self.replay(grafana, "datasource-health", prometheus)

    def test_folders_and_dashboards(self):
        # Recorded one after another on one server: each builds on what the ones before it left.
        with Running() as grafana:
            self.replay(grafana, "folder-create-update")
            self.replay(grafana, "dashboard-create-update")
            self.replay(grafana, "dashboard-conflicts")
            self.replay(grafana, "dashboard-folder-move")
            self.replay(grafana, "dashboard-get-compare")
            self.replay(grafana, "search")
            dashboard = {"uid": "by-token", "title": "By token"}
            grafana.ask("POST", "/api/dashboards/db", {"dashboard": dashboard, "folderUid": "monctl"}, auth=ADMIN)
            grafana.ask("POST", "/api/admin/users", {"login": "second", "password": "second-password"}, auth=ADMIN)
            self.replay(grafana, "delete-and-not-found")


ADMIN = ("admin", PASSWORDS["<admin-password>"])

if __name__ == "__main__":
    unittest.main()
