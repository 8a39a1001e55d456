"""The counters of one process, in memory-mapped files that outlive it.

They have the layout of prometheus_client's multiprocess mode, but nothing of that
package is used, so that the application's own metrics are not affected. Called by
`instrument` only.
"""

import os
import threading
from bisect import bisect_left

from . import families, store
from .slots import Slot


class Recorder:
    """The counters of this process. Threads may share it, processes may not."""

    def __init__(self, directory):
        self._slot = Slot(directory)
        self._counters = self._file(directory, "counter")
        self._histograms = self._file(directory, "histogram")
        # Files of this kind count only while their slot is held.
        self._present = self._file(directory, "gauge_livesum")
        self._lock = threading.Lock()
        self._responses = {}
        self._latencies = {}
        self._single = {}
        self._errors = self._counter(families.ERRORS)
        self._in_progress = _cell(self._present, families.IN_PROGRESS, "", (), ())
        self._request_bytes = self._histogram(families.REQUEST_BYTES, families.BYTES)
        self._response_bytes = self._histogram(families.RESPONSE_BYTES, families.BYTES)

    def response(self, labels, seconds, request_bytes, response_bytes):
        """Counts one response; `labels` are values in the order of RESPONSE_LABELS.

        `response_bytes` is None where the size is unknown.
        """
        with self._lock:
            row = self._responses.get(labels) or self._new_response(labels)
            count, latency = row
            count.add(1)
            latency.observe(seconds)
            self._request_bytes.observe(request_bytes)
            if response_bytes is not None:
                self._response_bytes.observe(response_bytes)

    def entered(self):
        """Counts a request that begins."""
        with self._lock:
            self._in_progress.add(1)

    def left(self):
        """Counts a request that ends."""
        with self._lock:
            self._in_progress.add(-1)

    def worker(self, slots, replaces):
        """Records that this process is a worker, and whether it replaces one that has ended."""
        with self._lock:
            _cell(self._present, families.WORKERS, "", (), ()).set(1)
            _cell(self._present, families.SLOTS, "", (), ()).set(slots)
            self._counter(families.REPLACEMENTS).add(1 if replaces else 0)

    def migrations(self, connection, unapplied, applied):
        """Records the numbers of unapplied and applied migrations."""
        with self._lock:
            for family, number in ((families.UNAPPLIED, unapplied), (families.APPLIED, applied)):
                _cell(self._present, family, "", families.MIGRATION_LABELS, (connection,)).set(number)

    def event(self, family, value):
        """Counts one occurrence in a (name, label) family that is stored as published."""
        with self._lock:
            key = (family, value)
            cell = self._single.get(key)
            if cell is None:
                name, label = family
                cell = self._single[key] = self._counter(name, (label,), (value,))
            cell.add(1)

    def error(self):
        """Counts something that the instrumentation failed to count."""
        with self._lock:
            self._errors.add(1)

    def _file(self, directory, kind):
        return store.Store(os.path.join(directory, f"{kind}_{self._slot.number}.db"))

    def _new_response(self, labels):
        _, view, method, *_ = labels
        latency = self._latencies.get((view, method))
        if latency is None:
            latency = self._latencies[view, method] = self._histogram(
                families.LATENCY, families.SECONDS, families.LATENCY_LABELS, (view, method)
            )
        count = self._counter(families.RESPONSES, families.RESPONSE_LABELS, labels)
        row = self._responses[labels] = (count, latency)
        return row

    def _counter(self, name, labels=(), values=()):
        return _cell(self._counters, name, "_total", labels, values)

    def _histogram(self, name, bounds, labels=(), values=()):
        return _Histogram(self._histograms, name, bounds, labels, values)


def _cell(file, family, suffix, labels, values):
    help_text = families.HELP.get(family, family)
    return file.cell(store.key(family, family + suffix, dict(zip(labels, values)), help_text))


class _Histogram:
    __slots__ = ("_bounds", "_buckets", "_sum")

    def __init__(self, file, family, bounds, labels, values):
        self._bounds = bounds
        self._sum = _cell(file, family, "_sum", labels, values)
        self._buckets = [
            _cell(file, family, "_bucket", (*labels, "le"), (*values, _bound(bound)))
            for bound in bounds
        ]

    def observe(self, amount):
        self._sum.add(amount)
        self._buckets[bisect_left(self._bounds, amount)].add(1)


def _bound(value):
    return "+Inf" if value == families.INFINITY else repr(value)
