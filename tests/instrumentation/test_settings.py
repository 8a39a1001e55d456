"""`exporter` needs nothing from the settings, so any kind of settings works."""

import pytest
from projects import SETTINGS, URLS, WSGI, small

GATED = 'MIDDLEWARE = ["shop.gate.gate"]\n'
READY = """
from django.apps import AppConfig

class Late(AppConfig):
    name = "shop"
    def ready(self):
        from django.conf import settings
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, "shop.gate.gate"]
"""
CONFIGURE = """
from django.conf import settings
from django.core.wsgi import get_wsgi_application
settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF="shop.urls", MIDDLEWARE=["shop.gate.gate"])
application = get_wsgi_application()
"""
FROM_CLASS = """
from django.conf import global_settings, settings
from django.core.wsgi import get_wsgi_application

class Settings:
    SECRET_KEY = "x"
    ALLOWED_HOSTS = ["*"]
    ROOT_URLCONF = "shop.urls"
    MIDDLEWARE = ("shop.gate.gate",)
    def __getattr__(self, name):
        return getattr(global_settings, name)

settings.configure(default_settings=Settings())
application = get_wsgi_application()
"""
ASSIGNED = WSGI.replace(
    'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")',
    'os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"',
)
# The environment names other settings, which must be ignored.
MISLEADING = {"DJANGO_SETTINGS_MODULE": "shop.nowhere"}
WRAPPED = WSGI + """
django_application = application
def application(environ, start_response):
    return django_application(environ, start_response)
"""
LAZY = """
import os
built = []
def application(environ, start_response):
    if not built:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
        from django.core.wsgi import get_wsgi_application
        built.append(get_wsgi_application())
    return built[0](environ, start_response)
"""
# Keeps a reference to the method before the server starts.
BOUND = WSGI + """
from django.core.handlers.wsgi import WSGIHandler
class Early(WSGIHandler):
    def __init__(self):
        super().__init__()
        self.get_response = super().get_response
application = Early()
"""
SPLIT = {"shop/settings/__init__.py": "", "shop/settings/base.py": SETTINGS + GATED}


def split(production):
    files = small(wsgi=WSGI.replace("shop.settings", "shop.settings.production"))
    del files["shop/settings.py"]
    return files | SPLIT | {"shop/settings/production.py": production}


LAYOUTS = {
    "one module": small(settings=SETTINGS + GATED),
    "a tuple": small(settings=SETTINGS + 'MIDDLEWARE = ("shop.gate.gate",)\n'),
    "split": split("from .base import *\n"),
    "split with __all__": split(
        "from .base import *\nfrom . import base\n__all__ = [n for n in dir(base) if n.isupper()]\n"
    ),
    "annotated and generated": small(
        settings=SETTINGS + 'MIDDLEWARE: list[str] = [f"shop.{n}.{n}" for n in ("gate",)]\n'
    ),
    "settings.configure()": small(wsgi=CONFIGURE),
    "settings from an object": small(wsgi=FROM_CLASS),
    "changed in ready()": small(
        settings=SETTINGS + 'MIDDLEWARE = []\nINSTALLED_APPS = ["shop.apps.Late"]\n', apps=READY
    ),
    "assigned in wsgi.py": small(settings=SETTINGS + GATED, wsgi=ASSIGNED),
    "a wrapped callable": small(settings=SETTINGS + GATED, wsgi=WRAPPED),
    "built at the first request": small(settings=SETTINGS + GATED, wsgi=LAZY),
    "a handler of its own": small(settings=SETTINGS + GATED, wsgi=BOUND),
}
REQUESTS = [("/", "GET", {})] * 3 + [("/gate/", "GET", {})] * 2 + [("/none/", "POST", {})]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_requests_are_counted_with_any_kind_of_settings(serve, layout):
    environment = MISLEADING if layout == "assigned in wsgi.py" else {}
    server = serve(LAYOUTS[layout], workers=1, **environment)
    assert server.request_all(REQUESTS) == [200, 200, 200, 302, 302, 404]
    assert server.responses() == {
        ("GET", 200, "home"): 3,
        ("GET", 302, "gate"): 2,
        ("POST", 404, "<unnamed view>"): 1,
    }


def test_the_application_s_own_metrics_are_not_affected(serve):
    urls = URLS + """
import os
from prometheus_client import Counter, generate_latest
orders = Counter("orders", "Orders.")

def own(request):
    orders.inc()
    return HttpResponse(generate_latest())

urlpatterns += [path("own", own, name="own")]
"""
    server = serve(small(urls=urls), workers=1)
    assert "orders_total 1.0" in server.request("/own")[1]
    assert "orders_total 2.0" in server.request("/own")[1]
    assert not [name for name in server.families() if "orders" in name]
    assert len([name for name in server.files() if name.endswith(".db")]) == 3


def test_an_application_that_has_django_prometheus_is_counted_once(serve):
    settings = SETTINGS + """
INSTALLED_APPS = ["django_prometheus"]
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "shop.gate.gate",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
"""
    server = serve(small(settings=settings), workers=1)
    server.request_all(REQUESTS)
    assert server.responses() == {
        ("GET", 200, "home"): 3,
        ("GET", 302, "gate"): 2,
        ("POST", 404, "<unnamed view>"): 1,
    }
