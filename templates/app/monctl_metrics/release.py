"""Runs the management commands of a release: those of `app.release`, in order.

They run once for a version, on the first application host. Where the database is a
SQLite file, each host has its own, and each runs them.
"""

import shlex

from . import application, copies, places
from .application import Refused


def commands():
    """The commands of the spec, each as its words."""
    return [shlex.split(line) for line in places.beside("release", otherwise=["migrate"])]


def unknown():
    """The first command that Django does not know."""
    from django.core.management import get_commands

    known = get_commands()
    return next((words[0] for words in commands() if words[0] not in known), None)


def run(is_released, tell):
    """Runs the commands, unless another host has done so for the same database."""
    if not commands() or (is_released and not application.database_is_file()):
        return
    for note in copies.before_migrations():
        tell(note)
    for words in commands():
        if words[0] != "migrate" or application.database_configured():
            call(*words)


def call(command, *arguments):
    """Runs a command that must not ask questions."""
    from django.core.management import call_command

    # Without it, these two ask before they delete something.
    options = {"interactive": False} if command in ("migrate", "collectstatic") else {}
    try:
        call_command(command, *arguments, **options)
    except SystemExit as end:
        if end.code:
            raise Refused(f"`{command}` fails: it ends with {end.code}") from end
    except Exception as error:
        text = application.describe(error)
        raise Refused(f"`{command}` fails: {text}") from error
