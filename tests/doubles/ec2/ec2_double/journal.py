"""The log of calls: action, principal and outcome."""

import threading


class Journal:
    """Entries are in the order in which the calls came in; one that is still under way has no `outcome`."""

    def __init__(self):
        self._lock = threading.Lock()
        self._entries = []

    def begin(self, call):
        """An entry for a call that has just come in, to be filled in while it goes on."""
        entry = {
            "at": call.at,
            "service": call.service,
            "region": call.region,
            "action": call.action,
            "principal": call.access_key,
            "parameters": call.parameters(),
            "fault": None,
            "done": False,
            "status": None,
            "code": None,
            "outcome": None,
        }
        with self._lock:
            self._entries.append(entry)
        return entry

    def entries(self):
        with self._lock:
            return [dict(entry) for entry in self._entries]

    def clear(self):
        with self._lock:
            self._entries.clear()
