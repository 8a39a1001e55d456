#!/bin/bash
set -eu
systemctl disable --now --quiet shop.service
rm -r /srv/shop /etc/systemd/system/shop.service
systemctl daemon-reload
userdel shop
# shellcheck disable=SC2046 # one word for each package
apt-get -qq purge --yes $(dpkg-query -W -f '${Package}\n' | LC_ALL=C sort | comm -13 /root/clean -) >/dev/null
rm -rf /root/clean /var/cache/debconf/tmp.ci
