"""Lets the application count its requests: one file in its Python environment, and a drop-in of its unit.

The environment's file does nothing without a variable that only the drop-in sets. Neither restarts the application:
its next start counts. Root writes the file as the owner of the environment, and never runs that Python. Needs nothing
but Python's standard library.
"""

import glob
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

HOME = "/etc/monctl/counting"
OUR_UNIT = "/etc/systemd/system/monctl-counting.service"
DIRECTORY = "/run/monctl-counting"
OLDEST = (3, 9)

# One line, which Python runs at each start; it must neither fail nor print.
PTH = (
    "import os; exec('try:\\n"
    f' with open("{HOME}/start.py") as source: exec(compile(source.read(), source.name, "exec"), {{}})\\n'
    "except Exception: pass') if 'MONCTL_METRICS' in os.environ else None\n"
)
DROP_IN = f"""# monctl: counts the requests of this service; `monctl down` removes it.
[Service]
Environment=MONCTL_METRICS=exporter
Environment=MONCTL_METRICS_DIR={DIRECTORY}
RuntimeDirectory={DIRECTORY.removeprefix("/run/")}
"""


class Refused(Exception):
    """The application cannot be counted; the text is the reason."""


class Counted:
    """The application's unit and its Python environment."""

    def __init__(self, unit, venv):
        self.unit = unit
        # Of a link that each deploy turns to another folder, the folder is what the host's record needs.
        self.venv = os.path.realpath(venv)
        self.drop_in = f"/etc/systemd/system/{unit}.d/monctl.conf"

    @classmethod
    def of_unit(cls):
        """What our own unit names."""
        found = dict(re.findall(r"^Environment=COUNTED_(UNIT|VENV)=(.+)$", Path(OUR_UNIT).read_text(), re.M))
        return cls(found["UNIT"], found["VENV"])

    def pth(self):
        """Where the environment's file belongs. Refuses an environment that cannot be counted."""
        if not os.path.exists(f"{self.venv}/pyvenv.cfg"):
            raise Refused(f"`{self.venv}` is not a Python environment: it has no pyvenv.cfg; see `app.count_requests`")
        places = glob.glob(f"{glob.escape(self.venv)}/lib/python3.*/site-packages")
        if len(places) != 1:
            raise Refused(f"`{self.venv}` has {len(places)} folders lib/python3.*/site-packages, not one")
        version = places[0].split("/")[-2].removeprefix("python")
        if tuple(int(part) for part in re.findall(r"\d+", version)) < OLDEST:
            raise Refused(
                f"the Python {version} of `{self.venv}` is too old to count requests: "
                f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed"
            )
        return f"{places[0]}/monctl-counting.pth"

    def files(self):
        """The content of each file by its path."""
        return {self.pth(): PTH, self.drop_in: DROP_IN}

    def missing(self):
        """The files that are not as they must be."""
        return [path for path, content in self.files().items() if content_of(path) != content]

    def show(self):
        """The properties of the unit."""
        names = "LoadState,ActiveState,MainPID,Environment"
        shown = systemctl("show", f"--property={names}", "--", self.unit)
        return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)


def content_of(path):
    """The text of a file, or None."""
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError):
        return None


def systemctl(*words):
    """The output of systemctl."""
    ran = subprocess.run(["systemctl", *words], capture_output=True, text=True, timeout=30)
    if ran.returncode:
        raise Refused(f"systemctl {words[0]} fails: {ran.stderr.strip()}")
    return ran.stdout


def as_owner_of(folder, *command, **options):
    """Runs a command as the user who owns a folder."""
    found = os.stat(folder)
    identity = {"user": found.st_uid, "group": found.st_gid, "extra_groups": []}
    return subprocess.run(command, text=True, timeout=30, check=True, **identity, **options)


def install(counted):
    """Writes both files, and proves that systemd uses the drop-in at the next start."""
    if counted.show().get("LoadState") != "loaded":
        raise Refused(f"this host has no usable unit {counted.unit}")
    os.umask(0o022)
    pth = counted.pth()
    if content_of(pth) != PTH:
        write = 'umask 022; rm -rf "$1.new"; cat >"$1.new" && mv -T "$1.new" "$1"'
        as_owner_of(os.path.dirname(pth), "sh", "-c", write, "sh", pth, input=PTH)
    if content_of(counted.drop_in) != DROP_IN:
        os.makedirs(os.path.dirname(counted.drop_in), exist_ok=True)
        Path(f"{counted.drop_in}.new").write_text(DROP_IN)
        os.replace(f"{counted.drop_in}.new", counted.drop_in)
        systemctl("daemon-reload")
    environment = counted.show().get("Environment", "").split()
    if "MONCTL_METRICS=exporter" not in environment or f"MONCTL_METRICS_DIR={DIRECTORY}" not in environment:
        raise Refused(f"systemd does not use {counted.drop_in}: another drop-in of {counted.unit} resets Environment")


def remove(counted):
    """Takes both files back, but not while the host shuts down."""
    state = subprocess.run(["systemctl", "is-system-running"], capture_output=True, text=True, timeout=30)
    if state.stdout.strip() == "stopping":
        return
    for pth in glob.glob(f"{glob.escape(counted.venv)}/lib/python3.*/site-packages/monctl-counting.pth"):
        as_owner_of(os.path.dirname(pth), "rm", "-f", pth)
    if os.path.exists(counted.drop_in):
        os.unlink(counted.drop_in)
        if not os.listdir(os.path.dirname(counted.drop_in)):
            os.rmdir(os.path.dirname(counted.drop_in))
        systemctl("daemon-reload")


def paths(counted):
    """The digest and path of each file, as in the host's record."""
    for path, content in counted.files().items():
        print(f"{hashlib.sha256(content.encode()).hexdigest()}  {path}")


def effect(counted):
    """Prints what is missing, which is nothing after a start."""
    try:
        print("\n".join(counted.missing()))
    except Refused as why:
        print(why)


def state(counted):
    """Prints whether the running application counts, or what must be done, in one line."""
    found = counted.show()
    try:
        missing = counted.missing()
    except Refused as why:
        print(why)
        return
    restart = f"systemctl restart {counted.unit}"
    if found.get("ActiveState") not in ("active", "reloading"):
        print(f"`{counted.unit}` is not running")
    elif missing and counts(found["MainPID"]):
        print(f"`{missing[0]}` is missing: `{counted.unit}` counts until its next restart; run `monctl up`")
    elif missing:
        print(f"`{missing[0]}` is missing, so that nothing is counted: run `monctl up`, and then {restart}")
    elif counts(found["MainPID"]):
        print("counted")
    elif not has_settings(found.get("MainPID", "0")) or is_older(found["MainPID"], counted.pth()):
        print(f"`{counted.unit}` must be restarted to be counted: {restart}")
    else:
        print(f"`{counted.unit}` counts nothing yet: no process of it has loaded Django; see docs/watching.md")


def counts(main):
    """Whether a process of the unit with this main process counts requests: it holds the lock of a slot."""
    sys.dont_write_bytecode = True
    sys.path.append(f"{HOME}/library")
    from monctl_metrics import slots

    unit = group_of(main)
    groups = (group_of(process) for process in slots.holders(DIRECTORY))
    return unit is not None and any(f"{group}/".startswith(f"{unit}/") for group in groups)


def group_of(process):
    """The control group in which systemd keeps a process; None if the process has ended."""
    lines = (content_of(f"/proc/{process}/cgroup") or "").splitlines()
    groups = {name: path for _, name, path in (line.split(":", 2) for line in lines)}
    return groups.get("name=systemd") or groups.get("")


def has_settings(process):
    """Whether a process was started with the drop-in."""
    return "MONCTL_METRICS=exporter" in (content_of(f"/proc/{process}/environ") or "").split("\0")


def is_older(process, path):
    """Whether a process was started before a file was written."""
    return os.stat(f"/proc/{process}").st_mtime < os.stat(path).st_mtime


def main():
    """One of the functions above by its name."""
    command = {"install": install, "remove": remove, "paths": paths, "effect": effect, "state": state}[sys.argv[1]]
    try:
        command(Counted.of_unit())
    except (Refused, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"requests cannot be counted: {error}")


if __name__ == "__main__":
    main()
