#!/usr/bin/env bash
# Builds what users install: a wheel and a Debian package of the same binary, with checksums. The binary is linked by
# zig against the C library of manylinux2014, so that it runs on every distribution that is supported today.
#
# usage: packaging/build.sh FOLDER [BINARY]
#
# With BINARY, only the Debian package is built, from that binary: the tests pass their own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=${1:?name the folder for the packages}
binary=${2:-}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/monctl
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
target=x86_64-unknown-linux-gnu

fail() {
	printf 'error: %s\n' "$1" >&2
	exit 1
}

# wheel: builds the binary and the wheel, and sets `binary`.
wheel() {
	# An archive of the sources has no commit.
	if MONCTL_COMMIT=$(git rev-parse --short HEAD 2>/dev/null); then
		[[ -z $(git status --porcelain) ]] ||
			fail 'there are changes without a commit; a package names the commit that it is built from'
		SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
		export MONCTL_COMMIT SOURCE_DATE_EPOCH
	fi
	local tools=$cache/packaging-venv
	python3 -m venv "$tools"
	"$tools/bin/pip" install --quiet --disable-pip-version-check maturin==1.16.0 ziglang==0.15.1
	# maturin looks for zig beside its own Python.
	PATH=$tools/bin:$PATH maturin build --release --locked --zig --target "$target" --compatibility manylinux2014 \
		--out "$out"
	binary=$CARGO_TARGET_DIR/$target/release/monctl
}

mkdir -p "$out"
out=$(cd "$out" && pwd)
[[ -n $binary ]] || wheel

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
dpkg-deb --root-owner-group -Zzstd --build "$tree" "$out/monctl_${version}_amd64.deb" >/dev/null
cd "$out"
shopt -s nullglob
sha256sum -- *.whl *.deb | tee SHA256SUMS
