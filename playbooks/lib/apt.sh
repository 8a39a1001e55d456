#!/bin/bash
# apt and dpkg, which other programs of the host use too: apt-daily, a person, a provisioning tool. If one of them
# holds a lock, waits for it and reports its name.
# shellcheck shell=bash

# How long to wait for the locks of others, in seconds.
UNLOCKED_WITHIN=600

apt() {
	unlocked apt-get -q -y -o DPkg::Lock::Timeout=0 -o Dpkg::Use-Pty=0 -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

# Runs apt or dpkg, and retries as long as another process holds a lock: of the lists, of the archives, or of dpkg.
unlocked() { # COMMAND…
	local status messages holder reported='' deadline=$((SECONDS + UNLOCKED_WITHIN))
	while true; do
		status=0
		# Daemons that a package starts must not hold the pipe of the events, nor a lock.
		{ messages=$("$@" 2>&1 >&4 5>&- 7>&-) || status=$?; } 4>&1
		((status)) || break
		# shellcheck disable=SC2310 # a text match
		is_locked "$messages" || break
		holder=$(lock_holder "$messages")
		if ((SECONDS >= deadline)); then
			messages+=$'\n'"waited for $((UNLOCKED_WITHIN / 60)) minutes for $holder"
			break
		fi
		[ "$holder" = "$reported" ] || waits_for "$holder"
		reported=$holder
		sleep 2
	done
	[ -z "$reported" ] || waits_for ''
	[ -z "$messages" ] || echo "$messages" >&2
	return "$status"
}

is_locked() { # COMPLAINT
	[[ $1 =~ Could\ not\ get\ lock|Unable\ to\ (lock|acquire)|locked\ by\ another\ process ]]
}

# Prints the process named in an error of apt or dpkg, and its unit.
lock_holder() { # COMPLAINT
	local name unit
	if ! [[ $1 =~ (held\ by\ process|with\ pid)\ ([0-9]+) ]]; then
		echo "another program that holds the lock of apt or dpkg"
		return
	fi
	name=$(cat "/proc/${BASH_REMATCH[2]}/comm" 2>/dev/null || echo "a program")
	unit=$(sed -n 's|^0::.*/\([^/]*\.service\)$|\1|p' "/proc/${BASH_REMATCH[2]}/cgroup" 2>/dev/null || true)
	echo "$name (process ${BASH_REMATCH[2]}${unit:+ of $unit}), which holds the lock of apt or dpkg"
}

# Reports what the step waits for; an empty argument ends the wait.
waits_for() { # WHOM
	[ -z "$1" ] || echo "waiting for $1" >&2
	if [ -n "${MONCTL_STEP-}" ]; then
		(flock 8 && printf 'wait\t%s\t%s\n' "$MONCTL_STEP" "${1//[[:cntrl:]]/ }" >&7) 8>>emitting 2>/dev/null || true
	fi
}
