"""A little traffic, so that dashboards have data.

`python -m monctl_metrics.traffic PORT PER_SECOND` sends it to the server on this
host while its drill runs: requests for public pages, and between them a few
signed orders for status classes that visitors may not cause. A line on standard
output reports that each kind was sent once.
"""

import itertools
import sys
import time

from . import activation, application, drill
from .check import HEALTH_PATH

# Each of these statuses is returned once in so many requests, too rarely for alerts to fire.
ROUND = 40
ORDERED = (302, 404, 503)


def main(arguments):
    port, pause = int(arguments[0]), 1 / float(arguments[1])
    application.load()
    headers = application.accepted_headers()
    for count, (turn, secret) in enumerate(zip(itertools.cycle(_round()), drill.turns(pause), strict=False)):
        if isinstance(turn, str):
            drill.get(port, turn, headers)
        else:
            order = drill.signed(turn, 0, secret, time.time())
            drill.get(port, drill.PATH, {**headers, drill.HEADER: order})
        if count == len(ORDERED):
            print("each kind was sent", flush=True)
    return 0


def _round():
    """The paths and ordered statuses of a round, in turn."""
    # Orders are not answered if the project counts its requests itself.
    ordered = ORDERED if activation.mode() == "exporter" else ()
    visits = itertools.islice(itertools.cycle(_pages()), ROUND - len(ordered))
    return [*ordered, *visits]


def _pages():
    """Public pages: the health path, and the start page and the admin's login if they exist."""
    from django.urls import NoReverseMatch, Resolver404, resolve, reverse

    pages = {HEALTH_PATH: None}
    try:
        resolve("/")
        pages["/"] = None
    except Resolver404:
        pass
    try:
        pages[reverse("admin:login")] = None
    except NoReverseMatch:
        pass
    return list(pages)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
