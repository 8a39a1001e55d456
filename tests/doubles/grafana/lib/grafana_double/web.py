"""What every handler shares: the request, the answers, the table of routes, and reading a JSON body."""

import dataclasses
import json
import re
import urllib.parse


class Refused(Exception):
    """A request ends here with this status and body; what it changed in the database is undone."""

    def __init__(self, status, body):
        super().__init__(status, body)
        self.status, self.body = status, body


def refuse(status, message, /, trace=True, **more):
    """The usual refusal. Some of the original's carry an empty `traceID`, some do not: it shows where they come from."""
    body = {"message": message, **more}
    if trace:
        body["traceID"] = ""
    return Refused(status, body)


def unauthorized(release, message, message_id):
    """A 401. Later releases begin its sentence with a capital letter and name it."""
    if release < 12:
        return refuse(401, message)
    return Refused(401, {
        "extra": None, "message": message[0].upper() + message[1:], "messageId": message_id, "statusCode": 401, "traceID": "",
    })


@dataclasses.dataclass
class Text:
    """A body that is not JSON."""

    text: str
    content_type: str = "text/plain; charset=utf-8"
    headers: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Answer:
    """An answer with a status of its own; a handler that returns anything else means 200."""

    status: int
    body: object


@dataclasses.dataclass
class Request:
    method: str
    path: str
    query: dict
    headers: object
    body: bytes
    server: object
    user: object = None

    @property
    def store(self):
        return self.server.store

    def argument(self, name, default=None):
        return self.query.get(name, [default])[-1]

    def json(self):
        """The body as an object; whatever is wrong with it gets the same bare answer."""
        bad = refuse(400, "bad request data")
        if "json" not in (self.headers.get("Content-Type") or "application/json"):
            raise bad
        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise bad from error
        if not isinstance(value, dict):
            raise bad
        return value


class Routes:
    """Method and path pattern (`/api/folders/{uid}`) to a handler, and the permission that it needs."""

    def __init__(self):
        self._routes = []

    def __call__(self, method, pattern, *, needs=None, own_transaction=False):
        expression = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern).replace("{rest*}", "(?P<rest>.*)")

        def register(handler):
            self._routes.append((method, re.compile(expression), handler, needs, own_transaction))
            return handler

        return register

    def find(self, method, path):
        """The handler for an address with its arguments, or None."""
        for known, expression, handler, needs, own_transaction in self._routes:
            match = expression.fullmatch(path)
            if known == method and match:
                arguments = {name: urllib.parse.unquote(value) for name, value in match.groupdict().items()}
                return handler, arguments, needs, own_transaction
        return None


route = Routes()


def slug(title):
    """A title as it stands in addresses; titles that give the same one collide."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


UID = re.compile(r"[a-zA-Z0-9_-]+")


def check_uid(uid, trace):
    """The two rules for the uids of folders and dashboards."""
    if len(uid) > 40:
        raise refuse(400, "uid too long, max 40 characters", trace)
    if uid and not UID.fullmatch(uid):
        raise refuse(400, "uid contains illegal characters", trace)
