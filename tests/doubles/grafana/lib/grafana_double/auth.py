"""Authentication: Basic credentials, tokens, the lock after five wrong passwords, users and their passwords."""

import base64
import binascii
import hmac
import http.cookies
import json
import secrets
import time

from . import accounts, permissions
from .store import hash_password
from .web import Refused, Text, refuse, route, unauthorized

COOKIE = "grafana_session"
WRONG_TRIES = 5
LOCK_SECONDS = 300


def wrong_password(release):
    return unauthorized(release, "invalid username or password", "password-auth.failed")


def check_password(store, login, password, lock_seconds):
    """The user, or None. A locked name gets None whatever the password is, and such a try does not prolong the lock."""
    with store:
        store.run("DELETE FROM login_attempt WHERE at < ?", time.time() - lock_seconds)
        tries = store.one("SELECT COUNT(*) AS n FROM login_attempt WHERE login=?", login)["n"]
        user = store.one("SELECT * FROM user WHERE login=?", login)
    if tries >= WRONG_TRIES:
        return None
    # Outside the transaction: hashing must not hold up other requests.
    if user and hmac.compare_digest(user["hash"], hash_password(password, user["salt"])):
        return user
    with store:
        store.run("INSERT INTO login_attempt VALUES (?, ?)", login, time.time())
    return None


def authenticate(request):
    """The user behind a request; raises the 401 that the original gives."""
    header, release = request.headers.get("Authorization"), request.server.release
    if not header:
        user = session_user(request)
        if user is not None:
            return user
        raise no_credentials(release)
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return accounts.of_token(request.store, release, value)
    try:
        login, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if scheme.lower() != "basic" or not colon:
        raise no_credentials(release) if release >= 12 else refuse(401, "Invalid Basic Auth Header")
    if login == "api_key":
        return accounts.of_token(request.store, release, password)
    user = check_password(request.store, login, password, request.server.lock_seconds)
    if user is None:
        raise wrong_password(release)
    return user


def guest_or_user(request):
    """If anonymous access is on, a request without credentials is a guest's. From 12 on wrong credentials count as none, too; only
    `/api/user` rejects them."""
    role = request.server.anonymous_role
    try:
        return authenticate(request)
    except Refused as refused:
        if not role or (request.headers.get("Authorization") and request.server.release < 12):
            raise
        if request.path == "/api/user":
            raise refuse(401, "Unauthorized", trace=False) from refused
        return {"id": 0, "login": "Anonymous", "name": "", "role": role, "is_admin": 0, "is_token": True}


def no_credentials(release):
    if release < 12:
        return refuse(401, "Unauthorized", trace=False)
    return unauthorized(release, "Unauthorized", "auth.unauthorized")


def permit(user, needs):
    """The administrator may everything, a token what its role may, any other account is a Viewer: it may look."""
    permission = (needs or "").removeprefix("any of ")
    if needs and not user["is_admin"] and not permission.startswith(accounts.MAY[permissions.role_of(user)]):
        raise permissions.denied(needs)


@route("GET", "/api/org")
def organisation(_request):
    nowhere = dict.fromkeys(["address1", "address2", "city", "zipCode", "state", "country"], "")
    return {"id": 1, "name": "Main Org.", "address": nowhere}


@route("GET", "/api/user")
def who_am_i(request):
    user = request.user
    if "is_token" in user.keys():  # noqa: SIM118
        if request.server.release < 12:
            raise refuse(404, "user not found", trace=False)
        # The original makes a user up for it.
        name = user["name"]
        user = {**user, "id": 0, "login": f"sa-1-{name}", "email": f"sa-1-{name}", "created": "0001-01-01T00:00:00Z"}
    return {
        "id": user["id"], "email": user["email"], "name": user["name"], "login": user["login"], "theme": "", "orgId": 1,
        "isGrafanaAdmin": bool(user["is_admin"]), "isDisabled": False, "isExternal": False, "authLabels": [],
        "updatedAt": user["created"], "createdAt": user["created"], "avatarUrl": "/public/img/user_profile.png",
    }


def login(request):
    """POST /login, the only address that reports a wrong password with a capital letter."""
    body = request.json()
    user = check_password(request.store, body.get("user", ""), body.get("password", ""), request.server.lock_seconds)
    if user is None:
        raise refuse(401, "Invalid username or password")
    token = secrets.token_hex(16)
    with request.store:
        request.store.run("INSERT INTO session VALUES (?, ?)", token, user["id"])
    cookie = f"{COOKIE}={token}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
    return Text(json.dumps({"message": "Logged in"}), "application/json", {"Set-Cookie": cookie})


def session_user(request):
    """The user whose browser logged in, or None."""
    token = http.cookies.SimpleCookie(request.headers.get("Cookie") or "").get(COOKIE)
    with request.store:
        return token and request.store.one(
            "SELECT user.* FROM user JOIN session ON session.user_id = user.id WHERE token=?", token.value
        )


@route("PUT", "/api/user/password")
def change_own_password(request):
    body = request.json()
    if not hmac.compare_digest(request.user["hash"], hash_password(body.get("oldPassword", ""), request.user["salt"])):
        raise refuse(401, "Invalid old password", trace=False)
    if len(body.get("newPassword", "")) < 4:
        raise refuse(400, "New password is too short", trace=False)
    request.store.set_password(request.user["id"], body["newPassword"])
    return {"message": "User password changed"}


@route("POST", "/api/admin/users", needs="users:create")
def create_user(request):
    body = request.json()
    user_id = request.store.add_user(body["login"], body["password"], body.get("name", ""), body.get("email", ""))
    return {"id": user_id, "message": "User created"}


@route("PUT", "/api/admin/users/{user_id}/password", needs="users.password:write")
def reset_password(request, user_id):
    password = request.json().get("password", "")
    if len(password) < 4:
        raise refuse(400, "New password too short", trace=False)
    if request.store.one("SELECT 1 FROM user WHERE id=?", user_id) is None:
        raise refuse(500, "Could not read user from database")
    request.store.set_password(int(user_id), password)
    return {"message": "User password updated"}


@route("PATCH", "/api/org/users/{user_id}", needs="org.users:write")
def give_role(request, user_id):
    request.store.run("UPDATE user SET role=? WHERE id=?", request.json()["role"], user_id)
    return {"message": "Organization user updated"}


@route("DELETE", "/api/admin/users/{user_id}", needs="users:delete")
def delete_user(request, user_id):
    if request.store.run("DELETE FROM user WHERE id=?", user_id).rowcount == 0:
        raise refuse(404, "user not found", trace=False)
    return {"message": "User deleted"}
