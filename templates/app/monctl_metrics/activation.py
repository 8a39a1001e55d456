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


def in_worker():
    """Prepares one worker. An application without metrics beats none at all."""
    try:
        if mode() == "exporter":
            _from_outside()
        elif mode() == "builtin":
            _for_django_prometheus()
    except Exception:
        logging.getLogger(__name__).warning("no metrics from this process", exc_info=True)


def _from_outside():
    def wrap(handlers):
        # Imported only now, because gevent wants to patch the standard
        # library before anything imports it.
        from . import instrument

        instrument.wrap(handlers.BaseHandler)

    hooks.after_import("django.core.handlers.base", wrap)


def _for_django_prometheus():
    """Lets several workers be read as one, in files that stay few."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory()

    def name_files_by_slot(values):
        values.ValueClass = values.MultiProcessValue(slots.Current(directory()))

    hooks.after_import("prometheus_client.values", name_files_by_slot)
