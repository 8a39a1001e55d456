"""Counts requests that a restart loses, with each class of Gunicorn's workers.

    restarts.py [CLASS...]    ten restarts each, while clients send requests on new and on kept connections

Run by tests/instrumentation/venv.sh's Python. A lost request is one without a response.
"""

import collections
import http.client
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "instrumentation"))

from projects import ASGI, small  # noqa: E402
from servers import DEADLINE, Server, until  # noqa: E402

CLASSES = (
    "gthread",
    "sync",
    "asgi",
    "uvicorn_worker.UvicornWorker",
    "uvicorn_worker.UvicornH11Worker",
    "uvicorn.workers.UvicornWorker",
    "gevent",
    "tornado",
)
RESTARTS = 10
REQUESTS = 2000
CLIENTS = 4
# Seconds between two requests of a client.
PAUSE = 0.01


class Clients:
    """Clients of both kinds, until they are stopped."""

    def __init__(self, server):
        self.server = server
        self.answered = collections.Counter()
        self.lost = collections.Counter()
        self.done = threading.Event()
        self.threads = [
            threading.Thread(target=self._send, args=(kind,)) for kind in ("new", "kept") for _ in range(CLIENTS)
        ]
        for thread in self.threads:
            thread.start()

    def sum(self):
        return sum(self.answered.values())

    def stop(self):
        self.done.set()
        for thread in self.threads:
            thread.join()

    def _send(self, kind):
        connection = None
        while not self.done.is_set():
            connection = connection or http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=DEADLINE)
            try:
                connection.request("GET", "/", headers={"Connection": "close"} if kind == "new" else {})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    raise OSError(f"status {answer.status}")
                self.answered[kind] += 1
                if answer.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                self.lost[kind, type(error).__name__] += 1
                connection.close()
                connection = None
            time.sleep(PAUSE)


def measure(kind):
    is_async = kind == "asgi" or kind.startswith("uvicorn")
    entry = "shop.asgi" if is_async else "shop.wsgi"
    threads = {"MONCTL_THREADS": "1"} if kind == "sync" else {}
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), small(asgi=ASGI), entry=entry, MONCTL_WORKER_CLASS=kind, **threads)
        clients, slowest = Clients(server), 0
        try:
            for _ in range(RESTARTS):
                served = clients.sum()
                until(lambda served=served: clients.sum() >= served + REQUESTS / RESTARTS)
                started = time.monotonic()
                server.stop()
                slowest = max(slowest, time.monotonic() - started)
                server.start()
            served = clients.sum()
            until(lambda: clients.sum() > served + CLIENTS)
        finally:
            clients.stop()
            server.close()
        lost = ", ".join(f"{count} {' '.join(what)}" for what, count in clients.lost.items())
        print(f"{kind}: {clients.sum()} answered, lost {lost or 0}; slowest stop {slowest:.1f} s", flush=True)


if __name__ == "__main__":
    for name in sys.argv[1:] or CLASSES:
        measure(name)
