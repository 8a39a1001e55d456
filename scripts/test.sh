#!/usr/bin/env bash
# Every test there is. Each suite runs even where another failed; the last lines say how they ended. The tests of machines
# mostly wait for machines, so they run beside the others, which give way to them, and what they said is shown at the end;
# but drills, which watch what a host does second by second, have the computer for themselves.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# suite NAME COMMAND…
suite() {
	local name=$1 started=$SECONDS result=ok
	shift
	printf '\n== %s\n' "$name"
	"$@" || result=FAILED
	printf '  %-22s %-6s %4d s\n' "$name" "$result" $((SECONDS - started)) >>"$work/results"
}

# The tests that make machines are those of the target `e2e`.
rust() {
	local targets
	mapfile -t targets < <(cargo metadata --locked --no-deps --format-version 1 | python3 -c '
import json, sys
for target in json.load(sys.stdin)["packages"][0]["targets"]:
    if target["kind"] == ["test"] and target["name"] != "e2e":
        print("--test=" + target["name"])')
	((${#targets[@]})) && nice cargo test --locked --no-fail-fast --lib --bins "${targets[@]}" && nice cargo test --locked --doc
}

# What `install: release` puts on hosts, where this computer can make it; else hosts of tests get Debian's packages.
if command -v go >/dev/null && releases=$(scripts/releases.sh); then
	export MONCTL_TEST_RELEASES=$releases
else
	printf '  %-22s did not run: there is no Go that makes them\n' "upstream's releases" >>"$work/results"
fi

suite build cargo test --locked --no-run
suite machines cargo test --locked --test e2e -- --skip drills:: --skip faults:: >"$work/machines" 2>&1 &
suite rust rust
suite shellcheck scripts/check-shell.sh
suite instrumentation nice tests/instrumentation/run.sh
suite "double of ec2" nice tests/doubles/ec2/test.sh
suite doubles nice python3 -m unittest discover --start-directory tests/doubles/grafana
suite "host library" nice python3 -m unittest discover --start-directory tests/host_library
wait
cat "$work/machines"
suite drills cargo test --locked --test e2e -- drills:: faults::

printf '\ntest summary\n'
cat "$work/results"
failed=$(grep -c ' FAILED ' "$work/results")
if ((EUID != 0)) || ! command -v systemd-nspawn >/dev/null; then
	printf '  %-22s did not run: they need root and systemd-nspawn\n' 'tests of machines'
	[[ ${CI:-} != true ]] || failed=$((failed + 1))
fi
if ((failed)); then
	printf 'test result: FAILED. %d suites failed\n' "$failed"
	exit 1
fi
printf 'test result: ok. %d suites passed\n' "$(grep -c ' ok ' "$work/results")"
