"""Lets no worker of Gunicorn miss the signal that stops it.

A new worker has the master's handlers until it sets its own. They would swallow
the signal, so that a stop would wait for the whole graceful timeout. Called
once in the master, before its first fork.
"""

import os
import signal

STOP = {signal.SIGTERM}


def deliver_stops():
    """From now on, a worker that is asked to stop at any time after its fork stops."""
    master = os.getpid()
    # Whether the fork that is going on is the master's: forks of workers are the application's.
    held = False

    def hold():
        nonlocal held
        held = os.getpid() == master
        if held:
            signal.pthread_sigmask(signal.SIG_BLOCK, STOP)

    def release():
        if held:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)

    def release_in_child():
        if held:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        release()

    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=release_in_child)
