#!/bin/bash
# Prints for each domain: its name, `yes` or `no` for a valid certificate, how often the web server has failed to get one,
# and its last error about that.
for domain; do
	valid=no failures=0 error=
	if openssl s_client -connect 127.0.0.1:443 -servername "$domain" </dev/null 2>/dev/null |
		openssl x509 -noout -checkend 0 >/dev/null 2>&1; then
		valid=yes
	else
		errors=$(journalctl --unit monctl-caddy.service --boot --lines 5000 --no-pager --output cat 2>/dev/null |
			grep -F '"level":"error"' | grep -F -e "\"$domain\"" -e "[$domain]")
		failures=$(grep -c '"msg":"will retry"' <<<"$errors")
		error=$(tail -n 1 <<<"$errors" | tr -d '\t')
	fi
	printf '%s\t%s\t%s\t%s\n' "$domain" "$valid" "$failures" "$error"
done
