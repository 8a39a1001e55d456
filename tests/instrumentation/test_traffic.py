"""Traffic for dashboards: a visitor's requests and a few ordered answers, until its drill ends."""

import contextlib
import os
import subprocess
import sys
import time

from projects import small
from servers import APP, until

ORDERED = {302, 404, 503}


@contextlib.contextmanager
def traffic(server, key, **environment):
    key.write_text(f"{bytes(range(32)).hex()} {int(time.time()) + 60}\n")
    sender = subprocess.Popen(
        [sys.executable, "-m", "monctl_metrics.traffic", str(server.port), "200"],
        env={**server.environment, "PYTHONPATH": str(APP), "MONCTL_DRILL_KEY": str(key), **environment},
    )
    try:
        yield sender
        assert sender.poll() is None, "it must continue while the key exists"
        key.unlink()
        assert sender.wait(20) == 0
    finally:
        sender.kill()


def statuses(server):
    counts = {}
    for (_, status, _), count in server.responses().items():
        counts[status] = counts.get(status, 0) + count
    return counts


def test_every_status_class_occurs_and_errors_are_rare(serve, tmp_path):
    key = tmp_path / "requests.key"
    server = serve(small(), MONCTL_DRILL_KEY=str(key), MONCTL_HEALTH_PATH="/pid")
    with traffic(server, key):
        until(lambda: statuses(server).get(503, 0) >= 3)
    counts = statuses(server)
    assert counts.keys() == {200} | ORDERED, counts
    # The request in progress may be one of them.
    assert all(counts[status] <= sum(counts.values()) / 40 + 1 for status in ORDERED), counts


def test_nothing_is_ordered_if_the_project_counts_itself(serve, tmp_path):
    key = tmp_path / "requests.key"
    server = serve(small(), MONCTL_DRILL_KEY=str(key), MONCTL_HEALTH_PATH="/pid")
    with traffic(server, key, MONCTL_METRICS="builtin"):
        until(lambda: statuses(server).get(200, 0) >= 100)
    assert statuses(server).keys() == {200}
