"""Fixtures: real Gunicorns that serve real Django projects, written per test."""

import os
import shutil
import subprocess
import sys

import pytest
from servers import APP, Server, variable_of, write

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


@pytest.fixture
def run(tmp_path):
    """Writes a project and runs a command of monctl_metrics in it."""

    def run(command, files, *arguments, entry="shop.wsgi", then=lambda: None, **environment):
        write(tmp_path / "app", files)
        # Bytecode is normally disabled by the environment: here the command itself must not write any. It runs from a
        # copy, since Python writes that of its own modules before.
        shutil.copytree(APP / "monctl_metrics", tmp_path / "code/monctl_metrics", dirs_exist_ok=True)
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        process = subprocess.Popen(
            [sys.executable, "-m", f"monctl_metrics.{command}", *arguments],
            env=inherited
            | {
                "PYTHONPATH": str(tmp_path / "code"),
                "PYTHONPYCACHEPREFIX": "",
                "MONCTL_APP_DIR": str(tmp_path / "app"),
                variable_of(entry): entry,
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        then()
        output, errors = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    return run
