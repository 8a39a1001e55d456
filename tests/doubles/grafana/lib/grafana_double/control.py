"""Levers for tests below `/_double/`, only with `--control`: what was asked, faults on demand, provisioned things."""

import json
import threading
import time


class Control:
    def __init__(self):
        self._lock = threading.Lock()
        self._faults = []
        self._log = []
        self._at_once = 0
        self._most_at_once = 0

    def begin(self):
        with self._lock:
            self._at_once += 1
            self._most_at_once = max(self._most_at_once, self._at_once)

    def end(self, method, path, status):
        with self._lock:
            self._at_once -= 1
            self._log.append({"method": method, "path": path, "status": status})

    def fault(self, method, path):
        """The first fault that is waiting for such a request; one that was used up is gone."""
        with self._lock:
            for fault in self._faults:
                if fault.get("method", method) == method and path.startswith(fault.get("path", "")):
                    fault["times"] = fault.get("times", 1) - 1
                    if fault["times"] <= 0:
                        self._faults.remove(fault)
                    return fault
        return None

    def handle(self, method, path, body, store):
        """Answers a test's own request: status and body."""
        if (method, path) == ("GET", "/_double/requests"):
            with self._lock:
                return 200, {"requests": list(self._log), "most_at_once": self._most_at_once}
        if (method, path) == ("DELETE", "/_double/requests"):
            with self._lock:
                self._log.clear()
                self._most_at_once = 0
            return 200, {}
        if (method, path) == ("POST", "/_double/faults"):
            with self._lock:
                self._faults.append(json.loads(body))
            return 200, {}
        if (method, path) == ("POST", "/_double/provision"):
            wanted = json.loads(body)
            with store:
                store.run("UPDATE dashboard SET provisioned=? WHERE uid=?", wanted["file"], wanted["uid"])
                store.run("UPDATE data_source SET read_only=1 WHERE uid=?", wanted["uid"])
            return 200, {}
        return 404, {"message": "no such lever"}


def wait(fault):
    """A fault may come late, as the recorded ones of a locked database did."""
    time.sleep(fault.get("delay", 0))
