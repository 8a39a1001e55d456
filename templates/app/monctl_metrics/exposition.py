"""Families of samples, and how Prometheus reads them. Needs no other package."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

COUNTER = "counter"
GAUGE = "gauge"
HISTOGRAM = "histogram"


class Sample:
    """One number."""

    __slots__ = ("name", "labels", "value")

    def __init__(self, name, labels, value):
        self.name = name
        self.labels = labels
        self.value = value


class Family:
    """All samples of a metric; a counter's have the suffix `_total`."""

    def __init__(self, name, kind, help_text):
        self.name = name
        self.type = kind
        self.help = help_text
        self.samples = []

    def add(self, suffix, labels, value):
        """Adds a sample."""
        self.samples.append(Sample(self.name + suffix, labels, value))

    def add_histogram(self, labels, buckets, total):
        """Adds the samples of a histogram; `buckets` are numbers of each bucket alone, by its upper bound."""
        count = 0.0
        for bound in sorted(buckets):
            count += buckets[bound]
            self.add("_bucket", {**labels, "le": number(bound)}, count)
        self.add("_count", labels, count)
        self.add("_sum", labels, total)


def text(families):
    """The families in Prometheus' text format."""
    lines = []
    for family in families:
        name = family.name + ("_total" if family.type == COUNTER else "")
        explained = family.help.replace("\\", "\\\\").replace("\n", "\\n")
        lines.append(f"# HELP {name} {explained}\n# TYPE {name} {family.type}\n")
        lines.extend(map(_line, family.samples))
    return "".join(lines).encode()


def _line(sample):
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(sample.labels.items()))
    return f"{sample.name}{{{labels}}} {number(sample.value)}\n" if labels else f"{sample.name} {number(sample.value)}\n"


def _escaped(value):
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def number(value):
    """A number as Go writes it, which uses exponents sooner than Python."""
    if value == float("inf"):
        return "+Inf"
    written = repr(float(value))
    point = written.find(".")
    if value > 0 and point > 6 and "e" not in written:
        mantissa = f"{written[0]}.{written[1:point]}{written[point + 1 :]}".rstrip("0.")
        return f"{mantissa}e+{point - 1:02}"
    return written
