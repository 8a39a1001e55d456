"""Whether the default database has seen all migrations of the code that runs.

Looked at when workers start, by one of them, and again as long as something is
missing; a deploy applies migrations before it restarts the workers, so that
usually there is nothing to look at twice. Names are django-prometheus'. Other
databases are left alone: they may belong to somebody else.
"""

import fcntl
import logging
import os
import threading
import time

from . import activation

# So long between two looks while something is missing, or the database does not answer.
PAUSE = 30
_ALIAS = "default"
_lock = None


def watch(recorder):
    """Looks, in a thread of its own, so that a database that hangs keeps no worker from serving."""
    if _is_the_one():
        threading.Thread(target=_look_until_applied, args=(recorder,), daemon=True).start()


def _is_the_one():
    """Whether this worker is the one that looks: the first to hold the lock, which ends with it."""
    global _lock
    lock = open(os.path.join(activation.directory(), "migrations.lock"), "a")
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return False
    _lock = lock
    return True


def _look_until_applied(recorder):
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
    """How many migrations are not applied and how many are; None where there is no database. Only reads."""
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
