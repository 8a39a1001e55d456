"""The control interface, /double/…: a test's queries and settings. JSON in, JSON out."""

import json
import sys
import traceback
from urllib.parse import parse_qs, urlsplit

JSON = "application/json"


class Control:
    def __init__(self, world):
        self._world = world

    def answer(self, method, path, body):
        parts = urlsplit(path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        handler = getattr(self, f"_{method.lower()}_{parts.path.removeprefix('/double').strip('/')}", None)
        if handler is None:
            return 404, JSON, json.dumps({"error": f"there is no {method} {parts.path}"})
        try:
            wanted = json.loads(body) if body.strip() else {}
            return 200, JSON, json.dumps(handler(wanted, query) or {})
        except (ValueError, KeyError, TypeError) as error:
            return 400, JSON, json.dumps({"error": str(error)})
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            return 500, JSON, json.dumps({"error": repr(error)})

    def _get_(self, _wanted, _query):
        return {"ready": True}

    def _post_reset(self, _wanted, _query):
        self._world.reset()

    def _get_settings(self, _wanted, _query):
        return self._world.settings.shown()

    def _post_settings(self, wanted, _query):
        with self._world.lock:
            self._world.change_settings(wanted)
        return self._world.settings.shown()

    def _post_users(self, wanted, _query):
        """A user and a new key of theirs; with `session`, a temporary key."""
        with self._world.lock:
            principals = self._world.principals
            key = principals.create(wanted["name"], wanted["policy"])
            if not wanted.get("session"):
                return {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}
            names = ("access_key_id", "secret_access_key", "session_token")
            return dict(zip(names, principals.begin_session(wanted["name"]), strict=True))

    def _post_expire(self, wanted, _query):
        with self._world.lock:
            self._world.principals.expire(wanted["access_key_id"])

    def _post_faults(self, wanted, _query):
        several = wanted if isinstance(wanted, list) else [wanted]
        return {"ids": [self._world.faults.add(one).id for one in several]}

    def _get_faults(self, _wanted, _query):
        return {"faults": self._world.faults.shown()}

    def _delete_faults(self, _wanted, _query):
        self._world.faults.clear()

    def _get_held(self, _wanted, query):
        return {"held": self._world.holds.held(wait=float(query.get("wait", 0)))}

    def _post_release(self, wanted, _query):
        self._world.holds.release(wanted.get("id"))

    def _get_calls(self, _wanted, _query):
        return {"calls": self._world.journal.entries()}

    def _delete_calls(self, _wanted, _query):
        self._world.journal.clear()

    def _get_inventory(self, _wanted, _query):
        with self._world.lock:
            return self._world.inventory()
