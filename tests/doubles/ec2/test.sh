#!/bin/sh
# Runs the stand-in's own tests in its virtual environment; arguments go to unittest.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
venv=$("$here/venv.sh")
export PYTHONPATH="$here" PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" -m unittest discover --start-directory "$here/tests" --top-level-directory "$here" "$@"
