"""Real machines behind instances, made by a program that the tests provide (`--machines COMMAND…`, see README.md)."""

import itertools
import pathlib
import shutil
import tempfile
import threading

from .cloud_init import CloudInit
from .machine import Machine


class Machines:
    """Each machine does its work on a thread of its own; nothing in here takes the world's lock."""

    def __init__(self, command):
        self._command = command
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="ec2-double-"))
        self._lock = threading.Lock()
        self._machines = []
        self._numbers = itertools.count(1)

    def reserve(self):
        """A new machine's name and address, before it boots."""
        with self._lock:
            number = next(self._numbers)
            name = "app" if number == 1 else f"app-{number}"
            machine = Machine(self._command, name, self._folder)
            self._machines.append(machine)
        machine.reserve()
        return machine

    @staticmethod
    def boot(machine, user_data, default_user, public_key):
        """Begins its first boot, with cloud-init at the end of it."""
        machine.begin(lambda: machine.make(CloudInit(user_data, default_user, public_key)))

    def remove_all(self):
        """Removes all machines at once, and waits for it; returns whether all are gone."""
        with self._lock:
            machines, self._machines = self._machines, []
            self._numbers = itertools.count(1)
        for machine in machines:
            machine.remove()
        for machine in machines:
            machine.wait()
        return all(machine.is_gone for machine in machines)

    def close(self):
        shutil.rmtree(self._folder, ignore_errors=True)
        return self.remove_all()
