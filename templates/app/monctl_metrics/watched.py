"""Switches on the metrics in an application that something else deploys, when its Python starts.

A `.pth` file in the application's virtual environment runs start.py of
templates/integrations/watch, which imports this, in processes of the application's unit alone. Gunicorn's own
configuration is the application's, so that its workers are found by its classes.
Called in the first process, whose children inherit all of it.
"""

import functools
import os

from . import activation, hooks


def begin():
    """Counts from outside, whatever the server is; with Gunicorn, its workers report themselves."""
    _hide_folder()
    _open_folder()
    activation.in_worker()
    # Inserted later, so that it runs after Django's handler is wrapped.
    hooks.after_import("django.core.handlers.base", _hold_slot)
    hooks.after_import("gunicorn.arbiter", _report_starts)
    hooks.after_import("gunicorn.workers.base", _report_workers)


def _hold_slot(_):
    """Takes a slot before the first request: its lock is how monctl's watch knows that this process counts."""
    from . import instrument

    instrument.recorder()


def _hide_folder():
    """The application sees only the folders that its own unit has."""
    ours = activation.directory()
    folders = os.environ.get("RUNTIME_DIRECTORY", "").split(":")
    left = [folder for folder in folders if folder and folder != ours]
    if left:
        os.environ["RUNTIME_DIRECTORY"] = ":".join(left)
    else:
        os.environ.pop("RUNTIME_DIRECTORY", None)


def _open_folder():
    """Lets monctl's watch read the folder, whatever the unit's own RuntimeDirectoryMode is."""
    try:
        os.chmod(activation.directory(), 0o755)
    except OSError:
        # Of another user: the first process of the unit has done it.
        pass


def _started(arbiter):
    """Called in the server before its first worker."""
    if os.geteuid() == 0:
        # Its workers may run as another user.
        os.chown(activation.directory(), arbiter.cfg.uid, arbiter.cfg.gid)
    activation.note_start()


def _report_starts(arbiter):
    arbiter.Arbiter.start = _then(arbiter.Arbiter.start, _started)
    reload = arbiter.Arbiter.reload

    @functools.wraps(reload)
    def reload_and_note(self):
        activation.new_generation(self.worker_age)
        return reload(self)

    arbiter.Arbiter.reload = reload_and_note


def _report_workers(base):
    base.Worker.load_wsgi = _then(base.Worker.load_wsgi, activation.worker_is_ready)


def _then(method, then):
    @functools.wraps(method)
    def wrapper(self):
        result = method(self)
        try:
            then(self)
        except Exception:
            # The application serves without the state of its workers.
            activation.log_missing("the start of this server cannot be recorded")
        return result

    return wrapper
