"""Starts the stand-in for a test, on loopback and a port of the kernel's choice, with a data folder of its own."""

import base64
import json
import os
import pathlib
import re
import subprocess
import tempfile
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent


class Answered:
    """Status, headers and body of an answer; `body` is parsed JSON where it is JSON."""

    def __init__(self, status, headers, content):
        self.status, self.headers, self.text = status, headers, content.decode()
        try:
            self.body = json.loads(self.text)
        except ValueError:
            self.body = None


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments):
        return None


OPENER = urllib.request.build_opener(NoRedirect, urllib.request.ProxyHandler({}))


class Running:
    """A stand-in that runs; used as a context. `stop` and `start` keep its data."""

    def __init__(self, password="right-password", options=(), environment=None):
        self._folder = tempfile.TemporaryDirectory(prefix="grafana-double-")
        folder = pathlib.Path(self._folder.name)
        self._data = folder / "data"
        self._provisioning = folder / "provisioning"
        self.password_file = folder / "admin-password"
        self.password_file.write_text(password + "\n")
        self.ini = folder / "grafana.ini"
        self.configure(f"$__file{{{self.password_file}}}")
        self._options, self._environment = options, environment or {}
        self._process = None
        self.url = None

    def configure(self, admin_password):
        self.ini.write_text(
            f"[server]\nhttp_addr = 127.0.0.1\nhttp_port = 0\n[paths]\ndata = {self._data}\n"
            f"provisioning = {self._provisioning}\n"
            f"[security]\nadmin_user = admin\nadmin_password = {admin_password}\n"
        )

    def provision(self, dashboards, sources):
        """These dashboards, by file name, and data sources belong to files from the next start on."""
        files = self._provisioning / "files"
        for kind, content in (
            ("dashboards", {"providers": [{"name": "files", "type": "file", "options": {"path": str(files)}}]}),
            ("datasources", {"datasources": sources}),
        ):
            (self._provisioning / kind).mkdir(parents=True)
            (self._provisioning / kind / "files.yaml").write_text(json.dumps({"apiVersion": 1, **content}))
        files.mkdir()
        for name, dashboard in dashboards.items():
            (files / name).write_text(json.dumps(dashboard))

    def command(self):
        server = [HERE / "bin" / "grafana", "server", "--homepath", HERE, "--config", self.ini]
        return [*map(str, server), *self._options]

    def start(self, **environment):
        self._process = subprocess.Popen(
            self.command(), stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        line = self._process.stdout.readline()
        match = re.search(r"address=(\S+)", line)
        if match is None:
            raise AssertionError(f"the stand-in did not start: {line!r}")
        self.url = f"http://{match[1]}"
        return self

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            # The way it ends does not matter, but nothing of it may stay.
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self):
        return self.start(**self._environment)

    def __exit__(self, *_exception):
        self.stop()
        self.clean()

    def clean(self):
        self._folder.cleanup()

    def ask(self, method, path, body=None, *, auth=None, headers=None):
        """One request. `auth` is `(name, password)` or a whole header; `body` is JSON, or text as it stands."""
        headers = dict(headers or {})
        if isinstance(auth, tuple):
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
        elif auth:
            headers["Authorization"] = auth
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        content = None if body is None else body.encode()
        request = urllib.request.Request(self.url + path, content, headers, method=method)
        try:
            with OPENER.open(request, timeout=60) as answer:
                return Answered(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answered(error.code, error.headers, error.read())
