"""Workers that serve ASGI serve WebSockets, and a stop closes them at once."""

import pytest
from projects import ASGI, small
from servers import DEADLINE
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

ECHO = ASGI + """
django = application

async def application(scope, receive, send):
    if scope["type"] != "websocket":
        return await django(scope, receive, send)
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"] + scope["path"]})
"""


@pytest.mark.parametrize("kind", ["asgi", "uvicorn_worker.UvicornWorker"])
def test_websockets_are_served_until_the_stop(serve, kind):
    server = serve(
        small(asgi=ECHO), entry="shop.asgi", workers=1, MONCTL_WORKER_CLASS=kind, MONCTL_GRACEFUL_TIMEOUT="600"
    )
    with connect(f"ws://127.0.0.1:{server.port}/chat", open_timeout=DEADLINE) as client:
        client.send("hello ")
        assert client.recv(DEADLINE) == "hello /chat"
        server.stop()
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(DEADLINE)
    assert closed.value.rcvd.code == 1012
