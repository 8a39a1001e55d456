"""Serves whether an application runs and answers, and passes on the application's own metrics.

`/metrics` is about the application's unit and URL, `/application` is what the application itself serves as metrics, or
what monctl counts in it. This program only looks: it changes nothing of the application. It needs nothing but Python's
standard library; to serve what monctl counts, also the package in the folder `exporter` of templates/integrations/watch/install.yaml.
"""

import argparse
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Prometheus gives up after 10 seconds, or after its scrape interval if that is shorter.
TIMEOUT = 8
LARGEST = 64_000_000
COUNTING = "/etc/monctl/counting"
TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Unknown(Exception):
    """The state of what is watched cannot be found out."""


class Kept(urllib.request.HTTPRedirectHandler):
    """Takes a redirect as the answer."""

    def redirect_request(self, *_args):
        """Follows none."""
        return None


# No proxy: the application is on this host.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), Kept)


def states(unit):
    """The properties of a unit that say whether it runs."""
    command = ["systemctl", "show", "--property=LoadState,ActiveState,MainPID", "--", unit]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True)
    except subprocess.CalledProcessError as error:
        raise Unknown(f"systemd does not tell the state of {unit}: {error.stderr.strip()}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unknown(f"systemd does not tell the state of {unit}: {error}") from error
    found = dict(line.split("=", 1) for line in shown.stdout.splitlines() if "=" in line)
    if found.get("LoadState") in (None, "not-found", "masked", "error", "bad-setting"):
        raise Unknown(f"this host has no usable unit {unit}: it is {found.get('LoadState')}")
    return found


def request(url, host):
    """Status, type and content of an answer."""
    headers = {"X-Forwarded-Proto": "https", "User-Agent": "monctl-watch"}
    if host:
        headers["Host"] = host
    try:
        with OPENER.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
            return answer.status, answer.headers.get("Content-Type", TEXT), answer.read(LARGEST)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, TEXT, b""


def text(value):
    """The value of a label, quoted."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def metrics(settings):
    """What is known of the application, as Prometheus reads it."""
    lines = []

    def gauge(name, explained, labels, value):
        lines.extend([f"# HELP {name} {explained}", f"# TYPE {name} gauge", f"{name}{{{labels}}} {value}"])

    if settings.unit:
        found = states(settings.unit)
        runs = found["ActiveState"] in ("active", "reloading")
        gauge("monctl_unit_active", "Whether the application's unit runs.", f"name={text(settings.unit)}", int(runs))
        if settings.counted and runs:
            counts = int(counting().counts(found["MainPID"]))
            explained = "Whether the application's running processes count their requests."
            gauge("monctl_requests_counted", explained, f"name={text(settings.unit)}", counts)
    if settings.url:
        begun, answers = time.monotonic(), 0
        try:
            status, _, _ = request(settings.url, settings.host)
            answers = int(status < 400)
        except OSError as error:
            print(f"{settings.url} does not answer: {error}", file=sys.stderr, flush=True)
        label = f"url={text(settings.url)}"
        gauge("monctl_url_answers", "Whether the application's URL answers with a status below 400.", label, answers)
        took = time.monotonic() - begun
        gauge("monctl_url_seconds", "How long the application's URL took to answer.", label, f"{took:.6f}")
    return "".join(f"{line}\n" for line in lines).encode()


def counting():
    """The module that knows which processes count."""
    if COUNTING not in sys.path:
        sys.path[:0] = [COUNTING, f"{COUNTING}/library", f"{COUNTING}/exporter"]
    import counting

    return counting


def counted(unit):
    """The application's requests; nothing while it runs and does not count, since they are unknown then."""
    found = states(unit)
    known = counting()
    if found["ActiveState"] in ("active", "reloading") and not known.counts(found["MainPID"]):
        return b""
    from monctl_metrics import exporter

    return exporter.text(known.DIRECTORY)


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of Prometheus."""

    def do_GET(self):
        """Serves one of the two paths."""
        settings = self.server.settings
        try:
            if self.path == "/metrics":
                self.answer(200, TEXT, metrics(settings))
            elif self.path == "/application" and settings.counted:
                self.answer(200, TEXT, counted(settings.unit))
            elif self.path == "/application" and settings.metrics_url:
                status, kind, body = request(settings.metrics_url, settings.host)
                # A redirect leads to a login or to another host, and is not metrics.
                self.answer(200 if status == 200 else 502, kind, body or f"status {status}\n".encode())
            else:
                self.answer(404, TEXT, b"not found\n")
        except (Unknown, OSError) as error:
            self.answer(503, TEXT, f"{error}\n".encode())

    def answer(self, status, kind, body):
        """Sends an answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        """Writes no line for each scrape."""


class Server(ThreadingHTTPServer):
    """Listens on all addresses, of both families where the host has both."""

    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    daemon_threads = True

    def server_bind(self):
        """Accepts both families."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        return super().server_bind()


def notify_ready():
    """Tells systemd that the service has started."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as service_manager:
            service_manager.connect("\0" + address[1:] if address.startswith("@") else address)
            service_manager.sendall(b"READY=1")


def main():
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    for name in ("unit", "url", "metrics-url", "host"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--counted", action="store_true")
    settings = parser.parse_args()
    try:
        metrics(settings)
    except Unknown as error:
        sys.exit(f"cannot watch the application: {error}")
    server = Server(("", settings.port), Handler)
    server.settings = settings
    notify_ready()
    server.serve_forever()


if __name__ == "__main__":
    main()
