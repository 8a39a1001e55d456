#!/bin/bash
# The Python environment of the application: which Python it has, what its build needs, and why a build failed.
# Requirements contain code that runs while they are built. The build user runs it, in a unit of its own; root installs
# Debian packages for it and copies its results. Sourced by library.sh.
# shellcheck shell=bash disable=SC2154 # library.sh sets what an attempt resulted in

# Needed by most builds that need anything. Installed for such a build, and removed after it.
BUILD_TOOLS=(g++ make python3-dev)
# The packages that were installed for a build that has not ended.
build_tools=/var/lib/monctl/build-tools
build_log=/var/lib/monctl/build.log
LARGEST_BUILD_LOG=16M
# The releases of Python that uv downloaded.
PYTHONS=/opt/monctl/pythons
# The oldest minor version that monctl's own packages support.
OLDEST_PYTHON=10

# The packages that the spec names, and the Python of the environment.
app_packages=()
python=/usr/bin/python3

build_with() { # PACKAGE…
	app_packages=("$@")
}

# Runs a script as the build user, in a folder of that user.
as_builder() { # USER FOLDER SCRIPT ARGUMENT…
	local user=$1 folder=$2 sandbox status=0
	shift 2
	mapfile -d '' -t sandbox < <(sandbox_of hardening.conf)
	# shellcheck disable=SC2310 # its last line counts
	in_unit "$user" "${sandbox[@]}" --property=ReadWritePaths="$folder" --property=RuntimeMaxSec=45min \
		--property=EnvironmentFile="$PWD/build.environment" --property=WorkingDirectory="$folder" \
		-- /bin/bash "$@" || status=$?
	nothing_runs_as "$user"
	return "$status"
}

# ---- builds ----------------------------------------------------------------------------------------

# Builds the environment. If a requirement lacks a compiler or Python's headers, installs them and tries again.
venv_build() { # USER FOLDER UV REQUIREMENTS-FILE
	local requirement
	attempt venv_try "$@"
	if ((attempted)); then
		requirement=$(root_python diagnose.py tools "$build_log")
		if [ -n "$requirement" ]; then
			packages_locked build_tools_install "$requirement"
			rm -rf "$2/venv"
			attempt venv_try "$@"
		fi
	fi
	packages_locked build_tools_remove
	if ((attempted)); then
		root_python diagnose.py explain "$build_log" "${app_packages[@]}" >&2
		refuse "the log of the build is on the host: $build_log"
	fi
}

venv_try() { # USER FOLDER UV REQUIREMENTS-FILE
	before_writing "$build_log"
	rm -f "$build_log"
	as_builder "$1" "$2" build.sh "$3" "$4" "$python" 2>&1 | (umask 077 && tail -c "$LARGEST_BUILD_LOG" >"$build_log")
}

# Recorded as dependencies and marked as such, so that they are kept once a person or the spec wants them.
build_tools_install() { # REQUIREMENT
	local simulation=$PWD/simulation.tools
	waits_for "${BUILD_TOOLS[*]}, which the build of $1 needs"
	echo "installing ${BUILD_TOOLS[*]}, which the build of $1 needs" >&2
	packages_refresh
	apt install --simulate --no-remove --no-install-recommends "${BUILD_TOOLS[@]}" >"$simulation"
	before_installing "$(<"$simulation")"
	before_writing "$build_tools"
	sed -n 's/^Inst \([^ ]*\) (.*/\1/p' "$simulation" >>"$build_tools"
	to_disk "$build_tools"
	apt install --no-remove --no-install-recommends --mark-auto "${BUILD_TOOLS[@]}"
	accounts_compare
	waits_for ''
}

# Removes what build_tools_install installed, also in an interrupted run. dpkg keeps packages that others depend on.
build_tools_remove() {
	local names
	[ -e "$build_tools" ] || return 0
	mapfile -t names <"$build_tools"
	mapfile -t names < <(grep -vxF -f <(apt-mark showmanual "${names[@]}") "$build_tools" || true)
	if ((${#names[@]})); then
		echo "removing the packages that were installed for the build" >&2
		attempt unlocked dpkg --purge "${names[@]}" >/dev/null
	fi
	rm -f "$build_tools"
}

# ---- the Python ------------------------------------------------------------------------------------

# Chooses the Python of the environment: the host's if it satisfies the request, else one of uv's.
python_choose() { # USER UV-REQUIREMENT REQUEST SOURCE [MIRROR]
	local folder=$PYTHONS/new.build kind name uv
	before_writing "$PYTHONS"
	mkdir -p "$PYTHONS"
	uv_ready "$2"
	rm -rf "$folder"
	mkdir -m 700 "$folder"
	cp find-python.sh "$folder"
	network_environment >build.environment
	[ -z "${5-}" ] || echo "UV_PYTHON_INSTALL_MIRROR=\"$5\"" >>build.environment
	chown -R "$1:$1" "$folder"
	attempt as_builder "$1" "$folder" find-python.sh "$uv/bin/uv" "$PYTHONS" "$3" >python.found 2>python.errors
	((attempted == 0)) || refuse "$(python_unavailable "$3" "$4")"
	read -r kind name <python.found
	if [ "$kind" = system ]; then
		python=/usr/bin/$name
		[[ $name =~ ^python3(\.[0-9]+)?$ ]] || refuse "uv found $name, which is no Python of the system"
	else
		[[ $name =~ ^cpython-(3\.[0-9]+)\.[0-9]+((a|b|rc)[0-9]+)?-linux-[a-z0-9_]+-gnu$ ]] ||
			refuse "uv found $name, which is no release of CPython"
		python=$PYTHONS/$name/bin/python${BASH_REMATCH[1]}
		[ "$kind" != downloaded ] || python_install "$name" "$folder/pythons/$name"
	fi
	rm -rf "$folder"
	python_is_supported "$3" "$4"
}

python_install() { # NAME SOURCE
	rm -rf "${PYTHONS:?}/$1.new"
	root_python tree.py copy "$2" "$PYTHONS/$1.new"
	folder_finish "$PYTHONS/$1" "$1"
}

python_is_supported() { # REQUEST SOURCE
	local program
	program=$(readlink -f "$python")
	[[ $program =~ /python3\.([0-9]+)$ ]] || refuse "$python is no Python 3"
	((BASH_REMATCH[1] >= OLDEST_PYTHON)) ||
		refuse "Python 3.${BASH_REMATCH[1]} ($2: $1) is not supported; set \`app.python\` to 3.$OLDEST_PYTHON or newer"
}

# Why there is no Python for a request, with a remedy.
python_unavailable() { # REQUEST SOURCE
	local own download cause remedy
	own=$(root_python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	download=$(sed -n 's/^ *cause: Failed to download //p' python.errors | head -n 1)
	if [ -n "$download" ]; then
		cause=$(sed -n 's/^ *cause: //p' python.errors | tail -n 1)
		cause="uv cannot download $download: $cause"
		remedy="let the host reach it, name a mirror with \`monitoring.install.release.mirror\`, or write \`app.python: \"$own\"\`"
	else
		cause=$(sed -n 's/^error: //p' python.errors | head -n 1)
		cause="uv has no other: ${cause:-$(tail -n 1 python.errors)}"
		remedy="write a version that exists into \`app.python\`, such as \"$own\""
	fi
	echo "Python $1 ($2) is not available: the host has $own, and $cause; $remedy"
}

# Removes the releases of Python that the active environment does not use.
python_close() { # VENV
	local used
	used=$(readlink "$1/bin/python" || true)
	used=${used#"$PYTHONS/"}
	[ ! -d "$PYTHONS" ] || find "$PYTHONS" -mindepth 1 -maxdepth 1 ! -name "${used%%/*}" ! -name "${used%%/*}.monctl" -exec rm -rf {} +
}
