"""Workers come and go; counters, files and clients do not notice."""

import os
import signal
import threading

from projects import SETTINGS, URLS, WSGI, small
from servers import until


def test_nothing_is_lost_when_idle_workers_are_killed_and_others_reloaded(serve):
    server = serve(small(), workers=2)
    sent = sum(server.request_every_worker().values())
    for pid in server.pids():
        server.kill_worker(pid)
    sent += sum(server.request_every_worker().values())
    server.reload()
    sent += sum(server.request_every_worker().values())
    assert server.responses() == {("GET", 200, "pid"): sent}


def test_fifty_worker_restarts_leave_as_many_files_as_before(serve):
    server = serve(small(), workers=5)
    sent = sum(server.request_every_worker().values())
    files = server.files()
    # Besides those of each worker: the server's start time, and the lock of the migration check.
    assert len(files) == 5 * 4 + 2
    for _ in range(10):
        before = server.pids()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        until(lambda before=before: not server.pids() & before and len(server.pids()) == 5)
        sent += sum(server.request_every_worker().values())
    assert server.files() == files
    assert server.responses() == {("GET", 200, "pid"): sent}


def test_counters_start_from_zero_with_the_server(serve):
    server = serve(small())
    server.request("/")
    server.stop()
    server.start()
    server.request("/gate/")
    assert server.responses() == {("GET", 200, "gate"): 1}


def test_no_client_notices_restarts_and_reloads(serve):
    server = serve(small(), workers=2)
    stop = threading.Event()
    answers, problems = [], []

    def client():
        while not stop.is_set():
            try:
                answers.append(server.request("/pid"))
            except Exception as error:
                problems.append(error)

    clients = [threading.Thread(target=client) for _ in range(4)]
    for thread in clients:
        thread.start()
    for act in (server.reload, server.stop, server.start, server.reload, server.stop, server.start):
        seen = len(answers)
        act()
        if act != server.stop:
            until(lambda seen=seen: len(answers) > seen + 50)
    stop.set()
    for thread in clients:
        thread.join()
    assert problems == []
    assert {status for status, _ in answers} == {200}
    # At least one worker of each of the five generations.
    assert len({pid for _, pid in answers}) >= 5


def test_a_forked_child_counts_in_its_own_files(serve):
    urls = URLS + """
import subprocess, sys

def fork(request):
    child = os.fork()
    if child == 0:
        from django.core.wsgi import get_wsgi_application
        from django.test import RequestFactory
        get_wsgi_application().get_response(RequestFactory().get("/", headers={"host": "127.0.0.1"}))
        os._exit(0)
    return HttpResponse(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))

urlpatterns += [path("fork", fork, name="fork")]
"""
    server = serve(small(urls=urls), workers=1)
    for _ in range(3):
        assert server.request("/fork") == (200, "0")
    assert server.responses() == {("GET", 200, "home"): 3, ("GET", 200, "fork"): 3}
    assert {"counter_0.db", "counter_1.db"} <= set(server.files())


def test_an_error_of_the_instrumentation_does_not_reach_the_client(serve, tmp_path):
    # Until a file exists, the instrumentation's folder is at an impossible path.
    mended = tmp_path / "mended"
    wsgi = WSGI + f"""
from monctl_metrics import activation
right = activation.directory
activation.directory = lambda: right() if os.path.exists({str(mended)!r}) else "/nowhere"
"""
    server = serve(small(wsgi=wsgi), workers=1)
    assert server.request("/") == (200, "home")
    assert server.request("/none/")[0] == 404
    assert server.log.read_text().count("a request could not be counted") == 1
    assert server.log.read_text().count("this worker cannot be counted") == 1
    mended.touch()
    assert server.request("/") == (200, "home")
    assert server.responses() == {("GET", 200, "home"): 1}


def test_errors_of_counting_are_counted(serve):
    # A proxy header setting that is not a pair makes Django fail when it computes the scheme.
    settings = SETTINGS + 'SECURE_PROXY_SSL_HEADER = "nonsense"\n'
    server = serve(small(settings=settings), workers=1)
    assert server.request("/") == (200, "home")
    assert server.counted(family="monctl_instrumentation_errors") == {(): 1}


def test_an_application_is_counted_without_prometheus_client(serve):
    # A fake module of that name simulates a broken package.
    files = small() | {"prometheus_client.py": "raise ImportError('not here')\n"}
    server = serve(files, workers=1)
    assert server.request("/") == (200, "home")
    assert server.responses() == {("GET", 200, "home"): 1}
