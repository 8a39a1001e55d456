"""A Gunicorn as on a host: with our configuration and an inherited socket."""

import collections
import concurrent.futures
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
APP = REPOSITORY / "templates" / "app"
# Generous: it only ends a test that would hang.
DEADLINE = 120


def until(condition):
    """Waits for a condition and returns its result."""
    deadline = time.monotonic() + DEADLINE
    while not (result := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
    return result


def variable_of(entry):
    """The variable that names an entry point."""
    return "MONCTL_ASGI" if entry.endswith(".asgi") else "MONCTL_WSGI"


def write(folder, files):
    """Writes a project; the keys are paths, the values their contents."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class Server:
    """One application; `entry` is the value of MONCTL_WSGI or MONCTL_ASGI."""

    def __init__(self, folder, files, *, entry="shop.wsgi", workers=2, mode="exporter", **environment):
        self.folder = folder / "app"
        self.metrics_dir = folder / "run" / "metrics"
        self.log = folder / "gunicorn.log"
        write(self.folder, files)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._socket.getsockname()[1]
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "MONCTL_APP_DIR": str(self.folder),
            variable_of(entry): entry,
            "MONCTL_WORKERS": str(workers),
            "MONCTL_METRICS": mode,
            "MONCTL_METRICS_DIR": str(self.metrics_dir),
            **environment,
        }
        self.workers = workers
        self.process = None
        self.start()

    # Life

    def start(self):
        descriptor = self._socket.fileno()
        gunicorn = [sys.executable, "-m", "gunicorn", "--config", str(APP / "gunicorn.conf.py")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, HERE / "launch.py", str(descriptor), *gunicorn],
                env=self.environment,
                pass_fds=[descriptor],
                stdout=log,
                stderr=log,
            )
        until(lambda: "Booting worker" in self._log_text())

    def _log_text(self):
        text = self.log.read_text()
        assert self.process.poll() is None, text
        return text

    def stop(self):
        self.process.terminate()
        code = self.process.wait(DEADLINE)
        assert code == 0, f"exit code {code}: {self.log.read_text()}"

    def close(self):
        self._socket.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(DEADLINE)
            finally:
                self.process.kill()

    def signal(self, which):
        self.process.send_signal(which)

    def pids(self):
        """The current workers of Gunicorn."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(pid) for pid in children.read_text().split()}

    def listens(self, pid):
        """Whether a worker's epoll watches the listening socket."""
        of_process = Path(f"/proc/{pid}")
        socket_of_server = f"socket:[{os.fstat(self._socket.fileno()).st_ino}]"
        try:
            ends = {file.name: os.readlink(file) for file in (of_process / "fd").iterdir()}
            polls = [name for name, end in ends.items() if end == "anon_inode:[eventpoll]"]
            watched = [(of_process / "fdinfo" / name).read_text() for name in polls]
        except FileNotFoundError:
            # It ended, or closed a file meanwhile.
            return of_process.exists()
        descriptors = re.findall(r"^tfd:\s+(\d+)", "".join(watched), re.M)
        return any(ends.get(descriptor) == socket_of_server for descriptor in descriptors)

    def reload(self):
        """Returns once new workers have replaced the old ones."""
        before = self.pids()
        self.signal(signal.SIGHUP)
        until(lambda: not self.pids() & before and len(self.pids()) == self.workers)

    def kill_worker(self, pid):
        """Kills a worker with SIGKILL and returns once another one has replaced it."""
        before = self.pids()
        os.kill(pid, signal.SIGKILL)
        until(lambda: len(self.pids() - before) >= 1 and pid not in self.pids())

    # Requests

    def request(self, path="/", method="GET", body=None, **headers):
        """Sends one request on its own connection; returns status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body=body, headers={"Connection": "close"} | headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except TimeoutError:
            raise AssertionError(f"no answer to {method} {path}:\n{self.log.read_text()}") from None
        finally:
            connection.close()

    def request_all(self, requests, threads=8):
        """Sends (path, method, headers) from several clients; statuses in their order."""
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda r: self.request(r[0], r[1], **r[2])[0], requests))

    def request_every_worker(self, path="/pid"):
        """Sends requests until each worker has answered one; returns how many each answered."""
        seen = collections.Counter()

        def everyone():
            for status, body in concurrent.futures.ThreadPoolExecutor(8).map(
                lambda _: self.request(path), range(16)
            ):
                assert status == 200
                seen[int(body)] += 1
            return self.pids() <= seen.keys()

        until(everyone)
        return seen

    # Metrics

    def families(self):
        """The exporter's current metrics, by family name."""
        from monctl_metrics.exporter import Workers

        return {family.name: family for family in Workers(str(self.metrics_dir)).collect()}

    def counted(self, *labels, family="django_http_responses_total_by_status_view_method"):
        """A counter's values, by the given labels in their order."""
        return {
            tuple(sample.labels[label] for label in labels): int(sample.value)
            for sample in self.families()[family].samples
        }

    def responses(self):
        """(method, status, view) -> how often."""
        return {
            (method, int(status), view): count
            for (method, status, view), count in self.counted("method", "status", "view").items()
        }

    def files(self):
        return sorted(path.name for path in self.metrics_dir.iterdir())


def parse(text):
    """A text exposition as (name, labels as written) -> value."""
    lines = re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.M)
    return {(name, labels): float(value) for name, labels, value in lines}
