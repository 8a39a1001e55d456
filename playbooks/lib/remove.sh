#!/bin/bash
# Undoes the changes in the record of this host (manifest.sh): `list` lists them, `remove` undoes them. Prints each as
# KIND and NAME, separated by a tab, and `end` last. May be interrupted anywhere and run again.
set -uo pipefail
umask 022
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8
cd "$(dirname "$0")" || exit
# shellcheck source=playbooks/lib/manifest.sh
. ./manifest.sh

IFS=$'\t' read -r action project <request

exec 9>/run/monctl.lock
flock --wait 300 9 || { echo "another run still works on this host" >&2; exit 75; }
trap '' PIPE HUP

report() { # KIND NAME
	printf '%s\t%s\n' "$1" "$2"
}

complaints=0
complain() {
	echo "$1" >&2
	complaints=1
}

names() { # KIND
	manifest_facts "$1" | cut -f 1
}

units_folder=/etc/systemd/system

# Units whose files are monctl's; a link to /dev/null is a mask.
our_units() {
	local path
	{ names made && names replaced; } | while IFS= read -r path; do
		case $path in
		"$units_folder"/*.wants | "$units_folder"/*.d | "$units_folder"/*/*) ;;
		"$units_folder"/*) [ "$(readlink "$path")" = /dev/null ] || echo "${path##*/}" ;;
		esac
	done
}

# Units to start or enable again: UNIT, ActiveState, UnitFileState.
earlier_units() {
	manifest_facts unit | while IFS=$'\t' read -r unit state; do
		read -r load active file <<<"$state"
		[ "$load" = not-found ] || printf '%s\t%s\t%s\n' "$unit" "$active" "$file"
	done
}

# ---- packages --------------------------------------------------------------------------------------

# shellcheck source=playbooks/lib/apt.sh
. ./apt.sh

apt() {
	unlocked apt-get -q -y -o DPkg::Lock::Timeout=0 -o Dpkg::Use-Pty=0 -o APT::Get::AutomaticRemove=false "$@"
}

state_of() { # PACKAGE
	dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true
}

# monctl's packages that are at least partly installed.
our_packages() {
	local name how state
	manifest_facts package | while IFS=$'\t' read -r name how; do
		state=$(state_of "$name")
		case $state:$how in
		:* | not-installed:*) ;;
		config-files:residual) ;;
		*) echo "$name" ;;
		esac
	done
}

# Other packages that would be removed with these.
also_gone() { # PACKAGE…
	apt -s purge "$@" 2>/dev/null | awk '/^(Purg|Remv) / { print $2 }' | grep -vxF -f <(printf '%s\n' "$@")
}

# Decides which of monctl's packages are removed (`gone`) and which are kept because others need them (`needed`, with
# those others).
packages_decide() {
	local package others manual
	gone=() needed=()
	mapfile -t gone < <(our_packages)
	((${#gone[@]})) || return 0
	# Dependencies that were marked as manually installed since.
	manual=$(apt-mark showmanual "${gone[@]}" 2>/dev/null)
	while IFS= read -r package; do packages_keep "$package" "it was marked as manually installed since"; done < <(
		manifest_facts package | awk -F '\t' '$2 == "dependency" { print $1 }' | grep -xF -f <(printf '%s\n' "$manual")
	)
	((${#gone[@]})) || return 0
	# For each other package: those of monctl's that it needs, directly or not, stay.
	while IFS= read -r others; do
		while IFS= read -r package; do packages_keep "$package" "needed by $others"; done < <(
			needs_of "$others" | grep -xF -f <(printf '%s\n' "${gone[@]}")
		)
	done < <(also_gone "${gone[@]}")
	# apt's simulation decides.
	while ((${#gone[@]})) && others=$(also_gone "${gone[@]}" | paste -sd ' ') && [ -n "$others" ]; do
		packages_keep "${gone[-1]}" "needed by $others"
	done
}

needs_of() { # PACKAGE
	apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
		--no-enhances "$1" 2>/dev/null | grep -v '^[ <|]'
}

packages_keep() { # PACKAGE WHY
	local package left=()
	needed+=("package $1: $2")
	for package in "${gone[@]}"; do [ "$package" = "$1" ] || left+=("$package"); done
	gone=("${left[@]}")
}

packages_remove() {
	local package residual=() purged=() messages locale=/etc/default/locale kept
	[ -z "$(dpkg --audit 2>/dev/null)" ] || unlocked dpkg --configure -a >&2 || true
	packages_decide
	for package in "${gone[@]}"; do
		if manifest_facts package | grep -qxF "$package"$'\t'residual; then
			residual+=("$package")
		else
			purged+=("$package")
		fi
	done
	# Their scripts call systemd; those errors do not matter.
	((${#residual[@]} == 0)) || messages=$(apt remove "${residual[@]}" 2>&1) || complain "$messages"
	# When the package locales is purged, it removes this file of the system's, also if something else made it.
	kept=$(mktemp -d)
	if [ -L "$locale" ] || [ -e "$locale" ]; then cp --archive "$locale" "$kept/locale"; fi
	((${#purged[@]} == 0)) || messages=$(apt purge "${purged[@]}" 2>&1) || complain "$messages"
	if [ ! -L "$locale" ] && [ ! -e "$locale" ] && { [ -L "$kept/locale" ] || [ -e "$kept/locale" ]; }; then
		cp --archive "$kept/locale" "$locale"
	fi
	rm -rf "$kept"
	owners_restore
	for package in "${gone[@]}"; do report package "$package"; done
	for package in "${needed[@]}"; do report keep "$package"; done
}

# ---- files -----------------------------------------------------------------------------------------

backup=/var/backups/monctl-$(date -u +%Y%m%dT%H%M%SZ)

aside() { # PATH WHY
	if mkdir -p "$backup" && chmod 700 "$backup" && mkdir -p "$backup${1%/*}" &&
		cp --archive "$1" "$backup$1" && sync --file-system "$backup"; then
		report keep "$1 $2 and is kept in $backup$1"
	else
		complain "$1 $2, and cannot be copied to $backup"
	fi
}

put_paths() {
	[ ! -e "$manifest/put" ] || awk '{ print substr($0, 67) }' "$manifest/put" | LC_ALL=C sort -u
}

# Whether only root can redirect this path: each folder on it is root's, including links.
is_roots() { # PATH [LINKS]
	local rest=${1#/} path='' part target
	while [ "$rest" != "${rest#*/}" ]; do
		part=${rest%%/*} rest=${rest#*/}
		[ ! -L "$path/$part" ] || {
			target=$(readlink "$path/$part")
			[[ $target == /* ]] || target=$path/$target
			((${2-0} < 8)) && is_roots "$target/-" $((${2-0} + 1)) || return 1
			path=$target
			continue
		}
		path+=/$part
		[ -O "$path" ] || return 1
	done
}

# The files that monctl installed and whose content has changed.
changed_files() {
	[ -e "$manifest/put" ] || return 0
	put_paths | while IFS= read -r path; do
		if [ -f "$path" ] && [ ! -L "$path" ] && is_roots "$path"; then printf '%s\0' "$path"; fi
	done | xargs -0r sha256sum -- | grep -vxF -f "$manifest/put" | cut -c 67-
}

# Files below a folder of monctl that it did not install.
foreign_files() { # FOLDER
	local folder=$1 note place
	{
		put_paths
		for note in "$manifest"/folders/*; do
			[ -e "$note" ] || continue
			place=${note##*/} place=${place//%2F//} place=${place//%25/%}
			[ -d "$place" ] || continue
			# Unchanged entries. A line without path is the folder itself.
			LC_ALL=C comm -12 "$note" <(folder_listing "$place") |
				PLACE=$place/ awk '{ print ENVIRON["PLACE"] $0 }' | sed 's/ [a-z] [0-9]* [0-7]* [^ ]* [0-9.]*$//'
		done
	} | LC_ALL=C sort -u >known
	# Files only; temporary files and records beside a folder are monctl's.
	find "$folder" -xdev -type f ! -name '*.monctl' ! -name '*.failed' ! -path '*.new/*' ! -path '*.old/*' \
		! -path '*.cache/*' ! -path '*.build/*' ! -name '*.tar.gz' ! -path '/opt/monctl/uv-*' | LC_ALL=C sort >found
	LC_ALL=C comm -13 known found
}

# The same for a set, through its link.
foreign_of_set() { # LINK
	[[ -d $1 && $(readlink "$1") == "$home"/sets/* ]] || return 0
	find "$1/" -path "$1/.units" -prune -o -type f -print | LC_ALL=C sort | LC_ALL=C comm -23 - <(put_paths)
}

is_empty() { # FOLDER
	[ -z "$(ls -A "$1" 2>/dev/null)" ]
}

is_data() { # PATH
	names data | grep -qxF -- "$1"
}

# Whether a file is already restored, by an earlier removal that was interrupted.
is_restored() { # PATH
	local place kept
	while IFS=$'\t' read -r place kept; do
		case $1 in "$place" | "$place"/*) ! cmp --quiet "$manifest/kept/$kept${1#"$place"}" "$1" || return 0 ;; esac
	done < <(manifest_facts replaced)
	return 1
}

# Copies files that people changed or added to a backup.
keep_what_is_not_ours() {
	local path file
	while IFS= read -r path; do is_restored "$path" || aside "$path" "was changed"; done < <(changed_files)
	while IFS= read -r path; do
		case $path in
		"$home" | "$home"/* | "$units_folder"/* | /srv/monctl | /srv/monctl/*) continue ;;
		esac
		if [ ! -d "$path" ] || is_data "$path"; then continue; fi
		while IFS= read -r file; do aside "$file" "was not installed by monctl"; done < <(
			manifest_knows replaced "$path" || foreign_files "$path"
			for file in "$path" "$path"/*; do
				case $file in *.new) ;; *) foreign_of_set "$file" ;; esac
			done
		)
	done < <(names made && names replaced)
}

# The files that an earlier version installed into a folder of another owner, in which the application has its folders.
shared_clear() { # FOLDER
	put_paths | sed -n "s|^$1/||p" >brought
	[ ! -s brought ] || /usr/bin/python3 -I tree.py clear "$1" brought || complain "monctl's files in $1 cannot be removed"
	rm -rf "$1.next" "$1.previous"
}

restore_path() { # PATH KEPT
	local kept=$manifest/kept/$2 beside=$1.monctl-earlier
	rm -rf "$1.new"
	is_there "$kept" || return 0
	rm -rf "$beside"
	cp --archive "$kept" "$beside"
	# A rename cannot replace a file with a folder or a folder with a file.
	if [ -d "$1" ] || [ -d "$beside" ]; then rm -rf "$1"; fi
	mv -T "$beside" "$1" && sync --file-system "${1%/*}"
}

made_clear() { # PATH
	local entry
	# Temporary files beside it.
	rm -rf "$1.new"
	if [ "$1" = "$home" ]; then
		# Machines of this computer itself, and the record, which goes last.
		for entry in "$home"/* "$home"/.[!.]*; do
			case $entry in "$manifest" | "$home/local") ;; *) rm -rf "$entry" ;; esac
		done
	elif [ "$1" != "$manifest" ]; then
		rm -rf "$1"
	fi
}

# ---- the whole -------------------------------------------------------------------------------------

size_of() { # FOLDER
	local size
	size=$(du -s --block-size=MB "$1" 2>/dev/null) || size="?"
	size=${size%%[!0-9?]*}
	echo "$size MB"
}

list() {
	local name kind
	for kind in data user group; do
		while IFS= read -r name; do
			case $kind in
			data)
				if manifest_knows shared "$name" || is_empty "$name"; then continue; fi
				name+=$'\t'$(size_of "$name")
				;;
			user) getent passwd "$name" >/dev/null || continue ;;
			group) getent group "$name" >/dev/null || continue ;;
			esac
			report "$kind" "$name"
		done < <(names "$kind")
	done
	while IFS= read -r name; do report unit "$name"; done < <(our_units)
	while IFS= read -r name; do
		case $name in "$home" | "$manifest" | "$units_folder"/monctl-*) continue ;; esac
		! is_there "$name" || report path "$name"
	done < <(names made)
	while IFS= read -r name; do report restore "$name"; done < <(names replaced)
	while IFS= read -r name; do
		is_restored "$name" || report keep "$name was changed: a copy goes to /var/backups"
	done < <(changed_files)
	while IFS=$'\t' read -r name kind _; do report restore "unit $name ($kind)"; done < <(earlier_units)
	packages_decide
	for name in "${gone[@]}"; do report package "$name"; done
	for name in "${needed[@]}"; do report keep "$name"; done
	while IFS=$'\t' read -r name kind; do
		report keep "package $name: it was $kind before, and newer versions stay"
	done < <(manifest_facts upgraded)
	report record "$manifest"
}

take_back() {
	local name kept active file units drills
	# Drills first, which would otherwise end by themselves.
	# Processes of an interrupted run as another user are stopped, too.
	mapfile -t drills < <(systemctl list-units --plain --no-legend --all 'monctl-drill*' 'monctl-run-*' 2>/dev/null | cut -d ' ' -f 1)
	((${#drills[@]} == 0)) || systemctl stop "${drills[@]}" 2>/dev/null
	rm -rf --one-file-system /run/monctl-drill
	mapfile -t units < <(our_units)
	if ((${#units[@]})); then
		systemctl disable --quiet --now "${units[@]}" 2>/dev/null
		systemctl stop "${units[@]}" 2>/dev/null
	fi
	# Counters of an application that runs on: its unit no longer has this folder.
	rm -rf --one-file-system /run/monctl-counting
	if command -v nft >/dev/null && nft list table inet monctl >/dev/null 2>&1; then
		nft delete table inet monctl || complain "the nftables table inet monctl cannot be removed"
	fi
	keep_what_is_not_ours
	((complaints == 0)) || return
	for name in "${units[@]}"; do report unit "$name"; done

	# Data is in folders of monctl, or beside them.
	while IFS= read -r name; do
		if manifest_knows shared "$name" || ! is_there "$name"; then continue; fi
		rm -rf "$name"
		report data "$name"
	done < <(names data)
	while IFS= read -r name; do shared_clear "$name"; done < <(names shared)
	while IFS= read -r name; do
		if ! is_there "$name"; then
			rm -rf "$name.new"
			continue
		fi
		made_clear "$name"
		case $name in "$home" | "$manifest" | "$units_folder"/monctl-*) ;; *) report path "$name" ;; esac
	done < <(names made)
	while IFS=$'\t' read -r name kept; do
		restore_path "$name" "$kept" && report restore "$name"
	done < <(manifest_facts replaced)
	systemctl daemon-reload
	((${#units[@]} == 0)) || systemctl reset-failed "${units[@]}" 2>/dev/null

	packages_remove
	users_remove
	units_restore
	while IFS=$'\t' read -r name kept; do
		report keep "package $name: it was $kept before, and newer versions stay"
	done < <(manifest_facts upgraded)
}

users_remove() {
	local name
	while IFS= read -r name; do
		getent passwd "$name" >/dev/null || continue
		if userdel "$name" >&2; then report user "$name"; else complain "user $name cannot be removed"; fi
	done < <(names user)
	while IFS= read -r name; do
		getent group "$name" >/dev/null || continue
		if groupdel "$name" >&2; then report group "$name"; else complain "group $name cannot be removed"; fi
	done < <(names group)
}

units_restore() {
	local unit active file
	while IFS=$'\t' read -r unit active file; do
		case $file in enabled) systemctl enable --quiet "$unit" 2>/dev/null ;; esac
		case $active in
		active | activating | reloading)
			if systemctl start "$unit"; then report restore "unit $unit ($active)"; else
				report keep "unit $unit was active and does not start: see journalctl --unit $unit"
			fi
			;;
		esac
	done < <(earlier_units)
}

# Checks that everything reported as removed is really gone.
what_is_left() {
	local name
	while IFS= read -r name; do
		case $name in "$home" | "$manifest") ;; *) ! is_there "$name" || echo "$name" ;; esac
	done < <(names made)
	while IFS= read -r name; do ! getent passwd "$name" >/dev/null || echo "user $name"; done < <(names user)
	while IFS= read -r name; do ! getent group "$name" >/dev/null || echo "group $name"; done < <(names group)
	packages_decide
	((${#gone[@]} == 0)) || printf 'package %s\n' "${gone[@]}"
}

# The log is removed last: as long as it exists, everything can be repeated.
record_remove() {
	find "$manifest" -mindepth 1 -maxdepth 1 ! -name log -exec rm -rf {} +
	rm -f "$manifest/log"
	rmdir "$manifest"
	rmdir "$home" 2>/dev/null
	rm -f /run/monctl.lock
}

if [ -d "$manifest" ]; then
	owner=$(manifest_facts project | cut -f 1)
	if [ -n "$owner" ] && [ "$owner" != "$project" ]; then
		[ "$action" = list ] || report keep "everything: this host belongs to project $owner"
	else
		manifest_open "$project" none
		if [ "$action" = list ]; then list; else
			take_back
			remaining=$(what_is_left | paste -sd ' ')
			[ -z "$remaining" ] || complain "still there: $remaining"
			((complaints == 0)) || exit 1
			record_remove
		fi
	fi
elif [ "$action" = remove ] && [ -d "$home" ] && [ -z "$(ls -A "$home")" ]; then
	rmdir "$home"
fi
echo end
