"""Fixtures: real Gunicorns that serve real Django projects, written per test."""

import sys

import pytest
from servers import APP, Server

sys.path.insert(0, str(APP))


@pytest.fixture
def serve(tmp_path):
    """Starts servers and stops them at the end of the test."""
    servers = []

    def start(files, **settings):
        server = Server(tmp_path, files, **settings)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()
