#!/usr/bin/env bash
# Every test there is. Each suite runs even where another failed; the last lines say how they ended.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

results=()
failed=0

# suite NAME COMMAND…
suite() {
	local name=$1 started=$SECONDS result=ok
	shift
	printf '\n== %s\n' "$name"
	"$@" || result=FAILED
	[[ $result == ok ]] || failed=$((failed + 1))
	results+=("$(printf '%-22s %-6s %4d s' "$name" "$result" $((SECONDS - started)))")
}

suite shellcheck scripts/check-shell.sh
suite rust cargo test --locked --no-fail-fast
suite instrumentation tests/instrumentation/run.sh
suite "double of ec2" tests/doubles/ec2/test.sh
suite doubles python3 -m unittest discover --start-directory tests/doubles/grafana
suite "host library" python3 -m unittest discover --start-directory tests/host_library

printf '\ntest summary\n'
printf '  %s\n' "${results[@]}"
if ((EUID != 0)) || ! command -v systemd-nspawn >/dev/null; then
	printf '  %-22s did not run: they need root and systemd-nspawn\n' 'tests of machines'
	[[ ${CI:-} != true ]] || failed=$((failed + 1))
fi
if ((failed)); then
	printf 'test result: FAILED. %d of %d suites failed\n' "$failed" "${#results[@]}"
	exit 1
fi
printf 'test result: ok. %d suites passed\n' "${#results[@]}"
