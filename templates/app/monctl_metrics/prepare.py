"""Updates data and static files for a version of the code.

    python -m monctl_metrics.prepare            `migrate`, and `collectstatic` unless a release has its own files
    python -m monctl_metrics.prepare static     `collectstatic`

Uses the settings of the WSGI module, since manage.py may name others. A release
has its own static files if STATIC_ROOT is in the application's folder and not in
a part of it that the spec keeps.
"""

import sys

from . import application, places
from .application import Refused


def main():
    try:
        application.load()
        _prepare(sys.argv[1:] == ["static"])
    except Refused as reason:
        print(f"not prepared: {reason}", file=sys.stderr)
        return 1
    return 0


def _prepare(static_only):
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
    if static_only:
        _run("collectstatic")
        return
    if application.database_configured():
        _run("migrate")
    if application.static_root() and not places.of_release(application.root(), places.kept()):
        _run("collectstatic")


def _run(command):
    from django.core.management import call_command

    try:
        call_command(command, interactive=False)
    except Exception as error:
        text = application.describe(error)
        raise Refused(f"`{command}` fails: {text}") from error


if __name__ == "__main__":
    sys.exit(main())
