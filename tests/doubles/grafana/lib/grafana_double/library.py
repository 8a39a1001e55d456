"""Library panels: `/api/library-elements`. A dashboard holds only their uid."""

import json
import secrets

from . import folders
from .web import refuse, route


def element(row):
    model = json.loads(row["model"])
    return {
        "uid": row["uid"], "name": row["name"], "kind": 1, "type": model.get("type", ""), "model": model,
        "folderUid": row["folder_uid"],
    }


def shown(row):
    return {"result": element(row)}


@route("GET", "/api/library-elements")
def every(request):
    rows = request.store.all("SELECT * FROM library_element ORDER BY name")
    return {"result": {"totalCount": len(rows), "page": 1, "perPage": 100, "elements": [element(row) for row in rows]}}


@route("POST", "/api/library-elements", needs="library.panels:create")
def create(request):
    body = request.json()
    if not body.get("kind"):
        raise refuse(400, "bad request data", trace=False)
    if body.get("folderUid") and folders.find(request.store, body["folderUid"]) is None:
        raise refuse(400, "failed to get folder", trace=False)
    uid = body.get("uid") or secrets.token_hex(7)
    # From 12 on two may have one name.
    name = None if request.server.release >= 12 else body["name"]
    if request.store.one("SELECT 1 FROM library_element WHERE uid=? OR name=?", uid, name):
        raise refuse(400, "library element with that name or UID already exists")
    values = (uid, body["name"], json.dumps(body["model"]), body.get("folderUid") or "")
    request.store.run("INSERT INTO library_element VALUES (?, ?, ?, ?)", *values)
    return shown(request.store.one("SELECT * FROM library_element WHERE uid=?", uid))


@route("GET", "/api/library-elements/{uid}")
def get(request, uid):
    row = request.store.one("SELECT * FROM library_element WHERE uid=?", uid)
    if row is None:
        raise refuse(404, "library element could not be found")
    return shown(row)
