"""Lets workers that serve ASGI finish the connections they have accepted before they stop.

uvicorn's workers close connections that they have accepted and whose request
they have not read: their clients get no response. Gunicorn's own class `asgi`
answers such requests, but waits for clients that send nothing, and for
WebSockets, until its graceful timeout. asyncio drops a connection that is accepted at the very moment at which
its server is closed; both kinds therefore stop accepting some turns of the event
loop before they close it. Called by `drain`.
"""

import asyncio
import functools
import time
import weakref

# Seconds between two checks of the connections.
PAUSE = 0.02
# The code with which WebSockets are closed.
_SERVICE_RESTART = 1012


def before_uvicorn_stops(quiet):
    """Prepares uvicorn's servers of this process; `quiet` is for how many seconds they wait for requests."""
    from uvicorn.server import Server

    shutdown = Server.shutdown

    @functools.wraps(shutdown)
    async def drained(server, sockets=None):
        _accept_no_more(sockets or (), server.servers)
        # Each response closes its connection, so that the next request of its client goes to another worker. Requests
        # in progress have the same list.
        server.server_state.default_headers.append((b"connection", b"close"))
        await _finish(lambda: server.server_state.connections, quiet)
        await shutdown(server, sockets=sockets)

    Server.shutdown = drained


def before_gunicorn_stops(worker, quiet):
    """Prepares a worker of Gunicorn's class `asgi`, which by itself lets each response close its connection."""
    from gunicorn.asgi.protocol import ASGIProtocol

    # Versions before 27 do not tell which connections wait for a request.
    if "_awaiting_request" not in ASGIProtocol.__init__.__code__.co_names:
        return
    shutdown, accepted = worker._shutdown, ASGIProtocol.connection_made
    protocols = weakref.WeakSet()

    @functools.wraps(accepted)
    def noted(protocol, transport):
        protocols.add(protocol)
        accepted(protocol, transport)

    @functools.wraps(shutdown)
    async def drained():
        _accept_no_more(worker.sockets, worker.servers)
        await _finish(lambda: worker.nr_conns, quiet)
        for protocol in list(protocols):
            if protocol._awaiting_request:
                protocol._keepalive_timeout()
            elif protocol._websocket:
                # As uvicorn does it: its client connects again, to the worker that starts next.
                await protocol._websocket._send_close(_SERVICE_RESTART)
                protocol._close_transport()
        await shutdown()

    ASGIProtocol.connection_made = noted
    worker._shutdown = drained


def _accept_no_more(sockets, servers):
    """Leaves connections in the listeners' queues to the workers that start next."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, asyncio.SelectorEventLoop):
        for listener in sockets:
            loop.remove_reader(listener.fileno())
    else:
        # uvloop has no such method for listeners, and knows a connection as soon as it has accepted it.
        for server in servers:
            server.close()


async def _finish(connections, quiet):
    """Waits until there are no connections, or the time for requests on them is over."""
    deadline = time.monotonic() + quiet
    # Connections that were accepted last are known only after some turns of the event loop.
    await asyncio.sleep(PAUSE)
    while connections() and time.monotonic() < deadline:
        await asyncio.sleep(PAUSE)
