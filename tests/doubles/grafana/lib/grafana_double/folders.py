"""Folders: `/api/folders`. They share table, ids and uids with dashboards."""

import secrets

from .store import now
from .web import check_uid, refuse, route, slug


def missing():
    return refuse(404, "folder not found", trace=False, status="not-found")


def changed():
    return refuse(412, "the folder has been changed by someone else", trace=False, status="version-mismatch")


def find(store, uid):
    return store.one("SELECT * FROM dashboard WHERE uid=? AND is_folder=1", uid)


def address(row):
    return f"/dashboards/f/{row['uid']}/{row['slug']}"


def shown(row, user):
    # To whoever made it by a token the recorded release says so for a minute, and lets it be used all the same.
    may = bool(user["is_admin"])
    return {
        "id": row["id"], "uid": row["uid"], "title": row["title"], "url": address(row), "hasAcl": False, "canSave": may,
        "canEdit": may, "canAdmin": may, "canDelete": may, "createdBy": row["created_by"], "created": row["created"],
        "updatedBy": row["updated_by"], "updated": row["updated"], "version": row["version"],
    }


def check_title(store, title, but_not=None):
    if not title:
        raise refuse(400, "folder title cannot be empty", trace=False)
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
    return [{"id": row["id"], "uid": row["uid"], "title": row["title"]} for row in rows]


@route("GET", "/api/folders/{uid}")
def get(request, uid):
    row = find(request.store, uid)
    if row is None:
        raise missing()
    return shown(row, request.user)


@route("POST", "/api/folders", needs="folders:create")
def create(request):
    store, body = request.store, request.json()
    title = (body.get("title") or "").strip()
    uid = body.get("uid") or secrets.token_urlsafe(6)
    check_uid(uid, trace=True)
    if uid == "general":
        raise refuse(500, "Folder API error")
    if store.one("SELECT 1 FROM dashboard WHERE uid=?", uid):
        if request.server.release >= 12:
            raise refuse(409, "a folder with the same UID already exists", trace=False)
        raise changed()
    check_title(store, title)
    time, login = now(), request.user["login"]
    store.run(
        "INSERT INTO dashboard (uid, title, slug, is_folder, folder_id, data, version, created, updated, created_by, updated_by)"
        " VALUES (?,?,?,1,0,'{}',1,?,?,?,?)",
        uid, title, slug(title), time, time, login, login,
    )
    return shown(find(store, uid), request.user)


@route("PUT", "/api/folders/{uid}", needs="folders:write")
def update(request, uid):
    """Raises the version even where nothing changes; a uid in the body renames it."""
    store, body = request.store, request.json()
    row = find(store, uid)
    if row is None:
        raise missing()
    if not body.get("overwrite") and body.get("version") != row["version"]:
        raise changed()
    title = (body.get("title") or "").strip()
    check_title(store, title, but_not=row["id"])
    new_uid = body.get("uid") or uid
    check_uid(new_uid, trace=True)
    store.run(
        "UPDATE dashboard SET uid=?, title=?, slug=?, version=version+1, updated=?, updated_by=? WHERE id=?",
        new_uid, title, slug(title), now(), request.user["login"], row["id"],
    )
    return shown(find(store, new_uid), request.user)


def remove(store, row):
    """Takes every dashboard in it along, whoever made it."""
    store.run("DELETE FROM dashboard WHERE id=? OR folder_id=?", row["id"], row["id"])


@route("DELETE", "/api/folders/{uid}", needs="folders:delete")
def delete(request, uid):
    row = find(request.store, uid)
    if row is None:
        raise missing()
    remove(request.store, row)
    return None
