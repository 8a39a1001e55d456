#!/usr/bin/env python3
"""Measures monctl and its yardsticks in the same run, and prints a Markdown table.

Everything that needs machines happens in the project `monctl-bench` on this computer, which is removed at
the end. Times are medians; CPU and memory are those of monctl with the children that it waited for.
"""

import argparse
import json
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SPEC = HERE / "monctl.yaml"
SSH_CONFIG = Path("/var/lib/monctl/local/monctl-bench/ssh/config")
HOSTS = ("app", "monitoring")
# So many application hosts does the big spec have, and so many runs does a median take.
MANY_HOSTS = 1_000
FAST_RUNS, NO_CHANGE_RUNS, FIRST_RUNS = 21, 9, 3


@dataclass
class Usage:
    """What a process cost: seconds of wall and CPU, bytes at its peak."""

    wall: float
    cpu: float
    peak: int


@dataclass
class Row:
    """A line of the table."""

    what: str
    measured: str
    yardstick: str
    aim: str
    met: bool


class Monctl:
    """The binary, with the environment that the bench project needs."""

    def __init__(self, binary):
        self.binary = binary
        self.environment = {**os.environ, "NOTES_SECRET_KEY": secrets.token_hex(32)}
        self.peak = 0

    def run(self, *words, environment=None, check=True):
        """Runs to the end and gives its usage."""
        with tempfile.TemporaryFile() as output:
            begin = time.monotonic()
            process = subprocess.Popen(
                [self.binary, *words],
                env=environment or self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
            )
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - begin
            process.returncode = os.waitstatus_to_exitcode(status)
            if check and process.returncode:
                output.seek(0)
                sys.exit(f"monctl {' '.join(words)}: exit code {process.returncode}\n{output.read().decode()}")
        used = Usage(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
        self.peak = max(self.peak, used.peak)
        return used

    def project(self, *words, **options):
        """The same on the bench project."""
        return self.run("-f", str(SPEC), *words, **options)

    def bare_machines(self):
        """Fresh running machines without anything of monctl: an `up` that is interrupted after their phase."""
        self.project("down", "--yes")
        process = subprocess.Popen(
            [self.binary, "-f", str(SPEC), "--output", "json", "up", "--yes"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        lines = []
        for line in process.stderr:
            lines.append(line)
            event = json.loads(line)
            if (event["event"], event.get("phase")) == ("phase_finished", "machines"):
                process.send_signal(signal.SIGINT)
                break
        process.stderr.read()
        if process.wait() != 130:
            sys.exit("the machines were not made:\n" + "".join(lines[-10:]))
        ssh_all(lambda host: ["true"], tries=100)


def ssh_all(command, stdin=lambda host: None, tries=1):
    """Runs `command(host)` on all hosts at once over plain ssh; gives the seconds until the last one ended."""

    def one(host):
        for left in reversed(range(tries)):
            done = subprocess.run(
                ["ssh", "-F", str(SSH_CONFIG), host, *command(host)],
                input=stdin(host),
                stdin=subprocess.DEVNULL if stdin(host) is None else None,
                capture_output=True,
            )
            if done.returncode == 0:
                return
            if not left:
                sys.exit(f"ssh {host}: exit code {done.returncode}\n{done.stderr.decode()[-2000:]}")
            time.sleep(0.1)

    begin = time.monotonic()
    with ThreadPoolExecutor() as pool:
        list(pool.map(one, HOSTS))
    return time.monotonic() - begin


def median(values):
    return statistics.median(list(values))


def ms(seconds):
    return f"{seconds * 1000:.1f} ms"


def s(seconds):
    return f"{seconds:.2f} s"


def bench_help(monctl):
    wall = median(monctl.run("--help").wall for _ in range(FAST_RUNS))
    yardstick = median(timed(["true"]) for _ in range(FAST_RUNS))
    return Row("`monctl --help`, wall", ms(wall), f"`true`: {ms(yardstick)}", "under 10 ms", wall < 0.010)


def timed(words):
    begin = time.monotonic()
    subprocess.run(words, check=True)
    return time.monotonic() - begin


def bench_render(monctl):
    """Without the checkers, whose CPU is not ours: an empty PATH hides them."""
    with tempfile.TemporaryDirectory() as folder:
        text = SPEC.read_text()
        text = text.replace("path: ../examples/notes", f"path: {HERE.parent}/examples/notes\n  count: {MANY_HOSTS}")
        spec = Path(folder, "monctl.yaml")
        spec.write_text(text)
        environment = {**monctl.environment, "PATH": folder}
        words = ["-f", str(spec), "render", "--out", f"{folder}/out"]
        runs = [monctl.run(*words, environment=environment) for _ in range(FAST_RUNS)]
        files = [path for path in Path(folder, "out").rglob("*") if path.is_file()]
        copy = copy_cost(files, Path(folder, "copy"))
    cpu = median(run.cpu for run in runs)
    return Row(
        f"`render --out`, {MANY_HOSTS:,} application hosts, CPU",
        ms(cpu),
        f"writing its {len(files):,} files alone: {ms(copy)}",
        "under 50 ms",
        cpu < 0.050,
    )


def copy_cost(files, target):
    """CPU seconds that this process needs to write the same files."""
    target.mkdir()
    contents = [path.read_bytes() for path in files]
    begin = time.process_time()
    for number, content in enumerate(contents):
        (target / str(number)).write_bytes(content)
    return time.process_time() - begin


def bench_no_change(monctl):
    monctl.project("up", "--yes")
    pairs = [
        (monctl.project("up", "--yes"), ssh_all(lambda host: ["true"])) for _ in range(NO_CHANGE_RUNS)
    ]
    up, ssh = median(up.wall for up, _ in pairs), median(ssh for _, ssh in pairs)
    return Row(
        "`up` without a change, wall",
        s(up),
        f"`ssh HOST true` on both hosts at once: {s(ssh)} (×{up / ssh:.2f})",
        "at most ×2",
        up <= 2 * ssh,
    )


def plain(monctl):
    """The plain commands on both hosts at once."""
    project = subprocess.run(
        ["tar", "-c", "-C", HERE.parent / "examples/notes", "."], check=True, capture_output=True
    ).stdout
    script = {host: (HERE / f"plain-{host}.sh").read_text() for host in HOSTS}
    return ssh_all(
        lambda host: ["sh", "-c", quote(script[host])], lambda host: project if host == "app" else None
    )


def quote(text):
    """One word for the shell at the other end of ssh."""
    return "'" + text.replace("'", "'\\''") + "'"


def bench_first(monctl):
    """Alternating, each on fresh machines, so that a slow minute hits both."""
    ups, plains = [], []
    for _ in range(FIRST_RUNS):
        monctl.bare_machines()
        ups.append(monctl.project("up", "--yes").wall)
        monctl.bare_machines()
        plains.append(plain(monctl))
    up, by_hand = median(ups), median(plains)
    return Row(
        "first `up` on running machines, wall",
        s(up),
        f"plain `apt-get install` and `pip` on both hosts at once: {s(by_hand)} (×{up / by_hand:.2f})",
        "at most ×0.55",
        up <= 0.55 * by_hand,
    )


def memory(monctl):
    return Row("memory at its peak, all runs above", f"{monctl.peak / 2**20:.1f} MiB", "–", "–", True)


def table(rows):
    lines = ["| What | monctl | Yardstick | Aim | Met |", "|---|---|---|---|---|"]
    for row in rows:
        met = "yes" if row.met else "**no**"
        lines.append(f"| {row.what} | {row.measured} | {row.yardstick} | {row.aim} | {met} |")
    return "\n".join(lines)


BENCHES = {"help": bench_help, "render": bench_render, "first": bench_first, "no-change": bench_no_change}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", type=Path)
    parser.add_argument("which", nargs="*", choices=[[], *BENCHES], help="all where none is named")
    parser.add_argument("--quick", action="store_true", help="one run instead of a median")
    arguments = parser.parse_args()
    if arguments.quick:
        global FAST_RUNS, NO_CHANGE_RUNS, FIRST_RUNS
        FAST_RUNS = NO_CHANGE_RUNS = FIRST_RUNS = 1
    which = arguments.which or list(BENCHES)
    if os.geteuid() != 0 and {"first", "no-change"} & set(which):
        sys.exit("error: machines need root\nhelp: sudo make bench, or name what to measure: help, render")
    monctl = Monctl(arguments.binary.resolve())
    rows = []
    # So that `finally` removes the machines after SIGTERM, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        for name in which:
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            rows.append(BENCHES[name](monctl))
    finally:
        if {"first", "no-change"} & set(which):
            monctl.project("down", "--yes", check=False)
    rows.append(memory(monctl))
    print(table(rows))


if __name__ == "__main__":
    main()
