#!/bin/bash
# The application on its host: its code, read-only and owned by root, its data, and the tools of its set
# (templates/app/), which run like its unit. Sourced by library.sh.
#
#   /srv/monctl/releases/DIGEST   the code of a version, with links to its data, and its static files
#   /srv/monctl/current           a link to the active version
#   /srv/monctl/app               where units see that version; an empty folder outside units
#   /var/lib/monctl/app           the application's data
# shellcheck shell=bash disable=SC2154 # library.sh sets what a service is made of

APP_USER=monctl-app
# The addresses of servers with passwords.
SERVICES=/var/lib/monctl/services/environment

# Programs that root runs read no user settings and only the system's modules.
root_python() {
	/usr/bin/python3 -I "$@"
}

# ---- code ------------------------------------------------------------------------------------------

service_tree() { # PARENT OWNER DIGEST DATA
	local releases=$1/releases
	tree_current=$1/current tree_place=$1/app tree_owner=$2 data=$4
	before_writing "$releases"
	before_writing "$tree_current"
	before_writing "$data"
	manifest_add data "$data"
	if [ -L "$tree_place" ] || [ ! -d "$tree_place" ]; then
		before_writing "$tree_place"
		rm -f "$tree_place"
		mkdir -p "$tree_place"
	fi
	mkdir -p "$releases"
	tree_previous=$(readlink "$tree_current" || true)
	tree=$releases/$3
	[ "$tree" != "$tree_previous" ] || tree+=.1
	rm -rf "$tree" "$tree.seeds"
	[ -d tree ] || mkdir tree
	[ ! -e tree.manifest ] || install -m 644 tree.manifest "$staged/tree.manifest"
	cp -r --preserve=mode tree "$tree"
	# The application's user cannot write caches beside the code. Python reports files that do not compile when used.
	/usr/bin/python3 -I -m compileall -qq --invalidation-mode unchecked-hash -s "$tree" -p "$tree_place" "$tree" || true
	chown -R "root:$tree_owner" "$tree"
	find "$tree" -type d -exec chmod 750 {} +
	find "$tree" -type f -exec chmod g=rX,o= {} +
	[ -d "$data" ] || install -d -o "$tree_owner" -g "$tree_owner" -m 750 "$data"
	tree_takes_over='' tree_before=''
	[ ! -e "$sets/tree.manifest" ] || tree_takes_over=1
	# A rollback may restore a set of the previous version.
	if [ -n "$previous" ] && ! grep -q '^BindReadOnlyPaths=' "$previous/.units/monctl-app.service"; then tree_before=1; fi
}

tree_activate() {
	if [ -n "$tree_takes_over" ]; then take_over; fi
	link_to "$tree_current" "$tree"
}

tree_rollback() {
	if [ -n "$tree_previous" ]; then link_to "$tree_current" "$tree_previous"; else rm -f "$tree_current"; fi
	if [ -n "$tree_takes_over$held" ] && [ -n "$tree_before" ]; then give_over; fi
	if [ -s "$work/notes" ]; then
		app_notes
		echo "the database is not rolled back: it stays as the release commands left it"
	fi
}

tree_close() {
	if [ -n "$tree_takes_over" ]; then take_over_end; fi
	find "${tree%/*}" -mindepth 1 -maxdepth 1 ! -path "$tree" -exec rm -rf {} +
}

# ---- as the application's user ---------------------------------------------------------------------

# The sandbox of a unit as options of systemd-run, without the settings of a service.
sandbox_of() { # FILE
	local line
	while IFS= read -r line; do
		case $line in
		'#'* | '' | Type=* | NotifyAccess=* | Exec* | Kill* | Timeout* | Restart* | RuntimeDirectory* | StateDirectory* | \
			BindReadOnlyPaths=* | EnvironmentFile=* | User=*) ;;
		*) printf '%s\0' "--property=$line" ;;
		esac
	done < <(awk 'BEGIN { on = 1 } /^\[/ { on = $0 == "[Service]"; next } on' "$1")
}

# Runs a command as a user in a transient unit, until its control group is empty.
in_unit() { # USER OPTION… -- COMMAND…
	local user=$1 options=()
	shift
	while [ "$1" != -- ]; do options+=("$1") && shift; done
	shift
	# systemd expands variables in the words of a command. Words with a doubled `$` do not survive a reload of systemd 257
	# in the same moment; systemd before 254 knows no other way.
	if [[ $(systemd-run --help) == *--expand-environment* ]]; then
		options+=(--expand-environment=no)
	else
		set -- "${@//\$/\$\$}"
	fi
	systemd-run --quiet --pipe --wait --collect --unit="monctl-run-$BASHPID" --uid="$user" --gid="$user" \
		"${options[@]}" -- "$@"
}

# The address of Redis with a password, which is made once on this host and stays there: Redis has its digest, and the
# application's units read the address.
redis_password() {
	local folder=/var/lib/monctl/services password digest
	[ ! -e "$folder/environment" ] || return 0
	before_writing "$folder"
	mkdir -p "$folder"
	password=$(od -An -N 32 -t x1 /dev/urandom | tr -d ' \n')
	digest=$(printf %s "$password" | sha256sum)
	(umask 077 && printf 'user default on sanitize-payload ~* &* +@all #%s\n' "${digest%% *}" >"$folder/redis.acl.new")
	chown root:monctl-redis "$folder/redis.acl.new"
	chmod 640 "$folder/redis.acl.new"
	(umask 077 && printf 'REDIS_URL=redis://:%s@127.0.0.1:6390/0\n' "$password" >"$folder/environment.new")
	mv -T "$folder/redis.acl.new" "$folder/redis.acl"
	mv -T "$folder/environment.new" "$folder/environment"
}

# Runs a tool of the application's set like its unit, whose environment may name folders of modules, too.
as_app() { # SET CODE OPTION… -- COMMAND…
	local set=$1 code=$2 sandbox options=()
	shift 2
	while [ "$1" != -- ]; do options+=("$1") && shift; done
	shift
	mapfile -d '' -t sandbox < <(sandbox_of "$set/.units/monctl-app.service")
	if grep -qx "EnvironmentFile=$SERVICES" "$set/.units/monctl-app.service"; then
		options+=(--property=EnvironmentFile="$SERVICES")
	fi
	# shellcheck disable=SC2016 # for the shell in the unit
	in_unit "$APP_USER" "${sandbox[@]}" \
		--property=EnvironmentFile="$set/settings" --property=EnvironmentFile="$set/environment" \
		--property=BindReadOnlyPaths="$code:$tree_place" "${options[@]}" -- \
		/bin/sh -c 'PYTHONPATH=$0${PYTHONPATH:+:$PYTHONPATH} exec "$@"' "$set" "$@"
}

# Works in the folders of the application's user, as that user.
data_work() { # OPTION… -- ACTION ARGUMENT…
	local options=()
	while [ "$1" != -- ]; do options+=("$1") && shift; done
	shift
	in_unit "$APP_USER" "${options[@]}" --property=NoNewPrivileges=yes --property=CapabilityBoundingSet= \
		--property=UMask=0027 -- /usr/bin/python3 -I -c "$(<"$work/data.py")" "$@"
}

# Prepares the staged code in the sandbox of its unit: creates the links to its data and its static files.
app_check_staged() {
	local data_there=$data scratch=$staged.data static
	cd "$work" || return
	# A check of data that is not moved yet must not create any.
	if [ -n "$tree_takes_over" ]; then
		rm -rf "$scratch"
		mkdir -m 700 "$scratch"
		install -d -o "$tree_owner" -g "$tree_owner" -m 750 "$scratch/data"
		data_there=$scratch/data
	fi
	: >places
	root_python tree.py place "$tree" "$data" "$staged/persistent" <places >needs
	app_fill "$data_there"
	as_app "$staged" "$tree" --property=BindPaths="$data_there:$data" -- \
		"$venv_new/bin/python" -m monctl_metrics.check --places >places
	root_python tree.py place "$tree" "$data" "$staged/persistent" <places >needs
	app_fill "$data_there"
	static=$(root_python tree.py static <places)
	[ -z "$static" ] || app_collect_static "$static" "$data_there"
	root_python tree.py public "$tree" "$tree_place" "$data" "$staged/public" <places
	rm -rf "$scratch"
}

# Checks that the staged version, its Python environment or the system has the program of a process.
app_check_program() { # UNIT PROGRAM
	local program=${2/#"$venv"\//"$venv_new"/}
	# shellcheck disable=SC2016 # another shell's
	attempt as_app "$staged" "$tree" --setenv=PATH="$venv_new/bin:/usr/local/bin:/usr/bin:/bin" -- \
		/bin/bash -c 'type -P -- "$1" >&2' bash "$program"
	((attempted == 0)) || refuse "$1 cannot start: there is no program \`$2\` in the requirements, in the code (as \`./NAME\`) or on the host"
}

app_fill() { # DATA
	mkdir -p "$tree.seeds"
	chown -R "root:$tree_owner" "$tree.seeds"
	find "$tree.seeds" -type d -exec chmod 750 {} +
	data_work --property=BindPaths="$1:$data" -- fill "$data" "$tree.seeds" <needs
}

# Static files are collected by the application's user in a private folder, and copied by root.
app_collect_static() { # PATH DATA
	local scratch=$staged.static
	rm -rf "$scratch"
	mkdir -m 700 "$scratch"
	install -d -o "$tree_owner" -g "$tree_owner" -m 750 "$scratch/files"
	root_python tree.py folder "$tree" "$1"
	as_app "$staged" "$tree" --property=BindPaths="$2:$data" --property=BindPaths="$scratch/files:$tree_place/$1" -- \
		"$venv_new/bin/python" -m monctl_metrics.prepare static >&2
	root_python tree.py copy "$scratch/files" "$tree/$1"
	rm -rf "$scratch"
}

# Another host ran the release commands if the run brings the file `released`. Before migrations change a database, it
# is copied to a folder of the application's user.
app_prepare() {
	local words=() copies=/var/lib/monctl/app-copies line
	[ ! -e "$work/released" ] || words=(released)
	before_writing "$copies"
	manifest_add data "$copies"
	[ -d "$copies" ] || install -d -o "$tree_owner" -g "$tree_owner" -m 700 "$copies"
	as_app "$staged" "$tree" --property=ReadWritePaths="$data" --property=ReadWritePaths="$copies" \
		--setenv=MONCTL_COPIES="$copies" -- "$venv_new/bin/python" -m monctl_metrics.prepare "${words[@]}" >"$work/notes"
	while IFS= read -r line; do tell "$line"; done < <(app_notes)
}

# What the release reported about the database; the application's user writes it.
app_notes() {
	[ ! -e "$work/notes" ] || head -c 4000 "$work/notes" | tr -d '\0-\10\13-\37\177'
}

# Polls the running application within its time limit; gives up early if its unit keeps restarting. Records what its
# settings reveal.
app_check_live() {
	local url restarts check
	restarts=$(unit_restarts monctl-app.service)
	url=http://$(sed -n 's/^MONCTL_BIND=//p' "$staged/settings")
	as_app "$staged" "$tree" --property=ReadWritePaths="$data" -- \
		"$venv_new/bin/python" -m monctl_metrics.check --url "$url" --within "$HEALTHY_WITHIN" --report \
		9>&- >"$work/report" &
	check=$!
	# shellcheck disable=SC2310 # a question
	while kill -0 "$check" 2>/dev/null && ! unit_flaps monctl-app.service "$restarts"; do sleep 0.2; done
	# A request that is abandoned ends by itself, and does not hold this host's lock meanwhile.
	# shellcheck disable=SC2310 # a question
	if ! unit_flaps monctl-app.service "$restarts" && wait "$check"; then
		app_keep_report
		return
	fi
	# The error is between the frames of long tracebacks.
	journalctl --unit monctl-app.service --lines 300 --no-pager --output cat 2>/dev/null | grep -v '^[[:space:]]' | tail -n 40 || true
	return 1
}

# Keeps what the settings reveal beside them, recorded like every file of the set.
app_keep_report() {
	local kept=$work/reported
	rm -rf "$kept"
	mkdir "$kept"
	(umask 077 && root_python tree.py report <"$work/report" >"$kept/settings-report.json")
	before_putting "$kept" "$active"
	mv "$kept/settings-report.json" "$staged/settings-report.json"
}

# ---- hosts of the previous version -----------------------------------------------------------------
# There the code was in /srv/monctl/app, together with the application's data, and sets/app/tree.manifest listed it.
# While files are moved the application is stopped and clients wait in its socket's queue. If the move is interrupted,
# nothing of the application starts by itself, not even at a boot, until the next run continues.

hold=monctl-run-hold.service

app_holds() {
	[ "$(systemctl is-active "$hold")" = activating ]
}

app_stop() {
	local deadline=$((SECONDS + HEALTHY_WITHIN))
	held=1
	systemctl disable --quiet monctl-app.service monctl-app.socket 2>/dev/null || true
	# A start by a client of the socket waits for this unit.
	# shellcheck disable=SC2310 # a question
	app_holds || systemd-run --quiet --no-block --collect --unit="$hold" --property=Type=oneshot \
		--property=Before=monctl-app.service sleep infinity
	# shellcheck disable=SC2310 # a question
	until app_holds; do
		((SECONDS < deadline)) || refuse "$hold does not start"
		sleep 0.05
	done
	systemctl stop monctl-app.service 2>/dev/null || true
	[ "$(systemctl is-active monctl-app.service)" != active ] || refuse "monctl-app.service does not stop"
}

app_go_on() {
	systemctl stop "$hold" 2>/dev/null || true
	held=''
}

take_over() {
	app_stop
	# A failure from here on must start it again.
	[ ! -e "$previous/.units/monctl-app.socket" ] || touched+=("monctl-app.socket keep -")
	[ ! -e "$previous/.units/monctl-app.service" ] || touched+=("monctl-app.service restart -")
	data_work -- move "$tree_place" "$data" "$sets/tree.manifest"
}

# Moves everything back to where the previous version expects it.
give_over() {
	app_stop
	data_work -- back "$data" "$tree_place"
}

# Removes the code of the previous version; from now on units see the code in this folder.
take_over_end() {
	root_python tree.py clear "$tree_place" "$sets/tree.manifest"
	if [ "$(stat -c %U "$tree_place")" = "$tree_owner" ] && [ -z "$(ls -A "$tree_place")" ]; then
		chown --no-dereference root:root "$tree_place"
		chmod 755 "$tree_place"
	fi
	rm -f "$sets/tree.manifest"
}
