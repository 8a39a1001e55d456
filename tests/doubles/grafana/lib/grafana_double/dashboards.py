"""Dashboards: `/api/dashboards` and `/api/search`."""

import json
import re
import secrets

from . import auth, folders, permissions
from .store import now
from .web import check_uid, refuse, route, slug

LARGEST_SEARCH = 5000


def missing(request):
    if request.server.release < 12:
        return refuse(404, "Dashboard not found")
    more = {} if permissions.role_of(request.user) == "Admin" else {"title": "Not found"}
    return refuse(404, "Dashboard not found", trace=False, **more)


def found(request, uid, needs):
    """The dashboard, for an account that may. The earlier release looks at the rights first, the later one whether it is there."""
    row = request.store.one("SELECT * FROM dashboard WHERE uid=?", uid)
    if row is None and request.server.release >= 12:
        raise missing(request)
    auth.permit(request.user, needs)
    if row is None:
        raise missing(request)
    return row


def mismatch(release):
    if release >= 13:
        # As was seen of 13.1: the same as of a uid that is taken.
        return refuse(409, "A dashboard with the same uid already exists")
    text = "The dashboard has been changed by someone else"
    return refuse(412, text, trace=False, status="version-mismatch")


def find(store, uid):
    return store.one("SELECT * FROM dashboard WHERE uid=? AND is_folder=0", uid)


def target_folder(request, body):
    """The folder's id; none given means General, and moves the dashboard there."""
    store, release = request.store, request.server.release
    if body.get("folderUid"):
        row = folders.find(store, body["folderUid"])
        if row is None:
            raise refuse(400, "folder not found", trace=False) if release >= 12 else refuse(400, "Folder not found")
        if permissions.role_of(request.user) != "Admin" and row["uid"] not in permissions.visible(request):
            if release >= 12:
                raise refuse(403, "Access denied to save dashboard", trace=False)
            raise refuse(500, "Error while checking folder ID")
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
    if release < 12 and store.one("SELECT 1 FROM dashboard WHERE is_folder=1 AND slug=?", wanted):
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


def called(user):
    """A user by its login, a service account by its name."""
    return user["name"] if "is_token" in user.keys() else user["login"]  # noqa: SIM118


def plain(value):
    """Later releases write 80 for 80.0, and round what a float cannot hold."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return int(float(value)) if is_number and float(value).is_integer() else value


def insert(store, posted, folder, user):
    time, name = now(), called(user)
    uid = posted.get("uid") or secrets.token_urlsafe(6)
    store.run(
        "INSERT INTO dashboard (uid, title, slug, is_folder, folder_id, version, created, updated, created_by, updated_by)"
        " VALUES (?,?,?,0,?,0,?,?,?,?)",
        uid, posted["title"], slug(posted["title"]), folder, time, time, name, name,
    )
    return find(store, uid)


def write(store, row, posted, folder, user, message="", release=9):
    """The dashboard's next version; returns its number. To later releases the same again makes none."""
    parent = row["version"]
    posted = plain(posted) if release >= 12 else posted
    same = {**posted, "id": row["id"], "uid": row["uid"], "version": parent}
    if release >= 12 and parent and row["folder_id"] == folder and json.loads(row["data"]) == same:
        return parent
    data = json.dumps({**same, "version": parent + 1}, sort_keys=True)
    store.run(
        "UPDATE dashboard SET title=?, slug=?, folder_id=?, data=?, api=NULL, version=?, updated=?, updated_by=? WHERE id=?",
        posted["title"], slug(posted["title"]), folder, data, parent + 1, now(), called(user), row["id"],
    )
    note(store, row["id"], parent, message, data, None, user)
    return parent + 1


def note(store, dashboard_id, parent, message, data, api, user):
    """One more version in the history."""
    store.run(
        "INSERT INTO dashboard_version (dashboard_id, parent, version, created, message, data, api, author, author_id)"
        " VALUES (?,?,?,?,?,?,?,?,?)",
        dashboard_id, parent, parent + 1, now(), message or "", data, api, called(user), user["id"],
    )


@route("POST", "/api/dashboards/db", needs="any of dashboards:create, dashboards:write")
def save(request):
    store = request.store
    body, posted = document(request)
    folder = target_folder(request, body)
    if not posted.get("title"):
        raise refuse(400, "Dashboard title cannot be empty", trace=False, status="empty-name")
    check_uid(posted.get("uid") or "", trace=False)
    known = known_by(store, posted)
    row = settle_conflicts(store, request.server.release, body, posted, folder, known)
    release = request.server.release
    row = row or insert(store, posted, folder, request.user)
    version = write(store, row, posted, folder, request.user, body.get("message"), release)
    name = slug(posted["title"])
    within = store.one("SELECT uid FROM dashboard WHERE id=?", folder)
    return {
        **({"folderUid": within["uid"] if within else ""} if release >= 12 else {}),
        "id": row["id"], "slug": name, "status": "success", "uid": row["uid"], "url": f"/d/{row['uid']}/{name}",
        "version": version,
    }


def writers(store, release, row):
    """Who made it and who wrote it last, as what shows a dashboard says: `Anonymous` of one that was saved once, and in
    the earlier release of every service account."""
    if release >= 12:
        return ("Anonymous", "Anonymous") if row["version"] == 1 else (row["created_by"], row["updated_by"])
    is_account = {one["name"] for one in store.all("SELECT name FROM service_account")}
    return tuple("Anonymous" if row[key] in is_account else row[key] for key in ("created_by", "updated_by"))


def meta(store, release, row, user):
    may_edit = bool(user["is_admin"]) or permissions.role_of(user) != "Viewer"
    created_by, updated_by = writers(store, release, row)
    folder = store.one("SELECT * FROM dashboard WHERE id=?", row["folder_id"])
    may = {"canAdd": True, "canEdit": True, "canDelete": True}
    return {
        "type": "db", "canSave": may_edit, "canEdit": may_edit, "canAdmin": may_edit, "canStar": True, "canDelete": may_edit,
        "slug": row["slug"], "url": f"/d/{row['uid']}/{row['slug']}", "expires": "0001-01-01T00:00:00Z",
        "created": row["created"], "updated": row["updated"], "updatedBy": updated_by, "createdBy": created_by,
        "version": row["version"], "hasAcl": False, "isFolder": False, "folderId": row["folder_id"],
        "folderUid": folder["uid"] if folder else "", "folderTitle": folder["title"] if folder else "General",
        "folderUrl": folders.address(folder) if folder else "", "provisioned": bool(row["provisioned"]),
        "provisionedExternalId": row["provisioned"] or "", "annotationsPermissions": {"dashboard": may, "organization": may},
        "hasPublicDashboard": False, "publicDashboardAccessToken": "", "publicDashboardUid": "",
        "publicDashboardEnabled": False,
    }


@route("GET", "/api/dashboards/home")
def home(request):
    """The default home dashboard; without a setting Grafana's own page, here without its panels."""
    if request.server.home_page:
        return {"redirectUri": request.server.home_page}
    return {"meta": {"isFolder": False, "folderTitle": "General"}, "dashboard": {"title": "Home"}}


@route("GET", "/api/dashboards/uid/{uid}")
def get(request, uid):
    from . import resources  # noqa: PLC0415, it imports this one

    row = find(request.store, uid)
    release = request.server.release
    if row is None:
        if release < 12 and permissions.role_of(request.user) == "Viewer":
            raise permissions.denied("dashboards:read")
        raise missing(request)
    if row["api"] and release == 12:
        # Brought to the earlier schema.
        spec = resources.spec(row, row["data"], row["api"], "v1beta1")
        stored = {**spec, "id": row["id"], "uid": uid, "version": row["version"], "schemaVersion": 42}
        return {"meta": meta(request.store, release, row, request.user), "dashboard": stored}
    if row["api"]:
        address = f"/apis/dashboard.grafana.app/{row['api']}/namespaces/default/dashboards/{uid}"
        raise refuse(406, f"dashboard api version not supported, use {address} instead")
    stored = json.loads(row["data"])
    if release >= 13:
        # Invented: one that stores dashboards in a form of its own and fills in what was left out.
        stored = {"preload": False, "fiscalYearStartMonth": 0, **stored}
    return {"meta": meta(request.store, release, row, request.user), "dashboard": stored}


def version_shown(row, one):
    return {
        "id": one["id"], "dashboardId": row["id"], "parentVersion": one["parent"], "restoredFrom": 0,
        "version": one["version"], "created": one["created"], "message": one["message"], "data": json.loads(one["data"]),
    }


@route("GET", "/api/dashboards/uid/{uid}/versions")
def versions(request, uid):
    """For a first version the list has "Initial save", whatever its message was."""
    row, release = found(request, uid, "dashboards:write"), request.server.release
    rows = request.store.all(
        "SELECT * FROM dashboard_version WHERE dashboard_id=? ORDER BY version DESC LIMIT ?",
        row["id"], int(request.argument("limit", "1000")),
    )
    listed = []
    for one in rows:
        entry = version_shown(row, one)
        if not one["parent"]:
            entry["message"] = "Initial save"
        if release < 12:
            entry |= {"dashboardUid": "", "createdBy": one["author_id"]}
        else:
            entry |= {"uid": uid, "createdBy": one["author"]}
        listed.append(entry)
    return listed if release < 11 else {"continueToken": "", "versions": listed}


@route("GET", "/api/dashboards/uid/{uid}/versions/{number}")
def version(request, uid, number):
    row, release = found(request, uid, "dashboards:write"), request.server.release
    one = request.store.one("SELECT * FROM dashboard_version WHERE dashboard_id=? AND version=?", row["id"], number)
    if one is None:
        raise refuse(500, f"Dashboard version {number} not found for dashboardId {row['id']}", trace=release < 12)
    is_account = request.store.one("SELECT 1 FROM service_account WHERE name=?", one["author"])
    is_hidden = not one["parent"] if release >= 12 else is_account
    return {**version_shown(row, one), "uid": uid, "createdBy": "Anonymous" if is_hidden else one["author"]}


@route("DELETE", "/api/dashboards/uid/{uid}")
def delete(request, uid):
    """Takes a folder's uid as well."""
    row = found(request, uid, "dashboards:delete")
    if row["provisioned"]:
        raise refuse(400, "provisioned dashboard cannot be deleted")
    if row["is_folder"]:
        folders.remove(request.store, row)
    else:
        request.store.run("DELETE FROM dashboard WHERE id=?", row["id"])
    more = {"uid": uid} if request.server.release >= 12 else {"id": row["id"]}
    return {**more, "message": f"Dashboard {row['title']} deleted", "title": row["title"]}


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
    """Folders are found too, and `folderUIDs` is ignored by the earlier release."""
    limit = int(request.argument("limit", "1000"))
    if limit > LARGEST_SEARCH:
        text = "Limit is above maximum allowed (5000), use page parameter to access hits beyond limit"
        raise refuse(422, text, trace=False)
    rows = request.store.all("SELECT * FROM dashboard ORDER BY is_folder DESC, lower(title), id")
    if permissions.role_of(request.user) != "Admin":
        hidden = {row["id"] for row in rows if row["is_folder"] and not permissions.is_open(row)}
        rows = [row for row in rows if not {row["id"], row["folder_id"]} & hidden]
    hits = [hit(request.store, row) for row in rows]
    text, kind = request.argument("query", "").lower(), request.argument("type")
    tags, uids = request.query.get("tag", []), request.query.get("dashboardUIDs", [])
    within = request.query.get("folderUIDs", []) if request.server.release >= 12 else []
    folder_ids = [int(one) for one in request.query.get("folderIds", [])]
    found = [
        one for one in hits
        if text in one["title"].lower()
        and (kind is None or one["type"] == kind)
        and set(tags) <= set(one["tags"])
        and (not uids or one["uid"] in uids)
        and (not within or one.get("folderUid", "general") in within)
        and (not folder_ids or one.get("folderId", 0) in folder_ids)
    ]
    begin = (int(request.argument("page", "1")) - 1) * limit
    return found[begin : begin + limit]
