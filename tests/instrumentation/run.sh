#!/bin/sh
# Runs these tests in a virtual environment of their own; arguments go to pytest.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
venv=$("$here/venv.sh")
export PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" -m pytest -p no:cacheprovider -q "$here" "$@"
