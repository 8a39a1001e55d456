#!/bin/bash
# apt and dpkg, which other programs of the host use too: apt-daily, a person, a provisioning tool. Where one of them
# holds a lock, it is waited for, and who that is is told.
# shellcheck shell=bash

# How long the locks of others are waited for, in seconds.
UNLOCKED_WITHIN=600

apt() {
	unlocked apt-get -q -y -o DPkg::Lock::Timeout=0 -o Dpkg::Use-Pty=0 -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

# Runs apt or dpkg, again and again as long as a lock is held: that of the lists, of the archives, or dpkg's.
unlocked() { # COMMAND…
	local status said holder told='' deadline=$((SECONDS + UNLOCKED_WITHIN))
	while true; do
		status=0
		# Daemons that a package starts must not hold the pipe of the events.
		{ said=$("$@" 2>&1 >&4 7>&-) || status=$?; } 4>&1
		((status)) || break
		# shellcheck disable=SC2310 # one look at a text
		is_locked "$said" || break
		holder=$(lock_holder "$said")
		if ((SECONDS >= deadline)); then
			said+=$'\n'"waited for $((UNLOCKED_WITHIN / 60)) minutes for $holder"
			break
		fi
		[ "$holder" = "$told" ] || waits_for "$holder"
		told=$holder
		sleep 2
	done
	[ -z "$told" ] || waits_for ''
	[ -z "$said" ] || echo "$said" >&2
	return "$status"
}

is_locked() { # COMPLAINT
	[[ $1 =~ Could\ not\ get\ lock|Unable\ to\ (lock|acquire)|locked\ by\ another\ process ]]
}

# Names the process that a complaint of apt's or dpkg's is about, and its unit.
lock_holder() { # COMPLAINT
	local name unit
	if ! [[ $1 =~ (held\ by\ process|with\ pid)\ ([0-9]+) ]]; then
		echo "another program, which holds the lock of apt or dpkg"
		return
	fi
	name=$(cat "/proc/${BASH_REMATCH[2]}/comm" 2>/dev/null || echo "a program")
	unit=$(sed -n 's|^0::.*/\([^/]*\.service\)$|\1|p' "/proc/${BASH_REMATCH[2]}/cgroup" 2>/dev/null || true)
	echo "$name (process ${BASH_REMATCH[2]}${unit:+ of $unit}), which holds the lock of apt or dpkg"
}

# Tells whom the step waits for; nobody any more where that is empty.
waits_for() { # WHOM
	[ -z "$1" ] || echo "waiting for $1" >&2
	if [ -n "${MONCTL_STEP-}" ]; then
		(flock 8 && printf 'wait\t%s\t%s\n' "$MONCTL_STEP" "${1//[[:cntrl:]]/ }" >&7) 8>>emitting 2>/dev/null || true
	fi
}
