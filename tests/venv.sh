#!/bin/sh
# Makes the virtual environment NAME where it is missing, or was made for other requirements, and prints its path.
# usage: venv.sh NAME REQUIREMENTS-FILE
set -eu

cache="${MONCTL_CACHE:-$HOME/.cache/monctl}"
venv="$cache/$1-venv"
mkdir -p "$cache"
exec 9>"$venv.lock"
flock 9

if ! cmp -s "$2" "$venv/requirements.installed"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$2" >&2
    cp "$2" "$venv/requirements.installed"
fi
echo "$venv"
