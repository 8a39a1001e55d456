"""The commands of `app.release` run in order, once for each database, and all of them or none after a failure."""

import shutil

import pytest
from projects import SETTINGS, small, stored
from servers import APP

# Notes what it is called with.
NOTE = """
import sys
from pathlib import Path
from django.core.management.base import BaseCommand

class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("words", nargs="*")
        parser.add_argument("--end")

    def handle(self, words, end, **_):
        with open(Path(__file__).resolve().parents[3] / "noted", "a") as file:
            file.write("|".join(words) + "\\n")
        if end:
            sys.exit(int(end))
"""
COMMANDS = {
    "shop/management/__init__.py": "",
    "shop/management/commands/__init__.py": "",
    "shop/management/commands/note.py": NOTE,
}
NO_DATABASE = small(settings=SETTINGS + "INSTALLED_APPS = ['shop']\n") | COMMANDS


@pytest.fixture
def release(run, tmp_path):
    """Prepares a version with these commands in its spec, and returns the result and what was noted."""

    def release(files, *commands, words=(), command="prepare"):
        beside = tmp_path / "set"
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(APP / "monctl_metrics", beside / "monctl_metrics")
        (beside / "release").write_text("".join(f"{command}\n" for command in commands))
        result = run(command, files, *words, PYTHONPATH=str(beside))
        noted = tmp_path / "app" / "noted"
        return result, noted.read_text().splitlines() if noted.exists() else []

    return release


def test_commands_run_in_order_with_their_words(release):
    result, noted = release(NO_DATABASE, "note one", "note 'two words' \"it's\"", "note")
    assert (result.returncode, noted) == (0, ["one", "two words|it's", ""]), result.stderr


def test_an_empty_list_runs_nothing(release, tmp_path):
    result, noted = release(stored() | COMMANDS)
    assert (result.returncode, noted) == (0, [])
    assert not (tmp_path / "app" / "db.sqlite3").exists()


def test_migrate_needs_a_database_and_other_commands_do_not(release):
    result, noted = release(NO_DATABASE, "migrate", "note after")
    assert (result.returncode, noted) == (0, ["after"]), result.stderr


def test_a_failing_command_ends_the_release(release):
    for failing, reason in {
        "note before --end 3": "`note` fails: it ends with 3",
        "loaddata no_such_fixture": "`loaddata` fails: CommandError: No fixture named 'no_such_fixture' found.",
    }.items():
        result, noted = release(stored() | COMMANDS, "migrate", failing, "note after")
        assert result.returncode == 1
        assert result.stderr.endswith(f"not prepared: {reason}\n")
        assert "after" not in noted


def test_a_command_that_ends_well_by_itself_does_not_end_the_release(release):
    result, noted = release(NO_DATABASE, "note one --end 0", "note two")
    assert (result.returncode, noted) == (0, ["one", "two"])


def test_a_host_after_the_first_runs_no_command(release):
    assert release(NO_DATABASE, "note one", words=["released"])[1] == []


def test_with_sqlite_each_host_has_a_database_and_runs_the_commands(release):
    result, noted = release(stored() | COMMANDS, "migrate", "note one", words=["released"])
    assert (result.returncode, noted) == (0, ["one"]), result.stderr


def test_an_unknown_command_is_reported_before_activation(release):
    result, noted = release(stored() | COMMANDS, "note one", "python manage.py migrate", command="check")
    assert (result.returncode, noted) == (1, [])
    assert "Django has no management command `python`, which is in `app.release`" in result.stderr
