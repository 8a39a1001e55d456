"""Instances with delays: each state lasts as long as in the settings, then the next one begins."""

import dataclasses
import time

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
# The state after a transitional state, and the setting for its duration.
NEXT = {
    "pending": ("running", "pending"),
    "stopping": ("stopped", "stopping"),
    "shutting-down": ("terminated", "shutting_down"),
}


@dataclasses.dataclass
class Change:
    """An instance on its way from one state to the next."""

    instance: object
    since: float

    @property
    def to(self):
        return NEXT[self.instance.state][0]

    def is_due(self, settings, now):
        _, setting = NEXT[self.instance.state]
        return now - self.since >= getattr(settings, setting) and not self._waits_for_machine()

    def _waits_for_machine(self):
        """A real machine is stopped or gone before EC2 reports it; an instance is `running` while its machine boots."""
        machine = self.instance.machine
        if machine is None or self.to == "running":
            return False
        return not (machine.is_gone if self.to == "terminated" else machine.is_idle)


class Lives:
    """Nothing runs in the background: `settle` brings all instances to where they must be by now."""

    def __init__(self, world):
        self._world = world
        self._changes = {}
        self._terminated = {}

    def settle(self):
        now, settings = time.monotonic(), self._world.settings
        for change in [change for change in self._changes.values() if change.is_due(settings, now)]:
            del self._changes[change.instance.id]
            self._arrive(change.instance, change.to, now)
        for instance, since in list(self._terminated.values()):
            if now - since >= settings.terminated:
                del self._terminated[instance.id]
                instance.forget()
        for backend in self._world.regions():
            for instance in backend.all_instances():
                self._notice_failure(instance)

    def begin(self, instance, state):
        """Sends an instance on its way: `pending`, `stopping` or `shutting-down`."""
        instance.become(state, CODES[state])
        self._changes[instance.id] = Change(instance, time.monotonic())

    def _arrive(self, instance, state, now):
        failure = self._failure(instance) if state == "running" else None
        if failure is not None:
            self._fail(instance, failure, now)
            return
        instance.has_run = instance.has_run or state == "running"
        if state == "stopped":
            instance.release_public_address()
        if state == "terminated":
            instance.fall_apart()
            self._terminated[instance.id] = (instance, now)
        instance.become(state, CODES[state])

    def _failure(self, instance):
        """The code of the reason for which an instance does not start."""
        known = self._world.settings.kms_keys
        if any(key is not None and key not in known for key in instance.kms_keys):
            return "Client.InternalError"
        return self._world.settings.failing_start

    def _fail(self, instance, code, now):
        """EC2 terminates what never ran, and stops again what was stopped."""
        state = "stopped" if instance.has_run else "terminated"
        if state == "stopped":
            instance.release_public_address()
        else:
            instance.fall_apart()
            self._terminated[instance.id] = (instance, now)
        instance.become(state, CODES[state])
        side, message = code.partition(".")[0], "Internal error on launch"
        instance.explain(code, f"{side} error on launch" if code.endswith("InternalError") else message)

    def _notice_failure(self, instance):
        """An instance whose real machine failed terminates by itself, with the reason."""
        failure = instance.machine and instance.machine.failure
        if not failure or instance.state == "terminated":
            return
        if instance.state != "shutting-down":
            self.begin(instance, "shutting-down")
            instance.machine.remove()
        instance.explain("Server.InternalError", failure)
