#!/bin/sh
# Prints how long `verify-dashboards` takes for fifty panels of a Grafana on this computer: the tests' stand-in, or
# the one of `MONCTL_TEST_GRAFANA`. Needs Prometheus (`make tools`), and no root. The tests' own build, not optimized: the
# time is Grafana's, and another build would take far longer than the measurement.
set -eu

cd "$(dirname -- "$0")/.."
exec cargo test --locked --quiet --no-default-features --test it -- \
	--ignored --nocapture --exact panels::fifty_panels_beside_the_same_requests_one_after_the_other
