"""Replaces the application's code file by file, and puts it back.

    tree.py swap STAGED LIVE BACKUP NEW_MANIFEST MANIFEST
    tree.py restore LIVE BACKUP MANIFEST

A manifest names the files that monctl brought, one a line. Every other file in LIVE belongs to the
application (its database, uploads) and is never touched. Each file changes by one rename.
"""

import os
import shutil
import sys
from pathlib import Path


def names(manifest: Path) -> set[str]:
    return set(manifest.read_text().splitlines()) if manifest.exists() else set()


def make_folders(live: Path, staged: Path, name: str) -> None:
    """Makes the folders of a file in LIVE, with owner and mode as in STAGED."""
    for parent in reversed(Path(name).parents):
        target = live / parent
        if not target.is_dir():
            target.mkdir(parents=True)
            like = (staged / parent).stat()
            os.chown(target, like.st_uid, like.st_gid)
            target.chmod(like.st_mode & 0o7777)


def remove(live: Path, name: str) -> None:
    """Removes a file, and folders that became empty by it."""
    (live / name).unlink(missing_ok=True)
    for parent in list(Path(name).parents)[:-1]:
        try:
            (live / parent).rmdir()
        except OSError:
            break


def swap(staged: Path, live: Path, backup: Path, new_manifest: Path, manifest: Path) -> None:
    new, old = names(new_manifest), names(manifest)
    shutil.rmtree(backup, ignore_errors=True)
    (backup / "files").mkdir(parents=True)
    backup.chmod(0o700)
    shutil.copy(new_manifest, backup / "new")
    if manifest.exists():
        shutil.copy(manifest, backup / "old")
    for name in new | old:
        if (live / name).is_file():
            kept = backup / "files" / name
            kept.parent.mkdir(parents=True, exist_ok=True)
            os.link(live / name, kept)
    # From here on MANIFEST names all that may be ours, so that a run that is cut off loses track of nothing.
    write(manifest, new | old)
    make_folders(live, staged, ".")
    for name in sorted(new):
        make_folders(live, staged, name)
        os.replace(staged / name, live / name)
    for name in sorted(old - new):
        remove(live, name)
    write(manifest, new)


def restore(live: Path, backup: Path, manifest: Path) -> None:
    old, new = names(backup / "old"), names(backup / "new")
    kept = backup / "files"
    for folder, _, files in os.walk(kept):
        for file in files:
            source = Path(folder) / file
            target = live / source.relative_to(kept)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, target)
    for name in sorted(new - old):
        if not (kept / name).exists() and name not in old:
            remove(live, name)
    write(manifest, old)


def write(manifest: Path, content: set[str]) -> None:
    beside = manifest.with_suffix(".new")
    beside.write_text("".join(f"{name}\n" for name in sorted(content)))
    os.replace(beside, manifest)


if __name__ == "__main__":
    action, *paths = sys.argv[1:]
    {"swap": swap, "restore": restore}[action](*map(Path, paths))
