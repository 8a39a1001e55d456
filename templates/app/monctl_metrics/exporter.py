"""Serves the metrics of all workers: `python -m monctl_metrics.exporter`.

A separate process, so that metrics remain available while workers or the port
are busy. Address and port come from
MONCTL_METRICS_ADDRESS and MONCTL_METRICS_PORT.
"""

import glob
import os
import socketserver
from collections import defaultdict
from http.server import ThreadingHTTPServer

from prometheus_client import CollectorRegistry, MetricsHandler, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from . import activation, families, slots


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
        """Whether a file counts: not while it is created; a gauge's only while its process runs."""
        if os.path.getsize(path) == 0:
            return False
        kind, _, number = os.path.basename(path).removesuffix(".db").rpartition("_")
        return not kind.startswith("gauge_live") or slots.is_held(self._directory, number)

    def _read(self):
        # The folder may be emptied between listing and reading.
        for _ in range(3):
            try:
                files = glob.glob(os.path.join(self._directory, "*.db"))
                return MultiProcessCollector.merge([file for file in files if self._counts(file)])
            except FileNotFoundError:
                continue
        return []


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
    family = CounterMetricFamily(name, families.HELP[name], labels=labels)
    for values, total in totals.items():
        family.add_metric(values, total)
    return family


def _gauge(name, value):
    family = GaugeMetricFamily(name, families.HELP[name])
    family.add_metric((), value)
    return family


def _histogram_over_all(name, bounds, metric):
    """One histogram without labels, the sum of a labelled one."""
    buckets = {_bound(bound): 0.0 for bound in bounds}
    total = 0.0
    for sample in _samples(metric):
        if sample.name.endswith("_bucket"):
            buckets[sample.labels["le"]] += sample.value
        elif sample.name.endswith("_sum"):
            total += sample.value
    family = HistogramMetricFamily(name, families.HELP[name])
    family.add_metric((), list(buckets.items()), total)
    return family


def _bound(value):
    return "+Inf" if value == families.INFINITY else repr(value)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self):
        # The standard library would resolve a host name here.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


def registry(directory):
    """The registry that serves the metrics of the workers in a directory."""
    found = CollectorRegistry(auto_describe=False)
    found.register(Workers(directory))
    return found


def text(directory):
    """The metrics of the workers in a directory, as Prometheus reads them."""
    return generate_latest(registry(directory))


def main():
    address = os.environ.get("MONCTL_METRICS_ADDRESS", "127.0.0.1")
    port = int(os.environ.get("MONCTL_METRICS_PORT", "9101"))
    with _Server((address, port), MetricsHandler.factory(registry(activation.directory()))) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
