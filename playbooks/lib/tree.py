"""Replaces the application's code file by file, and puts it back.

    tree.py swap STAGED LIVE BACKUP NEW_MANIFEST MANIFEST
    tree.py restore LIVE BACKUP MANIFEST

A manifest names the files that monctl brought, one a line. Every other file in LIVE belongs to the
application (its database, uploads) and is never touched. Each file changes by one rename.
"""

import filecmp
import os
import shutil
import sys
from pathlib import Path

# The file in a backup that says that nothing in it is lacking.
COMPLETE = "complete"


def swap(staged: Path, live: Path, backup: Path, new_manifest: Path, manifest: Path) -> None:
    new, old = names(new_manifest), names(manifest)
    (backup / COMPLETE).unlink(missing_ok=True)
    refuse_to_replace_data(staged, live, new - old - folders(old))
    keep(live, backup, new, old)
    # From here on MANIFEST names all that may be ours, so that a run that is cut off loses track of nothing.
    write(manifest, new | old)
    gone = old - new
    # A file that becomes a folder, or a folder that becomes a file, must make way first.
    in_the_way = folders(new) & gone | {name for name in gone if not new.isdisjoint(folders({name}))}
    for name in sorted(in_the_way):
        remove(live, name)
    for name in sorted(new):
        make_folders(live, staged, name)
        os.replace(staged / name, live / name)
    for name in sorted(gone - in_the_way):
        remove(live, name)
    write(manifest, new)


def restore(live: Path, backup: Path, manifest: Path) -> None:
    """Undoes a swap, wherever it ended. Doing it again is fine."""
    if not (backup / COMPLETE).exists():
        return
    old, new, files = names(backup / "old"), names(backup / "new"), backup / "files"
    kept = {name for name in new | old if (files / name).is_symlink() or (files / name).is_file()}
    write(manifest, new | old)
    for name in sorted(new - old):
        remove(live, name)
    for name in sorted(kept):
        make_folders(live, files, name)
        put_back(backup, live, name)
    write(manifest, old)


def refuse_to_replace_data(staged: Path, live: Path, added: set[str]) -> None:
    """A file that the application wrote is not replaced, even where the code now brings one of that name."""
    for name in sorted(added):
        there = live / name
        if os.path.lexists(there) and not (there.is_file() and filecmp.cmp(there, staged / name, shallow=False)):
            sys.exit(f"{there} was not brought by monctl, and the code now has a file of that name: move one of them")


def keep(live: Path, backup: Path, new: set[str], old: set[str]) -> None:
    """Keeps links to all files that may change, and both manifests."""
    shutil.rmtree(backup, ignore_errors=True)
    (backup / "files").mkdir(parents=True)
    backup.chmod(0o700)
    for name in new | old:
        if (live / name).is_file():
            make_folders(backup / "files", live, name)
            os.link(live / name, backup / "files" / name, follow_symlinks=False)
    write(backup / "new", new)
    write(backup / "old", old)
    (backup / COMPLETE).touch()


def put_back(backup: Path, live: Path, name: str) -> None:
    """Puts a kept file in its place by one rename, and still keeps it."""
    link = backup / "link"
    link.unlink(missing_ok=True)
    os.link(backup / "files" / name, link, follow_symlinks=False)
    os.replace(link, live / name)


def make_folders(root: Path, like: Path, name: str) -> None:
    """Makes the folders of a file below ROOT, with owner and mode as below LIKE."""
    for folder in reversed(Path(name).parents):
        target = root / folder
        if not target.is_dir():
            target.mkdir(parents=True)
            model = (like / folder).stat()
            os.chown(target, model.st_uid, model.st_gid)
            target.chmod(model.st_mode & 0o7777)


def remove(live: Path, name: str) -> None:
    """Removes a file, and folders that became empty by it."""
    try:
        (live / name).unlink(missing_ok=True)
    except (IsADirectoryError, NotADirectoryError):
        return  # It is not what we brought.
    for folder in list(Path(name).parents)[:-1]:
        try:
            if os.listdir(live / folder) == ["__pycache__"]:
                shutil.rmtree(live / folder / "__pycache__")
            (live / folder).rmdir()
        except OSError:
            break


def folders(files: set[str]) -> set[str]:
    return {str(folder) for name in files for folder in Path(name).parents}


def names(manifest: Path) -> set[str]:
    # Not splitlines(), which ends lines at characters that file names may hold.
    return set(manifest.read_text().split("\n")) - {""} if manifest.exists() else set()


def write(manifest: Path, content: set[str]) -> None:
    beside = manifest.with_name(f"{manifest.name}.new")
    beside.write_text("".join(f"{name}\n" for name in sorted(content)))
    os.replace(beside, manifest)


if __name__ == "__main__":
    action, *paths = sys.argv[1:]
    {"swap": swap, "restore": restore}[action](*map(Path, paths))
