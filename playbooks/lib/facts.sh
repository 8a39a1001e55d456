#!/bin/bash
# Answers all probes of a playbook at once: one fact per line, fields separated by tabs.
# The probes are in `probes/`, one file per kind. Read-only; src/playbook/facts.rs parses the output.
set -uo pipefail
cd "$(dirname "$0")" || exit

# An interrupted run may still be finishing its step.
exec 9>/run/monctl.lock
flock --wait 120 9 || { echo "another run still works on this host" >&2; exit 75; }

read_probes() { mapfile -t probes <"probes/$1" && ((${#probes[@]})); }

# shellcheck source=playbooks/lib/manifest.sh
. ./manifest.sh
# shellcheck disable=SC1091 # the host's own
(
	. /etc/os-release 2>/dev/null
	printf 'system\t%s\t%s\t%s\n' "${ID-}" "${VERSION_ID-}" "${PRETTY_NAME-}"
)
[ -d /run/systemd/system ] && echo 'has	systemd'
command -v apt-get >/dev/null && echo 'has	apt'
# A copied disk has the same id as its original; the boot id differs.
[ -r /etc/machine-id ] && printf 'identity\t%s/%s\n' "$(</etc/machine-id)" "$(</proc/sys/kernel/random/boot_id)"
manifest_facts project | sed 's/^/owner\t/'

printf 'machine\t%s\nprocessors\t%s\n' "$(uname -m)" "$(nproc)"

# Computed in the background, and printed at the end: concurrent output could mix.
mkdir installed
if read_probes installed; then
	for folder in "${probes[@]}"; do
		# A Python environment is useless without its interpreter.
		[ -L "$folder/bin/python" ] && [ ! -e "$folder/bin/python" ] && continue
		[ -f "$folder.monctl" ] && {
			read -r source recorded <"$folder.monctl"
			found=$(find "$folder" -xdev -printf '%P %y %s %m %u %T@\n' | LC_ALL=C sort | sha256sum)
			printf 'installed\t%s\t%s\t%s\t%s\n' "$folder" "$source" "$recorded" "${found%% *}"
		} >"installed/${folder//\//_}" &
		# A failed download is retried after an hour.
		if [ -n "$(find "$folder.failed" -mmin -60 2>/dev/null)" ]; then
			read -r source url why <"$folder.failed"
			printf 'failed\t%s\t%s\t%s\t%s\n' "$folder" "$source" "$url" "$why"
		fi
	done
fi

if read_probes packages; then
	dpkg-query -W -f 'package\t${Package}\t${db:Status-Status}\n' "${probes[@]}" 2>/dev/null
fi

if read_probes users; then
	getent passwd "${probes[@]}" | while IFS=: read -r name _; do printf 'user\t%s\n' "$name"; done
fi

if read_probes units; then
	systemctl show -p Id -p LoadState -p ActiveState -p UnitFileState -p NeedDaemonReload "${probes[@]}" |
		while read -r line; do [ -z "$line" ] || printf 'unit\t%s\n' "$line"; done
fi

# A set and its earlier versions, as far as an interrupted run has left them.
if read_probes sets; then
	for active in "${probes[@]}"; do
		for file in "/var/lib/monctl/sets/${active##*/}"/*/.units/*; do
			unit=${file##*/}
			[ -e "/etc/systemd/system/$unit" ] && printf 'set-unit\t%s\t%s\n' "$active" "$unit"
		done
	done
fi

if read_probes links; then
	for link in "${probes[@]}"; do
		[ -L "$link" ] && printf 'link\t%s\t%s\n' "$link" "$(readlink "$link")"
	done
fi

# Each line: unit, and the command that prints its effect.
while IFS=$'\t' read -r unit command; do
	recorded=/var/lib/monctl/effects/$unit
	[ -f "$recorded" ] || continue
	found=$(bash -c "$command" 2>/dev/null | sha256sum)
	printf 'effect\t%s\t%s\t%s\n' "$unit" "$(<"$recorded")" "${found%% *}"
done <probes/effects

# What the settings of the running application reveal: one line.
report=/etc/monctl/app/settings-report.json
[ -f "$report" ] && printf 'settings\t%s\n' "$(head -c 65536 "$report")"

# Each line: user, folder of code, and the list of that code. Other files there are listed by that user.
while IFS=$'\t' read -r user code list; do
	[ -e "$list" ] || continue
	found=$(timeout 60 setpriv --reuid="$user" --regid="$user" --clear-groups --no-new-privs \
		/usr/bin/python3 -I -c "$(<data.py)" list "$code" "$list" 9>&- </dev/null 2>/dev/null) || found='(its files cannot be listed)'
	[ -z "$found" ] || printf 'beside\t%s\n' "${found//$'\n'/$'\nbeside\t'}"
done <probes/beside

# Each line: digest, whether the content may be shown, path.
declare -A wanted shown
paths=()
while IFS=$'\t' read -r digest show path; do
	wanted[$path]=$digest shown[$path]=$show
	paths+=("$path")
done <probes/files
# Limit on the total size of contents; further differing files are sent without content, except monctl's own records.
room=8388608
if ((${#paths[@]})); then
	printf '%s\0' "${paths[@]}" | xargs -0 stat --printf 'file\t%n\t%a\t%U\t%G\n' -- 2>/dev/null
	# Root reads nothing through a link, which may lead to files of another user.
	regular=()
	for path in "${paths[@]}"; do
		[ -L "$path" ] || { regular+=("$path") && continue; }
		target=$(readlink "$path")
		[[ $target = *[[:cntrl:]]* ]] || printf 'link\t%s\t%s\n' "$path" "$target"
	done
	printf '%s\0' "${regular[@]}" | xargs -0 --no-run-if-empty sha256sum -- 2>/dev/null | while IFS= read -r line; do
		digest=${line%% *} path=${line#*  }
		printf 'sha256\t%s\t%s\n' "$path" "$digest"
		if [ "$digest" != "${wanted[$path]}" ] && [ "${shown[$path]}" = yes ] &&
			{ ((room > 0)) || [[ $path = /var/lib/monctl/* ]]; }; then
			content=$(head -c 1048576 -- "$path" | base64 -w 0)
			room=$((room - ${#content}))
			printf 'content\t%s\t%s\n' "$path" "$content"
		fi
	done
fi

for stamp in /var/lib/monctl/applied/*; do
	[ -f "$stamp" ] && printf 'applied\t%s\t%s\n' "${stamp##*/}" "$(<"$stamp")"
done
wait
cat installed/* 2>/dev/null
echo end
