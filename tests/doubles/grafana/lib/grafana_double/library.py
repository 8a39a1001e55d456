"""Library panels: `/api/library-elements`. A dashboard holds only their uid."""

import json
import secrets

from .web import refuse, route


def shown(row):
    model = json.loads(row["model"])
    return {"result": {"uid": row["uid"], "name": row["name"], "kind": 1, "type": model.get("type", ""), "model": model}}


@route("POST", "/api/library-elements", needs="library.panels:create")
def create(request):
    body = request.json()
    uid = body.get("uid") or secrets.token_hex(7)
    if request.store.one("SELECT 1 FROM library_element WHERE uid=? OR name=?", uid, body["name"]):
        raise refuse(400, "library element with that name or UID already exists")
    request.store.run("INSERT INTO library_element VALUES (?, ?, ?)", uid, body["name"], json.dumps(body["model"]))
    return shown(request.store.one("SELECT * FROM library_element WHERE uid=?", uid))


@route("GET", "/api/library-elements/{uid}")
def get(request, uid):
    row = request.store.one("SELECT * FROM library_element WHERE uid=?", uid)
    if row is None:
        raise refuse(404, "library element could not be found")
    return shown(row)
