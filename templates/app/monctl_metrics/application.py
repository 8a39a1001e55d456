"""Loads the application as the server does, and finds headers that it accepts.

Used by `check` and `prepare`; neither needs the name of the settings, because
importing the application's module sets it.
"""

import importlib
import inspect
import os
import sys
import traceback

from . import interface


# The last parts of the names of engines whose database is a file.
SQLITE = ("sqlite3", "spatialite")


class Refused(Exception):
    """The application cannot be activated; the text is the reason."""


def root():
    """The whole of the application's code, of which MONCTL_APP_DIR is a folder or all."""
    return os.path.abspath(os.environ.get("MONCTL_APP_ROOT") or _folder())


def _folder():
    return os.path.abspath(os.environ.get("MONCTL_APP_DIR", "/srv/monctl/app"))


def load():
    """Imports MONCTL_WSGI or MONCTL_ASGI from MONCTL_APP_DIR and returns the callable."""
    folder = _folder()
    module_name, _, attribute = interface.entry().partition(":")
    attribute = attribute or "application"
    if not module_name:
        raise Refused("neither MONCTL_WSGI nor MONCTL_ASGI is set; one of them names the module with the callable")
    try:
        os.chdir(folder)
    except OSError as error:
        raise Refused(f"MONCTL_APP_DIR cannot be entered: {error}") from error
    sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise Refused(f"`{module_name}` cannot be imported: {describe(error)}") from error
    entry = getattr(module, attribute, None)
    if not callable(entry):
        raise Refused(f"`{module_name}` has no callable `{attribute}`")
    _is_of_interface(entry)
    return entry


def _is_of_interface(entry):
    """Refuses a callable of the other interface, where that is certain."""
    from django.core.handlers.wsgi import WSGIHandler

    is_coroutine = inspect.iscoroutinefunction(entry) or inspect.iscoroutinefunction(getattr(entry, "__call__", None))
    if is_coroutine and not interface.is_asgi():
        raise Refused(f"`{interface.entry()}` is an ASGI application: name it with `app.asgi` instead of `app.wsgi`")
    if interface.is_asgi() and isinstance(entry, WSGIHandler):
        raise Refused(f"`{interface.entry()}` is a WSGI application: name it with `app.wsgi` instead of `app.asgi`")


def describe(error):
    """The error in one line, with the place in the application's own code."""
    folder = root()
    text = f"{type(error).__name__}: {error}".rstrip(": ").replace("\n", " ")
    inside = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(folder + os.sep)
    ]
    if isinstance(error, SyntaxError) and error.filename:
        return text
    if inside:
        place = os.path.relpath(inside[-1].filename, folder)
        return f"{text} ({place}, line {inside[-1].lineno})"
    return text


def accepted_headers():
    """Headers with which Django accepts a request from this host."""
    from django.conf import settings

    headers = {"Host": accepted_host(settings.ALLOWED_HOSTS, settings.DEBUG)}
    if settings.SECURE_SSL_REDIRECT:
        # The header that the proxy in front would set; its name is a setting.
        name, value = settings.SECURE_PROXY_SSL_HEADER or ("HTTP_X_FORWARDED_PROTO", "https")
        headers[name.removeprefix("HTTP_").replace("_", "-").title()] = value
    return headers


def accepted_host(allowed, debug):
    """A host name that ALLOWED_HOSTS accepts, preferably a local one."""
    allowed = list(allowed)
    if not allowed:
        if debug:
            return "localhost"
        raise Refused("ALLOWED_HOSTS is empty and DEBUG is off: Django would return 400 for every request")
    for host in ("localhost", "127.0.0.1"):
        if host in allowed or "*" in allowed:
            return host
    return allowed[0].removeprefix(".")


def static_root():
    """The folder that `collectstatic` fills, or None if it is not configured."""
    from django.apps import apps
    from django.conf import settings

    installed = apps.is_installed("django.contrib.staticfiles")
    return str(settings.STATIC_ROOT) if installed and settings.STATIC_ROOT else None


def database_configured():
    """Whether there is a database to migrate."""
    from django.conf import settings

    engine = settings.DATABASES.get("default", {}).get("ENGINE", "")
    return bool(engine) and engine != "django.db.backends.dummy"


def database_is_file():
    """Whether the database is a SQLite file, which no other host shares."""
    from django.conf import settings

    engine = settings.DATABASES.get("default", {}).get("ENGINE", "")
    return engine.rpartition(".")[2] in SQLITE


def separate_output():
    """Standard output for the answer only: the application's output goes to standard error."""
    sys.stdout.flush()
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answer
