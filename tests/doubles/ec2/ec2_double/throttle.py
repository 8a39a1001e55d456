"""EC2's token bucket: each action has its own, and a call takes one token from it."""

import time

from .refusal import Refused


class Throttle:
    def __init__(self):
        self._levels = {}

    def take(self, action, bucket):
        """Refuses the call where its bucket is empty. `bucket` is `{"size", "refill"}`, or nothing for no limit."""
        if not bucket:
            return
        now = time.monotonic()
        level, at = self._levels.get(action, (bucket["size"], now))
        level = min(bucket["size"], level + (now - at) * bucket["refill"])
        if level < 1:
            self._levels[action] = (level, now)
            raise Refused("RequestLimitExceeded", "Request limit exceeded.", 503)
        self._levels[action] = (level - 1, now)
