#!/bin/bash
# The team's deploy: a new Python environment in place of the old one, and a Gunicorn that root starts for another user.
set -eu
rm -rf /srv/shop/venv
python3 -m venv --without-pip --system-site-packages /srv/shop/venv
cat >/etc/systemd/system/shop.service.d/server.conf <<'END'
[Service]
User=root
ExecStart=
ExecStart=/srv/shop/venv/bin/python -m gunicorn --user shop --group shop --bind 127.0.0.1:8000 --workers 2 shop:application
END
systemctl daemon-reload
systemctl restart shop.service
