"""Checks whether a version of the application can be activated.

    python -m monctl_metrics.check                 a staged copy: imports, Django's own checks
    python -m monctl_metrics.check --places        and where it writes below its folder, as JSON
    python -m monctl_metrics.check --request       and a GET through its callable
    python -m monctl_metrics.check --url URL       the running service, until it answers; with the
                                                   project's own django-prometheus also its metrics
    python -m monctl_metrics.check --url URL --report  and what is wrong with its settings, as JSON

MONCTL_APP_DIR and MONCTL_WSGI or MONCTL_ASGI set the copy and its entry point. Exit code 0 means
yes; 1 means no, with the reason on one line of standard error. Checking a staged
copy leaves no files behind; with `--request`, the application's own code may.
"""

import argparse
import http.client
import json
import os
import sys
import time
import urllib.parse

from . import activation, application, interface, metrics, places, release, request_asgi, settings_report
from .application import Refused

HEALTH_PATH = os.environ.get("MONCTL_HEALTH_PATH", "/")
METRICS_PATH = os.environ.get("MONCTL_METRICS_PATH", "/metrics")
_POLL_SECONDS = 0.1


def main(arguments=None):
    options = _parse(arguments)
    sys.dont_write_bytecode = True
    answer = application.separate_output()
    try:
        entry = application.load()
        _django_checks()
        _release_commands_exist()
        _written_paths_are_kept()
        _metrics_can_be_counted()
        _workers_can_serve()
        if options.request:
            _request_entry(entry, options.path)
        if options.url:
            _request_service(options.url, options.path, options.within)
            if activation.mode() == "builtin":
                metrics.verify(options.url, METRICS_PATH)
    except Refused as reason:
        print(f"not ready: {_or_read_only(reason)}", file=sys.stderr)
        return 1
    with answer:
        if options.places:
            json.dump(places.found(application.root()), answer)
        elif options.report:
            json.dump(settings_report.found(entry, _environ), answer)
        else:
            print(f"ready; static files: {application.static_root() or 'not configured'}", file=answer)
    return 0


def _parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m monctl_metrics.check")
    parser.add_argument("--places", action="store_true", help="print where the application writes below its folder")
    parser.add_argument("--report", action="store_true", help="print what the settings reveal that is not fit for users")
    parser.add_argument("--request", action="store_true", help="send a GET through the callable")
    parser.add_argument("--url", help="send a GET to the running service, such as http://127.0.0.1:8000")
    parser.add_argument("--path", default=HEALTH_PATH, help="what to GET (%(default)s)")
    parser.add_argument("--within", type=float, default=30, metavar="SECONDS", help="(%(default)s)")
    return parser.parse_args(arguments)


def _written_paths_are_kept():
    kept = places.kept()
    path = places.unkept(application.root(), kept)
    if path:
        raise Refused(_needs_line(path, kept))


def _or_read_only(reason):
    """The reason; for a write next to the code that failed, the line of the spec that keeps the path."""
    path = places.refused(reason.__cause__, application.root())
    return _needs_line(path, places.kept()) if path else reason


def _needs_line(path, kept):
    return f"the application writes `{path}` next to its code, which is read-only; keep it with `{places.line(kept, path)}`"


def _django_checks():
    """Runs the system checks, which load the URL configuration, models and templates."""
    import django
    from django.apps import apps
    from django.core import checks

    try:
        if not apps.ready:
            django.setup()
        serious = [message for message in checks.run_checks() if message.is_serious()]
    except Exception as error:
        raise Refused(f"Django's checks fail: {application.describe(error)}") from error
    serious = [message for message in serious if not message.is_silenced()]
    if serious:
        raise Refused(f"Django's checks fail: {str(serious[0]).strip()}")


def _release_commands_exist():
    command = release.unknown()
    if command:
        raise Refused(f"Django has no management command `{command}`, which is in `app.release`")


def _metrics_can_be_counted():
    """Refuses a version whose workers would serve requests without metrics."""
    if activation.mode() != "exporter":
        return
    try:
        from prometheus_client.mmap_dict import MmapedDict

        # Before 0.17 an entry had one number less, and the exporter would misread our files.
        if "timestamp" not in MmapedDict.write_value.__code__.co_varnames:
            raise ImportError("prometheus_client is older than 0.17; require a later one")
        from . import recorder  # noqa: F401
    except Exception as error:
        raise Refused(f"metrics cannot be counted: {error}") from error


def _workers_can_serve():
    """Refuses a version whose Gunicorn has no workers that serve ASGI."""
    if interface.worker_class() is None:
        raise Refused(interface.no_worker_class())


def _request_entry(entry, path):
    """Sends one GET through the callable in this process."""
    from django.core.signals import got_request_exception

    raised = []

    def note(**_):
        raised.append(sys.exc_info()[1])

    got_request_exception.connect(note)
    send = request_asgi.status if interface.is_asgi() else _wsgi_status
    try:
        status = send(entry, path)
    except Exception as error:
        raise Refused(f"GET {path} fails: {application.describe(error)}") from error
    reason = application.describe(raised[0]) if raised and raised[0] else ""
    _judge(status, path, reason)


def _wsgi_status(entry, path):
    statuses = []
    body = entry(_environ(path), lambda status, headers, exc_info=None: statuses.append(status))
    for _ in body:
        break
    getattr(body, "close", lambda: None)()
    return int(statuses[0].split()[0])


def _environ(path):
    from wsgiref.util import setup_testing_defaults

    headers = application.accepted_headers()
    environ = {
        "PATH_INFO": path.partition("?")[0],
        "QUERY_STRING": path.partition("?")[2],
        "REMOTE_ADDR": "127.0.0.1",
    }
    environ |= {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()}
    setup_testing_defaults(environ)
    return environ


def _request_service(url, path, seconds):
    """Sends requests to the running service until one succeeds or the time is over."""
    headers = application.accepted_headers()
    deadline = time.monotonic() + seconds
    while True:
        try:
            _judge(_status(url, path, headers, deadline), path, "its journal has the traceback")
        except (OSError, http.client.HTTPException) as error:
            reason = Refused(f"{url} does not answer: {error or type(error).__name__}")
        except Refused as refused:
            reason = refused
        else:
            return
        if time.monotonic() >= deadline:
            raise reason
        time.sleep(_POLL_SECONDS)


def _status(url, path, headers, deadline):
    place = urllib.parse.urlsplit(url)
    patience = max(1.0, deadline - time.monotonic())
    connection = http.client.HTTPConnection(place.hostname, place.port or 80, timeout=patience)
    try:
        connection.request("GET", path, headers={**headers, "Connection": "close"})
        return connection.getresponse().status
    finally:
        connection.close()


def _judge(status, path, reason):
    """Accepts a login page, a redirect or a missing start page; refuses errors."""
    if status == 400 or status >= 500:
        raise Refused(f"GET {path} returns {status}" + (f": {reason}" if reason else ""))


if __name__ == "__main__":
    sys.exit(main())
