#!/bin/bash
# Brings an application host into the state of earlier versions of monctl: code and data side by side in a folder of the
# application's user, the list of the code in sets/app, the unit with that folder, no user for builds.
# Run by bash as root on a host that `monctl up` has set up; afterwards the application runs as in those versions.
set -euo pipefail
code=/srv/monctl/app data=/var/lib/monctl/app sets=/var/lib/monctl/sets/app home=/var/lib/monctl
set=$(readlink /etc/monctl/app)
unit=/etc/systemd/system/monctl-app.service

systemctl stop monctl-app.service monctl-app-metrics.service
install -d -o monctl-app -g monctl-app -m 750 "$code"
mv "$set/tree.manifest" "$sets/tree.manifest"
while IFS= read -r name; do
	folder=$code
	if [[ $name == */* ]]; then
		IFS=/ read -r -a parts <<<"${name%/*}"
		for part in "${parts[@]}"; do
			folder+=/$part
			[ -d "$folder" ] || install -d -o monctl-app -g monctl-app -m 750 "$folder"
		done
	fi
	install -o root -g monctl-app -m 640 "/srv/monctl/current/$name" "$code/$name"
done <"$sets/tree.manifest"
# The files of collectstatic and the application.
cp -r /srv/monctl/current/staticfiles "$code/staticfiles"
chown -R monctl-app:monctl-app "$code/staticfiles"
find "$data" -mindepth 1 -maxdepth 1 ! -name staticfiles -exec mv -t "$code" {} +
rm -rf /srv/monctl/current /srv/monctl/releases "$data" "$set/persistent" "$set/tree.manifest"

for file in "$set/.units/monctl-app.service" "$unit"; do
	sed -i -e '/^StateDirectory/d' -e '/^BindReadOnlyPaths=/d' \
		-e 's|^RestartSec=1$|RestartSec=1\nReadWritePaths=/srv/monctl/app|' "$file"
done
echo 0000000000000000000000000000000000000000000000000000000000000000 >"$home/applied/app"
sed -i 's|  /srv/monctl/current/|  /srv/monctl/app/|' "$home/manifest/put"
sed -i -e "s|^data\t$data\t|data\t$code\t|" -e '/\tmonctl-build\t/d' "$home/manifest/log"
userdel monctl-build
systemctl daemon-reload
systemctl start monctl-app.service monctl-app-metrics.service
