"""What counting costs per request: nothing, monctl's exporter, django-prometheus.

Each way runs in a process of its own, which sends requests through Django's
WSGI handler in this computer's memory: no sockets, so that the difference is
the counting alone. The ways take turns for several rounds, and the fastest
batch of each counts, as noise only ever adds.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time
from wsgiref.util import setup_testing_defaults

REPOSITORY = Path(__file__).resolve().parent.parent.parent
APP = REPOSITORY / "templates" / "app"
WAYS = ("none", "exporter", "django-prometheus")
# The requests: a page; one that a middleware answers before any view is
# looked up; one that does not exist.
PATHS = {"page": "/", "early answer": "/early/", "not found": "/nowhere/"}
AIM_MICROSECONDS = 20
BATCH = 200


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=4_000, help="per round and way")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measure(options.way, options.requests)))
        return 0
    rounds = [{way: in_own_process(way, options.requests) for way in WAYS} for _ in range(options.rounds)]
    best = {way: {kind: min(r[way][kind] for r in rounds) for kind in PATHS} for way in WAYS}
    return report(best, options)


def in_own_process(way, requests):
    command = [sys.executable, __file__, "--way", way, "--requests", str(requests)]
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONPATH": str(APP), "MONCTL_METRICS_DIR": folder}
        output = subprocess.run(
            command, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
    return json.loads(output.stdout)


def measure(way, requests):
    """CPU microseconds per request of each kind, in the fastest of many batches."""
    application = build(way)
    costs = {}
    for kind, path in PATHS.items():
        environ = {"HTTP_HOST": "localhost", "PATH_INFO": path}
        setup_testing_defaults(environ)
        run(application, environ, BATCH)
        batches = [run(application, environ, BATCH) for _ in range(requests // BATCH)]
        costs[kind] = min(batches) / BATCH * 1e6
    return costs


def run(application, environ, requests):
    started = process_time()
    for _ in range(requests):
        response = application(environ.copy(), lambda *_: None)
        response.close()
    return process_time() - started


def build(way):
    """A view behind the middlewares that a new project has."""
    middlewares = [
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        f"{__name__}.early",
    ]
    if way == "exporter":
        from monctl_metrics import activation

        os.environ["MONCTL_METRICS"] = "exporter"
        activation.in_worker()
    elif way == "django-prometheus":
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = os.environ["MONCTL_METRICS_DIR"]
        name = "django_prometheus.middleware.Prometheus{}Middleware"
        middlewares = [name.format("Before"), *middlewares, name.format("After")]
    return configured(middlewares)


def configured(middlewares):
    from django.conf import settings

    settings.configure(
        SECRET_KEY="x",
        ALLOWED_HOSTS=["localhost"],
        ROOT_URLCONF=__name__,
        MIDDLEWARE=middlewares,
        LOGGING_CONFIG=None,
    )
    logging.disable()
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path

    page = b"x" * 4000
    for where in ("", "early/"):
        urlpatterns.append(path(where, lambda request: HttpResponse(page), name=where or "page"))
    return get_wsgi_application()


def early(get_response):
    from django.http import HttpResponse

    def middleware(request):
        return HttpResponse("early") if request.path == "/early/" else get_response(request)

    return middleware


urlpatterns = []


def report(costs, options):
    """Prints the table; 1 where the aim was missed."""
    print(f"CPU per request in µs, the fastest {BATCH} of {options.rounds} × {options.requests} requests; in brackets: counting\n")
    print(f"{'':<20}" + "".join(f"{kind:>22}" for kind in PATHS))
    for way, cost in costs.items():
        print(f"{way:<20}" + "".join(f"{_cell(cost[kind], costs['none'][kind]):>22}" for kind in PATHS))
    most = max(costs["exporter"][kind] - costs["none"][kind] for kind in PATHS)
    reached = most <= AIM_MICROSECONDS
    print(f"\naim: exporter adds at most {AIM_MICROSECONDS} µs: {'reached' if reached else 'missed'}, {most:.1f} µs")
    return 0 if reached else 1


def _cell(cost, plain):
    return f"{cost:.1f}" if cost == plain else f"{cost:.1f} ({cost - plain:+.1f})"


if __name__ == "__main__":
    sys.exit(main())
