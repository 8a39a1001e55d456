#!/usr/bin/env bash
# Installs what a fresh Debian machine lacks: for `demo` (build and run machines), for `test` (checkers, Python).
# Prints one line per installed item, never prompts, and prints nothing if everything is installed.
#
# usage: prerequisites.sh demo|test …
#
# Conditions here are single commands or tests, and need no errexit.
# shellcheck disable=SC2310
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/monctl
log=$cache/prerequisites.log
mkdir -p "$cache"
: >"$log"

build=(gcc libc6-dev ca-certificates curl git)
machines=(systemd-container mmdebstrap debian-archive-keyring nftables iproute2 openssh-client mount procps)
test=(chromium poppler-utils shellcheck python3 python3-venv bsdutils procps openssh-client)

rust_help='install the Rust of rust-toolchain.toml (https://rustup.rs), then run the same again'

fail() {
	printf 'error: %s\n' "$1" >&2
	[[ ! -s $log ]] || tail -n 15 "$log" | sed 's/^/    /' >&2
	printf 'help: %s\n' "$2" >&2
	exit 1
}

# quiet COMMAND…: runs it with its output in the log.
quiet() {
	"$@" >>"$log" 2>&1
}

installed() {
	[[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# offered NAME: whether apt has such a package.
offered() {
	apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'
}

apt_updated=
apt_update() {
	[[ -z $apt_updated ]] || return 0
	quiet apt-get update -qq || fail "\`apt-get update\` failed" 'look at the lines above, then run the same again'
	apt_updated=yes
}

# packages NAME…: installs those that are missing, all at once.
packages() {
	local name missing=()
	for name in "$@"; do
		installed "$name" || [[ " ${missing[*]} " == *" $name "* ]] || missing+=("$name")
	done
	((${#missing[@]})) || return 0
	if ((EUID != 0)); then
		fail "these packages are missing: ${missing[*]}" "as root: apt-get install --no-install-recommends ${missing[*]}"
	fi
	apt_update
	DEBIAN_FRONTEND=noninteractive quiet apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends \
		"${missing[@]}" ||
		fail "\`apt-get install ${missing[*]}\` failed" 'look at the lines above, then run the same again'
	for name in "${missing[@]}"; do
		# shellcheck disable=SC2016 # the fields are dpkg-query's
		dpkg-query -W -f='installed ${Package} ${Version}\n' "$name"
	done
}

# The Rust that rust-toolchain.toml names: from rustup, where there is one; else any cargo that is new enough;
# else from Debian's rustup or rustup's own installer.
rust() {
	local wanted
	wanted=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
	PATH=$PATH:$HOME/.cargo/bin
	if ! command -v rustup >/dev/null; then
		! fits "$wanted" || return 0
		rustup_from_somewhere
	fi
	! rustup toolchain list 2>>"$log" | grep -q "^$wanted" || return 0
	quiet rustup toolchain install "$wanted" --profile minimal --component clippy --component rustfmt ||
		fail "Rust $wanted cannot be installed" "$rust_help"
	echo "installed Rust $wanted"
}

# fits VERSION: whether the cargo on the PATH is at least that.
fits() {
	local version
	version=$(cargo --version 2>/dev/null | cut -d' ' -f2) && [[ -n $version ]] || return 1
	[[ $(printf '%s\n' "$1" "$version" | sort -V | head -n 1) == "$1" ]]
}

rustup_from_somewhere() {
	if ((EUID == 0)); then
		apt_update
		if offered rustup; then
			packages rustup
			return
		fi
	fi
	# Debian 12 has no rustup package; its own installer is pinned here.
	local machine sum folder version=1.28.2
	machine=$(uname -m)
	case $machine in
	x86_64) sum=20a06e644b0d9bd2fbdbfd52d42540bdde820ea7df86e92e533c073da0cdd43c ;;
	aarch64) sum=e3853c5a252fca15252d07cb23a1bdd9377a8c6f3efa01531109281ae47f841c ;;
	*) fail "no Rust was found, and none is known for $machine" "$rust_help" ;;
	esac
	folder=$(mktemp -d)
	quiet curl --proto =https --tlsv1.2 -fsS -o "$folder/rustup-init" \
		"https://static.rust-lang.org/rustup/archive/$version/$machine-unknown-linux-gnu/rustup-init" ||
		fail 'no Rust was found, and rustup cannot be downloaded' "$rust_help"
	echo "$sum  $folder/rustup-init" | quiet sha256sum --check ||
		fail 'the downloaded rustup is not the one that is pinned here' "$rust_help"
	chmod +x "$folder/rustup-init"
	quiet "$folder/rustup-init" -y --no-modify-path --profile minimal --default-toolchain none ||
		fail 'rustup cannot be installed' "$rust_help"
	rm -r "$folder"
	echo "installed rustup $version in $HOME/.cargo"
}

# Prometheus, Alertmanager and their checkers, unpacked beside the cache: installing their packages would
# start daemons here.
monitoring_tools() {
	local tools=$cache/tools packages=(prometheus prometheus-alertmanager) folder
	local names=(prometheus prometheus-alertmanager promtool amtool) templates=usr/share/prometheus/alertmanager
	have() { [[ -x $tools/usr/bin/$1 ]] || command -v "$1" >/dev/null; }
	have "${names[0]}" && have "${names[1]}" && have "${names[2]}" && have "${names[3]}" && return 0
	((EUID != 0)) || apt_update
	# Since Debian 13 promtool has a package of its own.
	if offered promtool; then packages+=(promtool); fi
	folder=$(mktemp -d)
	(cd "$folder" && quiet apt-get download "${packages[@]}") ||
		fail "\`apt-get download ${packages[*]}\` failed" 'as root: apt-get update; then run the same again'
	for package in "$folder"/*.deb; do
		quiet dpkg-deb -x "$package" "$folder/unpacked"
	done
	mkdir -p "$tools/usr/bin" "$tools/$templates"
	cp "$folder/unpacked/$templates"/*.tmpl "$tools/$templates/"
	for name in "${names[@]}"; do
		mv "$folder/unpacked/usr/bin/$name" "$tools/usr/bin/"
		echo "installed $name in $tools/usr/bin"
	done
	rm -r "$folder"
}

command -v apt-get >/dev/null || fail "this is not Debian: \`apt-get\` is missing" \
	'install Rust, a C linker, systemd-nspawn, mmdebstrap, nftables, iproute2 and an ssh client, then build with cargo'

for purpose in "$@"; do
	case $purpose in
	demo)
		packages "${build[@]}" "${machines[@]}"
		rust
		;;
	test)
		# Without root the tests of machines are skipped, and need nothing.
		if ((EUID == 0)); then packages "${machines[@]}"; fi
		packages "${build[@]}" "${test[@]}"
		rust
		monitoring_tools
		;;
	*) fail "\`$purpose\` is not a valid purpose" 'use demo or test' ;;
	esac
done
