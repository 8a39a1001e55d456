"""What a worker of Gunicorn says of itself once it has loaded the application.

That it is there, how much it can do at the same time, whether it had to replace
another one, and whether the database has seen all migrations of its code.
Called by `activation`, in the worker.
"""

from . import instrument, migrations


def announce(worker, replaces):
    """Says all of it. What takes time is done beside the requests."""
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
