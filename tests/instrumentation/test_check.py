"""`check` reports in one line whether a version can be activated; `prepare` prepares its data."""

import json
import os
import sys
from pathlib import Path

import pytest
from projects import ASGI, DATABASE, GATE, MODEL, SETTINGS, URLS, WSGI, small, stored
from servers import until

STATIC = """
INSTALLED_APPS += ["django.contrib.staticfiles"]
STATIC_URL = "static/"
STATIC_ROOT = BASE / "collected"
"""

def test_a_sound_version_is_ready_and_checking_leaves_no_file(run, tmp_path):
    files = stored()
    result = run("check", files)
    assert (result.returncode, result.stdout) == (0, "ready; static files: not configured\n")
    left = {str(path.relative_to(tmp_path / "app")) for path in (tmp_path / "app").rglob("*")}
    assert {name for name in left if Path(name).suffix} == set(files)


BROKEN = {
    "no such module": (small(), {"entry": "shop.nowhere"}, "No module named 'shop.nowhere'"),
    "no callable": (small(wsgi=""), {}, "`shop.wsgi` has no callable `application`"),
    "no entry": (small(), {"entry": ""}, "neither MONCTL_WSGI nor MONCTL_ASGI is set"),
    "ASGI for WSGI": (
        small(wsgi=ASGI),
        {},
        "`shop.wsgi` is an ASGI application: name it with `app.asgi` instead of `app.wsgi`",
    ),
    "WSGI for ASGI": (
        small(asgi=WSGI),
        {"entry": "shop.asgi"},
        "`shop.asgi` is a WSGI application: name it with `app.wsgi` instead of `app.asgi`",
    ),
    "no folder": (small(), {"MONCTL_APP_DIR": "/nowhere"}, "MONCTL_APP_DIR cannot be entered"),
    "syntax error": (small(settings="DEBUG = ("), {}, "'(' was never closed (settings.py, line 1)"),
    "unset variable": (
        small(settings=SETTINGS + "import os\nKEY = os.environ['NO_KEY']\n"),
        {},
        "KeyError: 'NO_KEY' (shop/settings.py, line 8)",
    ),
    "exit at import": (small(wsgi="raise SystemExit('no licence')"), {}, "SystemExit: no licence"),
    "broken URLs": (
        small(urls=URLS + "from shop.nowhere import view\n"),
        {},
        "Django's checks fail: ModuleNotFoundError: No module named 'shop.nowhere'",
    ),
    "system check": (
        stored() | {"shop/models.py": MODEL.replace("max_length=10", "choices=1")},
        {},
        "fields.E004",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_version_that_cannot_start_is_not_ready_with_a_reason(run, what):
    files, settings, reason = BROKEN[what]
    result = run("check", files, **settings)
    assert result.returncode == 1
    assert result.stderr.startswith("not ready: ")
    assert reason in result.stderr


HOSTS = {
    '["*"]': "localhost",
    '["example.com", "localhost"]': "localhost",
    '["127.0.0.1"]': "127.0.0.1",
    '[".example.com"]': "example.com",
    '("shop.example.com",)': "shop.example.com",
}
SHOWS_HOST = """
from django.http import HttpResponse
from django.urls import path
import sys

def home(request):
    print(request.get_host(), request.scheme, file=sys.stderr)
    return HttpResponse("")

urlpatterns = [path("", home, name="home")]
"""


@pytest.mark.parametrize("allowed", HOSTS)
def test_a_request_has_a_host_that_allowed_hosts_accepts(run, allowed):
    files = small(settings=SETTINGS + f"ALLOWED_HOSTS = {allowed}\n", urls=SHOWS_HOST)
    result = run("check", files, "--request")
    assert (result.returncode, result.stderr) == (0, f"{HOSTS[allowed]} http\n")


def test_a_request_passes_the_redirect_to_https(run):
    secure = """
SECURE_SSL_REDIRECT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
"""
    result = run("check", small(settings=SETTINGS + secure, urls=SHOWS_HOST), "--request")
    assert (result.returncode, result.stderr) == (0, "127.0.0.1 https\n")


def test_an_application_that_accepts_no_host_is_not_ready(run):
    result = run("check", small(settings=SETTINGS + "ALLOWED_HOSTS = []\n"), "--request")
    assert result.returncode == 1
    assert "ALLOWED_HOSTS is empty" in result.stderr


def test_a_view_that_fails_is_named_with_its_error(run):
    urls = URLS.replace('return HttpResponse("home")', 'raise ValueError("no home")')
    result = run("check", small(urls=urls), "--request")
    assert result.returncode == 1
    assert "GET / returns 500: ValueError: no home (shop/urls.py, line 7)" in result.stderr


def test_a_request_goes_through_an_asgi_callable(run):
    result = run("check", small(asgi=ASGI, urls=SHOWS_HOST), "--request", entry="shop.asgi")
    assert (result.returncode, result.stderr) == (0, "127.0.0.1 http\n")
    urls = URLS.replace('return HttpResponse("home")', 'raise ValueError("no home")')
    result = run("check", small(asgi=ASGI, urls=urls), "--request", entry="shop.asgi")
    assert result.returncode == 1
    assert "GET / returns 500: ValueError: no home (shop/urls.py, line 7)" in result.stderr
    silent = ASGI + "\nasync def application(scope, receive, send):\n    pass\n"
    result = run("check", small(asgi=silent), "--request", entry="shop.asgi")
    assert result.returncode == 1
    assert "the application returned without a response" in result.stderr


def test_a_stream_without_end_is_an_answer(run):
    urls = URLS + """
import asyncio
from django.http import StreamingHttpResponse

async def ticks():
    while True:
        yield b"tick"
        await asyncio.sleep(0.01)

urlpatterns += [path("ticks", lambda request: StreamingHttpResponse(ticks()))]
"""
    result = run("check", small(asgi=ASGI, urls=urls), "--request", "--path", "/ticks", entry="shop.asgi")
    assert (result.returncode, result.stderr) == (0, "")


# As in the virtual environment of a project that pins an old Gunicorn.
OLD_GUNICORN = """
from monctl_metrics import interface
interface._gunicorn = lambda: 26
interface._is_installed = lambda module: False
"""


def test_asgi_needs_workers_that_serve_it(run):
    result = run("check", small(asgi=ASGI + OLD_GUNICORN), entry="shop.asgi")
    assert result.returncode == 1
    assert "requires Gunicorn 26; require Gunicorn 27 or later, or add `uvicorn-worker`" in result.stderr
    assert run("check", small(wsgi=WSGI + OLD_GUNICORN)).returncode == 0


# As the application's own requirements might pin it.
OLD_CLIENT = {
    "prometheus_client/__init__.py": "",
    "prometheus_client/mmap_dict.py": """
class MmapedDict:
    def write_value(self, key, value):
        pass

def mmap_key():
    pass
""",
}


def test_a_prometheus_client_that_is_too_old_is_reported_before_activation(run):
    result = run("check", small() | OLD_CLIENT)
    assert result.returncode == 1
    assert "metrics cannot be counted: prometheus_client is older than 0.17" in result.stderr
    assert run("check", small() | OLD_CLIENT, MONCTL_METRICS="none").returncode == 0


def test_preparing_migrates_and_collects_static_files_where_configured(run, tmp_path):
    assert "no such table" in run("check", stored(), "--request").stderr
    assert run("prepare", stored()).returncode == 0
    assert not (tmp_path / "app" / "collected").exists()
    assert run("check", stored(), "--request").returncode == 0
    with_static = stored(SETTINGS + DATABASE + STATIC)
    assert run("prepare", with_static).returncode == 0
    assert not (tmp_path / "app" / "collected").exists(), "a version's own files are collected before the switch"
    assert run("prepare", with_static, "static").returncode == 0
    assert (tmp_path / "app" / "collected" / "a.css").exists()
    ready = run("check", with_static)
    assert ready.stdout == f"ready; static files: {tmp_path}/app/collected\n"


PLACES = {
    "nothing": (SETTINGS, {"files": [], "folders": [], "static": None}),
    "the usual": (
        SETTINGS + DATABASE + STATIC + "MEDIA_ROOT = BASE / 'media'\n",
        {"files": ["db.sqlite3"], "folders": ["media"], "static": "collected"},
    ),
    "as text, and relative": (
        SETTINGS
        + DATABASE.replace('BASE / "db.sqlite3"', "'var/db.sqlite3'")
        + "MEDIA_ROOT = 'var/../uploads/'\n",
        {"files": ["var/db.sqlite3"], "folders": ["uploads"], "static": None},
    ),
    "a URI": (
        SETTINGS + DATABASE.replace('BASE / "db.sqlite3"', "f'file:{BASE}/a%20b.db?mode=rwc'"),
        {"files": ["a b.db"], "folders": [], "static": None},
    ),
    "in memory and elsewhere": (
        SETTINGS + DATABASE.replace('BASE / "db.sqlite3"', "':memory:'") + "MEDIA_ROOT = '/srv/uploads'\n",
        {"files": [], "folders": [], "static": None},
    ),
}


@pytest.mark.parametrize("what", PLACES)
def test_the_places_where_an_application_writes_are_those_of_its_settings(run, what):
    settings, expected = PLACES[what]
    result = run("check", stored(settings) if "DATABASES" in settings else small(settings=settings), "--places")
    assert (result.returncode, written(result)) == (0, expected), result.stderr


def written(result):
    """The places without those that a web server may read."""
    places = json.loads(result.stdout)
    del places["served"]
    return places


def test_files_of_the_paths_of_static_files_and_media_alone_may_be_served(run, tmp_path):
    def served(settings):
        return json.loads(run("check", small(settings=SETTINGS + settings), "--places").stdout)["served"]

    media = "MEDIA_ROOT = '/srv/uploads'\n"
    # Without a URL of its own, media would be the whole site.
    assert served(media) == {}
    assert served(media + "MEDIA_URL = 'https://media.example/'\n") == {}
    assert served(media + "MEDIA_URL = 'media/'\n") == {"/media/": "/srv/uploads"}
    inside = "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': '/srv/uploads/db.sqlite3'}}\n"
    assert served(media + "MEDIA_URL = 'media/'\n" + inside) == {}, "no database is served"


def test_paths_are_relative_to_the_whole_of_the_code_where_manage_py_lies_below_it(run, tmp_path):
    below = lambda files: {f"backend/{name}": text for name, text in files.items()}
    where = {"MONCTL_APP_ROOT": str(tmp_path / "app"), "MONCTL_APP_DIR": str(tmp_path / "app" / "backend")}
    beside = STATIC.replace("BASE /", "BASE.parent /")
    relative = "DATABASES['other'] = {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'other.sqlite3'}\n"
    result = run("check", below(stored(SETTINGS + DATABASE + beside + relative)), "--places", **where)
    assert (result.returncode, written(result)) == (
        0,
        {"files": ["backend/db.sqlite3", "backend/other.sqlite3"], "folders": [], "static": "collected"},
    ), result.stderr
    result = run("check", below(small(settings=SETTINGS + CACHE)), "--places", **where)
    assert "app.persistent: [backend/cache]" in result.stderr
    result = run("check", below(small(settings=SETTINGS + "raise KeyError('x')\n")), **where)
    assert "KeyError: 'x' (backend/shop/settings.py, line 7)" in result.stderr


def test_output_of_the_application_is_not_part_of_the_answer(run):
    result = run("check", small(settings=SETTINGS + "import os\nprint('{}')\nos.system('echo {}')\n"), "--places")
    assert written(result) == {"files": [], "folders": [], "static": None}


READ_ONLY = """
import errno, logging.config
from pathlib import Path
BASE = Path(__file__).resolve().parent.parent

class Handler(logging.Handler):
    def __init__(self, path):
        raise OSError(errno.EROFS, "Read-only file system", str(BASE / path))

LOGGING = {"version": 1, "handlers": {"file": {"()": "shop.settings.Handler", "path": "PATH"}}, "root": {"handlers": ["file"]}}
"""
LINES = {
    "debug.log": "app.persistent: [debug.log]",
    "logs": "app.persistent: [logs]",
    "logs/app.log": "app.persistent: [logs]",
    "shop/debug.log": "app.persistent: [shop/debug.log]",
}


@pytest.mark.parametrize("path", LINES)
def test_a_write_next_to_the_code_at_import_is_reported_with_the_line_that_keeps_it(run, path):
    files = small(settings=SETTINGS + READ_ONLY.replace("PATH", path)) | {"logs/README": ""}
    result = run("check", files, "--places")
    assert result.returncode == 1
    assert f"writes `{LINES[path][17:-1]}` next to its code" in result.stderr
    assert LINES[path] in result.stderr


CACHE = """
from pathlib import Path
CACHES = {"default": {
    "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
    "LOCATION": Path(__file__).resolve().parent.parent / "cache",
}}
"""


def test_settings_that_will_write_next_to_the_code_are_reported_with_the_line_that_keeps_it(run):
    result = run("check", small(settings=SETTINGS + CACHE), "--places")
    assert result.returncode == 1
    assert "app.persistent: [cache]" in result.stderr


def test_preparing_uses_the_settings_of_the_wsgi_module(run, tmp_path):
    # As set by a left-over environment, or by a manage.py for development.
    files = stored() | {
        "shop/wsgi.py": WSGI.replace('.setdefault("DJANGO_SETTINGS_MODULE", ', '.update(DJANGO_SETTINGS_MODULE='),
        "shop/other.py": "from .settings import *\nDATABASES['default']['NAME'] = BASE / 'other'\n",
    }
    assert run("prepare", files, DJANGO_SETTINGS_MODULE="shop.other").returncode == 0
    assert (tmp_path / "app" / "db.sqlite3").exists()
    assert not (tmp_path / "app" / "other").exists()


def test_an_application_without_a_database_is_prepared(run):
    assert run("prepare", small()).returncode == 0


def test_a_migration_that_fails_is_reported_in_one_line(run):
    files = stored() | {"shop/migrations/0001_initial.py": "raise RuntimeError('half done')"}
    result = run("prepare", files)
    assert result.returncode == 1
    assert result.stderr == (
        "not prepared: `migrate` fails: RuntimeError: half done"
        " (shop/migrations/0001_initial.py, line 1)\n"
    )


def test_the_running_service_is_awaited_until_it_answers(run, serve):
    server = serve(small(settings=SETTINGS + 'MIDDLEWARE = ["shop.gate.gate"]\n'))
    server.stop()
    url = f"http://127.0.0.1:{server.port}"
    # The socket exists, so the check waits for the server behind it.
    files = small(gate=GATE)
    result = run("check", files, "--url", url, "--within", "0.5")
    assert result.returncode == 1
    assert f"not ready: {url} does not answer: timed out" in result.stderr
    server.start()
    assert run("check", files, "--url", url).returncode == 0
    assert run("check", files, "--url", url, "--path", "/none/").returncode == 0
    server.close()
    result = run("check", files, "--url", url, "--within", "0.1")
    assert "Connection refused" in result.stderr


def test_a_service_that_starts_slowly_is_requested_again(run, serve, tmp_path):
    urls = URLS.replace("def home(request):", f"""
def home(request):
    if not os.path.exists({str(tmp_path / "up")!r}):
        open({str(tmp_path / "requested")!r}, "w").close()
        raise ValueError("not yet")""")
    server = serve(small(urls=urls))

    def come_up():
        until(lambda: (tmp_path / "requested").exists())
        (tmp_path / "up").touch()

    result = run("check", small(urls=urls), "--url", f"http://127.0.0.1:{server.port}", then=come_up)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_running_service_that_fails_is_not_ready(run, serve):
    urls = URLS.replace('return HttpResponse("home")', 'raise ValueError("no home")')
    server = serve(small(urls=urls))
    url = f"http://127.0.0.1:{server.port}"
    result = run("check", small(urls=urls), "--url", url, "--within", "0.2")
    assert result.returncode == 1
    assert "GET / returns 500" in result.stderr
