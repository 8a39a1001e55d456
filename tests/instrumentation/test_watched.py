"""An application that something else deploys: its own server and settings, one `.pth` file, and variables of its unit."""

import ast
import concurrent.futures
import importlib.util
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from projects import ASGI, small
from servers import APP, DEADLINE, REPOSITORY, until, write

FILES = REPOSITORY / "templates" / "integrations" / "watch" / "files"


def module_of(name):
    """A file of the watch, which is not on Python's path."""
    spec = importlib.util.spec_from_file_location(f"watch_{name}", FILES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def installed(tmp_path):
    """An environment with monctl's file, and the folder that this file starts."""
    home = tmp_path / "counting"
    (home / "library").mkdir(parents=True)
    (home / "library" / "monctl_metrics").symlink_to(APP / "monctl_metrics")
    place = module_of("counting").HOME
    (home / "start.py").write_text((FILES / "start.py").read_text().replace(place, str(home)))
    site = tmp_path / "site"
    pth = module_of("counting").PTH.replace(place, str(home))
    write(site, {"monctl-counting.pth": pth, "sitecustomize.py": f"import site; site.addsitedir({str(site)!r})\n"})
    return home


class Team:
    """A server that a team starts as it likes."""

    def __init__(self, folder, command, files):
        self.metrics = folder / "run"
        self.metrics.mkdir()
        write(folder / "app", files)
        self.log = folder / "log"
        self.port = None
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MONCTL")}
        environment |= {
            "PYTHONPATH": str(folder / "site"),
            "MONCTL_METRICS": "exporter",
            "MONCTL_METRICS_DIR": str(self.metrics),
            "RUNTIME_DIRECTORY": f"/run/theirs:{self.metrics}",
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command], cwd=folder / "app", env=environment, stdout=log, stderr=log
            )

    def request(self, path="/"):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=DEADLINE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""

    def answers(self):
        """Whether it listens: its log has the port."""
        assert self.process.poll() is None, self.log.read_text()
        found = [word for word in self.log.read_text().replace(" (", "\n").split() if "127.0.0.1:" in word]
        if found:
            self.port = found[0].strip("().").rpartition(":")[2]
        return bool(found)

    def families(self):
        from monctl_metrics.exporter import Workers

        return {family.name: family for family in Workers(str(self.metrics)).collect()}

    def responses(self):
        samples = self.families()["django_http_responses_total_by_status"].samples
        return {int(sample.labels["status"]): int(sample.value) for sample in samples}

    def workers(self):
        return {int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()}


@pytest.fixture
def team(tmp_path, installed):
    """Starts a server of the team."""
    teams = []

    def start(*command, files=None):
        teams.append(Team(tmp_path, command, files or small()))
        until(teams[0].answers)
        return teams[0]

    yield start
    for one in teams:
        one.process.terminate()
        try:
            one.process.wait(DEADLINE)
        finally:
            one.process.kill()


def number(server, name):
    """The value of a metric; None while the server does not have it yet."""
    family = server.families().get(name)
    return family and family.samples[0].value


SHOWN = "import os\nprint('folders', os.environ.get('RUNTIME_DIRECTORY'), flush=True)\n"


@pytest.mark.parametrize(
    "options",
    [
        ["--worker-class", "sync"],
        ["--worker-class", "sync", "--preload"],
        ["--worker-class", "gthread", "--threads", "4"],
        ["--worker-class", "gthread", "--threads", "4", "--preload"],
        ["--worker-class", "gevent"],
        ["--worker-class", "uvicorn_worker.UvicornWorker"],
    ],
    ids=" ".join,
)
def test_each_response_of_gunicorn_is_counted_also_if_workers_are_killed(team, options):
    is_asgi = "uvicorn_worker.UvicornWorker" in options
    files = small(asgi=SHOWN + ASGI) if is_asgi else small()
    module = "shop.asgi" if is_asgi else "shop.wsgi"
    if not is_asgi:
        files["shop/wsgi.py"] = SHOWN + files["shop/wsgi.py"]
    server = team("-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", "2", *options, f"{module}:application", files=files)
    until(lambda: number(server, "monctl_workers") == 2)
    assert "monctl_app_start_time_seconds" in server.families()
    for round_ in range(2):
        assert [server.request("/")[0] for _ in range(20)] == [200] * 20
        assert [server.request("/absent")[0] for _ in range(5)] == [404] * 5
        assert server.responses() == {200: 20 * (round_ + 1), 404: 5 * (round_ + 1)}
        before = server.workers()
        os.kill(min(before), signal.SIGKILL)
        until(lambda before=before: len(server.workers()) == 2 and server.workers() != before)
        until(lambda: number(server, "monctl_workers") == 2)
    until(lambda: number(server, "monctl_worker_replacements") == 2)
    text = server.log.read_text()
    assert "folders /run/theirs\n" in text, "the application does not see monctl's folder"
    assert "Traceback" not in text and "metrics" not in text, text


UWSGI = ["-c", "import pyuwsgi; pyuwsgi.run()", "--http-socket", "127.0.0.1:0", "--module", "shop.wsgi", "--master"]


@pytest.mark.parametrize(
    ("holders", "command"),
    [
        (1, ["-m", "uvicorn", "--port", "0", "shop.asgi:application"]),
        (2, ["-m", "uvicorn", "--port", "0", "--workers", "2", "shop.asgi:application"]),
        (1, ["-m", "hypercorn", "--bind", "127.0.0.1:0", "shop.asgi:application"]),
        (2, ["-m", "hypercorn", "--bind", "127.0.0.1:0", "--workers", "2", "shop.asgi:application"]),
        (1, ["-m", "daphne", "--bind", "127.0.0.1", "--port", "0", "shop.asgi:application"]),
        (1, [*UWSGI, "--processes", "2"]),
        (2, [*UWSGI, "--processes", "2", "--lazy-apps"]),
    ],
    ids=lambda value: " ".join(value).replace(UWSGI[1], "uwsgi") if isinstance(value, list) else None,
)
def test_each_response_of_other_servers_is_counted(team, holders, command):
    server = team(*command, files=small(asgi=ASGI))
    from monctl_metrics import slots

    # Before the first request: that is how the watch knows that it counts.
    until(lambda: len(slots.holders(str(server.metrics))) == holders)
    paths = [*["/"] * 40, *["/absent"] * 20]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda path: server.request(path)[0], paths))
    assert sorted(statuses) == [200] * 40 + [404] * 20
    assert server.responses() == {200: 40, 404: 20}


def python(folder, program, **variables):
    """Runs a program with the environment's Python; returns what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MONCTL")}
    environment |= {"PYTHONPATH": str(folder / "site"), **variables}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=DEADLINE, check=True
    )
    return ran.stdout + ran.stderr


IS_LOADED = "import sys; print('monctl_metrics' in sys.modules)"


def test_other_uses_of_the_environment_are_untouched_and_a_missing_folder_is_silent(tmp_path, installed):
    assert python(tmp_path, IS_LOADED) == "False\n"
    assert python(tmp_path, IS_LOADED, MONCTL_METRICS="exporter") == "True\n"
    installed.rename(tmp_path / "gone")
    assert python(tmp_path, IS_LOADED, MONCTL_METRICS="exporter") == "False\n"


def test_a_worker_that_begins_after_monctl_took_its_files_back_is_silent(team, tmp_path, installed):
    server = team("-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", "1", "shop.wsgi:application")
    until(lambda: number(server, "monctl_workers") == 1)
    installed.rename(tmp_path / "gone")
    server.metrics.rename(tmp_path / "gone-too")
    before = server.workers()
    os.kill(min(before), signal.SIGKILL)
    until(lambda: server.workers() and server.workers() != before)
    assert server.request("/") == (200, "home")
    assert "Traceback" not in server.log.read_text()


def test_only_processes_of_the_unit_count(monkeypatch):
    from monctl_metrics import slots

    counting = module_of("counting")
    groups = {
        7: "0::/system.slice/shop.service\n",
        8: "0::/system.slice/shop.service/worker\n",
        9: "0::/system.slice/shop.service2\n",
        10: "1:name=systemd:/system.slice/shop.service\n0::/\n",
    }
    monkeypatch.setattr(counting, "content_of", {f"/proc/{pid}/cgroup": text for pid, text in groups.items()}.get)
    holders = set()
    monkeypatch.setattr(slots, "holders", lambda _: holders)
    for holder, main, expected in ((7, 7, True), (8, 7, True), (10, 7, True), (9, 7, False), (5, 7, False), (7, 0, False)):
        holders = {holder}
        assert counting.counts(main) is expected, (holder, main)


@pytest.mark.parametrize(
    ("folders", "problem"),
    [
        (["python3.8"], "the Python 3.8 of .* is too old to count requests: Python 3.9 or newer is needed"),
        ([], "has 0 folders"),
        (["python3.12", "python3.13"], "has 2 folders"),
        (["python3.13"], None),
    ],
)
def test_an_environment_that_cannot_be_counted_is_refused(tmp_path, folders, problem):
    counting = module_of("counting")
    counted = counting.Counted("shop.service", str(tmp_path))
    with pytest.raises(counting.Refused, match="is not a Python environment"):
        counted.pth()
    (tmp_path / "pyvenv.cfg").touch()
    for folder in folders:
        (tmp_path / "lib" / folder / "site-packages").mkdir(parents=True)
    if problem is None:
        assert counted.pth() == f"{tmp_path}/lib/python3.13/site-packages/monctl-counting.pth"
    else:
        with pytest.raises(counting.Refused, match=problem):
            counted.pth()


def test_what_runs_in_their_processes_has_the_syntax_of_the_oldest_python():
    oldest = module_of("counting").OLDEST
    files = [*(APP / "monctl_metrics").glob("*.py"), FILES / "start.py"]
    assert len(files) > 10
    for file in files:
        ast.parse(file.read_text(), file.name, feature_version=oldest)
