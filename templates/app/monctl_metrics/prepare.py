"""Brings data and static files up to the activated code: `python -m monctl_metrics.prepare`.

Runs `migrate`, and `collectstatic` where STATIC_ROOT is set, with the settings
that the WSGI module uses; manage.py, where there is one, may name others.
"""

import os
import sys

from . import application
from .application import Refused


def main():
    try:
        application.load()
        _prepare()
    except Refused as reason:
        print(f"not prepared: {reason}", file=sys.stderr)
        return 1
    return 0


def _prepare():
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
    if application.database_configured():
        _run("migrate")
    if application.static_root():
        _run("collectstatic")


def _run(command):
    from django.core.management import call_command

    try:
        call_command(command, interactive=False)
    except Exception as error:
        text = application.describe(error, os.getcwd())
        raise Refused(f"`{command}` fails: {text}") from error


if __name__ == "__main__":
    sys.exit(main())
