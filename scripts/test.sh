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

# Hosts of tests install what upstream releases, where it can be made here; else what the distribution has.
installed="the distribution's packages"
if [[ -z ${MONCTL_TEST_RELEASES:-} ]] && command -v go >/dev/null; then
	if MONCTL_TEST_RELEASES=$(scripts/releases.sh); then
		export MONCTL_TEST_RELEASES
	else
		unset MONCTL_TEST_RELEASES
		installed+=", since scripts/releases.sh failed"
		[[ ${CI:-} != true ]] || failed=$((failed + 1))
	fi
fi
[[ -z ${MONCTL_TEST_RELEASES:-} ]] || installed=$MONCTL_TEST_RELEASES

suite shellcheck scripts/check-shell.sh
suite rust cargo test --locked --no-fail-fast
suite instrumentation tests/instrumentation/run.sh
suite "double of ec2" tests/doubles/ec2/test.sh
suite doubles python3 -m unittest discover --start-directory tests/doubles/grafana
suite "host library" python3 -m unittest discover --start-directory tests/host_library

printf '\ntest summary\n'
printf '  %s\n' "${results[@]}"
printf '  %-22s %s\n' 'hosts installed' "$installed"
if ((EUID != 0)) || ! command -v systemd-nspawn >/dev/null; then
	printf '  %-22s did not run: they need root and systemd-nspawn\n' 'tests of machines'
	[[ ${CI:-} != true ]] || failed=$((failed + 1))
fi
if ((failed)); then
	printf 'test result: FAILED. %d of %d suites failed\n' "$failed" "${#results[@]}"
	exit 1
fi
printf 'test result: ok. %d suites passed\n' "${#results[@]}"
