#!/bin/bash
# The team serves the shop with another server.
set -eu
chown -R shop: /srv/shop/venv
cat >/etc/systemd/system/shop.service.d/server.conf <<'END'
[Service]
RuntimeDirectory=shop
RuntimeDirectoryMode=0750
ExecStart=
ExecStart=/srv/shop/venv/bin/python -m uvicorn --port 8000 --workers 2 shop:asynchronous
END
systemctl daemon-reload
systemctl restart shop.service
