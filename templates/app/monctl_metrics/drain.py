"""Lets a worker of Gunicorn finish the connections it has accepted before it stops.

Up to Gunicorn 23, `gthread` closes connections that it has accepted and whose
request it has not read, as soon as it is asked to stop: their clients get no
response. Later versions, and workers that accept a connection only to handle
its request (`sync`), lose none. `drain_asgi` has the workers that serve ASGI.
"""

import os
import selectors
import signal
import threading
import time

# Seconds that a worker waits for requests on connections that it has accepted. A
# client on a slow network needs a round trip to send one.
QUIET = 1.0
# Seconds between two checks of the connections.
PAUSE = 0.02


def before_stop(worker):
    """Called in each worker before it serves. On SIGTERM, the worker then finishes its connections before it stops."""
    if _closes_unread(worker):
        _before_gthread_stops(worker)
    elif _is_of_uvicorn(worker) or _serves_asgi(worker):
        # Imported only now, because gevent wants to patch what asyncio imports before anything imports it.
        from . import drain_asgi

        if _is_of_uvicorn(worker):
            drain_asgi.before_uvicorn_stops(QUIET)
        else:
            drain_asgi.before_gunicorn_stops(worker, QUIET)


def _before_gthread_stops(worker):
    wake_up, woken = os.pipe()
    worker.poller.register(wake_up, selectors.EVENT_READ, lambda descriptor: os.read(descriptor, 1))

    def drain(*received):
        # A second signal stops the worker immediately.
        signal.signal(signal.SIGTERM, worker.handle_exit)
        if not all(listener in worker.poller.get_map() for listener in worker.sockets):
            # It does not serve yet.
            worker.handle_exit(*received)
            return
        _accept_no_more(worker)
        threading.Thread(target=stop_when_done, name="drain", daemon=True).start()

    def stop_when_done():
        deadline = time.monotonic() + QUIET
        while _connections(worker) and time.monotonic() < deadline:
            time.sleep(PAUSE)
        # The worker itself waits for requests in progress.
        worker.alive = False
        os.write(woken, b"\0")

    signal.signal(signal.SIGTERM, drain)
    # As Gunicorn has it: the signal does not interrupt system calls of requests.
    signal.siginterrupt(signal.SIGTERM, False)


def _is_of_uvicorn(worker):
    """Whether the class is uvicorn's, from either of its packages, or derived from it."""
    return any(kind.__module__.split(".")[0] in ("uvicorn", "uvicorn_worker") for kind in type(worker).__mro__)


def _serves_asgi(worker):
    """Whether this is Gunicorn's own class `asgi`, or derived from it."""
    return any(kind.__module__ == "gunicorn.workers.gasgi" for kind in type(worker).__mro__)


def _closes_unread(worker):
    """Whether this is `gthread` of a Gunicorn that watches unread connections and drops them at its end."""
    return hasattr(worker, "poller") and hasattr(worker, "_keep")


def _accept_no_more(worker):
    # Connections in the listener's queue are left to the workers that start next. Each response closes its connection,
    # so that the next request of its client goes to those workers, too.
    worker.max_keepalived = 0
    for listener in worker.sockets:
        worker.poller.unregister(listener)


def _connections(worker):
    """How many connections the worker watches, beside the pipe that wakes it up."""
    return len(worker.poller.get_map()) - 1
