"""Dashboards: `/api/dashboards` and `/api/search`."""

import json
import re
import secrets

from . import folders
from .store import now
from .web import check_uid, refuse, route, slug

LARGEST_SEARCH = 5000


def missing():
    return refuse(404, "Dashboard not found")


def mismatch(release):
    if release >= 13:
        # As was seen of 13.1: the same as of a uid that is taken.
        return refuse(409, "A dashboard with the same uid already exists")
    text = "The dashboard has been changed by someone else"
    return refuse(412, text, trace=False, status="version-mismatch")


def find(store, uid):
    return store.one("SELECT * FROM dashboard WHERE uid=? AND is_folder=0", uid)


def target_folder(store, body):
    """The folder's id; none given means General, and moves the dashboard there."""
    if body.get("folderUid"):
        row = folders.find(store, body["folderUid"])
        if row is None:
            raise refuse(400, "Folder not found")
        return row["id"]
    if body.get("folderId"):
        if store.one("SELECT 1 FROM dashboard WHERE id=? AND is_folder=1", body["folderId"]) is None:
            raise refuse(404, "Folder not found", trace=True)
        return body["folderId"]
    return 0


def seconds(duration):
    match = re.fullmatch(r"(\d+)(ms|s|m|h|d)", duration)
    scale = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
    return int(match[1]) * scale[match[2]] if match else None


def document(request):
    """What was posted, with the two changes that the original makes without saying so: title trimmed, refresh raised."""
    body = request.json()
    posted = body.get("dashboard")
    if posted is None:
        raise refuse(400, "bad request data")
    posted = dict(posted) if isinstance(posted, dict) else {}
    least = request.server.least_refresh
    refresh = posted.get("refresh")
    if isinstance(refresh, str) and (seconds(refresh) or least) < least:
        posted["refresh"] = f"{least}s"
    if isinstance(posted.get("title"), str):
        posted["title"] = posted["title"].strip()
    return body, posted


def known_by(store, posted):
    """The stored dashboard that is meant, by id or else by uid; None for a new one."""
    if posted.get("id"):
        row = store.one("SELECT * FROM dashboard WHERE id=?", posted["id"])
        if row is None:
            raise refuse(404, "Dashboard not found", trace=False, status="not-found")
        return row
    uid = posted.get("uid")
    return store.one("SELECT * FROM dashboard WHERE uid=?", uid) if uid else None


def settle_conflicts(store, release, body, posted, folder, known):
    """Which stored dashboard is written to. With `overwrite` a title that is taken leads to the one that has it."""
    overwrite = bool(body.get("overwrite"))
    if known is not None:
        if known["is_folder"]:
            raise refuse(400, "Dashboard cannot be changed to a folder", trace=False)
        if known["version"] != posted.get("version") and not overwrite:
            raise mismatch(release)
    wanted = slug(posted["title"])
    if store.one("SELECT 1 FROM dashboard WHERE is_folder=1 AND slug=?", wanted):
        raise refuse(400, "Dashboard name cannot be the same as folder", trace=False, status="name-match")
    namesake = store.one("SELECT * FROM dashboard WHERE is_folder=0 AND folder_id=? AND slug=?", folder, wanted)
    # Later ones have several of one title in a folder.
    is_taken = namesake is not None and (known is None or namesake["id"] != known["id"])
    if is_taken and release < 12:
        if not overwrite:
            text = "A dashboard with the same name in the folder already exists"
            raise refuse(412, text, trace=False, status="name-exists")
        known = namesake
    if known is not None and known["provisioned"]:
        raise refuse(400, "Cannot save provisioned dashboard", trace=False)
    return known


def insert(store, posted, folder, login):
    time = now()
    uid = posted.get("uid") or secrets.token_urlsafe(6)
    store.run(
        "INSERT INTO dashboard (uid, title, slug, is_folder, folder_id, version, created, updated, created_by, updated_by)"
        " VALUES (?,?,?,0,?,0,?,?,?,?)",
        uid, posted["title"], slug(posted["title"]), folder, time, time, login, login,
    )
    return find(store, uid)


def write(store, row, posted, folder, login, message=""):
    """The dashboard's next version; returns its number."""
    parent = row["version"]
    stored = {**posted, "id": row["id"], "uid": row["uid"], "version": parent + 1}
    data = json.dumps(stored, sort_keys=True)
    store.run(
        "UPDATE dashboard SET title=?, slug=?, folder_id=?, data=?, api=NULL, version=?, updated=?, updated_by=? WHERE id=?",
        posted["title"], slug(posted["title"]), folder, data, parent + 1, now(), login, row["id"],
    )
    store.run(
        "INSERT INTO dashboard_version (dashboard_id, parent, version, created, message, data) VALUES (?,?,?,?,?,?)",
        row["id"], parent, parent + 1, now(), message or ("" if parent else "Initial save"), data,
    )
    return parent + 1


@route("POST", "/api/dashboards/db", needs="any of dashboards:create, dashboards:write")
def save(request):
    store = request.store
    body, posted = document(request)
    folder = target_folder(store, body)
    if not posted.get("title"):
        raise refuse(400, "Dashboard title cannot be empty", trace=False, status="empty-name")
    check_uid(posted.get("uid") or "", trace=False)
    known = known_by(store, posted)
    row = settle_conflicts(store, request.server.release, body, posted, folder, known)
    row = row or insert(store, posted, folder, request.user["login"])
    version = write(store, row, posted, folder, request.user["login"], body.get("message"))
    name = slug(posted["title"])
    return {
        "id": row["id"], "slug": name, "status": "success", "uid": row["uid"], "url": f"/d/{row['uid']}/{name}",
        "version": version,
    }


def meta(store, row):
    folder = store.one("SELECT * FROM dashboard WHERE id=?", row["folder_id"])
    may = {"canAdd": True, "canEdit": True, "canDelete": True}
    return {
        "type": "db", "canSave": True, "canEdit": True, "canAdmin": True, "canStar": True, "canDelete": True,
        "slug": row["slug"], "url": f"/d/{row['uid']}/{row['slug']}", "expires": "0001-01-01T00:00:00Z",
        "created": row["created"], "updated": row["updated"], "updatedBy": row["updated_by"], "createdBy": row["created_by"],
        "version": row["version"], "hasAcl": False, "isFolder": False, "folderId": row["folder_id"],
        "folderUid": folder["uid"] if folder else "", "folderTitle": folder["title"] if folder else "General",
        "folderUrl": folders.address(folder) if folder else "", "provisioned": bool(row["provisioned"]),
        "provisionedExternalId": row["provisioned"] or "", "annotationsPermissions": {"dashboard": may, "organization": may},
        "hasPublicDashboard": False, "publicDashboardAccessToken": "", "publicDashboardUid": "",
        "publicDashboardEnabled": False,
    }


@route("GET", "/api/dashboards/home")
def home(request):
    """Where whoever has chosen no home dashboard is sent; without a setting Grafana's own page, here without its panels."""
    if request.server.home_page:
        return {"redirectUri": request.server.home_page}
    return {"meta": {"isFolder": False, "folderTitle": "General"}, "dashboard": {"title": "Home"}}


@route("GET", "/api/dashboards/uid/{uid}")
def get(request, uid):
    row = find(request.store, uid)
    if row is None:
        raise missing()
    if row["api"]:
        address = f"/apis/dashboard.grafana.app/{row['api']}/namespaces/default/dashboards/{uid}"
        raise refuse(406, f"dashboard api version not supported, use {address} instead")
    stored = json.loads(row["data"])
    if request.server.release >= 12:
        # Later releases store dashboards in a form of their own and fill in what was left out.
        stored = {"preload": False, "fiscalYearStartMonth": 0, **stored}
    return {"meta": meta(request.store, row), "dashboard": stored}


@route("GET", "/api/dashboards/uid/{uid}/versions", needs="dashboards:write")
def versions(request, uid):
    row = find(request.store, uid)
    if row is None:
        raise missing()
    rows = request.store.all(
        "SELECT * FROM dashboard_version WHERE dashboard_id=? ORDER BY version DESC LIMIT ?",
        row["id"], int(request.argument("limit", "1000")),
    )
    listed = [
        {
            "id": one["id"], "dashboardId": row["id"], "dashboardUid": "", "parentVersion": one["parent"], "restoredFrom": 0,
            "version": one["version"], "created": one["created"], "createdBy": 1, "message": one["message"],
            "data": json.loads(one["data"]),
        }
        for one in rows
    ]
    return listed if request.server.release < 11 else {"continueToken": "", "versions": listed}


@route("DELETE", "/api/dashboards/uid/{uid}", needs="dashboards:delete")
def delete(request, uid):
    """Takes a folder's uid as well."""
    row = request.store.one("SELECT * FROM dashboard WHERE uid=?", uid)
    if row is None:
        raise missing()
    if row["provisioned"]:
        raise refuse(400, "provisioned dashboard cannot be deleted")
    if row["is_folder"]:
        folders.remove(request.store, row)
    else:
        request.store.run("DELETE FROM dashboard WHERE id=?", row["id"])
    return {"id": row["id"], "message": f"Dashboard {row['title']} deleted", "title": row["title"]}


def hit(store, row):
    tags = [] if row["is_folder"] else sorted(json.loads(row["data"]).get("tags") or [])
    url = folders.address(row) if row["is_folder"] else f"/d/{row['uid']}/{row['slug']}"
    found = {
        "id": row["id"], "uid": row["uid"], "title": row["title"], "uri": f"db/{row['slug']}", "url": url, "slug": "",
        "type": "dash-folder" if row["is_folder"] else "dash-db", "tags": tags, "isStarred": False, "sortMeta": 0,
    }
    folder = store.one("SELECT * FROM dashboard WHERE id=?", row["folder_id"])
    if folder:
        found.update(
            folderId=folder["id"], folderUid=folder["uid"], folderTitle=folder["title"], folderUrl=folders.address(folder)
        )
    return found


@route("GET", "/api/search")
def search(request):
    """Folders are found too, and `folderUIDs` is ignored, as in the recorded release."""
    limit = int(request.argument("limit", "1000"))
    if limit > LARGEST_SEARCH:
        text = "Limit is above maximum allowed (5000), use page parameter to access hits beyond limit"
        raise refuse(422, text, trace=False)
    rows = request.store.all("SELECT * FROM dashboard ORDER BY is_folder DESC, lower(title), id")
    hits = [hit(request.store, row) for row in rows]
    text, kind = request.argument("query", "").lower(), request.argument("type")
    tags, uids = request.query.get("tag", []), request.query.get("dashboardUIDs", [])
    folder_ids = [int(one) for one in request.query.get("folderIds", [])]
    found = [
        one for one in hits
        if text in one["title"].lower()
        and (kind is None or one["type"] == kind)
        and set(tags) <= set(one["tags"])
        and (not uids or one["uid"] in uids)
        and (not folder_ids or one.get("folderId", 0) in folder_ids)
    ]
    begin = (int(request.argument("page", "1")) - 1) * limit
    return found[begin : begin + limit]
