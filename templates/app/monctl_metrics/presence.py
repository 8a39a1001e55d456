"""Metrics of a Gunicorn worker, set once it has loaded the application.

Its presence, its number of request slots, whether it replaced another worker, and
whether all migrations of its code are applied.
Called by `activation`, in the worker.
"""

from . import instrument, migrations


def announce(worker, replaces):
    """Sets all of them. Slow work is done in the background."""
    recorder = instrument.recorder()
    recorder.worker(_slots(worker.cfg), replaces)
    migrations.watch(recorder)


def _slots(settings):
    """How many requests one worker serves at the same time."""
    kind = settings.worker_class_str
    if kind == "sync":
        return 1
    if kind == "gthread":
        return settings.threads
    return settings.worker_connections
