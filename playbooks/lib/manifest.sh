#!/bin/bash
# The record of what monctl created or changed on this host, written and synced before each change, so that
# remove.sh can undo exactly that. Existing entries are never changed by later runs.
# Sourced by run.sh, by the steps and by remove.sh.
# shellcheck shell=bash
#
# Content of /var/lib/monctl/manifest:
#   log      one fact per line: KIND, NAME, DETAIL and a full stop, separated by tabs. A line without its full stop
#            was torn by a power failure, before the change was made.
#              project NAME ROLE   the owner of this host
#              made PATH           did not exist before, nor did anything below it
#              replaced PATH FILE  existed before; FILE in kept/ is its earlier content
#              shared PATH         a folder that existed before and contains monctl's files among others; earlier
#                                  versions used it for the application's folder
#              data PATH           contains data that cannot be restored
#              user, group NAME    did not exist before
#              package NAME HOW    was not installed; HOW is `asked`, `dependency`, or `residual` if an earlier
#                                  removal had left its configuration
#              upgraded NAME OLD   a package that was installed in another version
#              owned PATH OLD NEW  a folder below /var/lib whose owner a package changed: user, group and mode
#                                  before and afterwards
#              unit NAME STATE     systemd's states of a unit: LoadState, ActiveState, UnitFileState
#   kept/    the replaced files
#   put      the digests of the files that monctl installed, in the format of sha256sum
#   folders/ the listings of the folders that monctl filled as a whole
#   accounts while packages are being installed: the users and groups that existed before
#   owners   the same of the folders below /var/lib: mode, user, group and path

home=/var/lib/monctl
manifest=$home/manifest

# Locked: steps run concurrently.
manifest_locked() {
	(flock 7 && "$@") 7>>"$manifest/lock"
}

to_disk() {
	sync --data "$@"
}

# Opens the record, creates it if it does not exist, and repairs a last line that was torn by a power failure.
manifest_open() { # PROJECT ROLE
	local others
	others=$(find "$home" -mindepth 1 -maxdepth 1 ! -path "$manifest" 2>/dev/null | head -n 1)
	# shellcheck disable=SC2310 # a question
	if ! manifest_facts project | grep -q .; then
		mkdir -p "$manifest/kept" "$manifest/folders"
		chmod 700 "$manifest"
		[ -e "$manifest/log" ] || : >"$manifest/log"
		sync "$manifest" "$manifest/log"
		manifest_end_line
		if [ -z "$others" ]; then
			manifest_add made "$home"
		else
			manifest_add made "$manifest"
			for others in sets applied effects proofs; do before_writing "$home/$others"; done
		fi
		manifest_add project "$1" "$2"
	fi
	manifest_end_line
	# A run was interrupted while it installed packages.
	if [ -e "$manifest/accounts" ]; then accounts_compare; fi
}

manifest_end_line() {
	[ -z "$(tail -c 1 "$manifest/log")" ] || echo >>"$manifest/log"
}

# All facts of a kind: NAME and DETAIL.
manifest_facts() { # KIND
	[ -e "$manifest/log" ] || return 0
	KIND=$1 awk -F '\t' '$1 == ENVIRON["KIND"] && $NF == "." && NF == 4 { print $2 "\t" $3 }' "$manifest/log"
}

manifest_knows() { # KIND NAME
	KIND=$1 NAME=$2 awk -F '\t' '
		$1 == ENVIRON["KIND"] && $2 == ENVIRON["NAME"] && $NF == "." { found = 1 }
		END { exit !found }' "$manifest/log"
}

manifest_add() { # KIND NAME [DETAIL]
	# shellcheck disable=SC2310 # a question
	manifest_knows "$1" "$2" || manifest_locked manifest_write "$@"
}

manifest_write() {
	printf '%s\t%s\t%s\t.\n' "$1" "$2" "${3-}" >>"$manifest/log"
	to_disk "$manifest/log"
}

# Whether a path, or a folder above it, is recorded as made by monctl or as kept.
manifest_covers() { # PATH
	WANTED=$1 awk -F '\t' '
		$NF != "." { next }
		$1 == "made" && ($2 == ENVIRON["WANTED"] || index(ENVIRON["WANTED"], $2 "/") == 1) { found = 1 }
		$1 == "replaced" && $2 == ENVIRON["WANTED"] { found = 1 }
		END { exit !found }' "$manifest/log"
}

is_there() {
	[ -e "$1" ] || [ -L "$1" ]
}

# Call it before writing to PATH. An existing file that is not monctl's is kept; if there is none, the topmost missing
# folder is recorded.
before_writing() { # PATH
	local path=$1 above kept
	# shellcheck disable=SC2310 # a question
	! manifest_covers "$path" || return 0
	# shellcheck disable=SC2310 # a question
	if is_there "$path"; then
		kept=$(printf %s "$path" | sha256sum)
		kept=${kept%% *}
		rm -rf "$manifest/kept/$kept"
		cp --archive "$path" "$manifest/kept/$kept"
		sync --file-system "$manifest/kept"
		manifest_add replaced "$path" "$kept"
		return
	fi
	above=${path%/*}
	# shellcheck disable=SC2310 # a question
	while [ -n "$above" ] && ! is_there "$above"; do path=$above above=${path%/*}; done
	manifest_add made "$path"
}

# Call it before a unit is changed in any way.
before_changing_unit() { # UNIT
	local line load='' active='' file=''
	# shellcheck disable=SC2310 # a question
	! manifest_knows unit "$1" || return 0
	while IFS= read -r line; do
		case $line in
		LoadState=*) load=${line#*=} ;;
		ActiveState=*) active=${line#*=} ;;
		UnitFileState=*) file=${line#*=} ;;
		esac
	done < <(systemctl show -p LoadState -p ActiveState -p UnitFileState "$1")
	manifest_add unit "$1" "${load:-not-found} ${active:-inactive} ${file:--}"
}

# Call it before an account is created.
before_making_user() { # NAME
	getent group "$1" >/dev/null || manifest_add group "$1"
	getent passwd "$1" >/dev/null || manifest_add user "$1"
}

# Call it before packages are installed, with the output of apt's simulation.
before_installing() { # SIMULATION PACKAGE…
	local name old how simulation=$1
	shift
	if [ ! -e "$manifest/accounts" ]; then
		getent passwd | sed 's/^\([^:]*\):.*/user \1/' >"$manifest/accounts.new"
		getent group | sed 's/^\([^:]*\):.*/group \1/' >>"$manifest/accounts.new"
		owners >"$manifest/owners"
		to_disk "$manifest/accounts.new" "$manifest/owners"
		mv "$manifest/accounts.new" "$manifest/accounts"
		sync "$manifest"
	fi
	while read -r _ name old _; do
		case $old in
		\[*) manifest_add upgraded "$name" "${old//[\[\]]/}" ;;
		*)
			how=dependency
			[[ " $* " != *" $name "* ]] || how=asked
			[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" != config-files ] || how=residual
			manifest_add package "$name" "$how"
			;;
		esac
	done < <(grep '^Inst ' <<<"$simulation")
}

# The owners of the folders in which packages keep their state.
owners() {
	find /var/lib -mindepth 1 -maxdepth 1 -type d -printf '%m %U %G %p\n'
}

# After packages were installed: the existing folders whose owner has changed.
owners_compare() {
	local mode user group path now
	[ -e "$manifest/owners" ] || return 0
	while read -r mode user group path; do
		now=$(stat -c '%a %u %g' "$path" 2>/dev/null) || continue
		[ "$now" = "$mode $user $group" ] || manifest_add owned "$path" "$mode $user $group $now"
	done <"$manifest/owners"
	rm -f "$manifest/owners"
}

# After packages were removed: restores the owners of their folders, unless they were changed since.
owners_restore() {
	local path mode user group now
	while IFS=$'\t' read -r path now; do
		read -r mode user group now <<<"$now"
		if [ "$(stat -c '%a %u %g' "$path" 2>/dev/null)" = "$now" ]; then
			chown --no-dereference "$user:$group" "$path"
			chmod "$mode" "$path"
		fi
	done < <(manifest_facts owned)
}

# After packages were installed: the accounts that they created. Accounts of people have higher numbers.
accounts_compare() {
	local name number
	while IFS=: read -r name _ number _; do
		((number >= 1000)) || grep -qx "user $name" "$manifest/accounts" || manifest_add user "$name"
	done < <(getent passwd)
	while IFS=: read -r name _ number _; do
		((number >= 1000)) || grep -qx "group $name" "$manifest/accounts" || manifest_add group "$name"
	done < <(getent group)
	owners_compare
	rm -f "$manifest/accounts"
}

# Call it before files are installed: FOLDER's files will be in PLACE.
before_putting() { # FOLDER PLACE
	local list
	list=$(mktemp)
	# A service's unit files are installed elsewhere.
	(cd "$1" && find . -path ./.units -prune -o -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0r sha256sum --) |
		PLACE=$2/ awk '{ print substr($0, 1, 66) ENVIRON["PLACE"] substr($0, 67) }' >"$list"
	manifest_locked manifest_put "$list"
	rm -f "$list"
}

manifest_put() { # LIST
	cat "$1" >>"$manifest/put"
	to_disk "$manifest/put"
}

# Drops the digests of earlier sets, once the last one is active. A path's last digest counts.
puts_settle() {
	manifest_locked puts_last
}

puts_last() {
	awk '{ path = substr($0, 67) } !(path in last) { order[++count] = path } { last[path] = $0 }
		END { for (i = 1; i <= count; i++) print last[order[i]] }' "$manifest/put" >"$manifest/put.new"
	to_disk "$manifest/put.new"
	mv "$manifest/put.new" "$manifest/put"
}

folder_listing() { # FOLDER
	find "$1" -xdev -printf '%P %y %s %m %u %T@\n' | LC_ALL=C sort
}

folder_note_of() { # FOLDER
	local name=${1//%/%25}
	echo "$manifest/folders/${name//\//%2F}"
}

# Records the listing of a folder that will be moved to PLACE as a whole.
folder_note() { # FOLDER PLACE
	local note
	note=$(folder_note_of "$2")
	folder_listing "$1" >"$note.new"
	to_disk "$note.new"
	mv "$note.new" "$note"
}
