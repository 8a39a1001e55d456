"""Requests of a drill: sent with a signature, answered without the application.

`python -m monctl_metrics.drill` sends them to the server on this host while its
drill runs; `instrument` calls `order_of` for each request, and a valid order is
answered in place of the application. An order is valid only while the key of a
drill is on the host, with that key's signature, and until it expires; any other
request reaches the application unchanged.
"""

import hashlib
import hmac
import http.client
import os
import sys
import threading
import time

KEY = os.environ.get("MONCTL_DRILL_KEY", "/run/monctl-drill/requests.key")
HEADER = "X-Monctl-Drill"
# A path without a view, so that no view's metrics change.
PATH = "/monctl-drill"

_META = "HTTP_X_MONCTL_DRILL"
_STATUSES = range(200, 600)
_MOST_MILLISECONDS = 10_000
# Validity of a signature; sender and server use the same clock.
_VALID_SECONDS = 30
_TIMEOUT_SECONDS = 20


class Order:
    """The content of a signed request: a status, and a delay."""

    def __init__(self, status, milliseconds):
        self.status = status
        self.seconds = milliseconds / 1000

    def carry_out(self):
        """Answers as ordered."""
        time.sleep(self.seconds)
        return self._response()

    async def carry_out_async(self):
        """Answers as ordered, without blocking other requests."""
        import asyncio

        await asyncio.sleep(self.seconds)
        return self._response()

    def _response(self):
        from django.http import HttpResponse

        headers = {"Cache-Control": "no-store"}
        return HttpResponse("a drill of monctl\n", "text/plain", self.status, headers=headers)


def order_of(request):
    """The order in a request, or None. Never raises."""
    text = request.META.get(_META)
    if text is None:
        return None
    try:
        return _verified(text, key(), time.time())
    except Exception:
        return None


def signed(status, milliseconds, key, now):
    """The header's value for an order."""
    order = f"{int(now) + _VALID_SECONDS}.{status}.{milliseconds}.{os.urandom(8).hex()}"
    return f"{order}.{_signature(order, key)}"


def _verified(text, key, now):
    if key is None or len(text) > 200:
        return None
    order, _, signature = text.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(order, key).encode()):
        return None
    expires, status, milliseconds, _ = order.split(".")
    if not now <= int(expires) <= now + _VALID_SECONDS:
        return None
    status, milliseconds = int(status), int(milliseconds)
    if status not in _STATUSES or not 0 <= milliseconds <= _MOST_MILLISECONDS:
        return None
    return Order(status, milliseconds)


def _signature(order, key):
    return hmac.new(key, order.encode(), hashlib.sha256).hexdigest()


def key():
    """The key of the running drill; None if there is none, or it has expired."""
    try:
        with open(KEY) as file:
            text, until = file.read().split()
    except FileNotFoundError:
        return None
    found = bytes.fromhex(text)
    return found if len(found) == 32 and time.time() <= int(until) else None


def main(arguments):
    """`PORT STATUS MILLISECONDS PER_SECOND TOGETHER`: sends until the key is removed."""
    port, status, milliseconds = (int(word) for word in arguments[:3])
    pause = int(arguments[4]) / float(arguments[3])
    senders = [
        threading.Thread(target=_send, args=(port, status, milliseconds, pause))
        for _ in range(int(arguments[4]))
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    return 0


def _send(port, status, milliseconds, pause):
    """Sends one request after the other, each with its own connection and signature."""
    for secret in turns(pause):
        get(port, PATH, {HEADER: signed(status, milliseconds, secret, time.time())})


def turns(pause):
    """Yields the drill's key at this pace while it exists."""
    due = time.monotonic()
    while (secret := key()) is not None:
        yield secret
        # Missed turns are not repeated.
        due = max(due + pause, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


def get(port, path, headers):
    """Sends a GET to the server on this host; prints an error if it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path, headers={**headers, "Connection": "close"})
        connection.getresponse().read()
    except (OSError, http.client.HTTPException) as error:
        print(f"a request was not answered: {error or type(error).__name__}", file=sys.stderr)
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
