"""Lets a worker of Gunicorn finish the connections it has accepted before it stops.

Up to Gunicorn 23, `gthread` closes connections that it has accepted and whose
request it has not read, as soon as it is asked to stop: their clients get no
response. Later versions, and workers that accept a connection only to handle
its request (`sync`), lose none.
"""

import os
import selectors
import signal
import threading
import time

# Seconds without which a request in transit does not reach a worker that is
# about to stop: a client on a slow network needs a round trip for it.
QUIET = 1.0
# Between two looks at the connections.
PAUSE = 0.02


def before_stop(worker):
    """Called in each worker before it serves. SIGTERM then stops the worker only after its connections are done."""
    if not _closes_unread(worker):
        return
    wake_up, woken = os.pipe()
    worker.poller.register(wake_up, selectors.EVENT_READ, lambda descriptor: os.read(descriptor, 1))

    def drain(*received):
        # A second signal stops at once.
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
        # Requests that are being handled are waited for by the worker itself.
        worker.alive = False
        os.write(woken, b"\0")

    signal.signal(signal.SIGTERM, drain)
    # As Gunicorn has it: the signal does not interrupt system calls of requests.
    signal.siginterrupt(signal.SIGTERM, False)


def _closes_unread(worker):
    """Whether this is `gthread` of a Gunicorn that watches unread connections and drops them at its end."""
    return hasattr(worker, "poller") and hasattr(worker, "_keep")


def _accept_no_more(worker):
    # What waits in the listener's queue is for the workers that come next. A connection is closed after its response:
    # the next request of a client that keeps connections is for those workers, too.
    worker.max_keepalived = 0
    for listener in worker.sockets:
        worker.poller.unregister(listener)


def _connections(worker):
    """How many connections the worker watches, beside the pipe that wakes it up."""
    return len(worker.poller.get_map()) - 1
