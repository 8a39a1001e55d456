#!/bin/bash
# 200 requests of a visitor to the shop, with a killed worker in between: 60 pages, 30 missing ones and 10 errors, twice.
# shellcheck disable=SC2310,SC2311 # whether there are workers is a condition
set -eu
visit() { # PATH STATUS TIMES
	local found time
	for ((time = 0; time < $3; time++)); do
		found=$(curl --silent --output /dev/null --write-out '%{http_code}' -H 'Host: shop.example' "http://127.0.0.1:8000$1")
		[ "$found" = "$2" ] || { echo "$1 returns $found" >&2 && exit 1; }
	done
}
workers() { pgrep --parent "$(systemctl show --property=MainPID --value shop.service)"; }

for round in first second; do
	visit /metrics 200 60
	visit /absent 404 30
	visit /error 500 10
	if [ "$round" = first ]; then
		before=$(workers)
		kill -KILL "${before%%$'\n'*}"
		until now=$(workers) && [ "$now" != "$before" ] && [ "$(wc -l <<<"$now")" = 2 ]; do sleep 0.1; done
	fi
done
