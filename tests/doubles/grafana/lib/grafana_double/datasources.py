"""Data sources: `/api/datasources` and the way through one of them to its Prometheus (`resources`, `proxy`)."""

import json
import secrets
import urllib.error
import urllib.parse

from . import prometheus
from .web import Answer, Refused, Text, refuse, route


def missing():
    return refuse(404, "Data source not found", trace=False)


def find(store, uid):
    return store.one("SELECT * FROM data_source WHERE uid=?", uid)


def shown(row):
    """A data source as single reads show it."""
    return {
        "id": row["id"], "uid": row["uid"], "orgId": 1, "name": row["name"], "type": row["type"], "typeLogoUrl": "",
        "access": row["access"], "url": row["url"], "user": "", "database": "", "basicAuth": False, "basicAuthUser": "",
        "withCredentials": False, "isDefault": bool(row["is_default"]), "jsonData": json.loads(row["json_data"]),
        "secureJsonFields": json.loads(row["secure_fields"]), "version": row["version"], "readOnly": bool(row["read_only"]),
    }


def listed(row):
    """A data source as the list shows it: names of its type, no secrets, no version."""
    known = row["type"] == "prometheus"
    whole = shown(row)
    for key in ("basicAuthUser", "withCredentials", "secureJsonFields", "version"):
        del whole[key]
    logo = "public/app/plugins/datasource/prometheus/img/prometheus_logo.svg" if known else "public/img/icn-datasource.svg"
    whole.update(typeName="Prometheus" if known else row["type"], typeLogoUrl=logo)
    return whole


def wanted(request):
    """The body of a create or an update. Name, type and access are required, only the address is used."""
    body = request.json()
    if not all(body.get(key) for key in ("name", "type", "access")):
        raise refuse(400, "bad request data")
    url = body.get("url", "")
    if body["type"] == "prometheus" and "url" in body and (not url or " " in url):
        raise refuse(400, "Validation error, invalid URL")
    return body


def take_default(store, body):
    """There is one default: making another takes it away without a word."""
    if body.get("isDefault"):
        store.run("UPDATE data_source SET is_default=0")


@route("GET", "/api/datasources")
def every(request):
    rows = request.store.all("SELECT * FROM data_source")
    return [listed(row) for row in sorted(rows, key=lambda row: row["name"].lower())]


@route("GET", "/api/datasources/uid/{uid}")
def by_uid(request, uid):
    row = find(request.store, uid)
    if row is None:
        raise missing()
    return shown(row)


@route("GET", "/api/datasources/name/{name}")
def by_name(request, name):
    row = request.store.one("SELECT * FROM data_source WHERE name=?", name)
    if row is None:
        raise missing()
    return shown(row)


def insert(store, uid, body, read_only=False):
    take_default(store, body)
    secure = {key: True for key in body.get("secureJsonData") or {}}
    store.run(
        "INSERT INTO data_source (uid, name, type, access, url, is_default, json_data, secure_fields, version, read_only)"
        " VALUES (?,?,?,?,?,?,?,?,1,?)",
        uid, body["name"], body["type"], body["access"], body.get("url", ""), bool(body.get("isDefault")),
        json.dumps(body.get("jsonData") or {}, sort_keys=True), json.dumps(secure), read_only,
    )
    return find(store, uid)


@route("POST", "/api/datasources", needs="datasources:create")
def create(request):
    store, body = request.store, wanted(request)
    if store.one("SELECT 1 FROM data_source WHERE name=?", body["name"]):
        raise refuse(409, "data source with the same name already exists")
    uid = body.get("uid") or secrets.token_urlsafe(6)
    if find(store, uid):
        raise refuse(409, "data source with the same uid already exists")
    row = insert(store, uid, body)
    return {"datasource": shown(row), "id": row["id"], "message": "Datasource added", "name": row["name"]}


@route("PUT", "/api/datasources/uid/{uid}", needs="datasources:write")
def update(request, uid):
    """Replaces all; what is left out is emptied, secrets excepted. Without a version nothing is compared and it goes back to 1."""
    store, body = request.store, wanted(request)
    row = find(store, uid)
    if row is None:
        raise missing()
    if row["read_only"]:
        raise refuse(403, "Cannot update read-only data source", trace=False)
    version = 1
    if body.get("version"):
        if body["version"] != row["version"]:
            text = "Datasource has already been updated by someone else. Please reload and try again"
            raise refuse(409, text)
        version = row["version"] + 1
    take_default(store, body)
    secure = {**json.loads(row["secure_fields"]), **{key: True for key in body.get("secureJsonData") or {}}}
    store.run(
        "UPDATE data_source SET uid=?, name=?, type=?, access=?, url=?, is_default=?, json_data=?, secure_fields=?, version=?"
        " WHERE id=?",
        body.get("uid") or uid, body["name"], body["type"], body["access"], body.get("url", ""),
        bool(body.get("isDefault")), json.dumps(body.get("jsonData") or {}, sort_keys=True), json.dumps(secure), version,
        row["id"],
    )
    row = store.one("SELECT * FROM data_source WHERE id=?", row["id"])
    return {"datasource": shown(row), "id": row["id"], "message": "Datasource updated", "name": row["name"]}


def remove(request, row):
    """What uses it does not hinder."""
    if row is None:
        raise missing()
    if row["read_only"]:
        raise refuse(403, "Cannot delete read-only data source", trace=False)
    request.store.run("DELETE FROM data_source WHERE id=?", row["id"])
    return {"id": row["id"], "message": "Data source deleted"}


@route("DELETE", "/api/datasources/uid/{uid}", needs="datasources:delete")
def delete_by_uid(request, uid):
    return remove(request, find(request.store, uid))


@route("DELETE", "/api/datasources/name/{name}", needs="datasources:delete")
def delete_by_name(request, name):
    return remove(request, request.store.one("SELECT * FROM data_source WHERE name=?", name))


@route("DELETE", "/api/datasources/{identifier}", needs="datasources:delete")
def delete_by_id(request, identifier):
    return remove(request, request.store.one("SELECT * FROM data_source WHERE id=?", identifier))


@route("GET", "/api/datasources/uid/{uid}/health")
def health(request, uid):
    """The recorded release has no check for Prometheus: this does not reflect its state."""
    if find(request.store, uid) is None:
        raise refuse(500, "Unable to load datasource metadata")
    raise refuse(404, "Not found")


def ask(request, row, rest, if_down):
    """Passes a request on to the data source's Prometheus; its answer goes back as it came, whatever its status."""
    query = urllib.parse.urlencode(request.query, doseq=True)
    form = request.body if request.method == "POST" else None
    try:
        status, content_type, text = prometheus.fetch(row["url"], f"/{rest}", query, form)
    except (urllib.error.URLError, OSError) as error:
        raise if_down from error
    return Answer(status, json.loads(text) if "json" in content_type else Text(text, content_type))


@route("GET", "/api/datasources/uid/{uid}/resources/{rest*}", own_transaction=True)
@route("POST", "/api/datasources/uid/{uid}/resources/{rest*}", own_transaction=True)
def resources(request, uid, rest):
    with request.store as store:
        row = find(store, uid)
    if row is None:
        raise refuse(500, "Unable to load datasource meta data")
    text = "An error occurred within the plugin" if request.server.release >= 12 else "Failed to call resource"
    return ask(request, row, rest, refuse(500, text))


@route("GET", "/api/datasources/proxy/{rest*}", own_transaction=True)
@route("POST", "/api/datasources/proxy/{rest*}", own_transaction=True)
def proxy(request, rest):
    """By id, or by `uid/UID`; the recorded release cuts a uid off at its first hyphen and sends the rest to Prometheus."""
    first, _, rest = rest.partition("/")
    with request.store as store:
        if first == "uid":
            uid, _, rest = rest.partition("/")
            row = find(store, uid)
            _, hyphen, tail = uid.partition("-")
            rest = f"-{tail}/{rest}" if hyphen else rest
        else:
            row = store.one("SELECT * FROM data_source WHERE id=?", first)
    if row is None:
        raise missing()
    return ask(request, row, rest, Refused(502, None))
