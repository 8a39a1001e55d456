#!/bin/sh
# Starts a command in control groups and in a session of its own, so that it outlives monctl and the terminal
# and is found again by its group. For computers whose init system is not systemd.
# When a machine requests a reboot, systemd-nspawn exits with 133 and is started again.
# usage: launch.sh LOG GROUP-FOLDER... -- COMMAND...
set -eu

exec </dev/null >"$1" 2>&1
shift
while [ "$1" != -- ]; do
    mkdir -p "$1"
    echo $$ >"$1/cgroup.procs"
    shift
done
shift
# shellcheck disable=SC2016 # expanded by the inner shell
exec setsid sh -c 'while code=0; "$@" || code=$?; [ "$code" -eq 133 ]; do :; done' machine "$@"
