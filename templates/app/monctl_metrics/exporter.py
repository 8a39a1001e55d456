"""Serves the metrics of all workers: `python -m monctl_metrics.exporter`.

A separate process, so that metrics remain available while workers or the port
are busy. Address and port come from
MONCTL_METRICS_ADDRESS and MONCTL_METRICS_PORT.
"""

import glob
import os
import socketserver
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import activation, exposition, families, slots, store


class Workers:
    """A collector that reads the files again for each scrape.

    A missing folder means that the application starts or is stopped: it has
    counted nothing, which is not an error of this process.
    """

    def __init__(self, directory):
        self._directory = directory

    def collect(self):
        """Yields the public families."""
        stored = {metric.name: metric for metric in self._read()}
        responses = _samples(stored.pop(families.RESPONSES, None))
        yield from _counters(responses)
        yield from self._presence(stored)
        latency = stored.get(families.LATENCY)
        yield _histogram_over_all(families.LATENCY_IN_ALL, families.SECONDS, latency)
        for name, bounds in (
            (families.REQUEST_BYTES, families.BYTES),
            (families.RESPONSE_BYTES, families.BYTES),
        ):
            if name not in stored:
                yield _histogram_over_all(name, bounds, None)
        yield from stored.values()

    def _presence(self, stored):
        """The state of Gunicorn's workers; nothing if another server runs the application."""
        names = (families.WORKERS, families.SLOTS, families.IN_PROGRESS)
        present = {name: stored.pop(name, None) for name in names}
        replaced = stored.pop(families.REPLACEMENTS, None)
        started = self._started()
        if started is None and os.path.isdir(self._directory):
            return
        for name, metric in present.items():
            yield _gauge(name, sum(sample.value for sample in _samples(metric)))
        yield _counter(families.REPLACEMENTS, (), _samples(replaced))
        if started is not None:
            yield _gauge(families.STARTED, started)

    def _started(self):
        try:
            return os.stat(os.path.join(self._directory, activation.STARTED)).st_mtime
        except FileNotFoundError:
            return None

    def _counts(self, path):
        """Whether a file counts: a gauge's only while its process runs."""
        kind, _, number = os.path.basename(path).removesuffix(".db").rpartition("_")
        return not kind.startswith("gauge_live") or slots.is_held(self._directory, number)

    def _read(self):
        # The folder may be emptied between listing and reading.
        for _ in range(3):
            try:
                files = glob.glob(os.path.join(self._directory, "*.db"))
                return _merged([file for file in files if self._counts(file)])
            except FileNotFoundError:
                continue
        return []


def _kind(path):
    kind = os.path.basename(path).partition("_")[0]
    return exposition.GAUGE if kind == "gauge" else kind


def _merged(paths):
    """The families of all files, added up."""
    found, totals = {}, defaultdict(float)
    for path in paths:
        for name, sample, labels, help_text, value in store.read(path):
            found.setdefault(name, (_kind(path), help_text))
            totals[name, sample, tuple(sorted(labels.items()))] += value
    merged = {name: exposition.Family(name, *rest) for name, rest in found.items()}
    histograms = defaultdict(lambda: ({}, 0.0))
    for (name, sample, labels), value in totals.items():
        family, labels, suffix = merged[name], dict(labels), sample[len(name) :]
        if family.type != exposition.HISTOGRAM:
            family.add(suffix, labels, value)
            continue
        bound = labels.pop("le", None)
        key = name, tuple(labels.items())
        buckets, total = histograms[key]
        if bound is None:
            histograms[key] = buckets, total + value
        else:
            buckets[float(bound)] = value
    for (name, labels), (buckets, total) in histograms.items():
        merged[name].add_histogram(dict(labels), buckets, total)
    return list(merged.values())


def _samples(metric):
    return metric.samples if metric is not None else []


def _counters(responses):
    for name, labels in families.COUNTERS.items():
        yield _counter(name, labels, responses)
    for name, flag in families.FLAGGED.items():
        yield _counter(name, (), [sample for sample in responses if sample.labels[flag]])


def _counter(name, labels, responses):
    """Adds up responses over all labels but the given ones."""
    totals = defaultdict(float)
    if not labels:
        totals[()] = 0.0
    for sample in responses:
        totals[tuple(sample.labels[label] for label in labels)] += sample.value
    family = exposition.Family(name, exposition.COUNTER, families.HELP[name])
    for values, total in totals.items():
        family.add("_total", dict(zip(labels, values)), total)
    return family


def _gauge(name, value):
    family = exposition.Family(name, exposition.GAUGE, families.HELP[name])
    family.add("", {}, value)
    return family


def _histogram_over_all(name, bounds, metric):
    """One histogram without labels, the sum of a labelled one."""
    cumulative = dict.fromkeys(bounds, 0.0)
    total = 0.0
    for sample in _samples(metric):
        if sample.name.endswith("_bucket"):
            cumulative[float(sample.labels["le"])] += sample.value
        elif sample.name.endswith("_sum"):
            total += sample.value
    earlier, buckets = 0.0, {}
    for bound in bounds:
        buckets[bound], earlier = cumulative[bound] - earlier, cumulative[bound]
    family = exposition.Family(name, exposition.HISTOGRAM, families.HELP[name])
    family.add_histogram({}, buckets, total)
    return family


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = exposition.text(self.server.workers.collect())
        self.send_response(200)
        self.send_header("Content-Type", exposition.CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        """Writes no line for each scrape."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self):
        # The standard library would resolve a host name here.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


def main():
    address = os.environ.get("MONCTL_METRICS_ADDRESS", "127.0.0.1")
    port = int(os.environ.get("MONCTL_METRICS_PORT", "9101"))
    with _Server((address, port), _Handler) as server:
        server.workers = Workers(activation.directory())
        server.serve_forever()


if __name__ == "__main__":
    main()
