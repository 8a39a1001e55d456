#!/bin/bash
# A visitor's requests to the shop, while a worker is killed: 20 pages, 10 missing ones and 5 errors, twice.
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
	visit /metrics 200 20
	visit /absent 404 10
	visit /error 500 5
	if [ "$round" = first ]; then
		before=$(workers)
		kill -KILL "${before%%$'\n'*}"
		until now=$(workers) && [ "$now" != "$before" ] && [ "$(wc -l <<<"$now")" = 2 ]; do sleep 0.1; done
	fi
done
