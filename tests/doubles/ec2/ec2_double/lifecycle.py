"""Instances that take their time: each state lasts as long as the settings say, then the next one begins."""

import dataclasses
import time

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
USER_SHUTDOWN = "Client.UserInitiatedShutdown"


@dataclasses.dataclass
class Change:
    """What becomes of an instance, and when."""

    instance: object
    to: str
    at: float

    @property
    def is_possible(self):
        """A real machine is stopped or gone before EC2 says so; it is `running` while it still boots."""
        machine = self.instance.machine
        return self.to == "running" or machine is None or machine.is_idle


class Lives:
    """Nothing runs in the background: `settle` brings all instances to where they must be by now."""

    def __init__(self, world):
        self._world = world
        self._changes = {}
        self._terminated = {}

    def settle(self):
        now = time.monotonic()
        for change in [change for change in self._changes.values() if change.at <= now and change.is_possible]:
            del self._changes[change.instance.id]
            self._enter(change.instance, change.to)
        for backend in self._world.regions():
            for instance in backend.all_instances():
                self._notice_failure(instance)
        gone = [one for one, (_, at) in self._terminated.items() if now - at >= self._world.settings.terminated]
        for one in gone:
            instance, _ = self._terminated.pop(one)
            instance.forget()

    def pend(self, instance):
        """Begins or starts: `pending`, then `running`."""
        self._begin(instance, "pending", "running", self._world.settings.pending)

    def stop(self, instance):
        self._begin(instance, "stopping", "stopped", self._world.settings.stopping)

    def terminate(self, instance):
        self._begin(instance, "shutting-down", "terminated", self._world.settings.shutting_down)

    def _notice_failure(self, instance):
        """An instance whose real machine failed terminates by itself, and says why."""
        failure = instance.machine and instance.machine.failure
        if not failure or instance.state in ("shutting-down", "terminated"):
            return
        self.terminate(instance)
        instance.explain("Server.InternalError", failure)
        instance.machine.remove()

    def _begin(self, instance, state, then, after):
        instance.become(state, CODES[state])
        if state in ("stopping", "shutting-down"):
            instance.explain(USER_SHUTDOWN, "User initiated shutdown")
        self._changes[instance.id] = Change(instance, then, time.monotonic() + after)

    def _enter(self, instance, state):
        if state == "stopped":
            instance.release_public_address()
        if state == "terminated":
            instance.fall_apart()
            self._terminated[instance.id] = (instance, time.monotonic())
        instance.become(state, CODES[state])
