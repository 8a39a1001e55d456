"""A root folder of its own, in which the scripts of `playbooks/lib` run as on a host.

Programs come from this computer, read-only in effect; `stubs/` stands in front of them for what needs
systemd or a network. Each run has its own mount namespace, so nothing is left when it ends. Works as
root, and as a user where user namespaces are allowed.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBRARY = HERE.parents[1] / "playbooks/lib"
# All names are root's number: a user namespace knows no other.
USERS = ("root", "monctl-app", "monctl-build", "monctl-alertmanager")
TEMPLATES = HERE.parents[1] / "templates"
ENTER = """
set -e
cd "$1"
for folder in usr bin sbin lib lib64; do
    if [ -L "/$folder" ]; then ln -sfn "$(readlink "/$folder")" "$folder"; elif [ -d "/$folder" ]; then
        mkdir -p "$folder" && mount --rbind "/$folder" "$folder"; fi
done
mount --rbind /dev dev && mount --rbind /proc proc && mount --bind "$2" stubs
exec chroot . /bin/sh -c 'cd "$1" && shift && exec "$@"' sh "$3" bash run.sh
"""


class Host:
    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="monctl-host-")
        self.root = Path(self._folder.name)
        for folder in ("dev", "proc", "stubs", "run", "tmp", "work", "state/units", "etc/systemd/system", "var/lib/apt/lists", "www"):
            (self.root / folder).mkdir(parents=True)
        self.write("etc/passwd", "".join(f"{name}:x:0:0::/:/bin/sh\n" for name in USERS))
        self.write("etc/group", "".join(f"{name}:x:0:\n" for name in USERS))
        # A Debian's awk is a link to one of several.
        self.write("etc/alternatives/README", "")
        (self.root / "etc/alternatives/awk").symlink_to(os.path.realpath("/usr/bin/awk"))
        self.count = 0

    def close(self):
        self._folder.cleanup()

    def write(self, path, text):
        path = self.root / path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def read(self, path):
        return (self.root / path.lstrip("/")).read_text()

    def has(self, path):
        return os.path.lexists(self.root / path.lstrip("/"))

    def link(self, path):
        return os.readlink(self.root / path.lstrip("/"))

    def unit(self, name):
        """`active` and `enabled` as far as they hold."""
        words = ("active", "failed", "enabled")
        return [word for word in words if (self.root / f"state/units/{name}.{word}").exists()]

    def calls(self):
        path = self.root / "state/calls"
        return path.read_text().splitlines() if path.exists() else []

    def work(self, files):
        """A folder as `bootstrap.sh` unpacks it."""
        self.count += 1
        folder = f"run/monctl.{self.count}"
        always = {name: (LIBRARY / name).read_text() for name in ("manifest.sh", "apt.sh", "tree.py", "data.py")}
        files = {**always, **files}
        for name, text in files.items():
            self.write(f"{folder}/{name}", text)
        return folder

    def steps(self, *steps, files=None):
        """The folder of a run with these steps: id, lane, lanes to wait for, script."""
        files = dict(files or {})
        for name in ("run.sh", "library.sh", "application.sh", "build.sh", "python.sh", "find-python.sh", "diagnose.py"):
            files[name] = (LIBRARY / name).read_text()
        files["hardening.conf"] = (TEMPLATES / "partials/hardening.conf").read_text()
        files.setdefault("identity", "shop\tapp\n")
        files["sequence"] = "".join(f"{step}\t{lane}\t{join}\n" for step, lane, join, _ in steps)
        for step, _, _, script in steps:
            files[f"steps/{step}.sh"] = f". ./library.sh\n{script}\n"
        return self.work(files)

    def popen(self, folder, **options):
        enter = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
        arguments = ["sh", "-c", ENTER, "sh", str(self.root), str(HERE / "stubs"), f"/{folder}"]
        environment = {"PATH": "/stubs:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
        return subprocess.Popen([*enter, *arguments], text=True, env=environment, stdin=subprocess.DEVNULL, **options)

    def run(self, folder):
        """Standard output of a run, line by line and field by field."""
        with self.popen(folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            output, complaint = process.communicate(timeout=60)
        shutil.rmtree(self.root / folder)
        if process.returncode:
            raise AssertionError(f"the run ended with {process.returncode}: {complaint}")
        assert output.endswith("\n"), output
        return [line.split("\t") for line in output[:-1].split("\n")]
