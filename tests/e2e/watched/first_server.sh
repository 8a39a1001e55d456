#!/bin/bash
# The team goes back to its first server.
set -eu
rm /etc/systemd/system/shop.service.d/server.conf
systemctl daemon-reload
systemctl restart shop.service
