#!/bin/bash
# Runs the steps of a host and reports each. `sequence` has one step per line: id, lane, lanes to
# wait for. Steps without a lane run one after another; the steps of a lane run in parallel, beginning
# at the position of the lane's first step. A failed step ends its own sequence and the lanes that would
# begin or wait after it; running lanes are not affected.
#
# Standard output carries events only, fields separated by tabs: `start STEP`, `ok STEP`,
# `wait STEP FOR-WHOM`, `note STEP TEXT`, `fail STEP BASE64-OF-ITS-LAST-OUTPUT`, `skip STEP`, and `end` last.
set -uo pipefail
umask 022

exec 9>/run/monctl.lock
flock --wait 120 9 || { echo "another run still works on this host" >&2; exit 75; }

# shellcheck source=playbooks/lib/manifest.sh
. ./manifest.sh
IFS=$'\t' read -r project role <identity
owner=$(manifest_facts project | cut -f 1)
if [ -n "$owner" ] && [ "$owner" != "$project" ]; then
	echo "this host belongs to project $owner" >&2
	exit 76
fi
manifest_open "$project" "$role"

# Stops units of an interrupted run as another user.
mapfile -t begun < <(systemctl list-units --plain --no-legend --all 'monctl-run-*' 2>/dev/null | cut -d ' ' -f 1 | grep -v hold)
((${#begun[@]} == 0)) || systemctl stop "${begun[@]}" 2>/dev/null

# The reader of the events may be gone. A running step is still finished, and no further one begins.
trap '' PIPE HUP
mkdir logs
# Locked: lanes share the pipe, and writes longer than a page are not atomic.
emit() { (flock 8 && IFS=$'\t' && printf '%s\n' "$*") 8>>emitting 2>/dev/null || touch gone; }

# The end of a log, in whole lines: a truncated value would not be recognised as a secret.
last_words() { # FILE
	local text
	text=$(tail -c 6000 "$1" | tr -d '\0')
	if (($(stat --format %s "$1") > 6000)) && [[ $text = *$'\n'* ]]; then text=${text#*$'\n'}; fi
	printf '%s\n' "$text"
}

run_step() {
	[ ! -e gone ] || return 1
	emit start "$1"
	if MONCTL_STEP=$1 bash -euo pipefail "steps/$1.sh" 7>&1 >"logs/$1" 2>&1; then
		emit ok "$1"
	else
		emit fail "$1" "$(last_words "logs/$1" | base64 -w 0)"
		return 1
	fi
}

run_lane() { # STEPS FAILED-BEFORE
	local step failed=$2
	for step in $1; do
		if [ -n "$failed" ]; then emit skip "$step"; else run_step "$step" || failed=1; fi
	done
	[ -z "$failed" ]
}

declare -A steps_of lane_process
order=()
while IFS=$'\t' read -r step lane join; do
	order+=("$step"$'\t'"$lane"$'\t'"$join")
	[ "$lane" = - ] || steps_of[$lane]+=" $step"
done <sequence

failed=
for entry in "${order[@]}"; do
	IFS=$'\t' read -r step lane join <<<"$entry"
	if [ "$lane" != - ]; then
		if [ -z "${lane_process[$lane]-}" ]; then
			run_lane "${steps_of[$lane]}" "$failed" &
			lane_process[$lane]=$!
		fi
		continue
	fi
	for lane in $join; do
		[ -z "${lane_process[$lane]-}" ] || wait "${lane_process[$lane]}" || failed=1
	done
	if [ -n "$failed" ]; then emit skip "$step"; else run_step "$step" || failed=1; fi
done
wait
emit end
