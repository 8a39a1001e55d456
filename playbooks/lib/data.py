"""Lists, moves and fills the application's data, as its own user: root does nothing below its folders.

    data.py fill DATA SEEDS <NEEDS       creates the targets of links: `folder`, `file` or `either`, and a path
    data.py list CODE MANIFEST           the files in CODE that are not code, one per line
    data.py move CODE DATA MANIFEST      moves those to DATA
    data.py back DATA CODE               moves everything from DATA to CODE

A move may be interrupted anywhere and repeated: each file is complete in one of the two places, and none is replaced.
MANIFEST lists the code, one file per line. Files that this user may not move belong to another user, and stay.
"""

import contextlib
import filecmp
import os
import shutil
import stat
import sys

# Maximum number of files that are listed.
LISTED = 5000
_COPY = ".monctl-moving"


def fill(data: str, seeds: str) -> None:
    for line in sys.stdin:
        kind, _, name = line.rstrip("\n").partition("\t")
        path = os.path.join(data, name)
        if kind == "either":
            # A name with an extension is a file, unless the application made a folder of that name before.
            kind = "file" if os.path.splitext(name)[1] or os.path.isfile(path) else "folder"
        os.makedirs(path if kind == "folder" else os.path.dirname(path), mode=0o750, exist_ok=True)
    for folder, _, names in os.walk(seeds):
        inner = os.path.join(data, os.path.relpath(folder, seeds))
        os.makedirs(inner, mode=0o750, exist_ok=True)
        for name in names:
            target = os.path.join(inner, name)
            if not os.path.lexists(target):
                _copy_file(os.path.join(folder, name), target)
                os.chmod(target, 0o640)


def list_(code: str, manifest: str) -> None:
    count = 0
    for name in _beside(code, _names(manifest), ""):
        count += 1
        if count <= LISTED:
            print(name if name.isprintable() else ascii(name))
    if count > LISTED:
        print(f"… and {count - LISTED} more files")


def move(code: str, data: str, manifest: str) -> None:
    _move(code, data, _names(manifest), "", _refuse)


def back(data: str, code: str) -> None:
    _move(data, code, {}, "", lambda _: None)


def _names(manifest: str) -> dict:
    """The names as a tree: folders lead to dictionaries, files to empty ones."""
    tree: dict = {}
    try:
        with open(manifest) as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        lines = []
    for line in filter(None, lines):
        branch = tree
        for part in line.split("/"):
            branch = branch.setdefault(part, {})
    return tree


def _beside(folder: str, names: dict, path: str):
    """The paths of files that are not code, where this user may move them."""
    movable = os.access(folder, os.W_OK | os.X_OK)
    for entry in _entries(folder):
        inner = os.path.join(path, entry.name)
        if entry.is_dir(follow_symlinks=False):
            if entry.name != "__pycache__":
                yield from _beside(entry.path, names.get(entry.name, {}), inner)
        elif movable and entry.name not in names:
            yield inner


def _entries(folder: str) -> list:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (PermissionError, FileNotFoundError):
        return []  # Of another user, or missing.


def _move(source: str, target: str, names: dict, path: str, conflict) -> None:
    """Moves the files in SOURCE that are not listed. Folders are moved as a whole if possible."""
    movable = os.access(source, os.W_OK | os.X_OK)
    # Partial copy of an interrupted move.
    for half in (os.path.join(source, _COPY), os.path.join(target, _COPY)):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(half)
    for entry in _entries(source):
        inner = os.path.join(path, entry.name)
        to = os.path.join(target, entry.name)
        if entry.is_dir(follow_symlinks=False):
            if entry.name != "__pycache__":
                _move_folder(entry, to, names.get(entry.name, {}), movable, inner, conflict)
        elif movable and entry.name not in names:
            _move_file(entry.path, to, inner, conflict)
    if movable:
        _to_disk(target)
        # The application may have removed it meanwhile.
        with contextlib.suppress(FileNotFoundError):
            _to_disk(source)


def _move_folder(entry, to: str, names: dict, movable: bool, inner: str, conflict) -> None:
    if movable and not names and not os.path.lexists(to):
        try:
            os.rename(entry.path, to)
            return
        except OSError:
            pass  # Another file system, or not this user's: one by one.
    if not names and not movable and not any(True for _ in _beside(entry.path, names, inner)):
        return
    if names and not any(True for _ in _beside(entry.path, names, inner)):
        return
    if not os.path.lexists(to):
        try:
            mode = stat.S_IMODE(os.lstat(entry.path).st_mode)
        except FileNotFoundError:
            return  # The application has removed it meanwhile.
        os.makedirs(to, mode=mode | 0o700)
    _move(entry.path, to, names, inner, conflict)
    if movable and not names:
        try:
            os.rmdir(entry.path)
        except OSError:
            pass  # Something is left that this user may not move.


def _move_file(path: str, to: str, inner: str, conflict) -> None:
    if os.path.lexists(to):
        if _same(path, to):
            os.unlink(path)
        else:
            conflict(inner)
        return
    try:
        os.rename(path, to)
    except OSError:
        if not os.path.isfile(path) and not os.path.islink(path):
            return  # A socket, a pipe: it has no content.
        beside = os.path.join(os.path.dirname(to), _COPY)
        _copy_file(path, beside)
        os.rename(beside, to)
        _to_disk(os.path.dirname(to))
        os.unlink(path)


def _same(path: str, other: str) -> bool:
    if os.path.islink(path) or os.path.islink(other):
        return os.path.islink(path) and os.path.islink(other) and os.readlink(path) == os.readlink(other)
    return os.path.isfile(path) and os.path.isfile(other) and filecmp.cmp(path, other, shallow=False)


def _refuse(inner: str) -> None:
    sys.exit(f"`{inner}` exists in the code folder and in the data folder, and the files differ: remove one of them")


def _copy_file(path: str, to: str) -> None:
    shutil.copy2(path, to, follow_symlinks=False)
    if not os.path.islink(to):
        _to_disk(to)


def _to_disk(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    action, *arguments = sys.argv[1:]
    {"fill": fill, "list": list_, "move": move, "back": back}[action](*arguments)
