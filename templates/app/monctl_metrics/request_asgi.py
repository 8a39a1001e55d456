"""Sends a GET through an ASGI callable, as a server does. Called by `check`."""

import asyncio
import urllib.parse

from . import application


def status(entry, path):
    """The status of the response, whose body need not end."""
    return asyncio.run(_status(entry, _scope(path)))


async def _status(entry, scope):
    answered = asyncio.Event()
    received, statuses = [], []

    async def receive():
        if not received:
            received.append(True)
            return {"type": "http.request", "body": b"", "more_body": False}
        # The client stays until the end.
        return await asyncio.get_running_loop().create_future()

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
        elif message["type"] == "http.response.body":
            answered.set()

    call = asyncio.create_task(entry(scope, receive, send))
    call.add_done_callback(lambda _: answered.set())
    await answered.wait()
    if not call.done():
        # A stream may have no end.
        call.cancel()
    await asyncio.gather(call, return_exceptions=bool(statuses))
    if not statuses:
        raise RuntimeError("the application returned without a response")
    return statuses[0]


def _scope(path):
    path, _, query = path.partition("?")
    headers = application.accepted_headers().items()
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": urllib.parse.unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
        "state": {},
    }
