#!/bin/bash
# Runs a management command of Django as the application runs: its user, environment, settings and sandbox.
# `monctl manage -- COMMAND` calls it; root can call it on the host.
#
# usage: /etc/monctl/app/manage COMMAND…
set -euo pipefail

# What makes the unit a service does not apply to a command; its folder in /run would go with the command's end.
sandbox() {
	sed -n '/^\[Service\]/,/^\[/p' /etc/systemd/system/monctl-app.service |
		grep -vE '^(#|\[|$|(Type|NotifyAccess|Exec[A-Za-z]*|Kill[A-Za-z]*|Timeout[A-Za-z]*|Restart[A-Za-z]*|RuntimeDirectory[A-Za-z]*)=)'
}

# Without them the command would run as root and unconfined: a unit that cannot be read ends this here.
lines=$(sandbox)
mapfile -t properties <<<"$lines"
# A terminal, if there is one.
streams=--pipe
if [[ -t 0 && -t 1 ]]; then streams=--pty; fi
# shellcheck disable=SC2016 # for the shell in the unit
set -- /bin/sh -c 'PYTHONPATH=/etc/monctl/app${PYTHONPATH:+:$PYTHONPATH} exec "$@"' sh \
	/opt/monctl/app/bin/python -m monctl_metrics.manage "$@"
# systemd expands variables in the words of a command. Words with a doubled `$` do not survive a reload of systemd 257
# in the same moment; systemd before 254 knows no other way.
as_they_are=()
if [[ $(systemd-run --help) == *--expand-environment* ]]; then
	as_they_are=(--expand-environment=no)
else
	set -- "${@//\$/\$\$}"
fi
exec systemd-run --quiet --wait --collect "$streams" --unit="monctl-manage-$$" "${properties[@]/#/--property=}" \
	--setenv=TERM="${TERM:-dumb}" "${as_they_are[@]}" -- "$@"
