"""How Gunicorn calls the application, and the class of workers that does.

MONCTL_WSGI or MONCTL_ASGI names the application's callable. Used by
gunicorn.conf.py and `check`; imports nothing of the application or of Gunicorn.
"""

import importlib.util
import os

# Earlier versions of Gunicorn have a class `asgi`, too. It answers each request of Django with 500 (25.3), or closes kept
# connections at a stop without a word to the client (26.0).
_FIRST_GUNICORN = 27


def is_asgi():
    """Whether the application is served by ASGI."""
    return bool(os.environ.get("MONCTL_ASGI"))


def entry():
    """`module` or `module:callable` of the application; empty if the environment names none."""
    return os.environ.get("MONCTL_ASGI") or os.environ.get("MONCTL_WSGI", "")


def worker_class():
    """The class of workers in Gunicorn's notation; None if no installed class serves ASGI."""
    chosen = os.environ.get("MONCTL_WORKER_CLASS")
    if chosen:
        return chosen
    if not is_asgi():
        # Threads, because there is no proxy in front that shields the workers from slow clients.
        return "gthread"
    # It has no other purpose, so a project that requires it wants it.
    if _is_installed("uvicorn_worker"):
        return "uvicorn_worker.UvicornWorker"
    if _gunicorn() >= _FIRST_GUNICORN:
        return "asgi"
    return "uvicorn.workers.UvicornWorker" if _is_installed("uvicorn.workers") else None


def no_worker_class():
    """Why there is none, and the remedy."""
    return (
        f"no worker class for ASGI is installed: the project requires Gunicorn {_gunicorn()}; require Gunicorn "
        f"{_FIRST_GUNICORN} or later, or add `uvicorn-worker`"
    )


def _gunicorn():
    """The major version of Gunicorn."""
    # Imported only now, because gevent wants to patch what it imports before anything imports it.
    import importlib.metadata

    return int(importlib.metadata.version("gunicorn").split(".")[0])


def _is_installed(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        # The package around it is missing.
        return False
