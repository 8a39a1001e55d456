"""One real machine: the program's verbs, one after the other."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

# Cloud-init's own work takes seconds; what `runcmd` does is the test's.
CLOUD_INIT_DEADLINE = 600


class Failed(Exception):
    """A verb of the program, or cloud-init, did not succeed."""


class Machine:
    def __init__(self, command, name, folder):
        self.name, self.address, self.failure = name, None, None
        self._command, self._folder = command, folder
        self._worker = ThreadPoolExecutor(1)
        self._state = threading.Lock()
        self._under_way = 0
        self._running, self._is_removed, self.is_gone = None, False, False
        self._log = ""

    def reserve(self):
        self.address = json.loads(self._run("reserve"))["address"]

    def show_address(self, interface):
        """The machine has one address only: from here, the public one is the private one."""
        interface.private_ip_address = self.address
        interface.private_ip_addresses = [{"Primary": True, "PrivateIpAddress": self.address}]
        if interface.public_ip is not None:
            interface.public_ip = self.address

    def make(self, cloud_init):
        path = self._folder / f"{self.name}.user-data"
        path.write_bytes(cloud_init.user_data)
        path.chmod(0o600)
        try:
            access = json.loads(self._run("make", EC2_DOUBLE_USER_DATA=str(path)))
        finally:
            path.unlink()
        self._log += self._execute(
            ["ssh", "-F", access["ssh_config"], access["alias"], "sh", "-s"],
            input_text=cloud_init.script(),
            deadline=CLOUD_INIT_DEADLINE,
        )

    def start(self):
        self.begin(lambda: self._run("start"))

    def stop(self):
        self.begin(lambda: self._run("stop"))

    def remove(self):
        """Removes it whatever it is doing; what it was to do afterwards is not done any more."""
        with self._state:
            if self._is_removed:
                return
            self._is_removed = True
            if self._running is not None:
                self._running.terminate()
        self.begin(self._remove, even_if_removed=True)

    def _remove(self):
        self._run("remove")
        self.is_gone = True

    def console(self):
        """The machine's own output, if it has any, and that of cloud-init."""
        return ("" if self._is_removed else self._run("console")) + self._log

    @property
    def is_idle(self):
        with self._state:
            return self._under_way == 0

    def wait(self):
        """Until everything is done; nothing can be begun after it."""
        self._worker.shutdown(wait=True)

    def begin(self, work, even_if_removed=False):
        """Does the work on the machine's thread, after all that was begun before."""
        with self._state:
            self._under_way += 1
        self._worker.submit(self._work, work, even_if_removed)

    def _work(self, work, even_if_removed):
        try:
            if even_if_removed or not self._is_removed:
                work()
        except Exception as error:
            if even_if_removed or not self._is_removed:
                self.failure = f"{type(error).__name__}: {error}"
                print(f"ec2_double: machine {self.name}: {self.failure}", file=sys.stderr, flush=True)
        finally:
            with self._state:
                self._under_way -= 1

    def _run(self, verb, **environment):
        return self._execute([*self._command, verb, self.name], verb=verb, environment=environment)

    def _execute(self, command, verb=None, environment=None, input_text=None, deadline=None):
        """Standard output of a program; its standard error is shown where it fails."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if input_text is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        with self._state:
            # `console` may run beside other work; a removal ends only that other work.
            if verb != "console":
                self._running = process
            if self._is_removed and verb not in ("remove", "console"):
                process.terminate()
        try:
            output, errors = process.communicate(input_text, timeout=deadline)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise Failed(f"`{verb or 'cloud-init'}` took more than {deadline} s") from error
        finally:
            with self._state:
                if self._running is process:
                    self._running = None
        if process.returncode != 0:
            self._log += output + errors
            raise Failed(f"`{verb or 'cloud-init'}` ended with {process.returncode}: {(output + errors)[-2000:]}")
        return output
