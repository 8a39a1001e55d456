"""Copies the database before migrations change it, and names what a migration takes from the running version.

A copy is a folder of MONCTL_COPIES with a file for each database: SQLite's by its
backup interface, a PostgreSQL by `pg_dump`. The last three are kept.
"""

import os
import shutil
import subprocess
import time

from . import application

KEPT = 3
_UNFINISHED = ".new"
# What the code of the previous version may still use.
_BREAKING = {
    "RemoveField": lambda it: f"{it.model_name}.{it.name}",
    "RenameField": lambda it: f"{it.model_name}.{it.old_name}",
    "DeleteModel": lambda it: it.name,
    "RenameModel": lambda it: it.old_name,
}


class NotCopied(Exception):
    """No copy can be made; the text is the reason."""


def before_migrations():
    """Copies the databases if migrations are pending; returns what people should know, line by line."""
    from django.db import connection

    folder = os.environ.get("MONCTL_COPIES")
    if not folder or not application.database_configured():
        return
    try:
        pending = _pending()
        if not pending or not connection.introspection.table_names():
            return
    except Exception as error:
        reason = application.describe(error)
        yield f"no copy of the database was made, since it is unknown whether migrations are pending: {reason}"
        return
    for migration, operation in _breaking(pending):
        yield (
            f"migration {migration} takes something away that the previous version may use while it still runs: {operation}"
        )
    names = ", ".join(str(migration) for migration in pending)
    try:
        path = _copy(folder)
    except Exception as error:
        reason = error if isinstance(error, NotCopied) else application.describe(error)
        yield f"no copy of the database was made before these migrations: {names}; {reason}"
    else:
        yield f"copied the database to {path} before these migrations: {names}"


def _pending():
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    return [migration for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]


def _breaking(pending):
    for migration in pending:
        for operation in migration.operations:
            for inner in getattr(operation, "database_operations", [operation]):
                kind = type(inner).__name__
                if kind in _BREAKING:
                    yield migration, f"{kind} {_BREAKING[kind](inner)}"


def _copy(folder):
    """Makes a copy and removes those that are too old; returns its path."""
    for name in os.listdir(folder):
        if name.endswith(_UNFINISHED):
            shutil.rmtree(os.path.join(folder, name))
    now = time.time_ns()
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now // 10**9))
    path = os.path.join(folder, f"{stamp}.{now % 10**9:09}Z")
    umask = os.umask(0o077)
    try:
        os.mkdir(path + _UNFINISHED)
        _copy_databases(path + _UNFINISHED)
        os.sync()
        os.rename(path + _UNFINISHED, path)
    finally:
        os.umask(umask)
        shutil.rmtree(path + _UNFINISHED, ignore_errors=True)
    for old in sorted(os.listdir(folder))[:-KEPT]:
        shutil.rmtree(os.path.join(folder, old))
    return path


def _copy_databases(path):
    from django.db import connections

    copied = False
    for alias in connections:
        connection = connections[alias]
        if connection.vendor == "sqlite":
            copied |= _copy_sqlite(connection, os.path.join(path, f"{alias}.sqlite3"))
        elif connection.vendor == "postgresql" and alias == "default":
            _dump_postgresql(connection, os.path.join(path, f"{alias}.dump"))
            copied = True
    if not copied:
        raise NotCopied("monctl copies SQLite files and PostgreSQL databases only")


def _copy_sqlite(connection, path):
    import sqlite3

    connection.ensure_connection()
    pages, size = (_first(connection, f"PRAGMA {what}") for what in ("page_count", "page_size"))
    if not _first(connection, "SELECT file FROM pragma_database_list WHERE name = 'main'"):
        return False
    _fits(pages * size, path)
    target = sqlite3.connect(path)
    try:
        connection.connection.backup(target)
    finally:
        target.close()
    return True


def _dump_postgresql(connection, path):
    if not shutil.which("pg_dump"):
        raise NotCopied("pg_dump is not installed; to install it: `app.packages: [postgresql-client]`")
    _fits(_first(connection, "SELECT pg_database_size(current_database())"), path)
    # The words for psql, which pg_dump has, too.
    words, environment = connection.client.settings_to_cmd_args_env(connection.settings_dict, [])
    command = ["pg_dump", "--no-password", "--format=custom", f"--file={path}", *words[1:]]
    ended = subprocess.run(
        command, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if ended.returncode:
        raise NotCopied(f"pg_dump fails: {' '.join(ended.stderr.split())[-500:]}")


def _fits(size, path):
    """At most half of the free space is used."""
    free = shutil.disk_usage(os.path.dirname(path)).free
    if size > free // 2:
        raise NotCopied(f"it has {size >> 20} MiB, more than half of the {free >> 20} MiB that are free on the disk")


def _first(connection, query):
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]
