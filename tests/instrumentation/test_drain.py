"""A server that stops answers every request of a connection it has accepted, whichever Gunicorn a project brings."""

import fcntl
import http.client
import os
import subprocess
import sys
from pathlib import Path

import pytest
from projects import ASGI, WSGI, small
from servers import DEADLINE, until

# Some of the major versions, and the one that the other tests run with.
VERSIONS = ("20.1.0", "21.2.0", "22.0.0", "23.0.0", "25.3.0", "newest")
# Seconds, far above the deadline of a test: a worker that waits for it fails.
GRACEFUL = "600"
# A worker that waits for slow test clients longer than for those of users.
PATIENCE = f"""
from monctl_metrics import drain
drain.QUIET = {DEADLINE}
"""
PATIENT = WSGI + PATIENCE
PATIENT_ASGI = ASGI + PATIENCE
# Classes of workers that serve ASGI, and the versions of Gunicorn that have them.
ASGI_CLASSES = (
    ("asgi", "newest"),
    ("uvicorn_worker.UvicornWorker", "20.1.0"),
    ("uvicorn_worker.UvicornWorker", "newest"),
    ("uvicorn_worker.UvicornH11Worker", "newest"),
    ("uvicorn.workers.UvicornWorker", "newest"),
)


@pytest.fixture(params=VERSIONS)
def gunicorn(request):
    return importing(request.param)


def importing(version):
    """What makes Python import that version instead of the one that is installed."""
    return {} if version == "newest" else {"PYTHONPATH": str(installed(version))}


def installed(version):
    """The folder of a version, which the cache keeps."""
    cache = Path(os.environ.get("MONCTL_CACHE", Path.home() / ".cache" / "monctl")) / "gunicorn"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / version
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = cache / f"{version}.part"
            # Versions before 21 import pkg_resources, which later versions of setuptools lack.
            wanted = [f"gunicorn=={version}", "setuptools==80.9.0"]
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--upgrade", "--target", part, *wanted], check=True)
            part.rename(folder)
    return folder


class Client:
    """A connection that one worker of the server has accepted."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)
        self.connection.connect()
        ends = (server.port, self.connection.sock.getsockname()[1])
        until(lambda: is_accepted(*ends))

    def ask(self):
        """Sends a request; returns its status and whether the connection is kept."""
        self.connection.request("GET", "/")
        answer = self.connection.getresponse()
        answer.read()
        return answer.status, not answer.will_close


def is_accepted(local, remote):
    """Whether a process holds the socket of a connection; one that waits in a listener's queue has no inode."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, own, other, *fields = line.split()
        if [int(end.split(":")[1], 16) for end in (own, other)] == [local, remote]:
            return int(fields[6]) != 0
    return False


def ask_to_stop(server):
    server.process.terminate()
    until(lambda: "Handling signal: term" in server.log.read_text())


@pytest.mark.parametrize("kind", ["gthread", "sync"])
def test_requests_that_come_after_the_signal_are_answered(serve, gunicorn, kind):
    # Each connection of a `sync` worker has a process of its own.
    workers, threads = (1, 4) if kind == "gthread" else (2, 1)
    settings = {"workers": workers, "MONCTL_WORKER_CLASS": kind, "MONCTL_THREADS": str(threads)}
    server = serve(small(wsgi=PATIENT), **settings, **gunicorn)
    server.request_every_worker()
    clients = [Client(server), Client(server)]
    ask_to_stop(server)
    # The first request wakes the worker up, which must not end it.
    for client in clients:
        assert client.ask()[0] == 200
    # A connection on which the worker answered before it got the signal is still open.
    for client in clients:
        client.connection.close()
    assert server.process.wait(DEADLINE) == 0
    assert "Traceback" not in server.log.read_text()


def test_kept_connections_are_answered_until_they_are_closed(serve, gunicorn):
    server = serve(small(wsgi=PATIENT), workers=1, **gunicorn)
    server.request_every_worker()
    clients = [Client(server), Client(server)]
    for client in clients:
        assert client.ask() == (200, True)
    ask_to_stop(server)
    for client in clients:
        until(lambda client=client: client.ask() == (200, False))
    assert server.process.wait(DEADLINE) == 0


# Gunicorn 20.1 waits for such a client until its graceful timeout.
@pytest.mark.parametrize("gunicorn", VERSIONS[1:], indirect=True)
def test_a_client_that_sends_nothing_does_not_hold_up_the_stop(serve, gunicorn):
    server = serve(small(), workers=1, MONCTL_GRACEFUL_TIMEOUT=GRACEFUL, **gunicorn)
    server.request_every_worker()
    client = Client(server)
    ask_to_stop(server)
    assert server.process.wait(DEADLINE) == 0
    client.connection.close()


# Each fork takes a while, as on a busy computer.
SLOW_FORKS = """
import os, time

def wait():
    os.write(2, b"Booting worker soon\\n")
    time.sleep(1)

os.register_at_fork(after_in_child=wait)
"""


@pytest.mark.parametrize("slow", [False, True])
def test_a_worker_that_is_asked_to_stop_before_it_serves_stops(serve, gunicorn, slow, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SLOW_FORKS if slow else "")
    path = os.pathsep.join([str(tmp_path), *gunicorn.values()])
    server = serve(small(), workers=1, MONCTL_GRACEFUL_TIMEOUT=GRACEFUL, PYTHONPATH=path)
    server.stop()
    assert "Traceback" not in server.log.read_text()


@pytest.fixture(params=ASGI_CLASSES, ids=" of ".join)
def asgi(request):
    kind, version = request.param
    return {"entry": "shop.asgi", "workers": 1, "MONCTL_WORKER_CLASS": kind, **importing(version)}


def test_asynchronous_workers_answer_what_they_have_accepted(serve, asgi):
    server = serve(small(asgi=PATIENT_ASGI), **asgi)
    server.request_every_worker()
    new, kept = [Client(server), Client(server)], [Client(server), Client(server)]
    for client in kept:
        assert client.ask() == (200, True)
    ask_to_stop(server)
    (worker,) = server.pids()
    until(lambda: not server.listens(worker))
    for client in new + kept:
        assert client.ask() == (200, False)
    assert server.process.wait(DEADLINE) == 0
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("asgi", ASGI_CLASSES[:2], indirect=True, ids=" of ".join)
def test_asynchronous_workers_do_not_wait_for_a_client_that_sends_nothing(serve, asgi):
    server = serve(small(asgi=ASGI), MONCTL_GRACEFUL_TIMEOUT=GRACEFUL, **asgi)
    server.request_every_worker()
    client = Client(server)
    ask_to_stop(server)
    assert server.process.wait(DEADLINE) == 0
    client.connection.close()
