#!/usr/bin/env bash
# Makes tarballs like upstream's of the Prometheus, Alertmanager and node exporter that templates/releases.json pins,
# from their Go modules, and prints the folder that holds them. Takes minutes once; later calls find them in the cache.
# They lack the files of the web interfaces, which need Node.js to be built, and Prometheus those ways of service
# discovery that monctl never configures, whose libraries take most of the time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A recipe that changed makes its tarballs anew.
recipe=$(sha256sum scripts/releases.sh | cut -c 1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/monctl/releases/$recipe
stamp=github.com/prometheus/common/version
tags=netgo,remove_all_sd,enable_aws_sd

export GOWORK=off GOFLAGS=-buildvcs=false CGO_ENABLED=0
arch=$(go env GOARCH)

mkdir -p "$cache"
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT

# default_of PRODUCT: the version that is installed where a spec names none.
default_of() {
	python3 -c 'import json, sys; print(json.load(open("templates/releases.json"))["defaults"][sys.argv[1]])' "$1"
}

# module_version PRODUCT VERSION: Prometheus 3.13.2 is published as module v0.313.2.
module_version() {
	local major minor patch
	IFS=. read -r major minor patch <<<"$2"
	if [[ $1 == prometheus ]]; then
		printf 'v0.%d%02d.%d\n' "$major" "$minor" "$patch"
	else
		printf 'v%s\n' "$2"
	fi
}

# tarball PRODUCT PROGRAM=PACKAGE…: packs the programs, unless that was done before.
tarball() {
	local product=$1 version module top out source
	shift
	version=$(default_of "$product")
	top=$product-$version.linux-$arch
	out=$cache/$top.tar.gz
	[[ ! -f $out ]] || return 0
	module=github.com/prometheus/$product@$(module_version "$product" "$version")
	echo "building $product $version from its Go module" >&2
	source=$(cd "$work" && go mod download -json "$module" |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["Dir"])')
	cp -r "$source" "$work/$product"
	chmod -R u+w "$work/$product"
	if [[ $product == alertmanager ]]; then
		# It embeds this folder, and is not compiled without it.
		mkdir -p "$work/$product/ui/app/dist"
		echo '<title>Alertmanager</title>' >"$work/$product/ui/app/dist/index.html"
	fi
	mkdir "$work/$top"
	for program in "$@"; do
		(cd "$work/$product" && go build -trimpath -tags "$tags" -o "$work/$top/${program%=*}" \
			-ldflags "-s -w -X $stamp.Version=$version -X $stamp.Branch=HEAD" "${program#*=}") >&2
		"$work/$top/${program%=*}" --version 2>&1 | grep -qF "version $version " || {
			echo "error: ${program%=*} does not report version $version" >&2
			return 1
		}
	done
	cp "$work/$product/LICENSE" "$work/$product/NOTICE" "$work/$top/"
	tar -C "$work" --owner=0 --group=0 -czf "$work/packed" "$top"
	mv "$work/packed" "$out"
	rm -rf "${work:?}/$product"
}

tarball prometheus prometheus=./cmd/prometheus promtool=./cmd/promtool
tarball alertmanager alertmanager=./cmd/alertmanager amtool=./cmd/amtool
tarball node_exporter node_exporter=.
echo "$cache"
