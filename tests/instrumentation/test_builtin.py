"""`builtin`: django-prometheus in several workers, read at the application's own page."""

import subprocess
import sys

import pytest
from projects import SETTINGS, URLS, small
from servers import APP, REPOSITORY, parse

EXAMPLE = REPOSITORY / "examples" / "notes-prometheus"


@pytest.fixture
def example():
    names = ("notes", "notebook")
    files = {}
    for name in names:
        for path in (EXAMPLE / name).rglob("*"):
            if path.suffix in (".py", ".html"):
                files[str(path.relative_to(EXAMPLE))] = path.read_text()
    # A page that shows which worker answers; the example itself does not need it.
    files["notes/urls.py"] += """
import os
from django.http import HttpResponse
urlpatterns.insert(0, path("pid", lambda request: HttpResponse(str(os.getpid())), name="pid"))
"""
    return files


def responses(server):
    text = server.request("/metrics")[1]
    name = "django_http_responses_total_by_status_view_method_total"
    return parse(text).get((name, 'method="GET",status="200",view="pid"'))


def test_any_worker_serves_the_counts_of_all_across_kills_and_reloads(serve, example):
    server = serve(example, entry="notes.wsgi", workers=3, mode="builtin", SECRET_KEY="x")
    sent = sum(server.request_every_worker().values())
    assert {responses(server) for _ in range(9)} == {sent}
    files = server.files()
    for pid in server.pids():
        server.kill_worker(pid)
    sent += sum(server.request_every_worker().values())
    assert {responses(server) for _ in range(9)} == {sent}
    assert server.files() == files
    server.reload()
    sent += sum(server.request_every_worker().values())
    assert {responses(server) for _ in range(9)} == {sent}


def check(server, **environment):
    """Runs the deploy check against the running service."""
    command = [sys.executable, "-m", "monctl_metrics.check", "--url", f"http://127.0.0.1:{server.port}"]
    return subprocess.run(
        [*command, "--within", "5"],
        env=server.environment | {"PYTHONPATH": str(APP), **environment},
        capture_output=True,
        text=True,
    )


def own(settings="", urls="path('', include('django_prometheus.urls'))", allowed='["*"]'):
    """A small project with django-prometheus."""
    base = SETTINGS.replace('["127.0.0.1"]', allowed)
    base += "INSTALLED_APPS = ['django_prometheus']\nMIDDLEWARE = ['django_prometheus.middleware.PrometheusAfterMiddleware']\n"
    routes = URLS.replace("import path", "import include, path") + f"urlpatterns += [{urls}]\n"
    return small(settings=base + settings, urls=routes)


def test_a_version_whose_metrics_prometheus_can_read_is_ready(serve):
    assert check(serve(own(), mode="builtin")).returncode == 0


def test_metrics_at_another_path_are_requested_there(serve):
    server = serve(own(urls="path('ops/', include('django_prometheus.urls'))"), mode="builtin")
    missing = check(server)
    assert missing.returncode == 1
    assert "GET /metrics returns 404: set its path as app.metrics_path" in missing.stderr
    assert check(server, MONCTL_METRICS_PATH="/ops/metrics").returncode == 0


REFUSALS = {
    "no address of the host is allowed": (
        own(
            "MIDDLEWARE += ['django.middleware.common.CommonMiddleware']\n",
            allowed='["shop.example.com", "127.0.0.1"]',
        ),
        "ALLOWED_HOSTS needs the address",
    ),
    "all is redirected to HTTPS": (
        own("SECURE_SSL_REDIRECT = True\nMIDDLEWARE += ['django.middleware.security.SecurityMiddleware']\n"),
        "is redirected to https://",
    ),
    "another page answers there": (own(urls="path('metrics', home)"), "does not look like django-prometheus"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_a_version_whose_metrics_prometheus_cannot_read_is_not_ready_with_a_reason(serve, what):
    files, reason = REFUSALS[what]
    result = check(serve(files, mode="builtin"))
    assert result.returncode == 1
    assert result.stderr.startswith("not ready: Prometheus could not scrape the application: ")
    assert reason in result.stderr


def test_with_the_exporter_the_application_gets_no_metrics_request(serve):
    assert check(serve(small(), mode="exporter")).returncode == 0
