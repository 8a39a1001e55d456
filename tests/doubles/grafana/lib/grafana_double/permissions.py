"""Permissions of an account by its role: cached for a minute, like the original, so that another user's folder shows late."""

import threading
import time

from .web import refuse

# For how long the original keeps what an account may.
KEPT_SECONDS = 60
_LOCK = threading.Lock()


def denied(needs):
    message = f"You'll need additional permissions to perform this action. Permissions needed: {needs}"
    return refuse(403, message, trace=False, title="Access denied", accessErrorId="ACE0000000000")


def role_of(user):
    """That of a token or of a user; the server's administrator is an Admin."""
    return "Admin" if user["is_admin"] else user["role"]


def is_open(row):
    """Whether the roles Editor and Viewer have their usual rights on a folder. A half-made one has none."""
    return not row["restricted"]


def visible(request):
    """The uids of the folders that the account may see, as it was known when that was read last."""
    known, key = request.server.known_folders, request.user["name"] or request.user["login"]
    with _LOCK:
        kept = known.get(key)
    if kept and time.monotonic() - kept[0] < request.server.permission_seconds:
        return kept[1]
    return renew(request)


def renew(request):
    """The maker of a folder has its rights read again at once."""
    rows = request.store.all("SELECT * FROM dashboard WHERE is_folder=1")
    found = {row["uid"] for row in rows if is_open(row)}
    with _LOCK:
        request.server.known_folders[request.user["name"] or request.user["login"]] = (time.monotonic(), found)
    return found


def check_folder(request, uid, needs):
    """Below Admin a folder that is not there is forbidden, just as one that may not be seen."""
    if role_of(request.user) != "Admin" and uid not in visible(request):
        raise denied(needs)
