#!/bin/bash
# Creates a Python environment in `venv`, beside this script: run by the build user, in its own unit.
# `requirements/` contains the requirements files and the packages that they name by path, `added` the additional requirements, one per line.
set -euo pipefail
uv=$1 entry=$2 base=$3

export HOME=$PWD/home UV_CACHE_DIR=$PWD/cache UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
# Users of the environment cannot write to it, and nothing in it changes.
export PYC_INVALIDATION_MODE=UNCHECKED_HASH
mkdir -p "$HOME"

"$uv" venv --quiet --relocatable --python "$base" venv
python=$PWD/venv/bin/python
(
	cd requirements
	if [ "$entry" = uv.lock ]; then
		"$uv" export --quiet --frozen --no-dev --no-emit-project --output-file exported.txt >/dev/null
		entry=exported.txt
	fi
	"$uv" pip install --quiet --python "$python" --compile-bytecode -r "$entry"
)
# Packages that the application pins itself are kept.
while IFS= read -r line; do
	[ -z "$line" ] || "$uv" pip show --quiet --python "$python" "${line%%==*}" 2>/dev/null || echo "$line"
done <added >missing
[ ! -s missing ] || "$uv" pip install --quiet --python "$python" --compile-bytecode --no-deps --require-hashes -r missing
