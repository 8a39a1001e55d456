"""Folders: `/api/folders`. They share table, ids and uids with dashboards."""

import secrets

from . import permissions
from .store import now
from .web import check_uid, refuse, route, slug


def missing():
    return refuse(404, "folder not found", trace=False, status="not-found")


def changed(release=9):
    text = "the folder has been changed by someone else"
    return refuse(412, text, trace=False, **({"status": "version-mismatch"} if release < 12 else {}))


def find(store, uid):
    return store.one("SELECT * FROM dashboard WHERE uid=? AND is_folder=1", uid)


def address(row):
    return f"/dashboards/f/{row['uid']}/{row['slug']}"


def shown(row, user, release, made=False):
    # The response to a token's POST denies all permissions, although the token has them.
    may = bool(user["is_admin"]) or (not made and permissions.role_of(user) != "Viewer")
    return {
        "id": row["id"], "uid": row["uid"], "title": row["title"], "url": address(row), "hasAcl": False, "canSave": may,
        "canEdit": may, "canAdmin": may, "canDelete": may, "createdBy": row["created_by"], "created": row["created"],
        "updatedBy": "Anonymous" if release >= 12 and row["version"] == 1 else row["updated_by"], "updated": row["updated"], "version": row["version"],
    }


def check_title(store, release, title, but_not=None):
    if not title:
        raise refuse(400, "folder title cannot be empty", trace=False)
    if release >= 12:
        return
    if title.lower() == "general":
        raise refuse(400, "A folder with that name already exists")
    taken = store.one(
        "SELECT 1 FROM dashboard WHERE folder_id=0 AND lower(title)=? AND id IS NOT ?", title.lower(), but_not
    )
    if taken:
        text = "a folder or dashboard in the general folder with the same name already exists"
        raise refuse(409, text, trace=False)


@route("GET", "/api/folders")
def every(request):
    rows = request.store.all("SELECT * FROM dashboard WHERE is_folder=1 ORDER BY lower(title)")
    if permissions.role_of(request.user) != "Admin":
        rows = [row for row in rows if row["uid"] in permissions.visible(request)]
        if request.server.release < 12 and not rows and permissions.role_of(request.user) == "Viewer":
            raise permissions.denied("folders:read")
    return [{"id": row["id"], "uid": row["uid"], "title": row["title"]} for row in rows]


@route("GET", "/api/folders/{uid}")
def get(request, uid):
    permissions.check_folder(request, uid, "folders:read")
    row = find(request.store, uid)
    if row is None:
        raise missing()
    return shown(row, request.user, request.server.release)


@route("POST", "/api/folders", needs="folders:create")
def create(request):
    store, body = request.store, request.json()
    title = (body.get("title") or "").strip()
    uid = body.get("uid") or secrets.token_urlsafe(6)
    check_uid(uid, trace=True)
    if uid == "general":
        raise refuse(500, "Folder API error")
    if store.one("SELECT 1 FROM dashboard WHERE uid=?", uid):
        raise changed(request.server.release)
    check_title(store, request.server.release, title)
    time, login = now(), request.user["login"]
    store.run(
        "INSERT INTO dashboard (uid, title, slug, is_folder, folder_id, data, version, created, updated, created_by, updated_by)"
        " VALUES (?,?,?,1,0,'{}',1,?,?,?,?)",
        uid, title, slug(title), time, time, login, login,
    )
    permissions.renew(request)
    return shown(find(store, uid), request.user, request.server.release, made=True)


@route("GET", "/api/folders/{uid}/permissions", needs="folders.permissions:read")
def get_permissions(request, uid):
    permissions.check_folder(request, uid, "folders.permissions:read")
    row = find(request.store, uid)
    if row is None:
        raise missing()
    roles = [] if row["restricted"] else [("Editor", 2), ("Viewer", 1)]
    return [{"role": role, "permission": permission} for role, permission in roles]


@route("POST", "/api/folders/{uid}/permissions", needs="folders.permissions:write")
def set_permissions(request, uid):
    """As far as tests look: without an item only Admins see the folder."""
    items = request.json().get("items") or []
    if request.store.run("UPDATE dashboard SET restricted=? WHERE uid=? AND is_folder=1", not items, uid).rowcount == 0:
        raise missing()
    what = "Folder" if request.server.release >= 12 else "Dashboard"
    return {"message": f"{what} permissions updated"}


@route("PUT", "/api/folders/{uid}", needs="folders:write")
def update(request, uid):
    """Raises the version even where nothing changes; a uid in the body renames it."""
    store, body = request.store, request.json()
    permissions.check_folder(request, uid, "folders:write")
    row = find(store, uid)
    if row is None:
        raise missing()
    if not body.get("overwrite") and body.get("version") != row["version"]:
        raise changed()
    title = (body.get("title") or "").strip()
    check_title(store, request.server.release, title, but_not=row["id"])
    new_uid = body.get("uid") or uid
    check_uid(new_uid, trace=True)
    store.run(
        "UPDATE dashboard SET uid=?, title=?, slug=?, version=version+1, updated=?, updated_by=? WHERE id=?",
        new_uid, title, slug(title), now(), request.user["login"], row["id"],
    )
    return shown(find(store, new_uid), request.user, request.server.release)


def remove(store, row):
    """Also deletes every dashboard in it, of any author."""
    store.run("DELETE FROM dashboard WHERE id=? OR folder_id=?", row["id"], row["id"])


@route("DELETE", "/api/folders/{uid}", needs="folders:delete")
def delete(request, uid):
    permissions.check_folder(request, uid, "folders:delete")
    row = find(request.store, uid)
    if row is None:
        text = f'folders.folder.grafana.app "{uid}" not found'
        raise refuse(404, text, trace=False) if request.server.release >= 12 else missing()
    if request.server.release < 12:
        remove(request.store, row)
        return None
    # The original returns this to an Editor while the folder is new, and occasionally later.
    if permissions.role_of(request.user) != "Admin" and holds_something(request.store, row):
        raise refuse(400, "Folder cannot be deleted: folder is not empty", trace=False)
    remove(request.store, row)
    return {"message": "Folder deleted"}


def holds_something(store, row):
    return store.one("SELECT 1 FROM dashboard WHERE folder_id=?", row["id"]) is not None
