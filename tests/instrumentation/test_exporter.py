"""The exporter process, and other ways to load the instrumentation."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys

import pytest
from projects import small
from servers import APP, DEADLINE, parse, until


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def scrape(port, path="/metrics"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200
        return parse(answer.read().decode())
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()


def start_exporter(directory, port):
    return subprocess.Popen(
        [sys.executable, "-m", "monctl_metrics.exporter"],
        env=os.environ
        | {
            "PYTHONPATH": str(APP),
            "MONCTL_METRICS_DIR": str(directory),
            "MONCTL_METRICS_ADDRESS": "127.0.0.1",
            "MONCTL_METRICS_PORT": str(port),
        },
        stderr=subprocess.PIPE,
    )


@pytest.fixture
def exporter(tmp_path):
    """A running exporter, as (port, process)."""
    port = free_port()
    process = start_exporter(tmp_path / "run" / "metrics", port)
    yield port, process
    process.kill()
    process.communicate()


TOTAL = ("django_http_responses_before_middlewares_total", "")


def test_the_exporter_serves_all_workers_and_outlives_them(serve, exporter):
    port, process = exporter
    # Before the application starts, and while it is restarted.
    assert until(lambda: scrape(port))[TOTAL] == 0
    server = serve(small(), workers=3)
    sent = sum(server.request_every_worker().values())
    assert scrape(port)[TOTAL] == sent
    labels = 'method="GET",status="200",view="pid"'
    assert scrape(port)["django_http_responses_total_by_status_view_method_total", labels] == sent
    server.stop()
    server.start()
    server.request("/")
    assert scrape(port)[TOTAL] == 1
    assert process.poll() is None


def test_files_that_vanish_while_they_are_read_are_ignored(tmp_path, monkeypatch):
    from monctl_metrics import exporter

    gone = [str(tmp_path / "counter_0.db")]
    monkeypatch.setattr(exporter.glob, "glob", lambda _: gone)
    families = {family.name: family for family in exporter.Workers(str(tmp_path)).collect()}
    assert families["django_http_responses_before_middlewares"].samples[0].value == 0


def test_a_file_that_is_being_created_is_ignored(tmp_path):
    from monctl_metrics.exporter import Workers

    for name in ("counter_0.db", "gauge_livesum_0.db"):
        (tmp_path / name).touch()
    families = {family.name: family for family in Workers(str(tmp_path)).collect()}
    assert families["django_http_responses_before_middlewares"].samples[0].value == 0


def test_a_busy_port_ends_the_exporter_and_nothing_else(serve, tmp_path):
    server = serve(small())
    with socket.create_server(("127.0.0.1", 0)) as busy:
        process = start_exporter(server.metrics_dir, busy.getsockname()[1])
        assert b"Address already in use" in process.communicate(timeout=DEADLINE)[1]
    assert process.returncode == 1
    assert server.request("/") == (200, "home")


def test_sigterm_ends_the_exporter(exporter):
    port, process = exporter
    until(lambda: scrape(port))
    process.terminate()
    assert process.wait(DEADLINE) == -signal.SIGTERM


def test_names_and_labels_are_those_of_django_prometheus(serve):
    from django.conf import settings

    if not settings.configured:
        settings.configure()
    from django_prometheus.middleware import Metrics

    theirs = {
        metric._name: (metric._type, tuple(sorted(metric._labelnames)))
        for metric in vars(Metrics()).values()
        if "unknown_latency" not in metric._name
    }
    urls = """
from django.http import Http404
from django.template.response import TemplateResponse
from django.urls import path

def page(request):
    return TemplateResponse(request, "page.html")

def missing(request):
    raise Http404

urlpatterns = [path("", page, name="page"), path("missing", missing, name="missing")]
"""
    settings = """
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": ["."]}]
"""
    files = small(urls=urls)
    files["shop/settings.py"] += settings
    server = serve(files | {"page.html": "hello"}, workers=1)
    server.request_all([("/", "GET", {}), ("/missing", "GET", {})])
    ours = {
        name: (family.type, tuple(sorted(set(family.samples[0].labels) - {"le"})))
        for name, family in server.families().items()
        if name.startswith("django_")
    }
    assert ours == theirs


def test_another_server_counts_by_a_pth_file(tmp_path):
    for path, text in small().items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    (tmp_path / "monctl_metrics.pth").write_text(f"{APP}\nimport monctl_metrics.autoload\n")
    program = f"""
import site, sys
site.addsitedir({str(tmp_path)!r})
from shop.wsgi import application
from wsgiref.util import setup_testing_defaults
environ = {{"HTTP_HOST": "127.0.0.1"}}
setup_testing_defaults(environ)
application(environ, lambda *_: None)
"""
    environment = {"PYTHONPATH": str(tmp_path), "MONCTL_METRICS_DIR": str(metrics)}
    for mode, files in (({}, 0), ({"MONCTL_METRICS": "exporter"}, 4)):
        subprocess.run(
            [sys.executable, "-c", program], env=os.environ | environment | mode, check=True
        )
        assert len(list(metrics.iterdir())) == files


def test_every_family_has_a_help_text_and_values_that_are_numbers(serve, exporter):
    port, _ = exporter
    server = serve(small(), workers=1)
    server.request("/")
    until(lambda: scrape(port))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    families = re.findall(r"^# HELP (\w+) (.+)$", text, re.M)
    assert [name for name, _ in families] == re.findall(r"^# TYPE (\w+) \w+$", text, re.M)
    assert len({name for name, _ in families}) == len(families)
    assert all(help_text.endswith(".") for _, help_text in families)
