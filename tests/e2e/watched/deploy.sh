#!/bin/bash
set -eu
dpkg-query -W -f '${Package}\n' | LC_ALL=C sort >/root/clean
apt-get -qq update
apt-get -qq install --yes --no-install-recommends python3-django gunicorn uvicorn >/dev/null
useradd --system --no-create-home --shell /usr/sbin/nologin shop
python3 -m venv --without-pip --system-site-packages /srv/shop/venv
chown -R shop: /srv/shop/venv
cat >/srv/shop/shop.py <<'END'
from django.conf import settings

settings.configure(SECRET_KEY="theirs", ALLOWED_HOSTS=["shop.example"], ROOT_URLCONF="shop", MIDDLEWARE=[])

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path


def metrics(request):
    request.get_host()
    return HttpResponse("shop_orders 7\n", content_type="text/plain")


def home(request):
    request.get_host()
    return HttpResponse("shop\n")


def error(request):
    raise ValueError


urlpatterns = [path("", home), path("metrics", metrics), path("error", error)]
application = get_wsgi_application()
asynchronous = get_asgi_application()
END
cat >/etc/systemd/system/shop.service <<'END'
[Unit]
Description=The shop

[Service]
User=shop
WorkingDirectory=/srv/shop
ExecStart=/srv/shop/venv/bin/python -m gunicorn --bind 127.0.0.1:8000 --workers 2 shop:application
Restart=always

[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --now --quiet shop.service
python3 - <<'END'
import time
import urllib.request

request = urllib.request.Request("http://127.0.0.1:8000/", headers={"Host": "shop.example"})
for attempt in range(60):
    try:
        urllib.request.urlopen(request, timeout=5)
        break
    except OSError:
        time.sleep(0.5)
else:
    raise SystemExit("the shop does not answer")
END
