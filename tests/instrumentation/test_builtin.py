"""`builtin`: django-prometheus in several workers, read at the application's own page."""

import pytest
from servers import REPOSITORY, parse

EXAMPLE = REPOSITORY / "examples" / "notes-prometheus"


@pytest.fixture
def example():
    names = ("notes", "notebook")
    files = {}
    for name in names:
        for path in (EXAMPLE / name).rglob("*"):
            if path.suffix in (".py", ".html"):
                files[str(path.relative_to(EXAMPLE))] = path.read_text()
    # A page that says which worker answers; the example itself has no use for it.
    files["notes/urls.py"] += """
import os
from django.http import HttpResponse
urlpatterns.insert(0, path("pid", lambda request: HttpResponse(str(os.getpid())), name="pid"))
"""
    return files


def responses(server):
    text = server.ask("/metrics")[1]
    name = "django_http_responses_total_by_status_view_method_total"
    return parse(text).get((name, 'method="GET",status="200",view="pid"'))


def test_any_worker_tells_what_all_counted_across_kills_and_reloads(serve, example):
    server = serve(example, entry="notes.wsgi", workers=3, mode="builtin", SECRET_KEY="x")
    asked = sum(server.ask_every_worker().values())
    assert {responses(server) for _ in range(9)} == {asked}
    files = server.files()
    for pid in server.pids():
        server.kill_worker(pid)
    asked += sum(server.ask_every_worker().values())
    assert {responses(server) for _ in range(9)} == {asked}
    assert server.files() == files
    server.reload()
    asked += sum(server.ask_every_worker().values())
    assert {responses(server) for _ in range(9)} == {asked}
