"""What the settings in use reveal that is not fit for users, for `check --report`.

Without values of secrets. Called once the application runs, with its static files
collected.
"""

import inspect
import itertools
import os
import urllib.parse

# How many names of hosts and folders, and static files, are looked at.
_HOSTS = 100
_FILES = 5000
_LOCAL_HOSTS = [".localhost", "127.0.0.1", "[::1]"]


def found(entry, environ):
    """The report. ENVIRON makes the WSGI environment of a GET for a path."""
    from django.conf import settings

    hosts = list(settings.ALLOWED_HOSTS) or (_LOCAL_HOSTS if settings.DEBUG else [])
    return {
        "debug": bool(settings.DEBUG),
        "insecure_key": _key().startswith("django-insecure-"),
        "allowed_hosts": [str(host) for host in hosts[:_HOSTS]],
        "unserved": _unserved(entry, environ),
        "static_root": bool(settings.STATIC_ROOT),
        "absent": _absent(os.getcwd()),
    }


def _key():
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        key = settings.SECRET_KEY
    except ImproperlyConfigured:
        return ""
    return key.decode(errors="replace") if isinstance(key, bytes) else str(key)


def _unserved(entry, environ):
    """The path of a static file that the application does not serve itself."""
    from django.apps import apps
    from django.conf import settings

    name = _static_file() if apps.is_installed("django.contrib.staticfiles") else None
    if name is None:
        return None
    try:
        from django.contrib.staticfiles.storage import staticfiles_storage

        url = staticfiles_storage.url(name)
    except ValueError:  # Not in the manifest.
        url = f"{settings.STATIC_URL}{name}"
    except Exception:
        return None  # A storage of the project's own, whose files another server has.
    place = urllib.parse.urlsplit(url)
    if place.netloc:
        return None  # Another server has it.
    path = urllib.parse.unquote(place.path)
    return None if _is_served(entry, environ(path)) else path


def _static_file():
    """The name of one static file, preferably of a style sheet."""
    from django.contrib.staticfiles import finders

    names = itertools.islice(_names(finders), _FILES)
    first = next(names, None)
    if first is None or first.endswith(".css"):
        return first
    return next((name for name in names if name.endswith(".css")), first)


def _names(finders):
    try:
        for finder in finders.get_finders():
            for path, storage in finder.list([]):
                prefix = getattr(storage, "prefix", None)
                yield f"{prefix}/{path}" if prefix else path
    except Exception:
        return  # Finders may be the project's own. A version is not refused because they fail.


def _is_asgi(entry):
    return inspect.iscoroutinefunction(entry) or inspect.iscoroutinefunction(getattr(entry, "__call__", None))


def _is_served(entry, environ):
    from django.core.handlers.wsgi import WSGIHandler

    statuses = []
    try:
        body = (WSGIHandler() if _is_asgi(entry) else entry)(environ, lambda status, *_: statuses.append(status))
        for _ in body:
            break
        getattr(body, "close", lambda: None)()
    except Exception:
        return False
    return bool(statuses) and statuses[0].startswith("200")


def _absent(folder):
    """Folders of the settings that are not there: outside of the application's folder, or with static files."""
    from django.conf import settings

    static = [entry[1] if isinstance(entry, (list, tuple)) else entry for entry in settings.STATICFILES_DIRS]
    templates = [path for engine in settings.TEMPLATES for path in engine.get("DIRS", ())]
    absent = {path for path in map(str, static) if not os.path.isdir(path)}
    for path in map(str, templates):
        if not os.path.isdir(path) and not os.path.abspath(path).startswith(folder + os.sep):
            absent.add(path)
    return sorted(absent)[:_HOSTS]
