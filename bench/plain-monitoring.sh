#!/bin/sh
# What a person types on the monitoring host.
set -eu
export DEBIAN_FRONTEND=noninteractive
[ -n "$(find /var/lib/apt/lists -name '*Packages*' -print -quit)" ] || apt-get update
apt-get install -y prometheus prometheus-alertmanager curl
