"""Metrics of workers: their presence, their requests in progress, and unapplied migrations."""

import concurrent.futures
import os
import subprocess
import sys
import time

import pytest
from projects import ASGI, SETTINGS, URLS, WSGI, small
from servers import until

WAITING = URLS + """
import time

def wait(request):
    while not os.path.exists(request.GET["for"]):
        time.sleep(0.01)
    return HttpResponse("waited")

urlpatterns += [path("wait", wait, name="wait")]
"""


def gauge(server, name):
    """The value of an unlabelled family; None where it is not served."""
    family = server.families().get(name)
    return None if family is None else family.samples[0].value


def test_workers_are_counted_while_they_run(serve):
    server = serve(small(), workers=3, MONCTL_THREADS="2")
    until(lambda: gauge(server, "monctl_workers") == 3)
    assert gauge(server, "monctl_request_slots") == 6
    server.stop()
    assert gauge(server, "monctl_workers") == 0
    assert gauge(server, "monctl_request_slots") == 0


@pytest.mark.parametrize(
    ("kind", "threads", "slots"),
    [
        ("sync", "1", 1),
        ("sync", "3", 3),
        ("gthread", "1", 1),
        ("gevent", "1", 1000),
        ("asgi", "1", 1000),
        ("uvicorn_worker.UvicornWorker", "1", 1000),
    ],
)
def test_each_kind_of_worker_reports_its_request_slots(serve, kind, threads, slots):
    entry = "shop.asgi" if kind == "asgi" or "uvicorn" in kind else "shop.wsgi"
    server = serve(small(asgi=ASGI), entry=entry, workers=1, MONCTL_THREADS=threads, MONCTL_WORKER_CLASS=kind)
    until(lambda: gauge(server, "monctl_workers") == 1)
    assert gauge(server, "monctl_request_slots") == slots


def test_an_application_that_cannot_be_loaded_has_no_worker(serve, tmp_path):
    broken = tmp_path / "broken"
    broken.touch()
    wsgi = f"import os, time\nwhile os.path.exists({str(broken)!r}):\n    time.sleep(0.01)\n" + WSGI
    server = serve(small(wsgi=wsgi), workers=1)
    until(lambda: server.pids())
    assert gauge(server, "monctl_workers") == 0
    broken.unlink()
    until(lambda: gauge(server, "monctl_workers") == 1)


def test_replacements_are_counted_and_reloads_are_not(serve):
    server = serve(small(), workers=2)
    until(lambda: gauge(server, "monctl_workers") == 2)
    assert gauge(server, "monctl_worker_replacements") == 0
    server.reload()
    until(lambda: gauge(server, "monctl_workers") == 2)
    assert gauge(server, "monctl_worker_replacements") == 0
    for number in (1, 2, 3):
        server.kill_worker(next(iter(server.pids())))
        until(lambda number=number: gauge(server, "monctl_worker_replacements") == number)


def test_the_start_of_the_service_is_known_and_survives_a_reload(serve):
    begin = time.time() - 1
    server = serve(small(), workers=1)
    started = gauge(server, "monctl_app_start_time_seconds")
    assert begin < started < time.time() + 1
    server.reload()
    assert gauge(server, "monctl_app_start_time_seconds") == started
    server.stop()
    server.start()
    until(lambda: (gauge(server, "monctl_app_start_time_seconds") or 0) > started)


# As many as there are slots, on any worker: a worker with threads may accept more than it can serve.
@pytest.mark.parametrize(("kind", "threads", "workers"), [("sync", "1", 5), ("gthread", "5", 1)])
def test_requests_are_in_progress_until_they_are_answered(serve, tmp_path, kind, threads, workers):
    server = serve(small(urls=WAITING), workers=workers, MONCTL_WORKER_CLASS=kind, MONCTL_THREADS=threads)
    go = tmp_path / "go"
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(server.request, f"/wait?for={go}") for _ in range(5)]
        until(lambda: gauge(server, "monctl_requests_in_progress") == 5)
        go.touch()
        assert [answer.result() for answer in answers] == [(200, "waited")] * 5
    assert gauge(server, "monctl_requests_in_progress") == 0
    assert server.request("/none/")[0] == 404
    assert gauge(server, "monctl_requests_in_progress") == 0


def test_requests_of_a_worker_that_died_are_no_longer_in_progress(serve, tmp_path):
    server = serve(small(urls=WAITING), workers=1)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.request, f"/wait?for={tmp_path / 'never'}")
        until(lambda: gauge(server, "monctl_requests_in_progress") == 1)
        server.kill_worker(next(iter(server.pids())))
        assert answer.exception() is not None
    # The dead worker still counts as one for a moment.
    until(lambda: gauge(server, "monctl_workers") == 1 and gauge(server, "monctl_requests_in_progress") == 0)


def test_a_forked_child_does_not_end_its_parents_request(serve, tmp_path):
    urls = WAITING + """
def fork(request):
    child = os.fork()
    if child == 0:
        from monctl_metrics import instrument
        # The child returns through the wrapper.
        instrument._leave(instrument._recorder)
        os._exit(0)
    os.waitpid(child, 0)
    return wait(request)

urlpatterns += [path("fork", fork, name="fork")]
"""
    server = serve(small(urls=urls), workers=1)
    go = tmp_path / "go"
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.request, f"/fork?for={go}")
        until(lambda: gauge(server, "monctl_requests_in_progress") == 1)
        go.touch()
        assert answer.result() == (200, "waited")
    assert gauge(server, "monctl_requests_in_progress") == 0


def test_another_server_is_not_taken_for_one_without_workers(tmp_path):
    from monctl_metrics.exporter import Workers

    names = {family.name for family in Workers(str(tmp_path)).collect()}
    assert "monctl_workers" not in names
    stopped = {family.name: family for family in Workers(str(tmp_path / "gone")).collect()}
    assert stopped["monctl_workers"].samples[0].value == 0
    assert "monctl_app_start_time_seconds" not in stopped


DATABASE = SETTINGS + """
INSTALLED_APPS = ["shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "data/db.sqlite3"}}
"""
MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [%s]
    operations = []
"""
IMPATIENT = WSGI + "\nfrom monctl_metrics import migrations\nmigrations.PAUSE = 0.05\n"


def shop(**changes):
    """A project with two migrations."""
    files = small(**{"settings": DATABASE, "wsgi": IMPATIENT} | changes)
    migrations = {"__init__": "", "0001_first": MIGRATION % "", "0002_next": MIGRATION % '("shop", "0001_first")'}
    return files | {f"shop/migrations/{name}.py": text for name, text in migrations.items()}


def migrations(server):
    """(applied, unapplied) as served, or None."""
    names = ("django_migrations_applied_total", "django_migrations_unapplied_total")
    families = [server.families().get(name) for name in names]
    if None in families:
        return None
    assert [family.samples[0].labels for family in families] == [{"connection": "default"}] * 2
    return tuple(family.samples[0].value for family in families)


def migrate(server, *words):
    environment = server.environment | {"DJANGO_SETTINGS_MODULE": "shop.settings"}
    command = [sys.executable, "-m", "django", "migrate", "--verbosity=0", *words]
    subprocess.run(command, cwd=server.folder, env=environment, check=True)


def test_migrations_are_counted_until_they_are_applied(serve):
    server = serve(shop() | {"data/empty": ""}, workers=3)
    until(lambda: migrations(server) == (0, 2))
    migrate(server, "shop", "0001")
    until(lambda: migrations(server) == (1, 1))
    migrate(server)
    until(lambda: migrations(server) == (2, 0))


def test_another_worker_checks_migrations_after_the_first_one_ended(serve):
    server = serve(shop() | {"data/empty": ""}, workers=2)
    until(lambda: migrations(server) == (0, 2))
    for pid in server.pids():
        server.kill_worker(pid)
    until(lambda: migrations(server) == (0, 2))
    migrate(server)
    until(lambda: migrations(server) == (2, 0))


def test_a_database_that_does_not_answer_delays_no_worker(serve):
    server = serve(shop(), workers=2)
    until(lambda: gauge(server, "monctl_workers") == 2)
    assert server.request("/") == (200, "home")
    assert migrations(server) is None
    os.mkdir(server.folder / "data")
    until(lambda: migrations(server) == (0, 2))
    assert server.log.read_text().count("migrations cannot be counted yet") <= 1


def test_a_project_without_a_database_has_no_migrations(serve):
    server = serve(small(), workers=1)
    until(lambda: gauge(server, "monctl_workers") == 1)
    server.request("/")
    assert migrations(server) is None
