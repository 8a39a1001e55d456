#!/bin/bash
# Everything on a host that must be the same before and after: one line each, with its SECTION.
set -euo pipefail
export LC_ALL=C

section() { sed "s/^/$1 /"; }

dpkg-query -W -f '${Package}:${Architecture} ${Version} ${db:Status-Abbrev}\n' | section package
apt-mark showmanual | sort | section manual
getent passwd | section user
getent group | section group
systemctl list-unit-files --no-legend --no-pager | awk '$2 != "transient" { print $1, $2, $3 }' | section unit-file
# Services that run for a moment, timers' jobs and sessions come and go by themselves.
systemctl list-units --no-legend --no-pager --plain --state=active --type=service,socket,timer |
	awk '{ print $1, $4 }' | grep -v -e '^user' -e 'exited' -e '^session' -e '^apt-daily' | section active
nft list ruleset | section nft

# Left out, each because the system itself writes there when a package is installed or a user logs in:
excluded=(
	-path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp
	-o -path /var/log                    # logs and the journal
	-o -path /var/cache/apt              # what apt downloaded, and its index
	-o -path /var/lib/apt/lists          # which packages there are to be had
	-o -path /var/lib/dpkg               # dpkg's own book, compared above by what it says
	-o -path '/var/lib/ucf/*.[0-9]'      # earlier states of the book of another program of packages
	-o -path '/var/cache/debconf/*-old'  # the same of debconf
	-o -path /var/cache/debconf/tmp.ci   # where apt asks packages for their questions
	-o -path /var/cache/ldconfig/aux-cache # the linker's cache of inode numbers
	-o -path /var/lib/systemd/timers     # when timers last ran
	-o -path /var/lib/systemd/random-seed
	-o -path /var/lib/systemd/linger
	-o -path '/var/tmp/systemd-private-*' # of units that run
	-o -path /var/lib/prometheus/metrics2 # data of a Prometheus of the user's, which runs and writes
	# What was in the account files before the last change to them, which nothing but a person reads.
	-o -path /etc/passwd- -o -path /etc/group- -o -path /etc/shadow- -o -path /etc/gshadow-
)
find / -xdev \( "${excluded[@]}" \) -prune -o -printf '%y %m %U %G %p %l\n' | sort -k 5 | section path
find / -xdev \( "${excluded[@]}" \) -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | section content
