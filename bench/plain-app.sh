#!/bin/sh
# What a person types on the application host, with the defaults of apt-get and pip. Reads the project as a
# tar archive on standard input.
set -eu
export DEBIAN_FRONTEND=noninteractive
mkdir -p /srv/plain
tar -x -C /srv/plain
[ -n "$(find /var/lib/apt/lists -name '*Packages*' -print -quit)" ] || apt-get update
apt-get install -y python3-venv prometheus-node-exporter nftables stress-ng curl
python3 -m venv /opt/plain
/opt/plain/bin/pip install -r /srv/plain/requirements.txt gunicorn prometheus_client
