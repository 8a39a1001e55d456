"""Before migrations change a database, it is copied, and what they take from the running version is named."""

import os
import sqlite3
import subprocess
import sys

import pytest
from projects import stored

REMOVES = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("Thing", "colour", models.CharField(default="red", max_length=10)),
        migrations.RenameField("Thing", "name", "title"),
        migrations.SeparateDatabaseAndState(database_operations=[migrations.DeleteModel("Thing")]),
    ]
"""
CHANGED = stored() | {"shop/migrations/0002_removes.py": REMOVES}
FAILS = REMOVES.replace("operations = [", "operations = [migrations.RunSQL('no sql'),")


@pytest.fixture
def prepare(run, tmp_path):
    """Prepares a version, and returns what it tells, and the copies."""
    folder = tmp_path / "copies"
    folder.mkdir()

    def prepare(files, code=0, **environment):
        result = run("prepare", files, MONCTL_COPIES=str(folder), **environment)
        assert result.returncode == code, result.stderr
        return result.stdout.splitlines(), sorted(folder.iterdir())

    return prepare


def rows(path):
    with sqlite3.connect(path) as database:
        return database.execute("select name from shop_thing").fetchall()


def add(tmp_path, name="kept"):
    with sqlite3.connect(tmp_path / "app/db.sqlite3") as database:
        database.execute("insert into shop_thing (name) values (?)", [name])


def test_a_new_database_and_one_without_pending_migrations_are_not_copied(prepare):
    assert prepare(stored()) == ([], [])
    assert prepare(stored()) == ([], [])


def test_a_database_is_copied_before_pending_migrations_and_only_its_owner_reads_the_copy(prepare, tmp_path):
    prepare(stored())
    add(tmp_path)
    told, (copy,) = prepare(CHANGED)
    assert told[-1] == f"copied the database to {copy} before these migrations: shop.0002_removes"
    assert rows(copy / "default.sqlite3") == [("kept",)]
    assert [path.stat().st_mode & 0o777 for path in (copy, copy / "default.sqlite3")] == [0o700, 0o600]


def test_the_copy_holds_what_a_write_ahead_log_has(prepare, tmp_path):
    prepare(stored())
    with sqlite3.connect(tmp_path / "app/db.sqlite3") as database:
        database.execute("pragma journal_mode = wal")
        database.execute("insert into shop_thing (name) values ('kept')")
        database.commit()
        _, (copy,) = prepare(CHANGED)
    assert rows(copy / "default.sqlite3") == [("kept",)]


def test_what_a_migration_takes_from_the_running_version_is_named(prepare):
    prepare(stored())
    told, _ = prepare(CHANGED)
    ends = [line.rpartition(": ")[2] for line in told[:-1]]
    assert ends == ["RenameField Thing.name", "DeleteModel Thing"]
    assert all(line.startswith("migration shop.0002_removes takes something away") for line in told[:-1])


def test_the_copy_is_told_even_if_the_migration_fails(prepare, tmp_path):
    prepare(stored())
    add(tmp_path)
    told, (copy,) = prepare(stored() | {"shop/migrations/0002_removes.py": FAILS}, code=1)
    assert told[-1].startswith(f"copied the database to {copy}")
    assert rows(copy / "default.sqlite3") == [("kept",)]


def test_the_last_three_copies_are_kept(prepare, tmp_path):
    prepare(stored())
    failing = stored() | {"shop/migrations/0002_removes.py": FAILS}
    (tmp_path / "copies/2020.new").mkdir()
    seen = [prepare(failing, code=1)[1][-1] for _ in range(4)]
    assert prepare(failing, code=1)[1][:2] == seen[2:]
    assert len(list((tmp_path / "copies").iterdir())) == 3


def test_a_database_that_would_fill_the_disk_is_not_copied(prepare, tmp_path):
    prepare(stored())
    # The interpreter reads this before monctl's module does.
    shim = "import shutil\nshutil.disk_usage = lambda path: shutil._ntuple_diskusage(1000, 1000, 10)\n"
    told, copies = prepare(CHANGED | {"shop/__init__.py": shim})
    assert copies == []
    assert told[-1].startswith("no copy of the database was made before these migrations: shop.0002_removes; it has")


def test_a_database_that_does_not_answer_is_told(prepare):
    broken = stored() | {"shop/migrations/0001_initial.py": "raise RuntimeError('half done')"}
    told, copies = prepare(broken, code=1)
    assert copies == []
    assert told == [
        "no copy of the database was made, since it is unknown whether migrations are pending: "
        "RuntimeError: half done (shop/migrations/0001_initial.py, line 1)"
    ]


# A connection whose vendor is PostgreSQL: what pg_dump is called with.
DUMP = """
import os, sys, types
from monctl_metrics import copies

class Client:
    def settings_to_cmd_args_env(self, settings, parameters):
        return ["psql", "-U", "shop", "-h", "db", "shop"], {"PGPASSWORD": "secret"}

connection = types.SimpleNamespace(client=Client, settings_dict={})
connection.client = Client()
copies._first = lambda *_: 10
try:
    copies._dump_postgresql(connection, sys.argv[1])
except copies.NotCopied as reason:
    sys.exit(str(reason))
"""


@pytest.mark.parametrize("program, code, told", [
    (None, 1, "pg_dump is not installed"),
    ("echo $PGPASSWORD $@ >\"${3#--file=}\"", 0, ""),
    ("echo wrong version >&2; exit 1", 1, "pg_dump fails: wrong version"),
])
def test_a_postgresql_is_dumped_where_the_program_is_there(tmp_path, program, code, told):
    from servers import APP

    if program:
        (tmp_path / "pg_dump").write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / "pg_dump").chmod(0o755)
    environment = os.environ | {"PYTHONPATH": str(APP), "PATH": str(tmp_path)}
    file = tmp_path / "x.dump"
    ended = subprocess.run([sys.executable, "-c", DUMP, file], env=environment, capture_output=True, text=True)
    assert ended.returncode == code, ended.stderr
    assert told in ended.stderr
    if not code:
        assert file.read_text() == f"secret --no-password --format=custom --file={file} -U shop -h db shop\n"
