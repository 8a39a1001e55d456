#!/bin/bash
# The commands of steps: one function for each command that src/playbook/ generates. A step's script
# sources this and runs with `set -euo pipefail`; its first failing command ends it.
# shellcheck shell=bash
set -euo pipefail
umask 022
# An installation must not restart services other than monctl's.
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8
export PATH=/opt/monctl/prometheus:/opt/monctl/alertmanager:$PATH
# Use the machine's certificates, which include the operator's, even in tools that have their own.
export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
export PIP_CERT=$SSL_CERT_FILE REQUESTS_CA_BUNDLE=$SSL_CERT_FILE

# shellcheck source=playbooks/lib/manifest.sh
. ./manifest.sh
# shellcheck source=playbooks/lib/application.sh
. ./application.sh
# shellcheck source=playbooks/lib/python.sh
. ./python.sh

# Where this run's files are.
work=$PWD
# Time for a unit to become healthy, in seconds.
HEALTHY_WITHIN=30
# The same for a service that creates its database.
MIGRATED_WITHIN=600
# A release tarball has some hundred MiB.
LARGEST_ARCHIVE_MIB=1024
# A process of the application that has run this long since its start is healthy, in seconds.
STEADY_AFTER=10
# A unit that systemd has restarted this often will not become healthy by waiting.
RESTARTS_AT_MOST=3

refuse() {
	echo "$1" >&2
	return 1
}

# Reports something of a step that succeeds to the person who deploys.
tell() { # TEXT
	echo "$1"
	if [ -n "${MONCTL_STEP-}" ]; then
		(flock 8 && printf 'note\t%s\t%s\n' "$MONCTL_STEP" "${1//[[:cntrl:]]/ }" >&7) 8>>emitting 2>/dev/null || true
	fi
}

# Runs a command and stores its status in `attempted`. Conditions (`if`, `||`, `!`) suspend errexit in everything that
# they call, so that only the last line of a function counts; here the first failing line ends it.
attempt() { # COMMAND…
	set +e
	(
		set -e
		"$@"
	)
	attempted=$?
	set -e
}

# ---- package ---------------------------------------------------------------------------------------

# shellcheck source=playbooks/lib/apt.sh
. ./apt.sh

packages_install() {
	packages_locked packages_install_alone "$@"
}

# Lanes install one after another: the record compares accounts before and after an installation.
packages_locked() { # COMMAND…
	(
		flock 5
		"$@"
	) 5>>installing
}

# Updates the lists of packages if they are old.
packages_refresh() {
	local fresh
	fresh=$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -mmin -60 -print -quit)
	if [ -z "$fresh" ]; then apt update; fi
}

packages_install_alone() {
	packages_refresh
	attempt packages_add "$@"
	if ((attempted)); then
		# The lists may be outdated, or an earlier installation was interrupted.
		unlocked dpkg --configure -a
		apt update
		packages_add "$@"
	fi
	accounts_compare
	packages_seen "$@"
}

# Never removes installed packages in favour of new ones.
packages_add() {
	local simulation=$PWD/simulation.$BASHPID
	attempt apt install --simulate --no-remove --no-install-recommends "$@" >"$simulation"
	if ((attempted)); then
		cat "$simulation"
		return 1
	fi
	before_installing "$(<"$simulation")" "$@"
	# debconf's socket directory while apt runs; it is left behind.
	before_writing /var/cache/debconf/tmp.ci
	if grep -q '^Inst postgresql-[0-9]* ' "$simulation"; then without_cluster "$@"; else
		apt install --no-remove --no-install-recommends "$@"
	fi
}

# A new version of PostgreSQL would bring a database of its own, which runs beside monctl's.
without_cluster() { # PACKAGE…
	local folder=/etc/postgresql-common/createcluster.d
	manifest_add made "$folder/monctl.conf"
	mkdir -p "$folder"
	echo 'create_main_cluster = false' >"$folder/monctl.conf"
	apt install --no-remove --no-install-recommends "$@"
	rm -f "$folder/monctl.conf"
	rmdir --ignore-fail-on-non-empty "$folder"
}

# The same check as the facts: a package that is unpacked and not configured is not installed.
packages_seen() {
	local package states missing=()
	for package in "$@"; do
		states=$(dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null || true)
		grep -qx installed <<<"$states" || missing+=("$package (${states:-not installed})")
	done
	((${#missing[@]} == 0)) || refuse "apt succeeded, but these packages are not installed: ${missing[*]}"
}

units_mask() {
	local unit
	for unit in "$@"; do
		before_changing_unit "$unit"
		before_writing "/etc/systemd/system/$unit"
		# systemctl does not replace a file with a mask.
		# shellcheck disable=SC2310 # a question
		if is_there "/etc/systemd/system/$unit"; then
			systemctl stop "$unit" || true
			rm -f "/etc/systemd/system/$unit"
		fi
	done
	systemctl mask --now --quiet "$@"
	for unit in "$@"; do
		[ "$(systemctl show --property LoadState --value "$unit")" = masked ] || refuse "$unit is not masked"
	done
}

# ---- user ------------------------------------------------------------------------------------------

user_create() {
	local group=(--user-group)
	before_making_user "$1"
	if getent group "$1" >/dev/null; then group=(--gid "$1"); fi
	useradd --system "${group[@]}" --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin "$1"
	getent passwd "$1" >/dev/null || refuse "useradd succeeded, but user $1 does not exist"
}

# ---- folders that are filled as a whole: archive, venv ---------------------------------------------

# Moves a finished folder into its place and records its source and its listing.
folder_finish() { # FOLDER SOURCE-DIGEST
	local listing
	before_writing "$1"
	folder_note "$1.new" "$1"
	rm -rf "$1.old" "$1.monctl"
	# The folder is missing only between two renames.
	if [ -e "$1" ]; then mv -T "$1" "$1.old"; fi
	mv -T "$1.new" "$1"
	rm -rf "$1.old"
	listing=$(folder_listing "$1" | sha256sum)
	echo "$2 ${listing%% *}" >"$1.monctl"
	folder_seen "$1" "$2"
}

folder_seen() { # FOLDER SOURCE-DIGEST
	local source recorded listing
	read -r source recorded <"$1.monctl"
	listing=$(folder_listing "$1" | sha256sum)
	[ "$source $recorded" = "$2 ${listing%% *}" ] || refuse "$1 differs from what was installed"
}

archive_install() { # FOLDER URL SHA256
	# On the disk, since memory may be small: Grafana's tarball has 200 MB.
	local archive=$1.tar.gz why
	before_writing "$1"
	mkdir -p "${1%/*}"
	# shellcheck disable=SC2310 # it handles the failure of each command itself
	if ! why=$(archive_fetch "$archive" "$2" "$3" 2>&1); then
		rm -f "$archive"
		echo "$3 $2 ${why//[[:cntrl:]]/ }" >"$1.failed"
		refuse "$why"
	fi
	rm -rf "$1.new" "$1.failed"
	mkdir "$1.new"
	tar -xzf "$archive" --no-same-owner --strip-components=1 -C "$1.new"
	rm -f "$archive"
	folder_finish "$1" "$3"
}

archive_fetch() { # FILE URL SHA256
	local why free limit=$LARGEST_ARCHIVE_MIB size
	# At most half of the free space, so that other programs on the host do not run out of it.
	free=$(($(df --output=avail --block-size=1M "${1%/*}" | tail -n 1) / 2))
	((free >= limit)) || limit=$free
	# shellcheck disable=SC2310 # it handles the failure of each command itself
	if ! why=$(archive_curl "$limit" "$1" "$2" 2>&1); then
		size=$(stat --format %s "$1" 2>/dev/null || echo 0)
		if ((size >= limit * 1048576)) || [[ $why = *'curl: (63)'* ]]; then
			why="it is larger than $limit MiB"
			((limit != free)) || why+=", half of what is free on the host's disk"
		fi
		echo "cannot download $2: ${why##*$'\n'}"
		return 1
	fi
	if ! echo "$3  $1" | sha256sum --check --status; then
		echo "$2 has another SHA-256 digest than $3"
		return 1
	fi
}

# Older versions of curl check the size only if the server sends it; the limit of the process always applies.
archive_curl() { # MIB FILE URL
	trap '' XFSZ
	ulimit -f "$(($1 * 1024))" || return
	exec curl --fail --location --silent --show-error --retry 2 --connect-timeout 10 --max-time 3600 \
		--speed-limit 1024 --speed-time 60 --max-filesize "$(($1 * 1048576))" --output "$2" "$3"
}

requirements_file() { # PATH SHA256
	mkdir -p "requirements/$(dirname "$1")"
	cp "payload/$2" "requirements/$1"
}

# Unpacks the wheel of one line of a requirements file, by the pip of Debian's wheel, so that no other Python package is
# needed. No code of the wheel runs.
wheel_unpack() { # FOLDER REQUIREMENTS-FILE NAME
	grep "^$3==" "$2" >wheel.txt
	PYTHONPATH=$(echo /usr/share/python-wheels/pip-*.whl) python3 -m pip install --quiet --disable-pip-version-check \
		--no-compile --no-deps --only-binary :all: --require-hashes --root-user-action ignore --target "$1" --requirement wheel.txt
	rm -f wheel.txt
}

# Root does not run it.
uv_ready() { # REQUIREMENT
	local pin=${1%% *}
	uv=/opt/monctl/uv-${pin#*==}
	if [ ! -x "$uv/bin/uv" ]; then
		before_writing "$uv"
		rm -rf "$uv" "$uv.new"
		echo "$1" >uv.txt
		wheel_unpack "$uv.new" uv.txt uv
		mv -T "$uv.new" "$uv"
	fi
}

# Packages contain code that runs while they are built and installed, and whenever their Python starts. So a dedicated
# user does both, and root, which never starts that Python, copies the result.
venv_install() { # FOLDER SOURCE-DIGEST USER UV-REQUIREMENT REQUIREMENTS-FILE ADDED…
	local folder=$1 source=$2 user=$3 entry=$5 uv
	before_writing "$folder"
	mkdir -p "${folder%/*}"
	uv_ready "$4"
	shift 5
	rm -rf "$folder.new" "$folder.build"
	# On the disk, which is larger than the memory.
	mkdir -m 700 "$folder.build"
	cp -r requirements build.sh "$folder.build"
	printf '%s\n' "$@" >"$folder.build/added"
	network_environment >build.environment
	chown -R "$user:$user" "$folder.build"
	venv_build "$user" "$folder.build" "$uv/bin/uv" "$entry"
	root_python tree.py copy "$folder.build/venv" "$folder.new"
	rm -rf "$folder.build"
	folder_finish "$folder" "$source"
}

# How this host reaches package indexes, for a unit, which inherits nothing. In a file, since proxies have passwords.
network_environment() {
	local name
	echo "SSL_CERT_FILE=$SSL_CERT_FILE"
	for name in $(compgen -e | grep -E '^(UV_|PIP_)|_(proxy|PROXY)$' || true); do
		case $name in UV_CACHE_DIR | UV_LINK_MODE | PIP_CERT) continue ;; esac
		# shellcheck disable=SC2001 # several characters
		printf '%s="%s"\n' "$name" "$(sed 's/[\\"$`]/\\&/g' <<<"${!name}")"
	done
}

# A unit ends with its control group; processes that left the group must be gone, too.
nothing_runs_as() { # USER
	# Holds even where a caller's condition suspends errexit.
	if [ "$(id -u "$1")" = 0 ]; then
		refuse "$1 is root, whose processes are not ended"
		return 1
	fi
	local deadline=$((SECONDS + 30)) left
	while left=$(find /proc -maxdepth 1 -user "$1" -name '[0-9]*' -printf '%f ' 2>/dev/null) && [ -n "$left" ]; do
		((SECONDS < deadline)) || refuse "processes of $1 do not end: $left"
		# shellcheck disable=SC2086 # numbers
		kill -KILL $left 2>/dev/null || true
		sleep 0.1
	done
}

# ---- service ---------------------------------------------------------------------------------------
# A set is staged, checked, activated by one rename, and rolled back if a unit is not healthy afterwards.

service_open() { # STEP FOLDER
	step=$1 active=$2
	sets=/var/lib/monctl/sets/${active##*/}
	stamp=/var/lib/monctl/applied/$step
	before_writing "$active"
	mkdir -p "$sets" "${stamp%/*}" "${active%/*}"
	previous=$(readlink "$active" || true)
	# A set that no longer exists cannot be restored.
	[ -d "$previous" ] || previous=
	previous_stamp=$(cat "$stamp" 2>/dev/null || true)
	staged=$(mktemp -d "$sets/XXXXXXXX")
	chmod 755 "$staged"
	mkdir "$staged/.units"
	tree='' venv='' activated='' closed='' held='' touched=() stopped=()
	trap service_end EXIT
}

service_file() { # NAME SHA256 OWNER GROUP MODE
	install -D -o "$3" -g "$4" -m "$5" "payload/$2" "$staged/$1"
}

service_unit_file() { # NAME SHA256
	local folder
	install -m 644 "payload/$2" "$staged/.units/$1"
	before_changing_unit "$1"
	before_writing "/etc/systemd/system/$1"
	while read -r folder; do
		before_writing "/var/lib/$folder"
		manifest_add data "/var/lib/$folder"
	done < <(sed -n 's/^StateDirectory=//p' "$staged/.units/$1")
}

service_venv() { # LINK FOLDER
	venv=$1 venv_new=$2
	before_writing "$venv"
	venv_previous=$(readlink "$venv" || true)
}

service_check() { # COMMAND…
	(cd "$staged" && "$@")
}

# Caddy makes a folder in the home of its user.
caddy_validates() { # FILE
	HOME=$work caddy validate --config "$1" --adapter caddyfile
}

service_run() { # COMMAND…
	"$@"
}

# Records the files that the counting of requests is about to add to a unit and a Python environment of others.
counting_record() {
	local list digest path
	list=$(mktemp)
	/usr/bin/python3 /etc/monctl/counting/counting.py paths >"$list"
	while read -r digest path; do
		before_writing "$path"
	done <"$list"
	manifest_locked manifest_put "$list"
	rm -f "$list"
}

link_to() { # LINK TARGET
	ln -sfn "$2" "$1.new"
	mv -T "$1.new" "$1"
}

units_place() { # SET
	local file unit
	for file in "$1"/.units/*; do
		[ -e "$file" ] || continue
		unit=/etc/systemd/system/${file##*/}
		# A link to /dev/null is a mask, set by hand; it is replaced.
		if [ -L "$unit" ] || ! cmp --quiet "$file" "$unit"; then
			install -m 644 "$file" "$unit.new"
			mv -T "$unit.new" "$unit"
		fi
		chown root:root "$unit" && chmod 644 "$unit"
	done
	systemctl daemon-reload
}

service_activate() {
	before_putting "$staged" "$active"
	before_putting "$staged/.units" /etc/systemd/system
	[ -z "$tree" ] || before_putting tree "$tree_current"
	rm -f "$stamp"
	activated=1
	# A folder in place of the link is kept, and prevents the link.
	if [ -d "$active" ] && [ ! -L "$active" ]; then rm -rf "$active"; fi
	[ -z "$tree" ] || tree_activate
	[ -z "$venv" ] || link_to "$venv" "$venv_new"
	link_to "$active" "$staged"
	units_place "$staged"
}

service_unit() { # UNIT keep|reload|restart|stop READY-URL|- RELOAD-METRIC|-
	[ -z "$held" ] || app_go_on
	if [ "$2" = stop ]; then
		unit_remove "$1"
		stopped+=("$1 restart $3")
		return
	fi
	# An unneeded unit that stays stopped has no file in the set.
	[ -e "$staged/.units/$1" ] || return 0
	touched+=("$1 $2 $3")
	systemctl enable --quiet "$1"
	case $2 in
	reload) unit_reload "$1" "$3" "$4" ;;
	restart) unit_restart "$1" ;;
	esac
	unit_healthy "$1" "$3"
}

# Removes a unit completely, including a mask, which is a link in place of its file.
unit_remove() { # UNIT
	systemctl disable --quiet --now "$1" || systemctl stop "$1" || true
	rm -f "/etc/systemd/system/$1"
	systemctl daemon-reload
	! systemctl is-active --quiet "$1" || refuse "$1 does not stop"
}

# Reloads, and if the unit counts its reloads, waits until it has loaded the new configuration.
unit_reload() { # UNIT READY-URL RELOAD-METRIC|-
	local before now metrics deadline=$((SECONDS + HEALTHY_WITHIN))
	if [ "$3" = - ]; then
		systemctl reload "$1"
		return
	fi
	metrics=${2%"${2#http://*/}"}metrics
	before=$(metric "$metrics" "$3")
	systemctl reload "$1"
	while ((SECONDS < deadline)); do
		now=$(metric "$metrics" "$3")
		[ -z "$now" ] || [ "$now" = "$before" ] || return 0
		sleep 0.1
	done
	echo "$1 did not load its new configuration"
	journalctl --unit "$1" --lines 15 --no-pager --output cat 2>/dev/null || true
	return 1
}

metric() { # URL NAME
	curl --fail --silent --noproxy '*' --max-time 5 "$1" | sed -n "s/^$2 //p" || true
}

unit_restart() { # UNIT
	systemctl reset-failed "$1" 2>/dev/null || true
	# A socket cannot be rebound while its service uses it.
	case $1 in *.socket) systemctl stop "${1%.socket}.service" 2>/dev/null || true ;; esac
	systemctl restart "$1"
}

# Waits until a unit is active and, if it has a URL, responds there successfully.
unit_healthy() { # UNIT READY-URL|-
	local state restarts checked=$SECONDS deadline=$((SECONDS + HEALTHY_WITHIN)) last=$((SECONDS + MIGRATED_WITHIN))
	restarts=$(unit_restarts "$1")
	while ((SECONDS < deadline)); do
		state=$(systemctl is-active "$1" || true)
		# shellcheck disable=SC2310 # questions
		if [ "$state" = failed ] || unit_flaps "$1" "$restarts"; then break; fi
		# shellcheck disable=SC2310 # a question
		if [ "$state" = active ] && unit_answers "$1" "$2"; then return 0; fi
		# shellcheck disable=SC2310 # a question, once a second
		if ((SECONDS > checked && SECONDS < last)) && unit_migrates "$1"; then
			deadline=$((SECONDS + HEALTHY_WITHIN))
		fi
		checked=$SECONDS
		sleep 0.1
	done
	if [ "$2" = - ]; then echo "$1 is not healthy: its state is $state"; else
		echo "$1 is not healthy: its state is $state, and it does not respond at $2"
	fi
	journalctl --unit "$1" --lines 15 --no-pager --output cat 2>/dev/null || true
	return 1
}

# Whether the unit's last log line is about creating its database. Grafana's first start runs hundreds of migrations,
# which take minutes on a busy computer with a slow disk.
unit_migrates() { # UNIT
	journalctl --unit "$1" --lines 1 --no-pager --output cat 2>/dev/null | grep -q '^logger=migrator '
}

# Number of automatic restarts of the unit.
unit_restarts() { # UNIT
	local restarts
	restarts=$(systemctl show --property NRestarts --value "$1")
	echo "${restarts:-0}"
}

unit_flaps() { # UNIT RESTARTS-BEFORE
	[ $(($(unit_restarts "$1") - $2)) -ge "$RESTARTS_AT_MOST" ]
}

# Whether the unit itself responds successfully, not another process on its port.
unit_answers() { # UNIT READY-URL|-
	local port process
	[ "$2" != - ] || return 0
	curl --fail --silent --noproxy '*' --output /dev/null --max-time 5 "$2" || return 1
	port=${2#http://*:}
	for process in $(ss -Hltnp "sport = :${port%%/*}" | grep -o 'pid=[0-9]*'); do
		! grep -q "/$1\$" "/proc/${process#pid=}/cgroup" 2>/dev/null || return 0
	done
	return 1
}

# Waits until each unit has run for a while since its last start: a process does not report that it is ready, and ends if
# it cannot work.
service_steady() { # UNIT…
	local unit
	for unit in "$@"; do unit_steady "$unit"; done
}

unit_steady() { # UNIT
	local state restarts
	restarts=$(unit_restarts "$1")
	while :; do
		state=$(systemctl is-active "$1" || true)
		# shellcheck disable=SC2310 # a question
		if [ "$state" = active ] && unit_is_steady "$1"; then return 0; fi
		# shellcheck disable=SC2310 # a question
		if [ "$state" = failed ] || [ "$state" = inactive ] || unit_flaps "$1" "$restarts"; then break; fi
		sleep 0.2
	done
	echo "$1 does not stay up: its state is $state"
	journalctl --unit "$1" --lines 15 --no-pager --output cat 2>/dev/null || true
	return 1
}

unit_is_steady() { # UNIT
	local since uptime
	since=$(systemctl show --property ActiveEnterTimestampMonotonic --value "$1")
	read -r uptime _ </proc/uptime
	((${uptime%.*} - ${since:-0} / 1000000 >= STEADY_AFTER))
}

# Records the unit's effect, so that a change by hand is detected.
service_effect() { # UNIT COMMAND
	local found
	mkdir -p /var/lib/monctl/effects
	found=$(bash -c "$2" | sha256sum)
	echo "${found%% *}" >"/var/lib/monctl/effects/$1"
}

service_close() { # DIGEST
	service_seen
	closed=1
	# Before it counts as applied: if this is interrupted, the next run restarts everything.
	[ -z "$tree" ] || tree_close
	echo "$1" >"$stamp"
	puts_settle
	find "$sets" -mindepth 1 -maxdepth 1 -type d ! -path "$staged" -exec rm -rf {} +
	[ -z "$venv" ] || find "${venv_new%/*}" -mindepth 1 -maxdepth 1 ! -name "${venv_new##*/}*" -exec rm -rf {} +
	[ -z "$venv" ] || python_close "$venv_new"
}

# Checks that the set is in use, and that its units still run at the end.
service_seen() {
	local entry unit state
	[ "$(readlink "$active")" = "$staged" ] || refuse "$active does not point to the new set"
	[ -z "$venv" ] || [ "$(readlink "$venv")" = "$venv_new" ] || refuse "$venv does not point to $venv_new"
	for entry in "${touched[@]}"; do
		unit=${entry%% *}
		state=$(systemctl is-active "$unit" || true)
		[ "$state" = active ] || refuse "$unit was healthy and is $state now"
	done
}

# Removes a service that is no longer in any playbook: its units, then its files. Their record stays for remove.sh.
service_retire() { # STEP FOLDER
	local file
	for file in "$2"/.units/*; do
		[ ! -e "$file" ] || unit_remove "${file##*/}"
	done
	rm -f "$2"
	rm -rf "/var/lib/monctl/sets/${2##*/}"
	rm -f "/var/lib/monctl/applied/$1"
}

# At every exit of a step: undoes a set that was not closed.
service_end() {
	local status=$?
	trap - EXIT
	if [ -z "$closed" ]; then
		[ "$status" != 0 ] || status=1
		if [ -n "$activated" ]; then
			attempt service_rollback
			((attempted == 0)) || echo "the previous set could not be restored: run the step again"
		else
			echo "nothing was activated"
		fi
		rm -rf "$staged" "$staged.data" "$staged.static" ${tree:+"$tree" "$tree.seeds"}
	fi
	exit "$status"
}

# A part of a rollback. If it fails, the other parts still run, and the failure is reported at the end.
undo() { # COMMAND…
	attempt "$@"
	((attempted == 0)) || whole=
}

service_rollback() {
	local entry unit action ready whole=1 healthy=1
	if [ -n "$tree" ]; then undo tree_rollback; fi
	if [ -n "$venv" ]; then
		if [ -n "$venv_previous" ]; then undo link_to "$venv" "$venv_previous"; else undo rm -f "$venv"; fi
	fi
	for unit in "$staged"/.units/*; do
		[ ! -e "$unit" ] || [ -e "$previous/.units/${unit##*/}" ] || undo unit_remove "${unit##*/}"
	done
	if [ -z "$previous" ]; then
		undo rm -f "$active"
		[ -z "$tree" ] || app_go_on
		[ -n "$whole" ] || return 1
		echo "rolled back: there was no earlier set, so the units are stopped"
		return
	fi
	undo link_to "$active" "$previous"
	undo units_place "$previous"
	[ -z "$tree" ] || app_go_on
	[ -z "$previous_stamp" ] || echo "$previous_stamp" >"$stamp"
	for entry in "${touched[@]}" "${stopped[@]}"; do
		read -r unit action ready <<<"$entry"
		[ -e "$previous/.units/$unit" ] || continue
		undo systemctl enable --quiet "$unit"
		# Whether it runs is checked next.
		[ "$action" = keep ] || attempt unit_restart "$unit"
		attempt unit_healthy "$unit" "$ready"
		if ((attempted)); then
			echo "rolled back, but $unit is not healthy with the previous set either"
			healthy=
		fi
	done
	# A set that was not restored must not count as applied. A unit that does not run is detected anyway.
	[ -n "$whole" ] || rm -f "$stamp"
	[ -n "$whole" ] && [ -n "$healthy" ] || return 1
	echo "rolled back: the previous set is active again and healthy"
}
