"""`check --report` finds settings that are not fit for users, and shows no value of a secret."""

import json
import os
import subprocess
import sys

import pytest
from projects import SETTINGS, URLS, WSGI, small
from servers import APP, write

STATIC = SETTINGS + """
from pathlib import Path
BASE = Path(__file__).resolve().parent.parent
INSTALLED_APPS = ["django.contrib.staticfiles", "shop"]
STATIC_URL = "static/"
STATIC_ROOT = BASE / "collected"
"""
FILES = {"shop/static/shop/x.js": "", "shop/static/shop/a.css": "a {}"}
# Serves static files as WhiteNoise does: in a middleware.
SERVES = """
from django.http import HttpResponse

def serve(get_response):
    def middleware(request):
        return HttpResponse("a {}") if request.path.startswith("/static/") else get_response(request)
    return middleware
"""
WRAPPED = WSGI + """
django_application = application

def application(environ, start_response):
    if environ["PATH_INFO"].startswith("/static/"):
        start_response("200 OK", [])
        return [b"a {}"]
    return django_application(environ, start_response)
"""
UNSERVED = "/static/shop/a.css"


@pytest.fixture
def report(tmp_path):
    """Runs `check --report` on a project."""

    def run(files, entry="shop.wsgi"):
        write(tmp_path / "app", files)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(APP),
            "MONCTL_APP_DIR": str(tmp_path / "app"),
            "MONCTL_WSGI": entry,
            "MONCTL_METRICS": "none",
        }
        result = subprocess.run(
            [sys.executable, "-m", "monctl_metrics.check", "--report"], env=environment, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr
        assert "not a secret" not in result.stdout
        return json.loads(result.stdout)

    return run


def test_settings_that_are_fit_for_users_have_an_empty_report(report):
    expected = {"debug": False, "insecure_key": False, "allowed_hosts": ["127.0.0.1"], "unserved": None, "absent": []}
    assert report(small()) == expected | {"static_root": False}


def test_settings_for_development_are_found(report):
    settings = SETTINGS.replace("DEBUG = False", "DEBUG = True").replace('["127.0.0.1"]', "[]")
    settings = settings.replace("not a secret", "django-insecure-not a secret")
    found = report(small(settings=settings))
    assert (found["debug"], found["insecure_key"]) == (True, True)
    assert found["allowed_hosts"] == [".localhost", "127.0.0.1", "[::1]"]


def test_settings_without_a_key_have_a_report(report):
    assert report(small(settings=SETTINGS.replace("not a secret", "")))["insecure_key"] is False


SERVED = {
    "by nothing": (small(settings=STATIC), UNSERVED),
    "by a middleware": (small(settings=STATIC + 'MIDDLEWARE = ["shop.serves.serve"]\n', serves=SERVES), None),
    "around the application": (small(settings=STATIC, wsgi=WRAPPED), None),
    "by a view": (
        small(
            settings=STATIC,
            urls=URLS + "urlpatterns += [path('static/<path:name>', lambda request, name: HttpResponse(name))]\n",
        ),
        None,
    ),
    "by another server": (small(settings=STATIC.replace('"static/"', '"https://cdn.example.org/"')), None),
    "by a view that fails": (
        small(settings=STATIC, urls=URLS + "urlpatterns += [path('static/<path:name>', lambda request, name: 1 / 0)]\n"),
        UNSERVED,
    ),
    "without static files": (small(), None),
}


@pytest.mark.parametrize("how", SERVED)
def test_static_files_that_the_application_does_not_serve_are_found(report, how):
    files, expected = SERVED[how]
    assert report(files | FILES)["unserved"] == expected


def test_folders_that_are_elsewhere_are_named(report, tmp_path):
    settings = STATIC + f"""
STATICFILES_DIRS = [BASE / "dist", ("more", BASE / "shop"), {str(tmp_path / "frontend")!r}]
TEMPLATES = [{{"BACKEND": "django.template.backends.django.DjangoTemplates",
              "DIRS": [BASE / "templates", {str(tmp_path / "pages")!r}]}}]
"""
    found = report(small(settings=settings) | FILES)
    assert found["absent"] == [str(tmp_path / "app/dist"), str(tmp_path / "frontend"), str(tmp_path / "pages")]
    assert found["unserved"] is not None


def test_an_asgi_application_is_recognised():
    from monctl_metrics import settings_report

    assert settings_report._is_asgi(type("Handler", (), {"__call__": _asgi})()) and settings_report._is_asgi(_asgi)
    assert not settings_report._is_asgi(write)


async def _asgi(scope, receive, send):
    pass
