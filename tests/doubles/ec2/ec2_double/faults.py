"""The fault queue: which calls go wrong, and how."""

import dataclasses
import itertools
import threading

KINDS = {
    "refuse": "answered with an error before it is done",
    "drop": "the connection ends before it is done",
    "hold": "held before it is done",
    "delay": "waits, then goes on",
    "fail": "done, then answered with an error",
    "lose": "done, then the connection ends without an answer",
    "hold_after": "done, then held before the answer",
}
BEFORE = {"refuse", "drop", "hold", "delay"}


@dataclasses.dataclass
class Fault:
    """`action` may be `*`. It meets the `nth` matching call from when it was set, and `times` in all from there
    on; `times: null` means each one."""

    action: str
    do: str
    nth: int = 1
    times: int | None = 1
    code: str = "InternalError"
    message: str = "An internal error has occurred"
    status: int | None = None
    seconds: float = 0
    id: int = 0
    seen: int = 0
    met: int = 0

    def __post_init__(self):
        if self.do not in KINDS:
            raise ValueError(f"`do` is one of {', '.join(KINDS)}")
        if self.status is None:
            self.status = 500 if self.code in ("InternalError", "InternalFailure", "Unavailable") else 400

    @property
    def is_before(self):
        return self.do in BEFORE

    @property
    def is_due(self):
        return self.seen >= self.nth and (self.times is None or self.met < self.times)


class Faults:
    def __init__(self):
        self._lock = threading.Lock()
        self._faults = []
        self._ids = itertools.count(1)

    def add(self, wanted):
        """Takes one as JSON; its fields are those of `Fault` that a test sets."""
        settable = {"action", "do", "nth", "times", "code", "message", "status", "seconds"}
        unknown = sorted(set(wanted) - settable)
        if unknown or not {"action", "do"} <= set(wanted):
            raise ValueError(f"a fault has `action` and `do`, and may have {', '.join(sorted(settable))}; {unknown}")
        fault = Fault(**wanted)
        with self._lock:
            fault.id = next(self._ids)
            self._faults.append(fault)
        return fault

    def meeting(self, action):
        """The fault that this call meets, if any: the first one in the queue. All of them count the call."""
        with self._lock:
            matching = [fault for fault in self._faults if fault.action in ("*", action)]
            for fault in matching:
                fault.seen += 1
            due = next((fault for fault in matching if fault.is_due), None)
            if due is not None:
                due.met += 1
            return due

    def shown(self):
        with self._lock:
            return [dataclasses.asdict(fault) for fault in self._faults]

    def clear(self):
        with self._lock:
            self._faults.clear()
