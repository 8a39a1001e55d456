#!/bin/sh
# Prints what counting costs per request; takes about half a minute, needs no server and no root.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
venv=$("$here/../../tests/instrumentation/venv.sh")
export PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" "$here/bench.py" "$@"
