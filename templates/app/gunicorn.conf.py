"""Gunicorn's settings on an application host.

This file is not rendered: values that differ between hosts come from
environment variables, which docs/application.md lists. Started by
`monctl-app.service`; the listening socket is `monctl-app.socket`'s, so that a
restart makes clients wait instead of refusing them.
"""

import os
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))

from monctl_metrics import activation, drain, forks, interface  # noqa: E402  (it is next to this file)


def _number(name, default):
    return int(os.environ.get(name) or default)


chdir = os.environ.get("MONCTL_APP_DIR", "/srv/monctl/app")
wsgi_app = interface.entry()
# No effect under socket activation, where systemd passes the socket.
bind = os.environ.get("MONCTL_BIND", "127.0.0.1:8000")

workers = _number("MONCTL_WORKERS", max(2, os.cpu_count() or 2))
worker_class = interface.worker_class() or sys.exit(interface.no_worker_class())
# Workers that serve ASGI use none. Gunicorn treats `sync` with more than one thread as `gthread`.
threads = 1 if interface.is_asgi() else _number("MONCTL_THREADS", 4)
timeout = _number("MONCTL_TIMEOUT", 30)
# Shorter than the unit's TimeoutStopSec, so that requests can complete.
graceful_timeout = _number("MONCTL_GRACEFUL_TIMEOUT", 20)
keepalive = 5
# Workers load the code themselves, so that a reload loads new code.
preload_app = False
# The heartbeat file must not wait for a disk.
worker_tmp_dir = os.environ.get("RUNTIME_DIRECTORY") or None
# Recent versions open a control socket in the working directory; older ones
# ignore the name.
control_socket_disable = True
errorlog = "-"
accesslog = None


def on_starting(server):
    """Called once per start, never at a reload: counters survive a reload."""
    activation.start_from_zero()
    forks.deliver_stops()


def on_reload(server):
    """Called before workers are replaced on purpose."""
    activation.new_generation(server.worker_age)


def post_fork(server, worker):
    """Called in each worker before it imports anything of the application."""
    activation.in_worker()


def post_worker_init(worker):
    """Called in each worker once it has loaded the application."""
    activation.worker_is_ready(worker)
    drain.before_stop(worker)
