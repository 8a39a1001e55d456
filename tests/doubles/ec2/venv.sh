#!/bin/sh
# Makes the virtual environment of the stand-in where it is missing or outdated, and prints its path.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache="${MONCTL_CACHE:-$HOME/.cache/monctl}"
venv="$cache/ec2-double-venv"
mkdir -p "$cache"
exec 9>"$venv.lock"
flock 9

if ! cmp -s "$here/requirements.txt" "$venv/requirements.installed"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
    cp "$here/requirements.txt" "$venv/requirements.installed"
fi
echo "$venv"
