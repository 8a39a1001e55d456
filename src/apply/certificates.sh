# Prints for each domain: its name, `yes` or `no` for a valid certificate, and the web server's last error about it.
for domain; do
	valid=no error=
	if openssl s_client -connect 127.0.0.1:443 -servername "$domain" </dev/null 2>/dev/null |
		openssl x509 -noout -checkend 0 >/dev/null 2>&1; then
		valid=yes
	else
		error=$(journalctl --unit monctl-caddy.service --lines 1000 --no-pager --output cat 2>/dev/null |
			grep -F '"level":"error"' | grep -F -e "\"$domain\"" -e "[$domain]" | tail -n 1 | tr -d '\t')
	fi
	printf '%s\t%s\t%s\n' "$domain" "$valid" "$error"
done
