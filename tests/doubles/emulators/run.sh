#!/bin/sh
# Starts an emulator on loopback: `run.sh moto` or `run.sh ministack`. Ends with its standard input.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
venv=$("$here/../../venv.sh" "emulator-$1" "$here/$1/requirements.txt")
export PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" "$here/run.py" "$1"
