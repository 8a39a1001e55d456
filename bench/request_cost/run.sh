#!/bin/sh
# Prints what counting costs per request; takes about 20 seconds, needs no server.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
requirements="$here/../../tests/instrumentation/requirements.txt"
venv="${MONCTL_CACHE:-$HOME/.cache/monctl}/instrumentation-venv"

if ! cmp -s "$requirements" "$venv/requirements.installed"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$venv/requirements.installed"
fi

export PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" "$here/bench.py" "$@"
