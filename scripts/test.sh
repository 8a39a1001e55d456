#!/usr/bin/env bash
# Runs all tests. Tests on real machines wait more than they compute, so the other suites run beside them, one after
# the other; their output is shown when they have ended. Each suite runs even if another failed; the last lines show
# the results.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
# A run that is interrupted takes the suites beside it along.
trap 'trap - INT TERM; kill 0' INT TERM

# suite NAME COMMAND…: runs it, and leaves a line of the summary in a file of its own.
suite() {
	local name=$1 started=$SECONDS result=ok
	shift
	printf '\n== %s\n' "$name"
	"$@" || result=FAILED
	printf '  %-22s %-6s %4d s\n' "$name" "$result" $((SECONDS - started)) >"$results/$name"
}

# later SUITE…: a suite whose output is shown when it has ended.
later() {
	suite "$@" >"$results/output" 2>&1 </dev/null
	cat "$results/output"
	rm "$results/output"
}

beside_machines() {
	later shellcheck scripts/check-shell.sh
	later instrumentation tests/instrumentation/run.sh
	later "double of ec2" tests/doubles/ec2/test.sh
	later doubles python3 -m unittest discover --start-directory tests/doubles/grafana
	later "host library" python3 -m unittest discover --start-directory tests/host_library
	# It waits for the build, which another cargo has begun.
	later rust cargo test --locked --no-fail-fast --lib --bins --test it --test aws
}

# Hosts of tests install what upstream releases, where it can be made here; else what the distribution has.
installed="the distribution's packages"
failed=0
if [[ -z ${MONCTL_TEST_RELEASES:-} ]] && command -v go >/dev/null; then
	if MONCTL_TEST_RELEASES=$(scripts/releases.sh); then
		export MONCTL_TEST_RELEASES
	else
		unset MONCTL_TEST_RELEASES
		installed+=", since scripts/releases.sh failed"
		[[ ${CI:-} != true ]] || failed=1
	fi
fi
[[ -z ${MONCTL_TEST_RELEASES:-} ]] || installed=$MONCTL_TEST_RELEASES

beside_machines &
others=$!

suite build cargo test --locked --no-run

suite machines cargo test --locked --test e2e -- --test-threads=3
wait "$others" || failed=1

printf '\ntest summary\n'
cat "$results"/*
printf '  %-22s %s\n' 'hosts installed' "$installed"
! grep -q FAILED "$results"/* || failed=1
# Such files, bytecode for example, would become a part of the program, and Cargo would build all of it again.
if left=$(git status --porcelain --ignored -- templates playbooks 2>/dev/null | grep '^!!'); then
	printf '  %-22s the tests left files there:\n%s\n' 'templates' "$left"
	failed=1
fi
if ((EUID != 0)) || ! command -v systemd-nspawn >/dev/null; then
	printf '  %-22s did not run: they need root and systemd-nspawn\n' 'tests of machines'
	[[ ${CI:-} != true ]] || failed=1
fi
if ((failed)); then
	printf 'test result: FAILED\n'
	exit 1
fi
printf 'test result: ok. %d suites passed\n' "$(find "$results" -type f | wc -l)"
