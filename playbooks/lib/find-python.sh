#!/bin/bash
# Finds the Python that satisfies a request: the system's own, one that was downloaded before (in KEPT), or one that uv
# downloads into `pythons`, beside this script. Prints which, and its name. Run by the build user, in its own unit.
set -euo pipefail
uv=$1 kept=$2 request=$3

export HOME=$PWD/home UV_CACHE_DIR=$PWD/cache PATH=/usr/bin:/bin
mkdir -p "$HOME"

find_python() { # PREFERENCE
	"$uv" python find --no-project --no-config --no-python-downloads --python-preference "$1" "$request" 2>/dev/null
}

# shellcheck disable=SC2310 # questions
if python=$(UV_PYTHON_INSTALL_DIR=$PWD/none find_python only-system); then
	# The usual name stays valid when the system's Python is updated.
	[ "$(readlink -f "$python")" != "$(readlink -f /usr/bin/python3)" ] || python=/usr/bin/python3
	echo "system ${python##*/}"
elif python=$(UV_PYTHON_INSTALL_DIR=$kept find_python only-managed); then
	python=${python#"$kept/"}
	echo "kept ${python%%/*}"
else
	"$uv" python install --quiet --no-config --no-bin --install-dir "$PWD/pythons" "$request" >&2
	python=$(UV_PYTHON_INSTALL_DIR=$PWD/pythons find_python only-managed)
	python=$(readlink -f "$python")
	python=${python#"$PWD/pythons/"}
	echo "downloaded ${python%%/*}"
fi
