"""What `data.py` promises: what the application wrote is moved as it is, nothing is replaced, and a move that is cut off
anywhere loses nothing."""

import errno
import io
import os
import shutil
import sys
import tempfile
import unittest
from contextlib import redirect_stdout
from pathlib import Path
from unittest import mock

LIBRARY = Path(__file__).resolve().parents[2] / "playbooks/lib"
sys.path.insert(0, str(LIBRARY))
sys.dont_write_bytecode = True

import data  # noqa: E402

CODE = {"manage.py": "1", "pkg/__init__.py": "", "pkg/deep/a.py": "a", "data/first.json": "[]"}
WRITTEN = {
    "db.sqlite3": "rows",
    "db.sqlite3-wal": "newer rows",
    "media/2026/a.png": "upload",
    "media/b.png": "upload too",
    "pkg/cache.bin": "beside code",
    "data/later.json": "{}",
    "odd\u2028name ": "x",
}
CACHES = {"pkg/__pycache__/a.cpython-313.pyc": "bytes", "__pycache__/manage.cpython-313.pyc": "bytes"}


class CutOff(BaseException):
    """Stands for the end of the process."""


class Host:
    """A host of the version before: code and what the application wrote, side by side."""

    def __init__(self, folder):
        self.code, self.data, self.manifest = (Path(folder) / name for name in ("app", "data", "manifest"))
        for name, text in {**CODE, **WRITTEN, **CACHES}.items():
            put(self.code / name, text)
        self.data.mkdir()
        (self.code / "current.log").symlink_to("db.sqlite3")
        self.manifest.write_text("".join(f"{name}\n" for name in sorted(CODE)))

    def move(self):
        data.move(str(self.code), str(self.data), str(self.manifest))

    def back(self):
        data.back(str(self.data), str(self.code))

    def listed(self):
        answer = io.StringIO()
        with redirect_stdout(answer):
            data.list_(str(self.code), str(self.manifest))
        return answer.getvalue().split("\n")[:-1]


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def files(folder):
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): path.read_text() for path in paths}


def cut_off_at(count, other_disk):
    """Patches by which the process ends at its COUNTth change; renames between folders fail as between two disks."""
    seen = []

    def counted(name):
        real = getattr(os, name)

        def act(*arguments, **options):
            if name == "rename" and other_disk and ("/app/" in arguments[0]) != ("/app/" in arguments[1]):
                raise OSError(errno.EXDEV, "another file system")
            seen.append(name)
            if len(seen) == count:
                raise CutOff
            return real(*arguments, **options)

        return mock.patch.object(os, name, act)

    return [counted(name) for name in ("rename", "unlink", "rmdir", "mkdir", "fsync")]


class Move(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="monctl-data-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.host = Host(self.folder)

    def test_exactly_the_listed_files_are_moved(self):
        listed = self.host.listed()
        self.assertEqual(sorted(listed), sorted([*(name for name in WRITTEN if name.isprintable()), ascii("odd\u2028name "), "current.log"]))
        self.host.move()
        self.assertEqual(files(self.host.data), WRITTEN)
        self.assertEqual(files(self.host.code), CODE | CACHES)
        self.assertEqual(os.readlink(self.host.data / "current.log"), "db.sqlite3")
        self.assertEqual(self.host.listed(), [])

    def test_a_folder_that_the_application_removes_meanwhile_is_nothing_to_move(self):
        # As on another file system, where folders go file by file.
        def rename(path, to):
            if os.path.isdir(path):
                shutil.rmtree(path)
                raise OSError(errno.EXDEV, "another device")
            os_rename(path, to)

        os_rename = os.rename
        with mock.patch.object(os, "rename", rename):
            self.host.move()
        self.assertEqual(files(self.host.data)["db.sqlite3"], WRITTEN["db.sqlite3"])

    def test_many_files_are_counted_from_some_thousands_on(self):
        with mock.patch.object(data, "LISTED", 3):
            self.assertEqual(self.host.listed()[3:], [f"… and {len(WRITTEN) + 1 - 3} more files"])

    def test_everything_goes_back(self):
        self.host.move()
        put(self.host.data / "media/new.png", "uploaded since")
        self.host.back()
        self.assertEqual(files(self.host.code), CODE | CACHES | WRITTEN | {"media/new.png": "uploaded since"})
        self.assertEqual(files(self.host.data), {})

    def test_nothing_is_replaced(self):
        put(self.host.data / "db.sqlite3", "other rows")
        with self.assertRaises(SystemExit) as refusal:
            self.host.move()
        self.assertIn("`db.sqlite3` exists in the code folder and in the data folder", str(refusal.exception))
        self.assertEqual(files(self.host.data)["db.sqlite3"], "other rows")
        self.assertEqual(files(self.host.code)["db.sqlite3"], "rows")

    def test_no_link_is_followed(self):
        outside = Path(self.folder) / "outside"
        put(outside / "file", "theirs")
        (self.host.code / "linked").symlink_to(outside)
        self.host.move()
        self.assertEqual(os.readlink(self.host.data / "linked"), str(outside))
        self.assertEqual(files(outside), {"file": "theirs"})

    def test_a_move_interrupted_anywhere_loses_nothing_and_continues(self):
        self.each_point(Host.move, Host.move, lambda host: self.assertEqual(files(host.data), WRITTEN))

    def test_a_move_interrupted_anywhere_can_be_undone(self):
        self.each_point(Host.move, Host.back, lambda host: self.assertEqual(files(host.code), CODE | CACHES | WRITTEN))

    def test_a_move_back_interrupted_anywhere_continues(self):
        def there_and_back(host):
            self.each_point(Host.back, Host.back, lambda host: self.assertEqual(files(host.code), CODE | CACHES | WRITTEN), Host.move)

        there_and_back(self.host)

    def each_point(self, action, then, check, before=lambda host: None):
        for other_disk in (False, True):
            for count in range(1, 200):
                with tempfile.TemporaryDirectory(prefix="monctl-data-") as folder, self.subTest(change=count, other_disk=other_disk):
                    host = Host(folder)
                    before(host)
                    came = self.interrupted(lambda: action(host), cut_off_at(count, other_disk))
                    both = files(host.code) | files(host.data)
                    self.assertEqual({name: both.get(name) for name in WRITTEN}, WRITTEN, "something is lost")
                    then(host)
                    check(host)
                if not came:
                    self.assertGreater(count, 8)
                    break
            else:
                self.fail("an action of endless changes")

    def interrupted(self, action, patches):
        for patch in patches:
            patch.start()
        try:
            action()
        except CutOff:
            return True
        finally:
            for patch in patches:
                patch.stop()
        return False


class Fill(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="monctl-data-")
        self.addCleanup(folder.cleanup)
        self.data, self.seeds = Path(folder.name) / "data", Path(folder.name) / "seeds"
        self.data.mkdir()

    def fill(self, *needs):
        with mock.patch.object(sys, "stdin", io.StringIO("".join(f"{need}\n" for need in needs))):
            data.fill(str(self.data), str(self.seeds))

    def test_links_lead_to_folders_and_to_files_in_folders(self):
        self.fill("either\tlogs", "either\tvar/app.log", "file\tdb/db.sqlite3", "folder\tmedia.d")
        made = sorted(str(path.relative_to(self.data)) for path in self.data.rglob("*"))
        self.assertEqual(made, ["db", "logs", "media.d", "var"])

    def test_existing_data_decides_between_file_and_folder(self):
        (self.data / "schedule").write_text("jobs")
        (self.data / "v1.2").mkdir()
        self.fill("either\tschedule", "either\tv1.2")
        self.assertEqual((self.data / "schedule").read_text(), "jobs")

    def test_seeds_of_the_project_are_copied_once(self):
        put(self.seeds / "data/first.json", "[]")
        self.fill("either\tdata")
        self.assertEqual(files(self.data), {"data/first.json": "[]"})
        (self.data / "data/first.json").write_text("changed by the application")
        self.fill("either\tdata")
        self.assertEqual(files(self.data), {"data/first.json": "changed by the application"})


if __name__ == "__main__":
    unittest.main()
