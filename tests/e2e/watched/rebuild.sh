#!/bin/bash
# The team's deploy: a new Python environment in place of the old one, and a restart.
set -eu
rm -rf /srv/shop/venv
python3 -m venv --without-pip --system-site-packages /srv/shop/venv
chown -R shop: /srv/shop/venv
systemctl restart shop.service
