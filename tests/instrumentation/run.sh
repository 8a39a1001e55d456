#!/bin/sh
# Runs these tests in a virtual environment of their own; arguments go to pytest.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
venv="${MONCTL_CACHE:-$HOME/.cache/monctl}/instrumentation-venv"
wanted="$venv/requirements.installed"

if ! cmp -s "$here/requirements.txt" "$wanted"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$wanted"
fi

export PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" -m pytest -p no:cacheprovider -q "$here" "$@"
