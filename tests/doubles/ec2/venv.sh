#!/bin/sh
# Makes the virtual environment of the stand-in where it is missing or outdated, and prints its path.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
exec "$here/../../venv.sh" ec2-double "$here/requirements.txt"
