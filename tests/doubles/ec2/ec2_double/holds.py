"""Calls that are held: listed, so that a test can end its client at exactly that point, and released on demand."""

import itertools
import threading
import time

# How often a held call looks whether its client is still there.
LOOK = 0.01


class Holds:
    def __init__(self):
        self._changed = threading.Condition()
        self._held = {}
        self._ids = itertools.count(1)

    def hold(self, call, when, client_is_there):
        """Returns once released: true, or once the client is gone: false."""
        with self._changed:
            number = next(self._ids)
            self._held[number] = {"id": number, "action": call.action, "when": when, "since": time.time()}
            self._changed.notify_all()
        try:
            return self._until_released(number, client_is_there)
        finally:
            with self._changed:
                self._held.pop(number, None)
                self._changed.notify_all()

    def _until_released(self, number, client_is_there):
        while True:
            with self._changed:
                if number not in self._held:
                    return client_is_there()
                if self._held[number].get("abandoned"):
                    return False
                self._changed.wait(LOOK)
            if not client_is_there():
                return False

    def held(self, wait=0):
        """What is held now; where that is nothing, waits up to `wait` seconds for something."""
        with self._changed:
            self._changed.wait_for(lambda: self._held, timeout=wait)
            return list(self._held.values())

    def release(self, number=None):
        """Lets one call go on, or all."""
        with self._changed:
            for one in [number] if number is not None else list(self._held):
                self._held.pop(one, None)
            self._changed.notify_all()

    def abandon(self):
        """Ends all that are held as if their clients were gone."""
        with self._changed:
            for held in self._held.values():
                held["abandoned"] = True
