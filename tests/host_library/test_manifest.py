"""What a host's record promises: everything that steps put or change is noted before, the first state counts, and
remove.sh takes exactly that back, wherever either was cut off."""

import os
import unittest
from pathlib import Path

import host
from test_library import OnHost, setUpModule  # noqa: F401

STEPS = (
    ("packages", "packages_install tool"),
    ("mask", "units_mask tool.service"),
    ("user", "getent passwd monctl-demo >/dev/null || user_create monctl-demo"),
    (
        "demo",
        f"""
            service_open demo /etc/monctl/demo
            service_file conf c root root 0600
            service_unit_file demo.service u
            service_check test -s conf
            service_activate
            service_unit demo.service restart - -
            service_close {"0" * 64}""",
    ),
)
FILES = {"payload/c": "1", "payload/u": "[Service]\nStateDirectory=monctl/demo\n"}
REMOVE = (host.LIBRARY / "remove.sh").read_text()


class Record(OnHost):
    def setUp(self):
        super().setUp()
        self.host.write("/state/available", "tool\nlib\n")
        self.host.write("/state/depends", "tool lib\n")
        self.host.write("/state/installed", "")
        (self.host.root / "var/backups").mkdir(parents=True)
        (self.host.root / "var/cache/debconf").mkdir(parents=True)

    def up(self, conf="1", steps=STEPS):
        files = {**FILES, "payload/c": conf}
        return self.host.steps(*((step, "-", "", script) for step, script in steps), files=files)

    def set_up(self, **options):
        events = self.host.run(self.up(**options))
        self.assertFalse([fields for fields in events if fields[0] in ("fail", "skip")], events)

    def removal(self, action="remove", project="shop"):
        return self.host.work({"run.sh": REMOVE, "request": f"{action}\t{project}\n"})

    def take_back(self, **options):
        report = self.host.run(self.removal(**options))
        self.assertEqual(report[-1], ["end"])
        return report[:-1]

    def cut_off(self, folder, program, turn, when):
        """Runs until the given call of a program, and is killed there; returns whether that call happened."""
        self.host.write("/state/fuse", f"{program} {turn} {when}\n")
        (self.host.root / "state/fuse.count").unlink(missing_ok=True)
        with self.host.popen(folder, stdout=host.subprocess.DEVNULL, stderr=host.subprocess.DEVNULL, start_new_session=True) as process:
            process.wait(timeout=60)
        (self.host.root / "state/fuse").unlink()
        return process.returncode == -9

    def tree(self):
        """Every path outside of what the stubs keep: kind, mode, content or target."""
        found = {}
        for folder, folders, files in os.walk(self.host.root):
            inside = folder.removeprefix(str(self.host.root)) or "/"
            if inside == "/":
                for name in ("state", "stubs", "run", "usr", "bin", "sbin", "lib", "lib64", "dev", "proc", "tmp"):
                    for names in (folders, files):
                        if name in names:
                            names.remove(name)
            for name in folders + files:
                path = os.path.join(folder, name)
                if path.endswith("mirror_Packages"):
                    continue
                stat = os.lstat(path)
                content = os.readlink(path) if os.path.islink(path) else Path(path).read_text() if os.path.isfile(path) else ""
                found[os.path.join(inside, name)] = (oct(stat.st_mode), content)
        return found, self.host.read("/state/installed"), sorted(path.name for path in (self.host.root / "state/units").iterdir())

    def test_the_owner_of_a_folder_is_restored_unless_it_was_changed_since(self):
        folder = self.host.root / "var/lib/tool"
        for changed, owner in ((False, 0), (True, 7)):
            with self.subTest(changed=changed):
                folder.mkdir(parents=True)
                self.host.write("/state/given", "/var/lib/tool\n")
                self.set_up()
                self.assertEqual(folder.stat().st_uid, 7)
                if changed:
                    folder.chmod(0o700)
                self.take_back()
                self.assertEqual((folder.stat().st_uid, folder.stat().st_gid), (owner, owner))
                folder.rmdir()

    def test_installed_objects_are_listed_and_removed_and_nothing_else(self):
        before = self.tree()
        self.set_up()
        report = self.take_back(action="list")
        for thing in (["unit", "demo.service"], ["user", "monctl-demo"], ["package", "tool"], ["package", "lib"], ["path", "/etc/monctl"]):
            self.assertIn(thing, report)
        self.assertNotEqual(self.tree(), before)
        self.assertIn(["package", "lib"], self.take_back())
        self.assertEqual(self.tree(), before)
        self.assertEqual(self.take_back(), [])
        self.assertEqual(self.take_back(action="list"), [])

    def test_earlier_files_and_units_are_restored(self):
        self.host.write("/etc/systemd/system/demo.service", "[Service]\n# mine\n").chmod(0o640)
        self.host.write("/etc/systemd/system/tool.service", "[Service]\n# mine too\n")
        self.host.write("/etc/monctl/demo/mine", "mine")
        self.host.write("/etc/group", self.host.read("/etc/group") + "monctl-demo:x:7:\n")
        for state in ("demo.service.active", "demo.service.enabled", "tool.service.active"):
            self.host.write(f"/state/units/{state}", "")
        before = self.tree()
        self.set_up()
        self.set_up(conf="2")
        report = self.take_back()
        self.assertIn(["restore", "/etc/systemd/system/demo.service"], report)
        self.assertIn(["restore", "unit tool.service (active)"], report)
        # The group existed before, and userdel would remove it, too.
        self.assertEqual(self.tree()[1:], before[1:])
        self.assertEqual({**self.tree()[0], "/etc/group": ""}, {**before[0], "/etc/group": ""})

    def test_the_first_state_counts_over_several_runs(self):
        before = self.tree()
        self.set_up(steps=STEPS[:2])
        self.set_up()
        self.set_up(conf="2")
        log = self.host.read("/var/lib/monctl/manifest/log").splitlines()
        self.assertEqual(len(log), len({tuple(line.split("\t")[:2]) for line in log}))
        self.take_back()
        self.assertEqual(self.tree(), before)

    def test_changes_by_people_are_backed_up(self):
        self.set_up()
        conf = self.host.link("/etc/monctl/demo") + "/conf"
        self.host.write(conf, "tuned")
        self.host.write("/etc/monctl/demo.note", "mine")
        self.assertIn(["keep", "/etc/monctl/demo/conf was changed: a copy goes to /var/backups"], self.take_back(action="list"))
        kept = [fields[1] for fields in self.take_back() if fields[0] == "keep"]
        self.assertEqual(len(kept), 2)
        self.assertTrue(kept[0].startswith("/etc/monctl/demo/conf was changed and is kept in /var/backups/monctl-"), kept)
        self.assertEqual(self.host.read(kept[0].split()[-1]), "tuned")
        self.assertEqual(self.host.read(kept[1].split()[-1]), "mine")
        self.assertFalse(self.host.has("/etc/monctl"))

    def test_packages_that_are_needed_or_manually_installed_stay(self):
        self.set_up()
        self.host.write("/state/installed", self.host.read("/state/installed") + "theirs\n")
        self.host.write("/state/needs", "theirs tool\ntool lib\n")
        report = self.take_back()
        self.assertIn(["keep", "package tool: needed by theirs"], report)
        self.assertIn(["keep", "package lib: needed by theirs"], report)
        self.assertEqual(sorted(self.host.read("/state/installed").split()), ["lib", "theirs", "tool"])

    def test_a_dependency_that_somebody_asked_for_since_stays(self):
        self.set_up()
        self.host.write("/state/manual", "tool\nlib\n")
        report = self.take_back()
        self.assertIn(["keep", "package lib: it was marked as manually installed since"], report)
        self.assertEqual(self.host.read("/state/installed"), "lib\n")

    def test_files_where_units_see_the_code_stay_where_the_folder_is_somebodys(self):
        self.host.write("/srv/monctl/app/theirs", "theirs")
        before = self.tree()
        script = f"""
            service_open app /etc/monctl/app
            service_tree /srv/monctl monctl-app 1 /var/lib/monctl/app
            service_activate
            service_close {"0" * 64}"""
        files = {"tree/manage.py": "1", "tree/shop/urls.py": "1", "tree.manifest": "manage.py\nshop/urls.py\n"}
        events = self.host.run(self.host.steps(("app", "-", "", script), files=files))
        self.assertIn(["ok", "app"], events)
        self.host.write("/var/lib/monctl/app/db.sqlite3", "rows")
        self.assertIn(["data", "/var/lib/monctl/app"], [fields[:2] for fields in self.take_back(action="list")])
        self.host.write(self.host.link("/srv/monctl/current") + "/manage.py", "tuned")
        report = self.take_back()
        self.assertTrue(any(fields[0] == "keep" and "manage.py was changed" in fields[1] for fields in report), report)
        (copy,) = (self.host.root / "var/backups").iterdir()
        host.shutil.rmtree(copy)
        self.assertEqual(self.tree(), before)

    def test_what_an_earlier_version_brought_into_a_folder_of_somebodys_is_removed_and_no_link_followed(self):
        self.host.write("/outside/urls.py", "the system's")
        self.set_up()
        log = self.host.root / "var/lib/monctl/manifest/log"
        log.write_text(log.read_text() + "shared\t/srv/monctl/app\t\t.\ndata\t/srv/monctl/app\t\t.\n")
        put = self.host.root / "var/lib/monctl/manifest/put"
        names = ("manage.py", "shop/urls.py")
        put.write_text(put.read_text() + "".join(f"{'0' * 64}  /srv/monctl/app/{name}\n" for name in names))
        for name in ("manage.py", "theirs"):
            self.host.write(f"/srv/monctl/app/{name}", name)
        (self.host.root / "srv/monctl/app/shop").symlink_to("/outside")
        self.take_back()
        self.assertEqual(self.host.read("/outside/urls.py"), "the system's")
        self.assertEqual(self.host.read("/srv/monctl/app/theirs"), "theirs")
        self.assertFalse(self.host.has("/srv/monctl/app/manage.py"))

    def test_a_line_that_a_power_failure_tore_is_no_fact(self):
        before = self.tree()
        self.set_up()
        with open(self.host.root / "var/lib/monctl/manifest/log", "a") as log:
            log.write("made\t/etc")
        self.set_up(conf="2")
        self.take_back()
        self.assertEqual(self.tree(), before)

    def test_a_host_of_another_project_is_left_alone(self):
        self.set_up()
        before = self.tree()
        self.assertEqual(self.take_back(action="list", project="other"), [])
        self.assertEqual(self.take_back(project="other"), [["keep", "everything: this host belongs to project shop"]])
        self.assertEqual(self.tree(), before)

    def test_a_run_that_is_cut_off_anywhere_is_taken_back(self):
        turns = 0
        for program, when in (("sync", "before"), ("sync", "after"), ("mv", "before")):
            for turn in range(1, 200):
                with self.subTest(program=program, turn=turn, when=when):
                    before = self.tree()
                    came = self.cut_off(self.up(), program, turn, when)
                    self.take_back()
                    self.assertEqual(self.tree(), before)
                if not came:
                    break
                turns += 1
        self.assertGreater(turns, 40)

    def test_a_removal_that_is_cut_off_anywhere_goes_on(self):
        turns = 0
        mine = self.host.write("/etc/systemd/system/demo.service", "[Service]\n# mine\n")
        mine.chmod(0o640)
        for program, when in (("rm", "before"), ("mv", "after")):
            for turn in range(1, 100):
                with self.subTest(program=program, turn=turn, when=when):
                    before = self.tree()
                    self.set_up()
                    came = self.cut_off(self.removal(), program, turn, when)
                    self.take_back()
                    self.assertEqual(self.tree(), before)
                if not came:
                    break
                turns += 1
        self.assertGreater(turns, 10)


if __name__ == "__main__":
    unittest.main()
