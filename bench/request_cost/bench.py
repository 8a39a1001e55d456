"""What counting costs per request: nothing, monctl's exporter, django-prometheus.

Each way runs in a process of its own, which sends requests through Django's
WSGI handler in this computer's memory: no sockets, so that the difference is
the counting alone. The ways take turns for several rounds, and the fastest
round of each counts, as noise only ever adds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time
from wsgiref.util import setup_testing_defaults

REPOSITORY = Path(__file__).resolve().parent.parent.parent
APP = REPOSITORY / "templates" / "app"
WAYS = ("none", "exporter", "django-prometheus")
AIM_MICROSECONDS = 20
BATCH = 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=10_000, help="per round and way")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measure(options.way, options.requests)))
        return 0
    costs = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for way in WAYS:
            costs[way].append(in_own_process(way, options.requests))
    return report({way: min(rounds) for way, rounds in costs.items()}, options)


def in_own_process(way, requests):
    command = [sys.executable, __file__, "--way", way, "--requests", str(requests)]
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONPATH": str(APP), "MONCTL_METRICS_DIR": folder}
        output = subprocess.run(
            command, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
    return json.loads(output.stdout)


def measure(way, requests):
    """CPU microseconds per request, as the median of many batches."""
    application = build(way)
    environ = {"HTTP_HOST": "localhost", "PATH_INFO": "/"}
    setup_testing_defaults(environ)
    run(application, environ, BATCH)
    batches = [run(application, environ, BATCH) for _ in range(requests // BATCH)]
    return statistics.median(batches) / BATCH * 1e6


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
    )
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path

    page = b"x" * 4000
    urlpatterns.append(path("", lambda request: HttpResponse(page), name="page"))
    return get_wsgi_application()


urlpatterns = []


def report(costs, options):
    """Prints the table; 1 where the aim was missed."""
    print(f"CPU per request, best of {options.rounds} rounds of {options.requests} requests\n")
    print(f"{'way':<20}{'µs a request':>14}{'counting, µs':>14}")
    for way, cost in costs.items():
        added = "" if way == "none" else f"{cost - costs['none']:.1f}"
        print(f"{way:<20}{cost:>14.1f}{added:>14}")
    reached = costs["exporter"] - costs["none"] <= AIM_MICROSECONDS
    print(f"\naim: exporter adds at most {AIM_MICROSECONDS} µs: {'reached' if reached else 'missed'}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
