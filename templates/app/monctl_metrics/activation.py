"""Switches the metrics on in a server's processes, as the environment says.

MONCTL_METRICS is `exporter` (Django is instrumented from outside), `builtin`
(the application has django-prometheus) or `none`. Called by gunicorn.conf.py
and, for other servers, by `autoload`.
"""

import logging
import os
import shutil

from . import hooks, slots

DEFAULT_DIRECTORY = "/run/monctl-app/metrics"
# A file in it that Gunicorn makes at its start.
STARTED = "started"

# How many workers had been started before the generation that is expected now.
_earlier_workers = 0


def mode():
    """How this application's metrics are made."""
    return os.environ.get("MONCTL_METRICS", "exporter")


def directory():
    """Where the workers' files are."""
    return os.environ.get("MONCTL_METRICS_DIR", DEFAULT_DIRECTORY)


def start_from_zero():
    """Empties the directory before the first worker starts.

    A Gunicorn that replaces itself (USR2) shares the directory with the
    workers that it takes over from, so it leaves the files alone.
    """
    if mode() == "none" or "GUNICORN_PID" in os.environ:
        return
    shutil.rmtree(directory(), ignore_errors=True)
    os.makedirs(directory(), exist_ok=True)
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
        logging.getLogger(__name__).warning("this worker cannot say that it is there", exc_info=True)


def in_worker():
    """Prepares one worker; imports nothing that the application might import later."""
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
    """Lets django-prometheus in several workers be read as one, in files that stay few."""
    values.ValueClass = values.MultiProcessValue(slots.Current(directory()))
