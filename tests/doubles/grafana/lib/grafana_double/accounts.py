"""Service accounts and their tokens: `/api/serviceaccounts`."""

import secrets
import time

from .store import now
from .web import Answer, refuse, route, unauthorized

ROLES = ("Viewer", "Editor", "Admin")
# What each role may, by the beginning of a permission's name; the server's administrator may everything.
MAY = {
    "Viewer": (),
    "Editor": ("folders:", "dashboards:", "annotations:", "library.panels:"),
    "Admin": ("folders:", "dashboards:", "annotations:", "library.panels:", "datasources:", "serviceaccounts:"),
}


# A deleted token's key is still distinguished from one that never existed; its name is free again.
FORGET = "UPDATE token SET account_id=NULL, name=NULL WHERE "


def of_token(store, release, key):
    """The account behind a token, in the form of a user; raises what the original answers to a bad one."""
    with store:
        token = store.one("SELECT * FROM token WHERE key=?", key)
        account = token and store.one("SELECT * FROM service_account WHERE id=?", token["account_id"])
    if account is None:
        # For a deleted one the recorded release returns a server error; one that never existed is not a token.
        if token and release >= 12:
            raise unauthorized(release, "Unauthorized", "auth.unauthorized")
        raise refuse(500, "invalid API key") if token else unauthorized(release, "invalid API key", "api-key.invalid")
    if token["expires"] and token["expires"] < time.time():
        if release >= 12:
            raise unauthorized(release, "Expired API key", "api-key.expired")
        raise refuse(401, "Expired API key", trace=False)
    return {
        "id": account["id"], "login": "Anonymous", "name": account["name"], "role": account["role"], "is_admin": 0,
        "is_token": True,
    }


def shown(store, row, avatar=""):
    tokens = store.one("SELECT COUNT(*) AS n FROM token WHERE account_id=?", row["id"])["n"]
    return {
        "id": row["id"], "name": row["name"], "login": f"sa-{row['name']}", "orgId": 1, "isDisabled": False,
        "role": row["role"], "tokens": tokens, "avatarUrl": avatar,
    }


@route("POST", "/api/serviceaccounts", needs="serviceaccounts:create")
def create(request):
    store, body = request.store, request.json()
    name, role = body.get("name"), body.get("role", "Viewer")
    if not name or role not in ROLES:
        raise refuse(400, "Bad request data")
    if store.one("SELECT 1 FROM service_account WHERE name=?", name):
        if request.server.release >= 12:
            text, name = "service account already exists", "serviceaccounts.ErrAlreadyExists"
            raise refuse(400, text, trace=False, messageId=name, statusCode=400)
        raise refuse(400, "Failed to create service account")
    # They are users to the original, and are numbered with them.
    ids = "SELECT id FROM user UNION SELECT id FROM service_account"
    store.run(f"INSERT INTO service_account (id, name, role) SELECT MAX(id) + 1, ?, ? FROM ({ids})", name, role)
    return Answer(201, shown(store, store.one("SELECT * FROM service_account WHERE name=?", name)))


@route("GET", "/api/serviceaccounts/search", needs="serviceaccounts:read")
def search(request):
    text = request.argument("query", "").lower()
    rows = request.store.all("SELECT * FROM service_account ORDER BY name")
    picture = "/public/img/user_profile.png"
    found = [shown(request.store, row, picture) for row in rows if text in row["name"].lower()]
    return {"totalCount": len(found), "serviceAccounts": found, "page": 1, "perPage": 1000}


@route("PATCH", "/api/serviceaccounts/{account_id}", needs="serviceaccounts:write")
def update(request, account_id):
    store, role = request.store, request.json().get("role")
    row = store.one("SELECT * FROM service_account WHERE id=?", account_id)
    if row is None:
        raise refuse(404, "service account not found", trace=False)
    if role not in ROLES:
        raise refuse(400, "Bad request data")
    store.run("UPDATE service_account SET role=? WHERE id=?", role, account_id)
    row = store.one("SELECT * FROM service_account WHERE id=?", account_id)
    return {"message": "Service account updated", "id": row["id"], "serviceaccount": shown(store, row)}


@route("DELETE", "/api/serviceaccounts/{account_id}", needs="serviceaccounts:delete")
def delete(request, account_id):
    if request.store.run("DELETE FROM service_account WHERE id=?", account_id).rowcount == 0:
        if request.server.release >= 12:
            text, name = "service account not found", "serviceaccounts.ErrNotFound"
            raise refuse(404, text, trace=False, messageId=name, statusCode=404)
        raise refuse(500, "Service account deletion error")
    request.store.run(FORGET + "account_id=?", account_id)
    return {"message": "Service account deleted"}


@route("GET", "/api/serviceaccounts/{account_id}/tokens", needs="serviceaccounts:read")
def tokens(request, account_id):
    """The keys are not shown again."""
    rows = request.store.all("SELECT * FROM token WHERE account_id=? ORDER BY id", account_id)
    at = time.time()
    return [
        {
            "id": row["id"], "name": row["name"], "created": row["created"], "lastUsedAt": None,
            "expiration": row["expires"] and time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(row["expires"])),
            "secondsUntilExpiration": row["expires"] - at if row["expires"] else 0,
            "hasExpired": bool(row["expires"] and row["expires"] < at), "isRevoked": False,
        }
        for row in rows
    ]


@route("POST", "/api/serviceaccounts/{account_id}/tokens", needs="serviceaccounts:write")
def create_token(request, account_id):
    store, body = request.store, request.json()
    if store.one("SELECT 1 FROM service_account WHERE id=?", account_id) is None:
        raise refuse(404, "service account not found", trace=False)
    # Names of tokens are one set for the whole organization.
    if store.one("SELECT 1 FROM token WHERE name=?", body.get("name")):
        text = "service account token with given name already exists in the organization"
        if request.server.release >= 12:
            raise refuse(400, text, trace=False, messageId="serviceaccounts.ErrTokenAlreadyExists", statusCode=400)
        raise refuse(409, text, trace=False)
    key, life = f"glsa_{secrets.token_hex(20)}", body.get("secondsToLive")
    cursor = store.run(
        "INSERT INTO token (account_id, name, key, created, expires) VALUES (?, ?, ?, ?, ?)",
        account_id, body.get("name"), key, now(), life and time.time() + life,
    )
    return {"id": cursor.lastrowid, "name": body.get("name"), "key": key}


@route("DELETE", "/api/serviceaccounts/{account_id}/tokens/{token_id}", needs="serviceaccounts:write")
def delete_token(request, account_id, token_id):
    if request.store.run(FORGET + "id=? AND account_id=?", token_id, account_id).rowcount == 0:
        if request.server.release >= 12:
            text, name = "service account token not found", "serviceaccounts.ErrTokenNotFound"
            raise refuse(404, text, trace=False, messageId=name, statusCode=404)
        raise refuse(500, "Failed to delete service account token")
    return {"message": "Service account token deleted"}
