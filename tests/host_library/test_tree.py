"""Tests of `tree.py`: root never follows a link of another user, wherever and whenever it is created."""

import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest
from contextlib import redirect_stdout
from pathlib import Path
from unittest import mock

LIBRARY = Path(__file__).resolve().parents[2] / "playbooks/lib"
sys.path.insert(0, str(LIBRARY))
sys.dont_write_bytecode = True

import tree  # noqa: E402


def put(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="monctl-tree-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.outside = self.folder / "outside"
        put(self.outside / "secret", "root's")


class Copy(InFolder):
    def setUp(self):
        super().setUp()
        self.source, self.target = self.folder / "source", self.folder / "target"
        self.source.mkdir()

    def copy(self):
        tree.copy(str(self.source), str(self.target))

    def refused(self):
        with self.assertRaises((SystemExit, OSError)) as refusal:
            self.copy()
        self.assertNotIn("root's", contents(self.target).values())
        return str(refusal.exception)

    def test_folders_files_and_links_that_stay_inside_are_copied(self):
        put(self.source / "bin/tool", "run")
        (self.source / "bin/tool").chmod(0o4755)
        put(self.source / "lib/a.py", "a")
        (self.source / "lib64").symlink_to("lib")
        (self.source / "bin/python").symlink_to("/usr/bin/python3")
        self.copy()
        self.assertEqual(contents(self.target), {"bin/tool": "run", "lib/a.py": "a"})
        self.assertEqual(os.readlink(self.target / "lib64"), "lib")
        self.assertEqual((self.target / "bin/tool").stat().st_mode & 0o7777, 0o755, "no special bit survives")

    def test_a_link_that_leads_out_is_refused_by_name(self):
        for link in ("/etc/shadow", "../outside/secret", str(self.outside)):
            with self.subTest(link=link):
                (self.source / "pkg").symlink_to(link)
                self.assertIn("'pkg' is a link that points to", self.refused())
                (self.source / "pkg").unlink()

    def test_special_files_are_refused(self):
        os.mkfifo(self.source / "pipe")
        self.assertIn("pipe", self.refused())

    @unittest.skipUnless(os.geteuid() == 0, "only root gives files away")
    def test_a_file_of_another_user_behind_a_hard_link_is_refused(self):
        os.chown(self.source, 1234, 1234)
        os.link(self.outside / "secret", self.source / "mine")
        self.assertIn("'mine' does not belong to the owner of its folder", self.refused())

    def test_a_folder_that_becomes_a_link_meanwhile_is_not_entered(self):
        put(self.source / "pkg/secret", "harmless")
        real = os.open

        def swapped(path, *arguments, **options):
            if path == "pkg":
                (self.source / "pkg").rename(self.folder / "away")
                (self.source / "pkg").symlink_to(self.outside)
            return real(path, *arguments, **options)

        with mock.patch.object(os, "open", swapped):
            self.refused()

    def test_a_file_that_becomes_a_link_meanwhile_is_not_read(self):
        put(self.source / "file", "harmless")
        real = os.open

        def swapped(path, *arguments, **options):
            if path == "file" and not (self.source / "file").is_symlink():
                (self.source / "file").unlink()
                (self.source / "file").symlink_to(self.outside / "secret")
            return real(path, *arguments, **options)

        with mock.patch.object(os, "open", swapped):
            self.refused()

    def test_constant_swapping_never_copies_a_foreign_file(self):
        put(self.source / "pkg/secret", "harmless")
        stop = threading.Event()

        def swap():
            while not stop.is_set():
                (self.source / "pkg").rename(self.folder / "away")
                (self.source / "pkg").symlink_to(self.outside)
                (self.source / "pkg").unlink()
                (self.folder / "away").rename(self.source / "pkg")

        attacker = threading.Thread(target=swap)
        attacker.start()
        try:
            for turn in range(200):
                target = self.folder / f"target-{turn}"
                try:
                    tree.copy(str(self.source), str(target))
                except (SystemExit, OSError):
                    pass
                self.assertNotIn("root's", contents(target).values())
        finally:
            stop.set()
            attacker.join()

    def test_existing_files_stay(self):
        put(self.target / "app.css", "the project's own")
        put(self.source / "app.css", "collected")
        put(self.source / "admin/base.css", "collected")
        self.copy()
        self.assertEqual(contents(self.target), {"app.css": "the project's own", "admin/base.css": "collected"})


class Place(InFolder):
    def setUp(self):
        super().setUp()
        self.release, self.data = self.folder / "release", self.folder / "data"
        put(self.release / "manage.py", "1")
        self.data.mkdir()

    def place(self, persistent=(), **places):
        names = self.folder / "persistent"
        names.write_text("".join(f"{name}\n" for name in persistent))
        answer = io.StringIO()
        with mock.patch.object(sys, "stdin", io.StringIO(json.dumps(places))), redirect_stdout(answer):
            tree.place(str(self.release), str(self.data), str(names))
        return answer.getvalue().splitlines()

    def test_data_is_reached_by_links(self):
        needs = self.place(["data", "logs/app.log"], files=["db.sqlite3", "data/other.sqlite3"], folders=["media"])
        self.assertEqual(needs, ["either\tdata", "either\tlogs/app.log", "file\tdb.sqlite3", "folder\tmedia"])
        for name in ("data", "logs/app.log", "db.sqlite3", "media"):
            self.assertEqual(os.readlink(self.release / name), str(self.data / name))
        self.assertEqual(list(self.data.iterdir()), [], "root makes nothing in the folder of another user")

    def test_placing_again_changes_nothing(self):
        self.place(["data"], files=["db.sqlite3"])
        self.assertEqual(self.place(["data"], files=["db.sqlite3"]), [])

    def test_files_of_the_project_in_a_persistent_folder_become_seeds(self):
        put(self.release / "data/first.json", "[]")
        self.place(["data"])
        self.assertTrue((self.release / "data").is_symlink())
        self.assertEqual((self.folder / "release.seeds/data/first.json").read_text(), "[]")

    def test_a_database_of_the_project_becomes_a_seed(self):
        put(self.release / "db.sqlite3", "first content")
        self.assertEqual(self.place(files=["db.sqlite3"]), ["file\tdb.sqlite3"])
        self.assertEqual(os.readlink(self.release / "db.sqlite3"), str(self.data / "db.sqlite3"))
        self.assertEqual((self.folder / "release.seeds/db.sqlite3").read_text(), "first content")
        self.assertEqual(self.place(files=["db.sqlite3"]), [])

    def test_a_folder_where_a_database_should_be_is_refused(self):
        put(self.release / "db/readme", "brought")
        with self.assertRaises(SystemExit):
            self.place(files=["db"])

    def test_code_where_the_application_writes_is_refused_with_the_line_that_keeps_it(self):
        put(self.release / "media/logo.png", "brought")
        with self.assertRaises(SystemExit) as refusal:
            self.place(["data"], folders=["media"])
        self.assertIn("app.persistent: [data, media]", str(refusal.exception))
        self.assertEqual((self.release / "media/logo.png").read_text(), "brought")

    def test_names_that_lead_out_are_refused(self):
        for name in ("/etc/cron.d/x", "../outside/x", "a/../../outside", "", "a//b", "a\nb", 7, None, {"a": 1}):
            with self.subTest(name=name), self.assertRaises(SystemExit):
                self.place(files=[name])
        self.assertEqual(contents(self.outside), {"secret": "root's"})

    def test_nothing_is_written_behind_a_link(self):
        (self.release / "pkg").symlink_to(self.outside)
        self.place(files=["pkg/db.sqlite3"])
        self.assertEqual(os.listdir(self.outside), ["secret"])
        with self.assertRaises(SystemExit) as refusal:
            tree.folder(str(self.release), "pkg/static")
        self.assertIn("STATIC_ROOT", str(refusal.exception))
        self.assertEqual(os.listdir(self.outside), ["secret"])


class Clear(InFolder):
    def setUp(self):
        super().setUp()
        self.live, self.manifest = self.folder / "app", self.folder / "manifest"
        self.live.mkdir()

    def clear(self, *names):
        self.manifest.write_text("".join(f"{name}\n" for name in names))
        tree.clear(str(self.live), str(self.manifest))

    def test_only_listed_files_caches_and_empty_folders_are_removed(self):
        for name in ("manage.py", "pkg/a.py", "pkg/__pycache__/a.cpython-313.pyc", "pkg/deep/b.py", "pkg/deep/data"):
            put(self.live / name)
        self.clear("manage.py", "pkg/a.py", "pkg/deep/b.py", "gone.py", "gone/too.py")
        self.assertEqual(list(contents(self.live)), ["pkg/deep/data"])

    def test_links_in_place_of_monctls_folders_are_removed_and_not_followed(self):
        (self.live / "pkg").symlink_to(self.outside)
        (self.live / "deep").mkdir()
        (self.live / "deep/__pycache__").symlink_to(self.outside)
        put(self.outside / "a.pyc")
        self.clear("pkg/secret", "deep/a.py")
        self.assertEqual(sorted(os.listdir(self.outside)), ["a.pyc", "secret"])
        self.assertFalse((self.live / "pkg").is_symlink())

    def test_a_folder_that_is_a_link_itself_is_left_alone(self):
        self.live.rmdir()
        self.live.symlink_to(self.outside)
        self.clear("secret")
        self.assertEqual(os.listdir(self.outside), ["secret"])


class Command(InFolder):
    def test_the_report_about_the_settings_is_validated(self):
        def report(found):
            command = [sys.executable, "-I", str(LIBRARY / "tree.py"), "report"]
            return subprocess.run(command, input=json.dumps(found), capture_output=True, text=True)

        whole = {"debug": True, "insecure_key": False, "allowed_hosts": ["a"], "unserved": "/a\n", "absent": ["/b"]}
        whole["static_root"] = True
        self.assertEqual(json.loads(report(whole | {"more": 1}).stdout), whole)
        self.assertEqual(report(whole).stdout.count("\n"), 0)
        other = {"debug": "x", "insecure_key": 1, "allowed_hosts": [1, "a"], "unserved": [], "absent": {"a": 1}}
        expected = {"debug": False, "insecure_key": False, "allowed_hosts": ["a"], "unserved": None, "absent": []}
        other["static_root"], expected["static_root"] = "yes", False
        self.assertEqual(json.loads(report(other).stdout), expected)
        self.assertNotEqual(report([]).returncode, 0)

    def test_a_web_server_sees_folders_of_the_version_and_of_the_data_and_nothing_else(self):
        with tempfile.TemporaryDirectory() as folder:
            target, place, data = Path(folder, "public"), "/srv/monctl/app", "/var/lib/monctl/app"
            served = {
                "/static/": f"{place}/out/static",
                "/static/below/": f"{place}/below",
                "/media/all/": f"{data}/media",
                "/": f"{place}/x",
                "/../": f"{place}/x",
                "/a/../../b/": f"{place}/x",
                "https://cdn.example/": f"{place}/x",
                "/no-slash": f"{place}/x",
                "/code/": place,
                "/data/": data,
                "/up/": f"{place}/../secret",
                "/etc/": "/etc",
                "/text/": 7,
            }
            command = [sys.executable, "-I", str(LIBRARY / "tree.py"), "public", "/srv/monctl/releases/1", place, data, target]
            done = subprocess.run(command, input=json.dumps({"served": served}), capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            links = {str(path.relative_to(target)): os.readlink(path) for path in target.rglob("*") if path.is_symlink()}
            self.assertEqual(links, {"static": "/srv/monctl/releases/1/out/static", "media/all": f"{data}/media"})

    def test_the_static_folder_from_the_application_is_validated(self):
        def static(places):
            command = [sys.executable, "-I", str(LIBRARY / "tree.py"), "static"]
            return subprocess.run(command, input=json.dumps(places), capture_output=True, text=True)

        self.assertEqual(static({"static": "staticfiles"}).stdout, "staticfiles\n")
        self.assertEqual((static({"static": None}).stdout, static({}).returncode), ("", 0))
        for path in ("../x", "/etc", 7, "a\tb"):
            self.assertNotEqual(static({"static": path}).returncode, 0, path)


if __name__ == "__main__":
    unittest.main()
