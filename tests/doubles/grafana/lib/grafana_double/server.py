"""The HTTP side: one thread a connection, one transaction a request, JSON out."""

import contextlib
import http.server
import json
import socketserver
import sys
import urllib.parse

from . import accounts, annotations, auth, dashboards, datasources, folders, library, prometheus, resources  # noqa: F401, importing registers their routes
from .web import Answer, Refused, Request, Text, refuse, route

METRICS = """\
# HELP grafana_build_info The version that runs; the value is always 1.
# TYPE grafana_build_info gauge
grafana_build_info{{branch="main",edition="oss",goversion="none",revision="stand-in",version="{version}"}} 1
# TYPE grafana_instance_start_total counter
grafana_instance_start_total 1
# TYPE grafana_stat_totals_dashboard gauge
grafana_stat_totals_dashboard {dashboards}
# TYPE grafana_stat_total_users gauge
grafana_stat_total_users {users}
"""

PAGE = "<!doctype html><title>Grafana</title><p>A stand-in for Grafana {version}: it has the API and no pages."
LOGIN = '<!doctype html><title>Grafana</title><form><input name="user"><input name="password" type="password"></form>'


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, store, version, *, lock_seconds, least_refresh, release, permission_seconds, home_page, sub_path, anonymous_role):
        self.store, self.version = store, version
        self.lock_seconds, self.least_refresh = lock_seconds, least_refresh
        # 9 and 12 are recorded. What any other number adds to them is invented: 11 wraps the history, 13 has dashboards
        # in a form of its own, 14 has no other way to dashboards and folders than `/apis`.
        self.release = release
        # By account: when its rights were read, and which folders it may see by them.
        self.permission_seconds, self.known_folders = permission_seconds, {}
        self.home_page, self.sub_path, self.anonymous_role = home_page, sub_path, anonymous_role
        super().__init__(address, Handler)

    def handle_error(self, request, client_address):
        """A closed connection is ignored; any other error is a bug and is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def open_to_all(request):
    """The addresses that need no credentials; None for any other."""
    path, version, store = request.path, request.server.version, request.store
    if path == "/api/health":
        return {"commit": "stand-in", "database": "ok", "version": version}
    if path == "/healthz":
        return Text("Ok")
    if path == "/metrics":
        with store:
            counts = {
                "dashboards": store.one("SELECT COUNT(*) AS n FROM dashboard WHERE is_folder=0")["n"],
                "users": store.one("SELECT COUNT(*) AS n FROM user")["n"],
            }
        return Text(METRICS.format(version=version, **counts), "text/plain; version=0.0.4; charset=utf-8")
    if path == "/login":
        return auth.login(request) if request.method == "POST" else Text(LOGIN, "text/html")
    return None


def is_gone(request):
    """The invented release 14 has no other way to dashboards and folders than `/apis`."""
    return request.server.release >= 14 and request.path.startswith(("/api/dashboards", "/api/folders", "/api/search"))


def answer(request):
    """Status and body of any request."""
    try:
        openly = open_to_all(request)
        if openly is not None:
            return 200, openly
        if not (request.path.startswith(("/api/", "/apis/")) or request.headers.get("Authorization") or auth.session_user(request)):
            html = {"content_type": "text/html; charset=utf-8", "headers": {"Location": "/login"}}
            return 302, Text('<a href="/login">Found</a>.\n\n', **html)
        request.user = auth.guest_or_user(request)
        found = None if is_gone(request) else route.find(request.method, request.path)
        if found is None:
            if request.path.startswith(("/api/", "/apis/")):
                raise refuse(404, "Not found", trace=False)
            return 200, Text(PAGE.format(version=request.server.version), "text/html; charset=utf-8")
        handler, arguments, needs, own_transaction = found
        auth.permit(request.user, needs)
        with contextlib.nullcontext() if own_transaction else request.store:
            done = handler(request, **arguments)
        return (done.status, done.body) if isinstance(done, Answer) else (200, done)
    except Refused as refused:
        return refused.status, refused.body


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body leave in one packet, at once: else each answer waits 40 ms for an acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_arguments):
        """Whoever wants to see the requests stands before the server."""

    def handle_any(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.sub_path:
            # The API answers without the path, too.
            is_api = path.startswith(("/api/", "/apis/"))
            if not path.startswith(f"{self.server.sub_path}/") and not is_api:
                self.send(301, Text("", headers={"Location": f"{self.server.sub_path}{path}"}))
                return
            path = path.removeprefix(self.server.sub_path)
        request = Request(
            self.command, path, urllib.parse.parse_qs(query, keep_blank_values=True), self.headers, body, self.server
        )
        self.send(*answer(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def send(self, status, body):
        text = body if isinstance(body, Text) else Text("" if body is None else json.dumps(body), "application/json")
        content = text.text.encode()
        self.send_response(status)
        self.send_header("Content-Type", text.content_type)
        self.send_header("Content-Length", str(len(content)))
        for name, value in text.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()
