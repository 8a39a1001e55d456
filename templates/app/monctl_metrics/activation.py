"""Switches on the metrics in a server's processes, controlled by the environment.

MONCTL_METRICS is `exporter` (Django is instrumented from outside), `builtin`
(the application has django-prometheus) or `none`. Called by gunicorn.conf.py
and, for other servers, by `autoload`.
"""

import logging
import os
import shutil

from . import hooks, slots

DEFAULT_DIRECTORY = "/run/monctl-app/metrics"
# A file in it that is created when Gunicorn starts.
STARTED = "started"

# How many workers were started before the current generation.
_earlier_workers = 0


def mode():
    """How this application's requests are counted."""
    return os.environ.get("MONCTL_METRICS", "exporter")


def directory():
    """The directory of the workers' files."""
    return os.environ.get("MONCTL_METRICS_DIR", DEFAULT_DIRECTORY)


def start_from_zero():
    """Empties the directory before the first worker starts.

    A Gunicorn that replaces itself (USR2) shares the directory with the
    workers of its predecessor, so it keeps the files.
    """
    if mode() == "none" or "GUNICORN_PID" in os.environ:
        return
    shutil.rmtree(directory(), ignore_errors=True)
    os.makedirs(directory(), exist_ok=True)
    note_start()


def note_start():
    """Records that the server starts now."""
    with open(os.path.join(directory(), STARTED), "w"):
        pass


def new_generation(workers_so_far):
    """Called in the server before it replaces all workers at a reload."""
    global _earlier_workers
    _earlier_workers = workers_so_far


def worker_is_ready(worker):
    """Called in each worker of Gunicorn once it has loaded the application."""
    if mode() != "exporter":
        return
    try:
        from . import presence

        presence.announce(worker, replaces=worker.age > _earlier_workers + worker.cfg.workers)
    except Exception:
        log_missing("this worker cannot be counted")


def log_missing(what):
    """Logs the error that is being handled, unless monctl took its files back: that is no error."""
    if os.path.exists(__file__):
        logging.getLogger(__name__).warning(what, exc_info=True)


def in_worker():
    """Prepares one worker, without importing modules that the application may import later."""
    if mode() == "exporter":
        hooks.after_import("django.core.handlers.base", _count_from_outside)
    elif mode() == "builtin":
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory()
        hooks.after_import("prometheus_client.values", _name_files_by_slot)


def _count_from_outside(handlers):
    # Imported only now, because gevent wants to patch the standard library
    # before anything imports it.
    from . import instrument

    instrument.wrap(handlers.BaseHandler)


def _name_files_by_slot(values):
    """Lets django-prometheus aggregate several workers, with a limited number of files."""
    values.ValueClass = values.MultiProcessValue(slots.Current(directory()))
