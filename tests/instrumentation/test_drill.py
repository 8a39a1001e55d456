"""A drill's signed requests are answered as ordered; other requests never are."""

import os
import subprocess
import sys
import time

import pytest
from projects import MIXED, small
from servers import APP, until

NOBODY = "<unnamed view>"
SECRET = bytes(range(32))


@pytest.fixture
def drill(tmp_path):
    """The module with its key at a path of the test."""
    from monctl_metrics import drill

    return drill


@pytest.fixture
def key(tmp_path):
    """Writes a drill's key, as `drill.sh` does."""
    path = tmp_path / "requests.key"

    def lay(secret=SECRET, lasting=60):
        path.write_text(f"{secret.hex()} {int(time.time()) + lasting}\n")
        return path

    lay.path = path
    return lay


def send(server, header, path="/monctl-drill"):
    status, body = server.request(path, **{"X_Monctl_Drill": header})
    return status, body


@pytest.mark.parametrize(("worker_class", "entry"), [("gthread", "shop.wsgi"), ("asgi", "shop.asgi")])
def test_a_signed_request_is_answered_and_counted_without_the_application(
    serve, drill, key, worker_class, entry
):
    server = serve(
        MIXED, entry=entry, MONCTL_WORKER_CLASS=worker_class, MONCTL_DRILL_KEY=str(key.path)
    )
    key()
    began = time.monotonic()
    assert send(server, drill.signed(503, 300, SECRET, time.time())) == (503, "a drill of monctl\n")
    assert time.monotonic() - began >= 0.3
    assert send(server, drill.signed(418, 0, SECRET, time.time()))[0] == 418
    counted = {("GET", 503, NOBODY): 1, ("GET", 418, NOBODY): 1}
    assert server.responses() == counted
    # The latency is counted as measured by a client.
    histogram = server.families()["django_http_requests_latency_including_middlewares_seconds"]
    slow = [s.value for s in histogram.samples if s.labels.get("le") == "0.25"]
    assert slow == [1], "one of the two took longer than a quarter of a second"


def test_without_the_key_of_a_drill_the_header_has_no_effect(serve, drill, key):
    server = serve(small(), MONCTL_DRILL_KEY=str(key.path))
    header = drill.signed(503, 0, SECRET, time.time())
    assert send(server, header, "/pid")[0] == 200, "no drill is running"
    key()
    assert send(server, header, "/pid")[0] == 503
    key.path.unlink()
    assert send(server, header, "/pid")[0] == 200, "the drill is over"


def test_requests_without_a_valid_signature_reach_the_application(serve, drill, key):
    server = serve(small(), MONCTL_DRILL_KEY=str(key.path))
    key()
    good = drill.signed(503, 0, SECRET, time.time())
    assert send(server, good, "/pid")[0] == 503
    expires, status, delay, nonce, signature = good.split(".")

    def resigned(order):
        return f"{order}.{drill._signature(order, SECRET)}"

    for header in [
        "",
        "x",
        "....",
        drill.signed(503, 0, bytes(32), time.time()),
        ".".join((expires, "500", delay, nonce, signature)),
        ".".join((str(int(expires) + 1), status, delay, nonce, signature)),
        ".".join((expires, status, delay, nonce, "0" * 64)),
        ".".join((expires, status, delay, nonce, signature[:-1])),
        ".".join((expires, status, delay, nonce, "\u00e9")).encode().decode("latin-1"),
        drill.signed(503, 0, SECRET, time.time() - 120),
        drill.signed(503, 0, SECRET, time.time() + 3600),
        drill.signed(503, 60_000, SECRET, time.time()),
        drill.signed(101, 0, SECRET, time.time()),
        resigned("not.a.number.x"),
        resigned(f"{expires}.503.0"),
    ]:
        assert send(server, header, "/pid")[0] == 200, header
    # An expired key is ignored.
    key(lasting=-1)
    assert send(server, drill.signed(503, 0, SECRET, time.time()), "/pid")[0] == 200
    key.path.write_text("nonsense")
    assert send(server, drill.signed(503, 0, SECRET, time.time()), "/pid")[0] == 200
    assert server.counted(family="monctl_instrumentation_errors") == {(): 0}


def test_requests_are_sent_while_the_key_exists(serve, key):
    server = serve(small(), MONCTL_DRILL_KEY=str(key.path))
    key()
    sender = subprocess.Popen(
        [sys.executable, "-m", "monctl_metrics.drill", str(server.port), "503", "0", "50", "2"],
        env={**os.environ, "PYTHONPATH": str(APP), "MONCTL_DRILL_KEY": str(key.path)},
    )
    try:
        until(lambda: server.responses().get(("GET", 503, NOBODY), 0) >= 20)
        assert sender.poll() is None
        key.path.unlink()
        assert sender.wait(20) == 0
        assert set(server.responses()) == {("GET", 503, NOBODY)}
    finally:
        sender.kill()
