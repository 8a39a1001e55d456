"""Traffic for dashboards: a visitor's requests and a few ordered answers, until its drill is over."""

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
        assert sender.poll() is None, "it goes on as long as the key lies there"
        key.unlink()
        assert sender.wait(20) == 0
    finally:
        sender.kill()


def statuses(server):
    counts = {}
    for (_, status, _), count in server.responses().items():
        counts[status] = counts.get(status, 0) + count
    return counts


def test_every_class_of_answers_is_there_and_errors_are_rare(serve, tmp_path):
    key = tmp_path / "requests.key"
    server = serve(small(), MONCTL_DRILL_KEY=str(key), MONCTL_HEALTH_PATH="/pid")
    with traffic(server, key):
        until(lambda: statuses(server).get(503, 0) >= 3)
    counts = statuses(server)
    assert counts.keys() == {200} | ORDERED, counts
    # What is under way when it is looked at may be one of them.
    assert all(counts[status] <= sum(counts.values()) / 40 + 1 for status in ORDERED), counts


def test_where_the_project_counts_by_itself_nothing_is_ordered(serve, tmp_path):
    key = tmp_path / "requests.key"
    server = serve(small(), MONCTL_DRILL_KEY=str(key), MONCTL_HEALTH_PATH="/pid")
    with traffic(server, key, MONCTL_METRICS="builtin"):
        until(lambda: statuses(server).get(200, 0) >= 100)
    assert statuses(server).keys() == {200}
