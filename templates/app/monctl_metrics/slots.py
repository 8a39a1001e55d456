"""Numbers for processes that write metrics: small, reused, never shared.

A process holds its number by a POSIX lock, which the kernel releases however the
process ends. There are never more files than processes that ran at the same time,
and the next holder continues the counters of the previous one.
"""

import fcntl
import glob
import os
import struct

# The kernel's `struct flock` on 64-bit machines: type, whence, start, length, process.
_FLOCK = struct.Struct("@hhqqi4x")

# Far above any number of workers; ends a search that can never succeed.
_MOST = 4096


class Slot:
    """A number that belongs to this process until it ends."""

    def __init__(self, directory):
        self.number, self._lock = _acquire(directory)
        # The gauges of the previous holder are outdated.
        for left in glob.glob(os.path.join(directory, f"gauge_live*_{self.number}.db")):
            os.unlink(left)


class Current:
    """Returns the slot of the calling process; a forked child gets its own.

    Calls are cheap, since prometheus_client calls it for each increment.
    """

    def __init__(self, directory):
        self._directory = directory
        self._slot = None
        os.register_at_fork(after_in_child=self._forget)

    def __call__(self):
        if self._slot is None:
            self._slot = Slot(self._directory)
        return self._slot.number

    def _forget(self):
        self._slot = None


def is_held(directory, number):
    """Whether another process holds this number now."""
    return _holder(os.path.join(directory, f"slot-{number}.lock")) is not None


def holders(directory):
    """The processes that hold a number now."""
    found = (_holder(path) for path in glob.glob(os.path.join(directory, "slot-*.lock")))
    return {process for process in found if process is not None}


def _holder(path):
    """The process that has locked a file, if another process has. Does not take the lock."""
    try:
        with open(path) as lock:
            query = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, *_, process = _FLOCK.unpack(fcntl.fcntl(lock, fcntl.F_GETLK, query))
            return None if kind == fcntl.F_UNLCK else process
    except FileNotFoundError:
        return None


def _acquire(directory):
    # The lock is on a separate file, which nothing else opens: closing any
    # descriptor of a locked file would release the lock.
    for number in range(_MOST):
        path = os.path.join(directory, f"slot-{number}.lock")
        try:
            lock = open(path, "a")
        except PermissionError:
            if not os.path.exists(path):
                raise
            # Of another user: of a server that changes its user for its workers.
            continue
        # Other users ask for its holder.
        os.fchmod(lock.fileno(), 0o644)
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
        else:
            return number, lock
    raise RuntimeError(f"all {_MOST} slots in {directory} are taken")
