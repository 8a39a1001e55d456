#!/usr/bin/env bash
# A complete run on this computer: two machines, an application, its monitoring, and an alert that is proven to be
# delivered and resolved; with `drills`, every alert that can be caused safely.
# Everything is removed at the end, also after a failure or Ctrl-C.
#
# usage: demo.sh PATH-OF-MONCTL demo|drills
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

export MONCTL_SPEC=examples/$2/monctl.yaml
# The application's SECRET_KEY: the spec refers to it, and it is nowhere else on this side.
NOTES_SECRET_KEY=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export NOTES_SECRET_KEY

binary=$1
started=$SECONDS

# run WORD…: shows the command as a user would type it, and runs it.
run() {
	printf '\n$ monctl %s\n' "$*"
	"$binary" "$@"
}

# calm: waits until no alert is pending or firing. The installation itself keeps two cores busy, and the alert
# that is to be proven sees that for a minute.
calm() {
	local deadline=$((SECONDS + 120)) noted=
	while "$binary" status --output json 2>/dev/null | grep -Eq '"state": "(pending|firing)"'; do
		((SECONDS < deadline)) || return 0
		[[ -n $noted ]] || printf '\nan alert is active because of the load of the installation; waiting until it resolves\n'
		noted=yes
		sleep 2
	done
}

remove() {
	# Ctrl-C once more must not keep anything.
	trap '' INT TERM
	run down --yes || {
		printf 'error: not everything was removed\nhelp: %s -f %s down\n' "$binary" "$MONCTL_SPEC" >&2
		code=1
	}
	printf '\nthe demo took %d s\n' $((SECONDS - started))
	exit "$code"
}

if ((EUID != 0)); then
	printf 'error: the demo makes machines, which needs root\nhelp: sudo make %s\n' "$2" >&2
	exit 1
fi

code=1
trap remove EXIT
trap 'code=130; exit' INT TERM

# dashboards: queries the data of every panel; without Grafana, which the spec does not require, prints a note.
dashboards() {
	if "$binary" status --output json 2>/dev/null | grep -q '"state": "missing"'; then
		printf '\nGrafana is not available here, so there are no dashboards to check\n'
	else
		run verify-dashboards
	fi
}

case $2 in
drills) proof=(--all --yes --report drills-report.html) ;;
*) proof=(HighCPUUsage --report demo-report.html) ;;
esac

run up --yes && calm && run verify-alert "${proof[@]}" && run check && dashboards && run status
code=$?
