#!/bin/sh
# Makes the virtual environment of an emulator where it is missing or outdated, and prints its path: `venv.sh NAME`.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache="${MONCTL_CACHE:-$HOME/.cache/monctl}"
wanted="$here/$1/requirements.txt"
venv="$cache/emulator-$1-venv"
mkdir -p "$cache"
exec 9>"$venv.lock"
flock 9

if ! cmp -s "$wanted" "$venv/requirements.installed"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted" >&2
    cp "$wanted" "$venv/requirements.installed"
fi
echo "$venv"
