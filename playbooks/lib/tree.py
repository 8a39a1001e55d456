"""Root's handling of files that other users made or may change: by folder descriptors, without following links.

    tree.py place RELEASE DATA PERSISTENT <PLACES   links from the code to what the application writes
    tree.py report <REPORT                          prints the application's report about its settings, validated
    tree.py static <PLACES                          prints the folder that `collectstatic` fills, if there is one
    tree.py folder RELEASE PATH                     creates that folder
    tree.py public RELEASE PLACE DATA TARGET <PLACES  links by URL to static files and media, for a web server
    tree.py copy SOURCE TARGET                      copies files of another user, owned by root
    tree.py clear FOLDER MANIFEST                   removes files by name, and the folders that become empty

`place` takes the names in PERSISTENT and the output of `monctl_metrics.check --places`, which is untrusted and
validated here. Files of the code under such a name, and databases of the code, are moved to RELEASE.seeds. It prints what DATA needs, one per
line: `folder`, `file` or `either`, and the path.
"""

import json
import os
import re
import stat
import sys
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# The only outside targets of links in a Python environment: the system's Python, and releases that root installed.
_BASE_PYTHON = re.compile(r"(/usr|/opt/monctl/pythons/cpython-[\w.]+-linux-\w+-gnu)/bin/python3(\.\d+)?")
_AT_ONCE = 1 << 20
# The path of a URL with folders, none of them hidden.
_URL = re.compile(r"/([A-Za-z0-9_~-][A-Za-z0-9._~-]*/)+")


def place(release: str, data: str, persistent: str) -> None:
    kept = [name for name in Path(persistent).read_text().split("\n") if name]
    places = _places()
    wanted = [(name, "either", True) for name in kept]
    wanted += [(name, "file", False) for name in places.get("files", [])]
    wanted += [(name, "folder", False) for name in places.get("folders", [])]
    for name, kind, named in wanted:
        check_name(name)
        if _link(release, data, name, kind, named, kept):
            print(f"{kind}\t{name}")


def _places() -> dict:
    places = json.loads(sys.stdin.read(_AT_ONCE) or "{}")
    return places if isinstance(places, dict) else {}


def static() -> None:
    path = _places().get("static")
    if path is not None:
        check_name(path)
        print(path)


def public(release: str, place: str, data: str, target: str) -> None:
    """Fills TARGET, whose files a web server may show to anybody. PLACE is where the application sees RELEASE."""
    os.mkdir(target)
    served = _places().get("served")
    for url, path in sorted(served.items()) if isinstance(served, dict) else ():
        if not isinstance(path, str) or not path.isprintable() or not _URL.fullmatch(url):
            continue
        path, link = os.path.normpath(path), Path(target, url[1:-1])
        if path.startswith(f"{place}/"):
            path = release + path[len(place) :]
        elif not path.startswith(f"{data}/"):
            continue
        # One URL below another: the application serves it.
        if not link.is_symlink() and not any(above.is_symlink() for above in link.parents):
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(path)


def report() -> None:
    found = json.loads(sys.stdin.read(_AT_ONCE))
    unserved = found.get("unserved")
    json.dump(
        {
            "debug": found.get("debug") is True,
            "insecure_key": found.get("insecure_key") is True,
            "allowed_hosts": _texts(found.get("allowed_hosts")),
            "unserved": unserved if isinstance(unserved, str) else None,
            "static_root": found.get("static_root") is True,
            "absent": _texts(found.get("absent")),
        },
        sys.stdout,
    )


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def folder(release: str, path: str) -> None:
    inner = os.open(release, _FOLDER)
    try:
        for part in path.split("/"):
            _make_folder(part, inner)
            try:
                inner = _enter(inner, part)
            except OSError as error:
                sys.exit(f"`STATIC_ROOT` cannot be {path!r}: {error.strerror}; use a separate folder for static files")
    finally:
        os.close(inner)


def _make_folder(name: str, above: int) -> None:
    """Creates a folder, with the group of its parent, unless something of that name exists."""
    try:
        os.mkdir(name, 0o755, dir_fd=above)
        os.chown(name, -1, os.fstat(above).st_gid, dir_fd=above, follow_symlinks=False)
    except FileExistsError:
        pass


def check_name(name: object) -> None:
    parts = name.split("/") if isinstance(name, str) else [""]
    if any(part in ("", ".", "..") for part in parts) or not name.isprintable():
        sys.exit(f"{name!r} is not a path below the application's folder")


def _link(release: str, data: str, name: str, kind: str, named: bool, kept: list[str]) -> bool:
    """Creates the link; False if a link with this target exists already."""
    *above, last = name.split("/")
    inner = os.open(release, _FOLDER)
    try:
        for part in above:
            _make_folder(part, inner)
            if stat.S_ISLNK(os.stat(part, dir_fd=inner, follow_symlinks=False).st_mode):
                return False
            inner = _enter(inner, part)
        try:
            there = os.stat(last, dir_fd=inner, follow_symlinks=False)
        except FileNotFoundError:
            there = None
        if there and stat.S_ISLNK(there.st_mode):
            return False
        is_database = there and kind == "file" and stat.S_ISREG(there.st_mode)
        if there and not named and not is_database:
            line = ", ".join([*kept, name])
            sys.exit(f"the code contains `{name}`, and the application writes there; keep it with `app.persistent: [{line}]`")
        if there:
            seed = Path(f"{release}.seeds", name)
            seed.parent.mkdir(parents=True, exist_ok=True)
            os.rename(last, seed, src_dir_fd=inner)
        os.symlink(os.path.join(data, name), last, dir_fd=inner)
        return True
    finally:
        os.close(inner)


def _enter(folder: int, name: str) -> int:
    """Replaces the descriptor of a folder with that of a subfolder."""
    inner = os.open(name, _FOLDER, dir_fd=folder)
    os.close(folder)
    return inner


def copy(source: str, target: str) -> None:
    """Copies folders, regular files and links that stay inside, safely even if SOURCE changes meanwhile.

    Existing files in TARGET are kept. Only files of the owner of SOURCE are read.
    """
    os.makedirs(target, mode=0o755, exist_ok=True)
    from_, to = os.open(source, _FOLDER), os.open(target, _FOLDER)
    try:
        _copy_folder(from_, to, os.fstat(from_).st_uid, "")
    finally:
        os.close(from_)
        os.close(to)


def _copy_folder(from_: int, to: int, owner: int, path: str) -> None:
    for name in sorted(os.listdir(from_)):
        inner = os.path.join(path, name)
        mode = os.stat(name, dir_fd=from_, follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            _copy_below(from_, to, name, owner, inner)
        elif stat.S_ISREG(mode):
            _copy_file(from_, to, name, owner, inner)
        elif stat.S_ISLNK(mode):
            _copy_link(from_, to, name, path)
        else:
            sys.exit(f"{inner!r} is neither a file nor a folder")


def _copy_below(from_: int, to: int, name: str, owner: int, path: str) -> None:
    _make_folder(name, to)
    inner = os.open(name, _FOLDER, dir_fd=from_)
    try:
        target = os.open(name, _FOLDER, dir_fd=to)
        try:
            _copy_folder(inner, target, owner, path)
        finally:
            os.close(target)
    finally:
        os.close(inner)


def _copy_file(from_: int, to: int, name: str, owner: int, path: str) -> None:
    with open(os.open(name, _FILE, dir_fd=from_), "rb") as source:
        found = os.fstat(source.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_uid != owner:
            sys.exit(f"{path!r} does not belong to the owner of its folder")
        mode = 0o755 if found.st_mode & 0o100 else 0o644
        try:
            target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=to)
        except FileExistsError:
            return
        with open(target, "wb") as target:
            while block := source.read(_AT_ONCE):
                target.write(block)
            target.flush()
            os.utime(target.fileno(), ns=(found.st_mtime_ns, found.st_mtime_ns))


def _copy_link(from_: int, to: int, name: str, path: str) -> None:
    target = os.readlink(name, dir_fd=from_)
    inside = not os.path.isabs(target) and not os.path.normpath(os.path.join(path, target)).startswith("..")
    if not inside and not _BASE_PYTHON.fullmatch(target):
        sys.exit(f"{os.path.join(path, name)!r} is a link that points to {target!r}")
    try:
        os.symlink(target, name, dir_fd=to)
    except FileExistsError:
        pass


def clear(folder: str, manifest: str) -> None:
    """Removes the files below FOLDER that MANIFEST lists, Python's caches, and the folders that become empty."""
    names: dict[str, dict] = {}
    for name in Path(manifest).read_text().split("\n"):
        branch = names
        for part in name.split("/") if name else ():
            branch = branch.setdefault(part, {})
    try:
        top = os.open(folder, _FOLDER)
    except OSError:
        return  # Not installed by monctl.
    try:
        _clear(top, names)
    finally:
        os.close(top)


def _clear(folder: int, names: dict[str, dict]) -> None:
    for name, below in names.items():
        try:
            if not below:
                os.unlink(name, dir_fd=folder)
                continue
            inner = os.open(name, _FOLDER, dir_fd=folder)
        except OSError:
            _remove_link(folder, name)
            continue  # Gone, or not installed by monctl.
        try:
            _clear(inner, below)
        finally:
            os.close(inner)
        _remove_empty(folder, name)
    _clear_caches(folder)


def _clear_caches(folder: int) -> None:
    try:
        caches = os.open("__pycache__", _FOLDER, dir_fd=folder)
    except OSError:
        return
    try:
        for name in os.listdir(caches):
            if name.endswith(".pyc"):
                os.unlink(name, dir_fd=caches)
    finally:
        os.close(caches)
    _remove_empty(folder, "__pycache__")


def _remove_link(folder: int, name: str) -> None:
    """Removes a link in place of a folder of monctl; its target is not touched."""
    try:
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=folder)
    except OSError:
        pass  # Already removed.


def _remove_empty(folder: int, name: str) -> None:
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError:
        pass  # Not empty.


if __name__ == "__main__":
    action, *arguments = sys.argv[1:]
    actions = {"place": place, "report": report, "static": static, "folder": folder, "public": public, "copy": copy, "clear": clear}
    actions[action](*arguments)
