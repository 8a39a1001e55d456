"""The example applications are self-contained, and differ only as intended."""

import filecmp
import os
import subprocess
import sys

import pytest
from servers import REPOSITORY

EXAMPLES = REPOSITORY / "examples"


def files(folder):
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != "db.sqlite3"
    }


@pytest.mark.parametrize("name", ["notes", "notes-prometheus"])
def test_an_example_s_own_tests_pass(name):
    subprocess.run(
        [sys.executable, "manage.py", "test", "--verbosity=0"],
        cwd=EXAMPLES / name,
        env=os.environ | {"DEBUG": "1"},
        check=True,
    )


def test_the_examples_differ_only_where_django_prometheus_needs_it():
    plain, measured = EXAMPLES / "notes", EXAMPLES / "notes-prometheus"
    assert files(measured) - files(plain) == {"notebook/tests/test_metrics.py"}
    assert files(plain) <= files(measured)
    _, different, problems = filecmp.cmpfiles(plain, measured, files(plain), shallow=False)
    assert sorted(different) == ["README.md", "notes/settings.py", "notes/urls.py", "requirements.txt"]
    assert not problems


def test_the_plain_example_contains_no_monitoring():
    for name in files(EXAMPLES / "notes"):
        text = (EXAMPLES / "notes" / name).read_text().lower()
        assert "prometheus" not in text and "monctl" not in text and "metric" not in text, name
