"""Runs a management command with the settings of the application's module: `python -m monctl_metrics.manage COMMAND...`.

manage.py is not used, since it may name other settings.
"""

import sys

from . import application
from .application import Refused


def main():
    try:
        application.load()
    except Refused as reason:
        sys.exit(f"not run: {reason}")
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
