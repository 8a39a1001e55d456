"""Django projects for the tests, as dictionaries from path to text."""

SETTINGS = """
SECRET_KEY = "not a secret"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "shop.urls"
USE_TZ = True
"""

WSGI = """
import os
from django.core.wsgi import get_wsgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_wsgi_application()
"""

ASGI = WSGI.replace("wsgi", "asgi")

URLS = """
import os
from django.http import HttpResponse
from django.urls import path

def home(request):
    return HttpResponse("home")

def pid(request):
    return HttpResponse(str(os.getpid()))

urlpatterns = [path("", home, name="home"), path("pid", pid, name="pid"), path("gate/", home, name="gate")]
"""

# Answers before any view is resolved.
GATE = """
from django.http import HttpResponse, HttpResponseRedirect

def gate(get_response):
    def middleware(request):
        if request.path == "/gate/":
            return HttpResponseRedirect("/")
        return get_response(request)
    return middleware
"""


def small(**changes):
    """A site with two views; keyword arguments replace files of `shop/`."""
    files = {"settings": SETTINGS, "wsgi": WSGI, "urls": URLS, "gate": GATE, "__init__": ""}
    return {f"shop/{name}.py": text for name, text in (files | changes).items()}


MIXED_SETTINGS = """
SECRET_KEY = "not a secret"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "shop.urls"
USE_TZ = True
USE_I18N = True
LANGUAGES = [("en", "English"), ("de", "German")]
LANGUAGE_CODE = "en"
SECURE_SSL_REDIRECT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"]
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
LOGIN_URL = "/login/"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
MIDDLEWARE = [
    "shop.middleware.teapot",
    "shop.middleware.gate",
    "shop.middleware.broken",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.cache.FetchFromCacheMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "shop.middleware.cache",
]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "cache"}}
"""

MIXED_MIDDLEWARE = """
from django.http import HttpResponse
from django.middleware.cache import UpdateCacheMiddleware

def teapot(get_response):
    def middleware(request):
        response = get_response(request)
        if request.path == "/teapot/":
            response.status_code = 418
        return response
    return middleware

def gate(get_response):
    def middleware(request):
        if "gated" in request.path:
            return HttpResponse("closed", status=403)
        return get_response(request)
    return middleware

def broken(get_response):
    def middleware(request):
        if request.path == "/broken/":
            raise ValueError("in a middleware")
        return get_response(request)
    return middleware

class cache(UpdateCacheMiddleware):
    def process_response(self, request, response):
        if request.path == "/cached/":
            return super().process_response(request, response)
        return response
"""

MIXED_URLS = """
from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.test import RequestFactory
from django.test.client import ClientHandler
from django.urls import include, path
from django.views.decorators.http import require_http_methods
from django.views.decorators.csrf import csrf_exempt

def plain(request, **_):
    return HttpResponse("plain")

def private(request):
    return HttpResponse("private")

@require_http_methods(["GET", "POST"])
def note(request, number):
    return HttpResponse("made", status=201) if request.method == "POST" else HttpResponse("note")

def missing(request):
    raise Http404

def boom(request):
    raise RuntimeError("in a view")

def stream(request):
    return StreamingHttpResponse(iter(["a", "b"]))

def nested(request):
    inner = RequestFactory().get("/", secure=True, headers={"host": "127.0.0.1"})
    return HttpResponse(ClientHandler()(inner.environ).content)

def server_error(request):
    if request.path == "/worse/":
        raise RuntimeError("in the handler of errors")
    return HttpResponse("sorry", status=500)

def not_found(request, exception):
    return HttpResponse("nothing", status=404)

handler404 = "shop.urls.not_found"
handler500 = "shop.urls.server_error"

open_to_all = login_not_required
inner = ([path("<int:number>/", open_to_all(note), name="note")], "notes")
urlpatterns = [
    path("", open_to_all(plain), name="home"),
    path("notes/", include(inner)),
    path("about/", open_to_all(plain), name="about"),
    path("cached/", open_to_all(plain), name="cached"),
    path("private/", private, name="private"),
    path("gated/", open_to_all(plain), name="gated"),
    path("broken/", open_to_all(plain), name="broken"),
    path("missing/", open_to_all(missing), name="missing"),
    path("boom/", open_to_all(boom), name="boom"),
    path("worse/", open_to_all(boom), name="worse"),
    path("stream/", open_to_all(stream), name="stream"),
    path("teapot/", open_to_all(plain), name="teapot"),
    path("nested/", open_to_all(nested), name="nested"),
    path("unnamed/", open_to_all(plain)),
] + i18n_patterns(
    path("hello/", open_to_all(plain), name="hello"),
    path("gated-hello/", open_to_all(plain), name="gated-hello"),
    prefix_default_language=False,
)
"""

ASGI = """
import os
from django.core.asgi import get_asgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_asgi_application()
"""

MIXED = {
    "shop/__init__.py": "",
    "shop/settings.py": MIXED_SETTINGS,
    "shop/middleware.py": MIXED_MIDDLEWARE,
    "shop/urls.py": MIXED_URLS,
    "shop/wsgi.py": WSGI,
    "shop/asgi.py": ASGI,
}

MODEL = """
from django.db import models

class Thing(models.Model):
    name = models.CharField(max_length=10)
"""
MIGRATION = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = []
    operations = [migrations.CreateModel("Thing", [
        ("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=10)),
    ])]
"""
DATABASE = """
from pathlib import Path
BASE = Path(__file__).resolve().parent.parent
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE / "db.sqlite3"}}
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
READS_TABLE = """
from django.http import HttpResponse
from django.urls import path

def home(request):
    from shop.models import Thing
    return HttpResponse(str(Thing.objects.count()))

urlpatterns = [path("", home, name="home")]
"""


def stored(settings=SETTINGS + DATABASE):
    files = small(settings=settings, urls=READS_TABLE, models=MODEL)
    return files | {
        "shop/migrations/__init__.py": "",
        "shop/migrations/0001_initial.py": MIGRATION,
        "shop/static/a.css": "a {}",
    }
