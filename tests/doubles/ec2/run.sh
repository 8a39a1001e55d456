#!/bin/sh
# Starts the stand-in; README.md lists its options. Ends with its standard input.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
venv=$("$here/venv.sh")
export PYTHONPATH="$here" PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" -m ec2_double "$@"
