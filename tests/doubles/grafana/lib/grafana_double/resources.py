"""Dashboards and folders as resources below `/apis`, which releases from 12 on serve. Of 12 it was recorded; the schema v2, and what
the invented releases differ in, follow the documentation."""

import json

from . import auth, dashboards, folders, permissions
from .store import now
from .web import Answer, Refused, Text, check_uid, refuse, route, slug

DASHBOARDS, FOLDERS = "dashboard.grafana.app", "folder.grafana.app"
PLURALS = {DASHBOARDS: "dashboards", FOLDERS: "folders"}
# What the new schema gets where it was left out, as the original fills in far more.
DEFAULTS = {True: {"cursorSync": "Off", "preload": False, "liveNow": False}, False: {"preload": False, "fiscalYearStartMonth": 0}}


def served(group, release):
    if group not in PLURALS or release < 12:
        return []
    # Those that stay are invented: 12 has betas only.
    beta, stable = ["v1beta1"], ["v1"] if release > 12 else []
    if group == FOLDERS:
        return [*stable, *beta]
    return ["v0alpha1", *stable, *beta, "v2alpha1", "v2beta1", *(["v2"] if stable else [])]


def status(code, reason, message, **details):
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason}
    return Refused(code, {**body, "details": details, "code": code})


def missing(group, name):
    text = f'{PLURALS[group]}.{group} "{name}" not found'
    return status(404, "NotFound", text, name=name, group=group, kind=PLURALS[group])


def conflict(group, name):
    why = "the object has been modified; please apply your changes to the latest version and try again"
    text = f'Operation cannot be fulfilled on {PLURALS[group]}.{group} "{name}": {why}'
    return status(409, "Conflict", text, name=name)


def check_address(request, group, version, namespace):
    if request.server.release < 12:
        raise refuse(404, "Not found", trace=False)
    if version not in served(group, request.server.release):
        raise Refused(404, Text("404 page not found\n"))
    if namespace != "default":
        raise status(403, "Forbidden", f"no access to the namespace {namespace}")


def is_new_schema(version):
    return (version or "").startswith("v2")


def find(store, group, name):
    return folders.find(store, name) if group == FOLDERS else dashboards.find(store, name)


def revision(row):
    """It is not a version counter, and a client must not use it as one."""
    return str(1_758_777_451_000_000 + row["id"] * 1_000 + row["version"])


def converted(stored, stored_version, version):
    """The same dashboard in the schema of another version, as far as tests look."""
    if is_new_schema(stored_version) == is_new_schema(version):
        return stored
    if is_new_schema(version):
        panels = {f"panel-{panel.get('id', 0)}": {"kind": "Panel", "spec": panel} for panel in stored.get("panels") or []}
        return {"title": stored["title"], "elements": panels, "layout": {"kind": "GridLayout", "spec": {"items": []}}}
    items = [item["spec"] for item in stored["layout"].get("spec", {}).get("items", [])]
    elements = [(item, stored["elements"][item["element"]["name"]]) for item in items]
    panels = [classic(element["spec"], item) for item, element in elements if element["kind"] == "Panel"]
    # One without panels has no list of them.
    return {"title": stored["title"], **({"panels": panels} if panels else {})}


def classic(panel, item):
    queries = panel.get("data", {}).get("spec", {}).get("queries", [])
    targets = []
    for query in queries:
        of = query["spec"]["query"]
        source = {"type": of.get("group"), "uid": of.get("datasource", {}).get("name")}
        targets.append({**of.get("spec", {}), "refId": query["spec"].get("refId"), "datasource": source})
    place = {short: item.get(key) for short, key in {"x": "x", "y": "y", "w": "width", "h": "height"}.items()}
    kind = panel.get("vizConfig", {}).get("group")
    return {"id": panel.get("id"), "title": panel.get("title"), "type": kind, "gridPos": place, "targets": targets}


def spec(row, data, stored_version, version):
    """As it was written in `v0alpha1`; the others bring it to their own schema, drop what is null, and fill in the rest."""
    stored = {key: value for key, value in json.loads(data).items() if key not in ("id", "uid", "version")}
    if version == "v0alpha1" and not is_new_schema(stored_version):
        return stored
    kept = {key: value for key, value in converted(stored, stored_version, version).items() if value is not None}
    return {**DEFAULTS[is_new_schema(version)], **kept}


def identity(store, name):
    is_account = store.one("SELECT 1 FROM service_account WHERE name=?", name)
    return f"{'service-account' if is_account else 'user'}:{name}"


def shown(request, group, version, row):
    annotations = {"grafana.app/createdBy": identity(request.store, row["created_by"])}
    if row["version"] > 1:
        annotations["grafana.app/updatedBy"] = identity(request.store, row["updated_by"])
    newest = "SELECT message FROM dashboard_version WHERE dashboard_id=? AND version=?"
    last = request.store.one(newest, row["id"], row["version"])
    if last and last["message"]:
        annotations["grafana.app/message"] = last["message"]
    parent = request.store.one("SELECT uid FROM dashboard WHERE id=?", row["folder_id"] or 0)
    if parent:
        annotations["grafana.app/folder"] = parent["uid"]
    if row["provisioned"]:
        annotations |= {"grafana.app/managedBy": "classic-file-provisioning", "grafana.app/sourcePath": row["provisioned"]}
    metadata = {
        "name": row["uid"], "namespace": "default", "uid": f"internal-{row['id']}", "resourceVersion": revision(row),
        "generation": row["version"], "creationTimestamp": row["created"],
        "labels": {"grafana.app/deprecatedInternalID": str(row["id"])}, "annotations": annotations,
    }
    body = {"kind": "Folder", "apiVersion": f"{group}/{version}", "metadata": metadata}
    if group == FOLDERS:
        return {**body, "spec": {"title": row["title"]}}
    conversion = {"failed": False, "storedVersion": row["api"] or "v0alpha1"}
    content = spec(row, row["data"], row["api"], version)
    return {**body, "kind": "Dashboard", "spec": content, "status": {"conversion": conversion}}


def history(request, group, version, name, limit):
    """Of a release that has stable versions, only these serve it."""
    row = find(request.store, group, name)
    is_stable = "alpha" not in version and ("beta" not in version or request.server.release == 12)
    if row is None or not is_stable:
        return []
    rows = request.store.all(
        "SELECT * FROM dashboard_version WHERE dashboard_id=? ORDER BY version DESC LIMIT ?", row["id"], limit
    )
    items = []
    for one in rows:
        item = shown(request, group, version, row)
        item["metadata"] |= {"generation": one["version"], "annotations": {
            "grafana.app/message": one["message"], "grafana.app/updatedBy": identity(request.store, one["author"]),
        }}
        item["spec"] = spec(row, one["data"], one["api"], version)
        items.append(item)
    return items


@route("GET", "/api/frontend/settings")
def settings(request):
    return {"namespace": "default"} if request.server.release >= 12 else {}


@route("GET", "/apis/{group}")
def versions(request, group):
    found = [{"groupVersion": f"{group}/{version}", "version": version} for version in served(group, request.server.release)]
    if not found:
        raise refuse(404, "Not found", trace=False)
    return {"kind": "APIGroup", "apiVersion": "v1", "name": group, "versions": found, "preferredVersion": found[-1]}


@route("GET", "/apis/{group}/{version}/namespaces/{namespace}/{plural}")
def every(request, group, version, namespace, plural):
    check_address(request, group, version, namespace)
    limit, begin = int(request.argument("limit", "1000")), int(request.argument("continue", "0"))
    metadata = {"resourceVersion": "1758777451999999"}
    selected = request.argument("fieldSelector", "")
    if request.argument("labelSelector") == "grafana.app/get-history=true":
        items = history(request, group, version, selected.removeprefix("metadata.name="), limit)
    else:
        rows = request.store.all(
            "SELECT * FROM dashboard WHERE is_folder=? AND id > ? ORDER BY id LIMIT ?", group == FOLDERS, begin, limit
        )
        items = [shown(request, group, version, row) for row in rows]
        if len(rows) == limit:
            metadata["continue"] = str(rows[-1]["id"])
    kind = "FolderList" if group == FOLDERS else "DashboardList"
    return {"kind": kind, "apiVersion": f"{group}/{version}", "metadata": metadata, "items": items}


@route("GET", "/apis/{group}/{version}/namespaces/{namespace}/{plural}/{name}")
def get(request, group, version, namespace, plural, name):
    check_address(request, group, version, namespace)
    row = find(request.store, group, name)
    if row is None:
        raise missing(group, name)
    check_seen(request, row)
    return shown(request, group, version, row)


def check_seen(request, row):
    """What may not be seen is 403 without a word, and what was made a moment ago is right at once."""
    folder = row if row["is_folder"] else request.store.one("SELECT * FROM dashboard WHERE id=?", row["folder_id"] or 0)
    if folder and permissions.role_of(request.user) != "Admin" and not permissions.is_open(folder):
        raise status(403, "Forbidden", "")


@route("GET", "/apis/folder.grafana.app/{version}/namespaces/{namespace}/folders/{name}/access")
def access(request, version, namespace, name):
    check_address(request, FOLDERS, version, namespace)
    row = find(request.store, FOLDERS, name)
    if row is None:
        raise missing(FOLDERS, name)
    role = permissions.role_of(request.user)
    may = role == "Admin" or (role == "Editor" and permissions.is_open(row))
    allowed = dict.fromkeys(["canSave", "canEdit", "canAdmin", "canDelete"], may)
    return {"kind": "FolderAccessInfo", "apiVersion": f"{FOLDERS}/{version}", **allowed}


def wanted(request, group, version, name=None):
    """What is posted, once it is known to be a resource of this kind."""
    body = request.json()
    metadata, content = body.get("metadata") or {}, body.get("spec") or {}
    name = name or metadata.get("name") or ""
    fields = ["title"] + (["elements", "layout"] if group == DASHBOARDS and is_new_schema(version) else [])
    lacking = [field for field in fields if not content.get(field)]
    if lacking or not name or metadata.get("name") != name:
        text = f'{body.get("kind")}.{group} "{name}" is invalid: spec.{", spec.".join(lacking)}: Required value'
        raise status(422, "Invalid", text, name=name)
    check_uid(name, trace=False)
    return name, metadata, content


def write(request, group, version, row, metadata, content):
    """The next version of what is there; the same again makes none."""
    store, login = request.store, dashboards.called(request.user)
    annotations = metadata.get("annotations") or {}
    parent = annotations.get("grafana.app/folder")
    folder = folders.find(store, parent) if parent else None
    if parent and folder is None:
        raise missing(FOLDERS, parent)
    folder_id = folder["id"] if folder else 0
    api = version if group == DASHBOARDS and is_new_schema(version) else None
    stored = content if api else {**content, "id": row["id"], "uid": row["uid"], "version": row["version"]}
    same = {"data": json.dumps(stored, sort_keys=True), "folder_id": folder_id, "title": content["title"], "api": api}
    if row["version"] and all(row[key] == value for key, value in same.items()):
        return row
    number = row["version"] + 1
    data = json.dumps(stored if api else {**stored, "version": number}, sort_keys=True)
    store.run(
        "UPDATE dashboard SET title=?, slug=?, folder_id=?, data=?, api=?, version=?, updated=?, updated_by=? WHERE id=?",
        content["title"], slug(content["title"]), folder_id, data, api, number, now(), login, row["id"],
    )
    dashboards.note(store, row["id"], row["version"], annotations.get("grafana.app/message"), data, api, request.user)
    return find(store, group, row["uid"])


def title_release(request):
    """In the invented release 14 a folder's title is taken once more."""
    return 9 if request.server.release == 14 else request.server.release


def make(request, group, version, name, metadata, content):
    store = request.store
    login = request.user["login"] if group == FOLDERS else dashboards.called(request.user)
    if metadata.get("resourceVersion"):
        raise status(400, "BadRequest", "resourceVersion should not be set on objects to be created")
    if store.one("SELECT 1 FROM dashboard WHERE uid=?", name):
        if group == FOLDERS and request.server.release == 12:
            raise status(412, "PreconditionFailed", "the folder has been changed by someone else", name=name)
        raise status(409, "AlreadyExists", f'{PLURALS[group]}.{group} "{name}" already exists', name=name)
    if group == FOLDERS:
        folders.check_title(store, title_release(request), content["title"])
    store.run(
        "INSERT INTO dashboard (uid, title, slug, is_folder, folder_id, version, created, updated, created_by, updated_by)"
        " VALUES (?,?,?,?,0,0,?,?,?,?)",
        name, content["title"], slug(content["title"]), group == FOLDERS, now(), now(), login, login,
    )
    row = write(request, group, version, find(store, group, name), metadata, content)
    if group == FOLDERS:
        permissions.renew(request)
    return Answer(201, shown(request, group, version, row))


def create(request, group, version, namespace):
    check_address(request, group, version, namespace)
    return make(request, group, version, *wanted(request, group, version))


def update(request, group, version, namespace, name):
    check_address(request, group, version, namespace)
    name, metadata, content = wanted(request, group, version, name)
    row = find(request.store, group, name)
    if row is None and not metadata.get("resourceVersion"):
        return make(request, group, version, name, metadata, content)
    if row is None or metadata.get("resourceVersion", revision(row)) != revision(row):
        raise conflict(group, name)
    if row["provisioned"]:
        raise status(403, "Forbidden", f'{PLURALS[group]}.{group} "{name}" is managed by a file', name=name)
    if group == FOLDERS:
        folders.check_title(request.store, title_release(request), content["title"], but_not=row["id"])
    return shown(request, group, version, write(request, group, version, row, metadata, content))


def delete(request, group, version, namespace, name):
    check_address(request, group, version, namespace)
    row = find(request.store, group, name)
    if row is None:
        raise missing(group, name)
    if row["is_folder"] and folders.holds_something(request.store, row):
        raise status(400, "BadRequest", "Folder cannot be deleted: folder is not empty", uid="folder.not-empty")
    folders.remove(request.store, row)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": {"name": name}}


def register(group):
    """The writes of a kind, each with the permission that it needs."""
    plural = PLURALS[group]
    path = f"/apis/{group}/{{version}}/namespaces/{{namespace}}/{plural}"
    for method, handler, verb in (("POST", create, "create"), ("PUT", update, "write"), ("DELETE", delete, "delete")):
        address = path if method == "POST" else f"{path}/{{name}}"
        needs = f"{plural}:{verb}"
        route(method, address)(
            lambda request, handler=handler, needs=needs, **arguments: permitted(request, group, handler, needs, arguments)
        )


def permitted(request, group, handler, needs, arguments):
    try:
        auth.permit(request.user, needs)
    except Refused as refused:
        raise status(403, "Forbidden", "Access denied" if group == FOLDERS else "") from refused
    return handler(request, group, **arguments)


register(DASHBOARDS)
register(FOLDERS)
