"""What `tree.py` promises: code is replaced and put back as a whole, data is never touched, and a run
that is cut off anywhere loses track of nothing."""

import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

LIBRARY = Path(__file__).resolve().parents[2] / "playbooks/lib"
sys.path.insert(0, str(LIBRARY))
sys.dont_write_bytecode = True

import tree  # noqa: E402

DATA = {"db.sqlite3": "rows", "media/a.png": "upload", "pkg/cache.bin": "beside code"}
FIRST = {"manage.py": "1", "pkg/__init__.py": "", "pkg/old.py": "old", "gone/only.py": "x", "turns": "file", "flat/a.py": "a"}
SECOND = {"manage.py": "2", "pkg/__init__.py": "", "pkg/new.py": "new", "turns/into.py": "folder", "flat": "file"}
THIRD = {"manage.py": "3", "other/deep/x.py": "x"}


class CutOff(BaseException):
    """Stands for the end of the process."""


class Site:
    """An application's folder with data in it, and the paths that `service_activate` uses."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.live, self.staged, self.backup = (self.folder / name for name in ("app", "app.next", "app.previous"))
        self.wanted, self.manifest = self.folder / "tree.manifest", self.folder / "sets.manifest"

    def stage(self, files):
        shutil.rmtree(self.staged, ignore_errors=True)
        for name, text in files.items():
            put(self.staged / name, text)
        self.wanted.write_text("".join(f"{name}\n" for name in sorted(files)))

    def swap(self):
        tree.swap(self.staged, self.live, self.backup, self.wanted, self.manifest)

    def deploy(self, files):
        self.stage(files)
        self.swap()

    def restore(self):
        tree.restore(self.live, self.backup, self.manifest)

    def files(self):
        paths = (path for path in self.live.rglob("*") if path.is_file())
        return {str(path.relative_to(self.live)): path.read_text() for path in paths}

    def with_data(self):
        self.deploy(FIRST)
        for name, text in DATA.items():
            put(self.live / name, text)
        shutil.rmtree(self.backup)  # As a step does that ends well.
        return self


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def cut_off_at(count):
    """Patches by which the process ends at its COUNTth change of the file system."""
    seen = []

    def counted(name):
        real = getattr(os, name)

        def act(*arguments, **options):
            seen.append(name)
            if len(seen) == count:
                raise CutOff
            return real(*arguments, **options)

        return mock.patch.object(os, name, act)

    return [counted(name) for name in ("replace", "link", "rmdir", "unlink", "mkdir", "chown")]


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.site = Site(folder.name)

    def interrupted(self, action, site, count):
        """Whether ACTION was cut off at its COUNTth change; `False` where it has fewer."""
        patches = cut_off_at(count)
        for patch in patches:
            patch.start()
        try:
            action(site)
        except CutOff:
            return True
        finally:
            for patch in patches:
                patch.stop()
        return False

    def test_a_first_deploy_fills_the_folder(self):
        self.site.deploy(FIRST)
        self.assertEqual(self.site.files(), FIRST)
        self.assertEqual(tree.names(self.site.manifest), set(FIRST))

    def test_a_new_version_replaces_code_and_leaves_data(self):
        self.site.with_data().deploy(SECOND)
        self.assertEqual(self.site.files(), SECOND | DATA)
        self.assertFalse((self.site.live / "gone").exists(), "a folder that became empty stays behind")

    def test_restoring_brings_the_earlier_version_back(self):
        self.site.with_data().deploy(SECOND)
        for _ in range(2):
            self.site.restore()
            self.assertEqual(self.site.files(), FIRST | DATA)
            self.assertEqual(tree.names(self.site.manifest), set(FIRST))

    def test_restoring_a_first_deploy_leaves_data_only(self):
        self.site.deploy(FIRST)
        put(self.site.live / "db.sqlite3", "rows")
        self.site.restore()
        self.assertEqual(self.site.files(), {"db.sqlite3": "rows"})

    def test_what_the_application_wrote_is_not_replaced_by_code_of_the_same_name(self):
        self.site.with_data()
        with self.assertRaises(SystemExit) as refusal:
            self.site.deploy(FIRST | {"db.sqlite3": "the developer's"})
        self.assertIn("db.sqlite3", str(refusal.exception))
        self.site.restore()
        self.assertEqual(self.site.files(), FIRST | DATA)

    def test_what_is_the_same_in_code_and_on_the_host_is_taken_over(self):
        self.site.with_data().deploy(FIRST | {"media/a.png": "upload"})
        self.assertEqual(self.site.files(), FIRST | DATA)
        self.site.restore()
        self.assertEqual(self.site.files(), FIRST | DATA)

    def test_python_caches_do_not_keep_a_removed_package(self):
        self.site.with_data()
        put(self.site.live / "gone/__pycache__/only.pyc", "")
        self.site.deploy(SECOND)
        self.assertFalse((self.site.live / "gone").exists())

    def test_names_may_hold_what_python_takes_for_line_ends(self):
        odd = {"a\u2028b.txt": "1", " lead": "2", "trail ": "3", "ünï/ö.py": "4"}
        self.site.deploy(odd)
        self.site.deploy(THIRD)
        self.assertEqual(self.site.files(), THIRD)

    def test_a_link_put_there_by_hand_is_replaced_not_followed(self):
        self.site.deploy(FIRST)
        outside = self.site.folder / "outside"
        outside.write_text("not ours")
        (self.site.live / "manage.py").unlink()
        (self.site.live / "manage.py").symlink_to(outside)
        self.site.deploy(SECOND)
        self.assertEqual((self.site.live / "manage.py").read_text(), "2")
        self.site.restore()
        self.assertTrue((self.site.live / "manage.py").is_symlink())
        self.assertEqual(outside.read_text(), "not ours")

    @unittest.skipUnless(os.geteuid() == 0, "only root gives files away")
    def test_new_folders_get_the_owner_and_mode_of_the_staged_ones(self):
        real = tree.make_folders

        def give_away(root, like, name):
            os.chown(self.site.staged, 1234, 1234)
            os.chmod(self.site.staged / "pkg", 0o750)
            os.chown(self.site.staged / "pkg", 1234, 1234)
            real(root, like, name)

        with mock.patch.object(tree, "make_folders", give_away):
            self.site.deploy(FIRST)
        for folder, mode in ((self.site.live, 0o755), (self.site.live / "pkg", 0o750)):
            status = folder.stat()
            self.assertEqual((status.st_uid, status.st_mode & 0o777), (1234, mode))

    def test_a_swap_cut_off_anywhere_is_undone_by_restoring(self):
        self.each_point(lambda site: site.stage(SECOND), Site.swap, Site.restore, FIRST)

    def test_a_swap_cut_off_anywhere_is_overtaken_by_the_next_one(self):
        self.each_point(lambda site: site.stage(SECOND), Site.swap, lambda site: site.deploy(THIRD), THIRD)

    def test_restoring_cut_off_anywhere_is_finished_by_restoring_again(self):
        self.each_point(lambda site: site.deploy(SECOND), Site.restore, Site.restore, FIRST)

    def test_restoring_cut_off_anywhere_is_overtaken_by_the_next_deploy(self):
        self.each_point(lambda site: site.deploy(SECOND), Site.restore, lambda site: site.deploy(THIRD), THIRD)

    def each_point(self, prepare, action, then, expected):
        """ACTION is cut off at each of its changes in turn; THEN always leaves EXPECTED and all data."""
        for count in range(1, 200):
            with tempfile.TemporaryDirectory() as folder, self.subTest(change=count):
                site = Site(folder).with_data()
                prepare(site)
                if not self.interrupted(action, site, count):
                    self.assertGreater(count, 5)
                    return
                then(site)
                self.assertEqual(site.files(), expected | DATA)
                self.assertEqual(tree.names(site.manifest), set(expected))
        self.fail("an action of endless changes")


if __name__ == "__main__":
    unittest.main()
