#!/bin/sh
# Makes the virtual environment of these tests where it is missing or outdated, and prints its path.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
exec "$here/../venv.sh" instrumentation "$here/requirements.txt"
