"""Counts the migrations that are not applied to the default database.

One worker checks when workers start, and again while some are missing; a deploy
applies migrations before it restarts the workers, so one check is usually enough.
Names are django-prometheus'. Other databases are ignored: they may belong to other
projects.
"""

import fcntl
import logging
import os
import threading
import time

from . import activation

# Seconds between two checks while migrations are missing, or the database does not answer.
PAUSE = 30
_ALIAS = "default"
_lock = None


def watch(recorder):
    """Checks in a separate thread, so that a hanging database does not block the worker."""
    if _takes_lock():
        threading.Thread(target=_check_until_applied, args=(recorder,), daemon=True).start()


def _takes_lock():
    """Whether this worker checks: the first one that takes the lock, until it ends."""
    global _lock
    lock = open(os.path.join(activation.directory(), "migrations.lock"), "a")
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return False
    _lock = lock
    return True


def _check_until_applied(recorder):
    failed = False
    while True:
        try:
            counted = count()
            if counted is None:
                return
            recorder.migrations(_ALIAS, *counted)
            if counted[0] == 0:
                return
        except Exception:
            if not failed:
                logging.getLogger(__name__).info("migrations cannot be counted yet", exc_info=True)
            failed = True
        time.sleep(PAUSE)


def count():
    """The numbers of unapplied and of applied migrations; None without a database. Only reads."""
    from django.apps import apps
    from django.conf import settings
    from django.db import connections

    engine = settings.DATABASES.get(_ALIAS, {}).get("ENGINE", "")
    if not apps.ready or engine in ("", "django.db.backends.dummy"):
        return None
    from django.db.migrations.executor import MigrationExecutor

    connection = connections[_ALIAS]
    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        return len(plan), len(executor.loader.applied_migrations)
    finally:
        connection.close()
