#!/bin/sh
# The facts of a host in the report: one fact per line, its name and its value separated by a tab.
fact() { printf '%s\t%s\n' "$1" "$2"; }

# shellcheck disable=SC1091 # the host's own file
fact system "$(. /etc/os-release && echo "$PRETTY_NAME")"
fact kernel "$(uname -sr)"
fact processors "$(nproc)"
fact memory "$(awk '/^MemTotal/ { printf "%.1f GiB", $2 / 1048576 }' /proc/meminfo)"
fact disk "$(df -h --output=size,pcent / | awk 'NR == 2 { print $1 ", " $2 " used" }')"
