#!/bin/bash
# CPU load as a transient unit: it ends at its time limit whatever becomes of monctl, of ssh and of the
# computer that started it. Usage: drill.sh start UNIT SECONDS WORKERS LOAD NICE | stop UNIT | state UNIT
set -euo pipefail
export LC_ALL=C.UTF-8

action=$1
unit=$2

start() {
	local seconds=$1 workers=$2 load=$3 nice=$4
	command -v stress-ng >/dev/null || {
		echo "stress-ng is not installed" >&2
		exit 3
	}
	if systemctl is-active --quiet "$unit"; then
		echo "a drill is under way already" >&2
		exit 4
	fi
	systemctl reset-failed "$unit" 2>/dev/null || true
	local share=()
	((load == 100)) || share=(--cpu-load "$load")
	# stress-ng wants a folder that it can write to, and gets an empty one of its own. Its own time
	# limit comes first; systemd's stands behind it.
	systemd-run --quiet --collect --unit="$unit" --description="monctl drill: CPU load" \
		-p RuntimeMaxSec="$((seconds + 5))" -p TimeoutStopSec=2 -p Nice="$nice" -p OOMPolicy=stop \
		-p DynamicUser=yes -p PrivateTmp=yes -p WorkingDirectory=/tmp -p MemoryMax=256M -p TasksMax=4096 \
		stress-ng --cpu "$workers" "${share[@]}" --timeout "${seconds}s"
}

case $action in
start) start "${@:3}" ;;
stop) systemctl stop "$unit" 2>/dev/null || ! systemctl is-active --quiet "$unit" ;;
state) systemctl is-active "$unit" || true ;;
*) exit 64 ;;
esac
