"""Numbers in a memory-mapped file, in the layout of prometheus_client's multiprocess mode.

The layout: the number of bytes in use (4 bytes, then 4 unused); then entries,
each the length of its key (4 bytes), the key in UTF-8 padded with spaces to a
multiple of eight, its value and a time stamp, both doubles. A value changes in
place by one aligned store, several times as fast as prometheus_client's own
writer, which matters as it happens at every request. `recorder` writes, `exporter` lets
prometheus_client read. Needs no package, since it runs in applications' processes.
"""

import json
import mmap
import os
import struct

_HEADER_BYTES = 8
_SMALLEST = 1 << 16
_INTEGER = struct.Struct("i")
_NUMBERS = struct.Struct("dd")


def key(family, sample, labels, help_text):
    """The key of a cell: that of one sample of a family."""
    return json.dumps([family, sample, labels, help_text], sort_keys=True)


class Cell:
    """One number. Adding is not atomic: users of a shared cell must hold a lock."""

    __slots__ = ("_doubles", "_index")

    def __init__(self, doubles, index):
        self._doubles = doubles
        self._index = index

    def add(self, amount):
        self._doubles[self._index] += amount

    def set(self, value):
        self._doubles[self._index] = value


class Store:
    """A file of cells; an existing file is continued."""

    def __init__(self, path):
        self._file = open(path, "a+b")
        # The exporter may be another user's process; the folder decides who comes here.
        os.fchmod(self._file.fileno(), 0o644)
        self._map(os.fstat(self._file.fileno()).st_size or _SMALLEST)
        self._used = _INTEGER.unpack_from(self._memory)[0] or _HEADER_BYTES
        self._indices = dict(self._entries())

    def cell(self, key):
        """The cell of that name, created with zero if missing."""
        encoded = key.encode()
        if encoded not in self._indices:
            self._append(encoded)
        return Cell(self._doubles, self._indices[encoded])

    def _map(self, size):
        # Space is allocated now: a full disk is an error here, but would kill
        # the process at the first write.
        os.posix_fallocate(self._file.fileno(), 0, size)
        # Cells in use keep their old mapping.
        self._memory = mmap.mmap(self._file.fileno(), size)
        self._doubles = memoryview(self._memory).cast("d")

    def _entries(self):
        position = _HEADER_BYTES
        while position < self._used:
            length = _INTEGER.unpack_from(self._memory, position)[0]
            start = position + _INTEGER.size
            numbers = start + _padded(length)
            yield self._memory[start : start + length], numbers // 8
            position = numbers + _NUMBERS.size

    def _append(self, encoded):
        key = encoded.ljust(_padded(len(encoded)))
        entry = _INTEGER.pack(len(encoded)) + key + _NUMBERS.pack(0.0, 0.0)
        end = self._used + len(entry)
        if end > len(self._memory):
            self._map(2 * len(self._memory))
        self._memory[self._used : end] = entry
        self._indices[encoded] = (end - _NUMBERS.size) // 8
        # Readers see the entry only once it is complete.
        self._used = end
        self._memory[: _INTEGER.size] = _INTEGER.pack(end)


def _padded(length):
    """The length of a key's field: at least one space, and the numbers aligned."""
    return length + 8 - (length + _INTEGER.size) % 8
