"""Where the application writes below its own folder, according to its settings.

Paths are relative to MONCTL_APP_ROOT, which holds the folder of manage.py; the
application runs in the latter.

The code belongs to root and is read-only: written files are elsewhere, behind
links. Used by `check`, which also prints the line of the spec that makes a path
writable.
"""

import errno
import os
import urllib.parse

from . import application

_READ_ONLY = (errno.EROFS, errno.EACCES)


def found(folder):
    """Paths below FOLDER: files and folders to be kept, and the one that `collectstatic` fills."""
    from django.conf import settings

    files = [inside(folder, path) for path in _databases(settings.DATABASES)]
    media = inside(folder, settings.MEDIA_ROOT)
    return {
        "files": sorted({path for path in files if path}),
        "folders": [media] if media else [],
        "static": of_release(folder, kept()),
        "served": served(),
    }


def served():
    """Folders of static files and media by the path of their URL, which a web server may read without Django."""
    from django.apps import apps
    from django.conf import settings

    found = {}
    if apps.is_installed("django.contrib.staticfiles"):
        found[settings.STATIC_URL] = settings.STATIC_ROOT
    found[settings.MEDIA_URL] = settings.MEDIA_ROOT
    # Of a URL of another host, or of the whole site, nothing is served: Django has no path for these files alone.
    found = {_text(url): path for url, path in found.items()}
    found = {
        url: os.path.abspath(_text(path)) for url, path in found.items() if url.startswith("/") and url != "/" and path
    }
    databases = [os.path.abspath(path) for path in _databases(settings.DATABASES)]
    return {url: path for url, path in found.items() if not any(one.startswith(path + "/") for one in databases)}


def _text(value):
    return os.fsdecode(value) if isinstance(value, (bytes, os.PathLike)) else str(value)


def of_release(folder, names):
    """The path below FOLDER that `collectstatic` fills for this version of the code alone."""
    from django.apps import apps
    from django.conf import settings

    installed = apps.is_installed("django.contrib.staticfiles")
    path = inside(folder, settings.STATIC_ROOT) if installed else None
    return path if path and not _is_kept(path, names) else None


def unkept(folder, kept):
    """A path that the settings write to and that is not kept."""
    from django.conf import settings

    paths = [settings.EMAIL_FILE_PATH if "filebased" in settings.EMAIL_BACKEND else None]
    if settings.SESSION_ENGINE == "django.contrib.sessions.backends.file":
        paths.append(settings.SESSION_FILE_PATH)
    for cache in settings.CACHES.values():
        if "filebased" in cache.get("BACKEND", "").lower():
            paths.append(cache.get("LOCATION"))
    for path in filter(None, (inside(folder, path) for path in paths)):
        if not _is_kept(path, kept):
            return path
    return None


def refused(error, folder):
    """The path below FOLDER that could not be written, if that is the error or its cause."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in _READ_ONLY:
            path = inside(folder, error.filename)
            if path:
                return _worth_keeping(folder, path)
        error = error.__cause__ or error.__context__
    return None


def line(kept, path):
    """The line of the spec that keeps one more path."""
    return f"app.persistent: [{', '.join([*kept, path])}]"


def kept():
    """The paths that the spec keeps."""
    return beside("persistent", otherwise=[])


def beside(name, otherwise):
    """The lines of a list of the spec, which is next to this package."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    try:
        with open(os.path.join(folder, name)) as file:
            return [line for line in file.read().split("\n") if line]
    except FileNotFoundError:
        return otherwise


def inside(folder, path):
    """The path below FOLDER; None if it is not set, is FOLDER itself or is elsewhere."""
    if not isinstance(path, (str, bytes, os.PathLike)) or not path:
        return None
    path = os.path.normpath(os.path.join(os.getcwd(), os.fsdecode(path)))
    return path[len(folder) + 1 :] if path.startswith(folder + os.sep) else None


def _databases(databases):
    for database in databases.values():
        name = database.get("NAME")
        if database.get("ENGINE", "").rpartition(".")[2] not in application.SQLITE or not name:
            continue
        name = os.fsdecode(name) if isinstance(name, (bytes, os.PathLike)) else str(name)
        if name.startswith("file:"):
            name = urllib.parse.unquote(urllib.parse.urlsplit(name).path)
        if name != ":memory:":
            yield name


def _is_kept(path, names):
    return any(path == name or path.startswith(name + "/") for name in names)


def _worth_keeping(folder, path):
    """The folder of the path, or the path itself if its folder contains code."""
    parent = os.path.dirname(path)
    if not parent:
        return path
    try:
        beside = os.listdir(os.path.join(folder, parent))
    except OSError:
        return path
    return path if any(name.endswith(".py") for name in beside) else parent
