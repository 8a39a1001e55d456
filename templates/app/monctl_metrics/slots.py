"""Numbers for processes that write metrics: small, reused, never shared.

A process holds its number by a POSIX lock, which the kernel takes back however
the process ends. Files named by such numbers stay as few as there ever were
processes at the same time, and the next holder goes on where the last stopped.
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
        # What the last holder said of its own present state is over.
        for left in glob.glob(os.path.join(directory, f"gauge_live*_{self.number}.db")):
            os.unlink(left)


class Current:
    """Says the slot of whichever process asks; a forked child gets its own.

    Each call is an inexpensive one, as prometheus_client calls it per increment.
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
    """Whether a process, other than this one, has this number now. Takes nothing for itself."""
    try:
        with open(os.path.join(directory, f"slot-{number}.lock")) as lock:
            asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            return _FLOCK.unpack(fcntl.fcntl(lock, fcntl.F_GETLK, asked))[0] != fcntl.F_UNLCK
    except FileNotFoundError:
        return False


def _acquire(directory):
    # The lock is on a file of its own, which nothing else opens: closing any
    # descriptor of a locked file would give the lock away.
    for number in range(_MOST):
        path = os.path.join(directory, f"slot-{number}.lock")
        lock = open(path, "a")
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
        else:
            return number, lock
    raise RuntimeError(f"all {_MOST} slots in {directory} are taken")
