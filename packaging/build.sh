#!/usr/bin/env bash
# Builds what users install: a wheel and a Debian package, with checksums. Both contain the same binary.
#
# usage: packaging/build.sh FOLDER [release|dev]
#
# `release` links by zig against the C library of manylinux2014, so that it runs on every distribution that is
# supported today. `dev` wraps the build of the tests, to test the packages without another compilation.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=${1:?name the folder for the packages}
profile=${2:-release}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/monctl
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
target=x86_64-unknown-linux-gnu

fail() {
	printf 'error: %s\n' "$1" >&2
	exit 1
}

case $profile in
release)
	# An archive of the sources has no commit.
	if commit=$(git rev-parse --short HEAD 2>/dev/null); then
		[[ -z $(git status --porcelain) ]] || fail 'there are changes without a commit; a package names the commit it is built from'
		export MONCTL_COMMIT=$commit
		SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
		export SOURCE_DATE_EPOCH
	fi
	options=(--release --zig --target "$target" --compatibility manylinux2014)
	binary=$CARGO_TARGET_DIR/$target/release/monctl
	;;
dev)
	options=(--profile dev --compatibility linux)
	binary=$CARGO_TARGET_DIR/debug/monctl
	;;
*) fail "there is no profile \`$profile\`: write \`release\` or \`dev\`" ;;
esac

tools=$cache/packaging-venv
if ! "$tools/bin/maturin" --version 2>/dev/null | grep -qx 'maturin 1.16.0'; then
	python3 -m venv --clear "$tools"
	"$tools/bin/pip" install --quiet --disable-pip-version-check maturin==1.16.0
fi
if [[ $profile == release ]]; then
	"$tools/bin/pip" install --quiet --disable-pip-version-check ziglang==0.15.1
fi

mkdir -p "$out"
out=$(cd "$out" && pwd)
# maturin looks for zig next to its own Python.
PATH=$tools/bin:$PATH maturin build --locked "${options[@]}" --out "$out"

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
install -D --strip "$binary" "$tree/usr/bin/monctl"
install -d "$tree/usr/share/man/man1" "$tree/usr/share/bash-completion/completions" \
	"$tree/usr/share/zsh/vendor-completions" "$tree/usr/share/fish/vendor_completions.d" "$tree/DEBIAN"
"$binary" man-pages "$tree/usr/share/man/man1"
gzip --best --no-name "$tree"/usr/share/man/man1/*
MONCTL_COMPLETE=bash "$binary" >"$tree/usr/share/bash-completion/completions/monctl"
MONCTL_COMPLETE=zsh "$binary" >"$tree/usr/share/zsh/vendor-completions/_monctl"
MONCTL_COMPLETE=fish "$binary" >"$tree/usr/share/fish/vendor_completions.d/monctl.fish"
install -D --mode=644 --target-directory="$tree/usr/share/doc/monctl" README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT
cat >"$tree/DEBIAN/control" <<END
Package: monctl
Version: $version
Architecture: amd64
Maintainer: the authors of monctl <monctl@example.org>
Installed-Size: $(du --summarize --block-size=1K "$tree/usr" | cut -f 1)
Depends: libc6, openssh-client
Section: admin
Priority: optional
Description: $(sed -n 's/^description = "\(.*\)"$/\1/p' Cargo.toml)
 It creates the machines of a Django application, installs Prometheus,
 Alertmanager and Grafana, and proves that each alert is delivered.
END
dpkg-deb --root-owner-group --build "$tree" "$out/monctl_${version}_amd64.deb" >/dev/null
(cd "$out" && sha256sum -- *.whl *.deb >SHA256SUMS && cat SHA256SUMS)
