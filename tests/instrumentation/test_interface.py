"""The class of workers fits the interface and what is installed."""

import pytest


@pytest.mark.parametrize(
    ("gunicorn", "installed", "chosen"),
    [
        (27, (), "asgi"),
        (28, ("uvicorn.workers",), "asgi"),
        (27, ("uvicorn_worker", "uvicorn.workers"), "uvicorn_worker.UvicornWorker"),
        (25, ("uvicorn_worker",), "uvicorn_worker.UvicornWorker"),
        (26, ("uvicorn.workers",), "uvicorn.workers.UvicornWorker"),
        (26, (), None),
    ],
)
def test_asgi_is_served_by_what_is_installed(monkeypatch, gunicorn, installed, chosen):
    from monctl_metrics import interface

    monkeypatch.setattr(interface, "_gunicorn", lambda: gunicorn)
    monkeypatch.setattr(interface, "_is_installed", lambda module: module in installed)
    monkeypatch.setenv("MONCTL_ASGI", "shop.asgi")
    assert interface.worker_class() == chosen
    monkeypatch.setenv("MONCTL_WORKER_CLASS", "shop.workers.Own")
    assert interface.worker_class() == "shop.workers.Own"


def test_wsgi_is_served_by_threads(monkeypatch):
    from monctl_metrics import interface

    monkeypatch.delenv("MONCTL_ASGI", raising=False)
    monkeypatch.delenv("MONCTL_WORKER_CLASS", raising=False)
    monkeypatch.setattr(interface, "_is_installed", lambda module: True)
    assert interface.worker_class() == "gthread"


def test_what_is_missing_is_seen():
    from monctl_metrics import interface

    assert interface._is_installed("gunicorn.workers.gasgi")
    assert not interface._is_installed("no_such_package.workers")
    assert not interface._is_installed("gunicorn.no_such_module")
    assert interface._gunicorn() == 27
