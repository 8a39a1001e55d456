"""`exporter` counts the responses that clients got, with any server and any responder."""

import collections
import random

import pytest
from projects import MIXED

NOBODY = "<unnamed view>"
HTTPS = {"X_Forwarded_Proto": "https"}

# (path, method, headers) and the expected count: (status, view, counted method).
KINDS = [
    (("/", "GET", HTTPS), (200, "home", "GET")),
    (("/", "HEAD", HTTPS), (200, "home", "HEAD")),
    (("/notes/7/", "GET", HTTPS), (200, "notes:note", "GET")),
    (("/notes/7/", "POST", HTTPS), (201, "notes:note", "POST")),
    (("/notes/7/", "PUT", HTTPS), (405, "notes:note", "PUT")),
    (("/notes/7/", "INVENTED", HTTPS), (405, "notes:note", "OTHER")),
    (("/unnamed/", "GET", HTTPS), (200, "shop.urls.plain", "GET")),
    (("/stream/", "GET", HTTPS), (200, "stream", "GET")),
    # A slash is appended, HTTPS is required, the host is refused: before any view.
    (("/about", "GET", HTTPS), (301, NOBODY, "GET")),
    (("/about/", "GET", {}), (301, "about", "GET")),
    (("/about/", "GET", HTTPS | {"Host": "evil.example"}), (400, "about", "GET")),
    (("/cached/", "GET", HTTPS), (200, "cached", "GET")),
    (("/gated/", "GET", HTTPS), (403, "gated", "GET")),
    (("/private/", "GET", HTTPS), (302, "private", "GET")),
    # An outer middleware replaces the response.
    (("/teapot/", "GET", HTTPS), (418, "teapot", "GET")),
    (("/broken/", "GET", HTTPS), (500, "broken", "GET")),
    (("/boom/", "GET", HTTPS), (500, "boom", "GET")),
    (("/worse/", "GET", HTTPS), (500, "worse", "GET")),
    (("/missing/", "GET", HTTPS), (404, "missing", "GET")),
    (("/nowhere/", "GET", HTTPS), (404, NOBODY, "GET")),
    (("/hello/", "GET", HTTPS), (200, "hello", "GET")),
    (("/de/hello/", "GET", HTTPS), (200, "hello", "GET")),
    (("/de/gated-hello/", "GET", HTTPS), (403, "gated-hello", "GET")),
    (("/gated-hello/", "GET", HTTPS), (403, "gated-hello", "GET")),
    # The view makes its own request, which no client sent.
    (("/nested/", "GET", HTTPS), (200, "nested", "GET")),
]
MIX = [KINDS[number % len(KINDS)] for number in range(200)]
random.Random(7).shuffle(MIX)


def expected(mix):
    return collections.Counter((method, status, view) for _, (status, view, method) in mix)


@pytest.mark.parametrize(
    ("worker_class", "entry"),
    [
        ("sync", "shop.wsgi"),
        ("gthread", "shop.wsgi"),
        ("gevent", "shop.wsgi"),
        ("asgi", "shop.asgi"),
        # httptools refuses unknown methods before Django.
        ("uvicorn_worker.UvicornH11Worker", "shop.asgi"),
    ],
)
def test_two_hundred_mixed_requests_are_counted_exactly(serve, worker_class, entry):
    server = serve(
        MIXED,
        entry=entry,
        MONCTL_WORKER_CLASS=worker_class,
        MONCTL_THREADS="1" if worker_class == "sync" else "4",
    )
    statuses = server.request_all([request for request, _ in MIX])
    assert statuses == [status for _, (status, _, _) in MIX]
    assert server.responses() == expected(MIX)
    by_method = collections.Counter(method for _, (_, _, method) in MIX)
    by_status = collections.Counter(str(status) for _, (status, _, _) in MIX)
    family = "django_http_requests_total_by_method"
    assert server.counted("method", family=family) == {(m,): n for m, n in by_method.items()}
    family = "django_http_responses_total_by_status"
    assert server.counted("status", family=family) == {(s,): n for s, n in by_status.items()}
    assert server.counted(family="monctl_instrumentation_errors") == {(): 0}


def test_latencies_sizes_and_exceptions_are_counted_too(serve):
    server = serve(MIXED)
    for _ in range(3):
        server.request("/boom/", **HTTPS)
    server.request("/notes/7/", "POST", body="x" * 1000, **HTTPS)
    server.request("/stream/", X_Requested_With="XMLHttpRequest", **HTTPS)
    families = server.families()
    count = {
        sample.labels["view"]: sample.value
        for sample in families["django_http_requests_latency_seconds_by_view_method"].samples
        if sample.name.endswith("_count")
    }
    assert count == {"boom": 3, "notes:note": 1, "stream": 1}
    total = {
        sample.name.rpartition("_")[2]: sample.value
        for name in ("latency_including_middlewares_seconds", "body_total_bytes")
        for sample in families[f"django_http_requests_{name}"].samples
        if "le" not in sample.labels
    }
    assert total["count"] == 5
    assert total["sum"] == 1000
    for family, label, value in (
        ("exceptions_total_by_type", "type", "RuntimeError"),
        ("exceptions_total_by_view", "view", "boom"),
    ):
        assert server.counted(label, family=f"django_http_{family}") == {(value,): 3}
    for family in ("responses_streaming", "ajax_requests"):
        assert server.counted(family=f"django_http_{family}") == {(): 1}
    family = "django_http_requests_total_by_transport"
    assert server.counted("transport", family=family) == {("https",): 5}


def test_three_thousand_invented_methods_add_one_label(serve):
    server = serve(MIXED, workers=2)
    server.request("/", **HTTPS)
    before = sum(len(family.samples) for family in server.families().values())
    invented = [("/", f"INVENTED{number:04}", HTTPS) for number in range(3000)]
    assert set(server.request_all(invented)) == {200}
    family = "django_http_requests_total_by_method"
    assert server.counted("method", family=family) == {("GET",): 1, ("OTHER",): 3000}
    # One more label value in each family that has a method, none anywhere else.
    once = 1 + 1 + 1 + (17 + 2)
    assert sum(len(family.samples) for family in server.families().values()) == before + once
