"""Annotations of the organization: `/api/annotations`, as 12 was recorded; those of 9 follow the documentation."""

import json
import time

from .web import refuse, route


def shown(row):
    return {
        "id": row["id"], "alertId": 0, "alertName": "", "dashboardId": 0, "dashboardUID": None, "panelId": 0, "userId": 0,
        "newState": "", "prevState": "", "created": row["begin"], "updated": row["begin"], "time": row["begin"],
        "timeEnd": row["end"], "text": row["text"], "tags": json.loads(row["tags"]), "login": "", "email": "",
        "avatarUrl": "", "data": {},
    }


@route("POST", "/api/annotations", needs="annotations:create")
def create(request):
    body = request.json()
    if not body.get("text"):
        raise refuse(400, "Failed to save annotation", trace=False)
    begin = body.get("time") or int(time.time() * 1000)
    begin, end = sorted((begin, body.get("timeEnd") or begin))
    cursor = request.store.run(
        "INSERT INTO annotation (begin, end, text, tags) VALUES (?, ?, ?, ?)",
        begin, end, body["text"], json.dumps(body.get("tags") or []),
    )
    return {"id": cursor.lastrowid, "message": "Annotation added"}


@route("GET", "/api/annotations")
def find(request):
    """Those that have all requested tags, or one of them with `matchAny`."""
    wanted = set(request.query.get("tags", []))
    any_one = request.argument("matchAny") == "true"
    rows = [shown(row) for row in request.store.all("SELECT * FROM annotation ORDER BY begin DESC, id DESC")]
    fits = [one for one in rows if (wanted & set(one["tags"]) if any_one and wanted else wanted <= set(one["tags"]))]
    return fits[: int(request.argument("limit", "100"))]


@route("DELETE", "/api/annotations/{annotation_id}", needs="annotations:delete")
def delete(request, annotation_id):
    gone = request.store.run("DELETE FROM annotation WHERE id=?", annotation_id).rowcount == 0
    if gone and request.server.release < 12:
        raise refuse(404, "Could not find annotation to delete", trace=False)
    return {"message": "Annotation deleted"}
