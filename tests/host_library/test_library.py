"""What the scripts on hosts promise, in a root folder of their own: steps and lanes, events, services
that are active as a whole or not at all, folders that are filled as a whole, and the facts."""

import base64
import hashlib
import io
import subprocess
import tarfile
import time
import unittest

import host

URL = "http://127.0.0.1:9/demo.service"
DIGEST = {name: hashlib.sha256(name.encode()).hexdigest() for name in "abc"}


def setUpModule():
    """If namespaces are forbidden, these tests are skipped."""
    probe = subprocess.run(["unshare", "--mount", "--map-root-user", "true"], capture_output=True)
    if host.os.geteuid() != 0 and probe.returncode:
        raise unittest.SkipTest("user namespaces are not allowed here")


class OnHost(unittest.TestCase):
    def setUp(self):
        self.host = host.Host()
        self.addCleanup(self.host.close)

    def run_steps(self, *steps, files=None):
        return self.host.run(self.host.steps(*steps, files=files))

    def output_of(self, events, step):
        (output,) = [fields[2] for fields in events if fields[:2] == ["fail", step]]
        return base64.b64decode(output).decode()


class Steps(OnHost):
    def test_steps_run_in_order_and_the_end_event_is_last(self):
        events = self.run_steps(("one", "-", "", "echo 1 >>/state/log"), ("two", "-", "", "echo 2 >>/state/log"))
        self.assertEqual(events, [["start", "one"], ["ok", "one"], ["start", "two"], ["ok", "two"], ["end"]])
        self.assertEqual(self.host.read("/state/log"), "1\n2\n")

    def test_a_lane_runs_beside_the_main_sequence_and_is_waited_for(self):
        wait_for = "for ((i = 0; i < 500; i++)); do [ ! -e /state/{0} ] || exit 0; sleep 0.02; done; exit 1"
        events = self.run_steps(
            ("lane", "side", "", "touch /state/lane; " + wait_for.format("main")),
            ("main", "-", "", "touch /state/main; " + wait_for.format("lane")),
            ("joined", "-", "side", "true"),
        )
        self.assertEqual([fields[1] for fields in events if fields[0] == "ok"][-1], "joined")
        self.assertLess(events.index(["ok", "lane"]), events.index(["start", "joined"]))

    def test_a_failing_lane_ends_only_itself_and_what_waits_for_it(self):
        events = self.run_steps(
            ("bad", "side", "", "echo why; false; echo not reached"),
            ("behind", "side", "", "true"),
            ("main", "-", "", "true"),
            ("joined", "-", "side", "true"),
            ("last", "-", "", "true"),
        )
        self.assertEqual(self.output_of(events, "bad"), "why\n")
        self.assertEqual(sorted(fields[1] for fields in events if fields[0] == "skip"), ["behind", "joined", "last"])
        self.assertIn(["ok", "main"], events)

    def test_the_last_output_of_a_step_begins_with_a_whole_line(self):
        events = self.run_steps(("bad", "-", "", "for ((i = 0; i < 2000; i++)); do echo a-longer-secret-value; done; false"))
        self.assertEqual(set(self.output_of(events, "bad").splitlines()), {"a-longer-secret-value"})

    def test_a_failed_lane_without_dependents_affects_no_other_step(self):
        events = self.run_steps(("bad", "side", "", "false"), ("one", "-", "", "true"), ("two", "-", "", "true"))
        self.assertIn(["ok", "two"], events)
        self.assertEqual(events[-1], ["end"])

    def test_a_lane_does_not_begin_behind_a_step_that_failed(self):
        events = self.run_steps(("bad", "-", "", "false"), ("lane", "side", "", "true"), ("two", "-", "", "true"))
        self.assertEqual(sorted(events[2:]), [["end"], ["skip", "lane"], ["skip", "two"]])

    def test_events_of_lanes_that_end_at_once_are_whole_lines(self):
        noisy = "head -c 9000 /dev/zero | tr '\\0' x; touch /state/ready.$RANDOM; exit 1"
        lanes = [(f"bad-{number}", f"lane-{number}", "", noisy) for number in range(12)]
        events = self.run_steps(*lanes)
        for step, *_ in lanes:
            self.assertEqual(self.output_of(events, step), "x" * 6000 + "\n")
        self.assertEqual(len(events), 25)

    def test_after_the_reader_is_gone_the_running_step_finishes_and_no_other_begins(self):
        folder = self.host.steps(
            ("one", "-", "", "until [ -e /state/go ]; do sleep 0.02; done; echo; touch /state/one"),
            ("two", "-", "", "touch /state/two"),
        )
        with self.host.popen(folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            self.assertEqual(process.stdout.readline(), "start\tone\n")
            process.stdout.close()
            self.host.write("/state/go", "")
            process.wait(timeout=60)
        self.assertTrue(self.host.has("/state/one"))
        self.assertFalse(self.host.has("/state/two"))

    def test_a_second_run_waits_for_the_first(self):
        first = self.host.steps(("one", "-", "", "touch /state/begun; until [ -e /state/go ]; do sleep 0.02; done; echo 1 >>/state/log"))
        second = self.host.steps(("two", "-", "", "echo 2 >>/state/log"))
        with self.host.popen(first, stdout=subprocess.DEVNULL) as one:
            deadline = time.monotonic() + 30
            while not self.host.has("/state/begun") and time.monotonic() < deadline:
                time.sleep(0.02)
            with self.host.popen(second, stdout=subprocess.DEVNULL) as two:
                self.host.write("/state/go", "")
                one.wait(timeout=60)
                two.wait(timeout=60)
        self.assertEqual(self.host.read("/state/log"), "1\n2\n")


class Services(OnHost):
    def service(self, conf, unit="[Unit]\n", digest="a", check="test -s conf", action="restart", before="", more=""):
        script = f"""
            {before}
            service_open demo /etc/monctl/demo
            service_file conf c monctl-app monctl-app 0600
            service_unit_file demo.service u
            service_check {check}
            service_activate
            service_unit demo.service {action} {URL} -
            {more}
            service_close {DIGEST[digest]}"""
        unit += "Reads=/etc/monctl/demo/conf\n"
        return self.run_steps(("demo", "-", "", script), files={"payload/c": conf, "payload/u": unit, "payload/x": "[Unit]\n"})

    def stamp(self):
        return self.host.read("/var/lib/monctl/applied/demo") if self.host.has("/var/lib/monctl/applied/demo") else None

    def assert_serves(self, conf, digest):
        self.assertEqual(self.host.read(self.host.link("/etc/monctl/demo") + "/conf"), conf)
        self.assertEqual(self.stamp(), DIGEST[digest] + "\n")
        self.assertEqual(self.host.unit("demo.service"), ["active", "enabled"])

    def sets(self):
        return [path for path in (self.host.root / "var/lib/monctl/sets/demo").iterdir() if path.is_dir()]

    def test_a_set_becomes_active_and_the_unit_runs(self):
        self.assertIn(["ok", "demo"], self.service("1"))
        self.assert_serves("1", "a")
        path = self.host.root / self.host.link("/etc/monctl/demo").lstrip("/") / "conf"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_a_new_set_takes_the_place_of_the_old_one(self):
        self.service("1")
        self.assertIn(["ok", "demo"], self.service("2", digest="b"))
        self.assert_serves("2", "b")
        self.assertEqual(len(self.sets()), 1)

    def test_a_set_that_fails_its_check_changes_nothing(self):
        self.service("1")
        calls = len(self.host.calls())
        events = self.service("", digest="b")
        self.assertIn("nothing was activated", self.output_of(events, "demo"))
        self.assert_serves("1", "a")
        self.assertEqual(len(self.host.calls()), calls)
        self.assertEqual(len(self.sets()), 1)

    def test_a_unit_that_does_not_start_is_rolled_back(self):
        self.service("1")
        for conf in ("Broken", "Failing"):
            output = self.output_of(self.service(conf, digest="b"), "demo")
            self.assertIn("the previous set is active again and healthy", output)
            self.assert_serves("1", "a")
            self.assertEqual(len(self.sets()), 1)

    def test_a_failure_after_the_units_is_rolled_back_too(self):
        self.service("1")
        self.output_of(self.service("2", digest="b", more="service_run false"), "demo")
        self.assert_serves("1", "a")

    def test_a_rollback_does_not_disturb_a_unit_that_was_kept(self):
        self.service("1")
        calls = len(self.host.calls())
        self.output_of(self.service("2", digest="b", action="keep", more="service_run false"), "demo")
        self.assert_serves("1", "a")
        self.assertFalse([call for call in self.host.calls()[calls:] if "restart" in call or "disable" in call])

    def test_the_unit_files_of_the_earlier_set_come_back_too(self):
        self.service("1", unit="[Unit]\n# first\n")
        self.output_of(self.service("Broken", unit="[Unit]\n# second\n", digest="b"), "demo")
        self.assertIn("# first", self.host.read("/etc/systemd/system/demo.service"))

    def test_a_first_set_that_fails_leaves_nothing_active(self):
        output = self.output_of(self.service("Broken"), "demo")
        self.assertIn("no earlier set", output)
        self.assertIsNone(self.stamp())
        self.assertEqual(self.host.unit("demo.service"), [])
        for path in ("/etc/monctl/demo", "/etc/systemd/system/demo.service"):
            self.assertFalse(self.host.has(path), path)

    def test_a_rollback_to_a_set_that_fails_too_is_reported(self):
        self.service("1", unit="[Unit]\n")
        conf = self.host.link("/etc/monctl/demo") + "/conf"
        self.host.write(conf, "Broken")
        self.assertIn("with the previous set either", self.output_of(self.service("Broken", digest="b"), "demo"))
        self.assertEqual(self.stamp(), DIGEST["a"] + "\n", "the set is restored, so that the next run restarts only the unhealthy unit")

    def test_a_unit_that_creates_its_database_gets_more_time(self):
        slow = "HEALTHY_WITHIN=3; touch /state/migrating; { sleep 6; rm /state/migrating; } >/dev/null 2>&1 &"
        self.assertIn(["ok", "demo"], self.service("1", before=slow))
        late = "HEALTHY_WITHIN=1; MIGRATED_WITHIN=1; touch /state/migrating"
        self.assertIn("is not healthy", self.output_of(self.service("2", digest="b", before=late), "demo"))

    def test_a_unit_that_stops_after_it_was_healthy_is_rolled_back(self):
        self.service("1")
        stops = "rm /state/units/demo.service.active"
        self.assertIn("was healthy and is inactive now", self.output_of(self.service("2", digest="b", more=stops), "demo"))
        self.assert_serves("1", "a")

    def test_a_partly_failed_rollback_continues_and_is_reported(self):
        self.service("1")
        stuck = "venv=/srv/none/link venv_new=x venv_previous=y; service_run false"
        output = self.output_of(self.service("2", digest="b", more=stuck), "demo")
        self.assertIn("could not be restored", output)
        self.assertNotIn("active again and healthy", output)
        self.assertEqual(self.host.read(self.host.link("/etc/monctl/demo") + "/conf"), "1")
        self.assertIsNone(self.stamp(), "a set that was not restored must not count as applied")

    def test_a_masked_unit_is_unmasked(self):
        self.service("1")
        unit = self.host.root / "etc/systemd/system/demo.service"
        unit.unlink()
        unit.symlink_to("/dev/null")
        self.assertIn(["ok", "demo"], self.service("1"))
        self.assert_serves("1", "a")

    def test_a_kept_unit_is_not_restarted(self):
        self.service("1")
        calls = len(self.host.calls())
        self.assertIn(["ok", "demo"], self.service("2", digest="b", action="keep"))
        self.assertFalse([call for call in self.host.calls()[calls:] if "restart" in call])

    def test_an_unneeded_unit_is_removed_and_restored_by_a_rollback(self):
        extra = "service_unit extra.service {} - -"
        self.service("1")
        both = f"install -m 644 payload/x \"$staged/.units/extra.service\"; units_place \"$staged\"; {extra.format('restart')}"
        self.assertIn(["ok", "demo"], self.service("1", more=both, digest="b"))
        self.assertEqual(self.host.unit("extra.service"), ["active", "enabled"])
        self.output_of(self.service("1", more=f"{extra.format('stop')}; false", digest="c"), "demo")
        self.assertEqual(self.host.unit("extra.service"), ["active", "enabled"])
        self.assertIn(["ok", "demo"], self.service("1", more=extra.format("stop"), digest="c"))
        self.assertEqual(self.host.unit("extra.service"), [])
        self.assertFalse(self.host.has("/etc/systemd/system/extra.service"))

    def test_a_process_that_does_not_stay_up_is_rolled_back(self):
        steady = "service_steady demo.service"
        self.assertIn(["ok", "demo"], self.service("1", more=steady))
        output = self.output_of(self.service("2", unit="[Unit]\n# Flapping\n", digest="b", more=steady), "demo")
        self.assertIn("demo.service does not stay up: its state is active", output)
        self.assertIn("the journal's last words", output)
        self.assert_serves("1", "a")

    def test_a_process_that_is_stopped_meanwhile_is_not_waited_for(self):
        self.service("1")
        stops = "rm /state/units/demo.service.active; service_steady demo.service"
        self.assertIn("does not stay up: its state is inactive", self.output_of(self.service("2", digest="b", more=stops), "demo"))
        self.assert_serves("1", "a")

    def test_a_unit_that_only_the_failed_set_has_does_not_stay(self):
        self.service("1")
        more = "install -m 644 payload/x \"$staged/.units/extra.service\"; units_place \"$staged\"; service_unit extra.service restart - -; false"
        self.output_of(self.service("1", more=more, digest="b"), "demo")
        self.assertEqual(self.host.unit("extra.service"), [])
        self.assertFalse(self.host.has("/etc/systemd/system/extra.service"))



class Application(OnHost):
    """Code in versions of which one is active, and beside it what the application wrote."""

    UNIT = "[Service]\nUser=monctl-app\nProtectSystem=strict\nBindReadOnlyPaths=/srv/monctl/current:/srv/monctl/app\n"

    def deploy(self, text, digest="1", more="", files=None, beside=None):
        script = f"""
            service_open app /etc/monctl/app
            service_unit_file monctl-app.service u
            service_tree /srv/monctl monctl-app {digest} /var/lib/monctl/app
            service_check test -f "$tree/manage.py"
            service_activate
            {more}
            service_unit monctl-app.service restart - -
            service_close {DIGEST['a']}"""
        files = {"manage.py": text, **(files or {})}
        payload = {f"tree/{name}": content for name, content in files.items()}
        payload["tree.manifest"] = "".join(f"{name}\n" for name in sorted(files))
        return self.run_steps(("app", "-", "", script), files={**payload, "payload/u": self.UNIT, **(beside or {})})

    def code(self):
        return self.host.read(self.host.link("/srv/monctl/current") + "/manage.py")

    def releases(self):
        return sorted(path.name for path in (self.host.root / "srv/monctl/releases").iterdir())

    def before(self):
        """What an earlier version left: code and data in one folder, and the list of the code."""
        self.deploy("1")
        old = self.host.link("/etc/monctl/app")
        for path in (f"{old}/.units/monctl-app.service", "/etc/systemd/system/monctl-app.service"):
            self.host.write(path, "[Service]\nReadWritePaths=/srv/monctl/app\n")
        host.shutil.rmtree(self.host.root / "srv/monctl")
        host.shutil.rmtree(self.host.root / "var/lib/monctl/app")
        for name, text in (("manage.py", "1"), ("db.sqlite3", "rows"), ("media/a.png", "upload")):
            self.host.write(f"/srv/monctl/app/{name}", text)
        self.host.write("/var/lib/monctl/sets/app/tree.manifest", "manage.py\n")

    def test_a_version_becomes_active_by_a_link_and_the_one_before_goes(self):
        self.assertIn(["ok", "app"], self.deploy("1", "1"))
        self.assertEqual((self.code(), self.releases()), ("1", ["1"]))
        self.assertIn(["ok", "app"], self.deploy("2", "2"))
        self.assertEqual((self.code(), self.releases()), ("2", ["2"]))

    def test_the_same_version_is_made_anew_beside_the_one_that_runs(self):
        self.deploy("1", "1")
        self.host.write("/srv/monctl/releases/1/manage.py", "by hand")
        self.assertIn(["ok", "app"], self.deploy("1", "1", more="test -e /srv/monctl/releases/1"))
        self.assertEqual((self.code(), self.releases()), ("1", ["1.1"]))

    def test_a_failure_after_the_switch_restores_the_previous_version(self):
        self.deploy("1", "1")
        self.host.write("/var/lib/monctl/app/db.sqlite3", "rows")
        self.output_of(self.deploy("2", "2", more="false"), "app")
        self.assertEqual((self.code(), self.releases()), ("1", ["1"]))
        self.assertEqual(self.host.read("/var/lib/monctl/app/db.sqlite3"), "rows")

    def test_code_is_compiled_for_the_place_where_units_see_it(self):
        self.deploy("1", files={"pkg/a.py": "def f(): pass\n", "pkg/broken.py": "def ("})
        (cache,) = (self.host.root / "srv/monctl/releases/1/pkg/__pycache__").iterdir()
        compiled = cache.read_bytes()
        self.assertEqual(compiled[4:8], b"\x01\0\0\0", "unchecked hash")
        self.assertIn(b"/srv/monctl/app/pkg/a.py", compiled)

    def test_a_host_of_the_previous_version_is_migrated(self):
        self.before()
        self.assertIn(["ok", "app"], self.deploy("2", "2", more="test ! -e /srv/monctl/app/db.sqlite3"))
        self.assertEqual(self.host.read("/var/lib/monctl/app/db.sqlite3"), "rows")
        self.assertEqual(self.host.read("/var/lib/monctl/app/media/a.png"), "upload")
        self.assertEqual(list((self.host.root / "srv/monctl/app").iterdir()), [])
        self.assertFalse(self.host.has("/var/lib/monctl/sets/app/tree.manifest"))
        self.assertEqual(self.host.unit("monctl-app.service"), ["active", "enabled"])

    def test_a_failed_migration_restores_everything(self):
        self.before()
        output = self.output_of(self.deploy("2", "2", more="false"), "app")
        self.assertIn("the previous set is active again", output)
        for name, text in (("manage.py", "1"), ("db.sqlite3", "rows"), ("media/a.png", "upload")):
            self.assertEqual(self.host.read(f"/srv/monctl/app/{name}"), text)
        self.assertFalse(self.host.has("/srv/monctl/current"))
        self.assertEqual(self.host.unit("monctl-app.service"), ["active", "enabled"])

    def test_a_failure_after_a_migration_leaves_the_data_in_place(self):
        """The list of earlier code may have outlived its version: the set to go back to decides."""
        self.before()
        self.deploy("2", "2")
        self.host.write("/var/lib/monctl/sets/app/tree.manifest", "manage.py\n")
        self.output_of(self.deploy("3", "3", more="false"), "app")
        self.assertEqual(self.host.read("/var/lib/monctl/app/db.sqlite3"), "rows")
        self.assertEqual(self.code(), "2")

    def test_while_data_is_moved_nothing_of_the_application_starts_by_itself(self):
        self.before()
        more = "cp -r /state/units /state/meanwhile"
        self.assertIn(["ok", "app"], self.deploy("2", "2", more=more))
        meanwhile = {path.name for path in (self.host.root / "state/meanwhile").iterdir()}
        self.assertIn("monctl-run-hold.service.activating", meanwhile)
        self.assertTrue(meanwhile.isdisjoint({"monctl-app.service.active", "monctl-app.service.enabled"}), meanwhile)
        self.assertEqual(self.host.unit("monctl-run-hold.service"), [])

    def test_the_release_commands_are_left_to_the_host_that_runs_them(self):
        more = "venv_new=/venv; touch $staged/settings $staged/environment; app_prepare"
        self.deploy("1", more=more)
        self.deploy("2", "2", more=more, beside={"released": ""})
        calls = [call for call in self.host.calls() if "monctl_metrics.prepare" in call]
        self.assertEqual([call.split("monctl_metrics.prepare")[1].split() for call in calls], [[], ["released"]])

    def released(self, python, then=""):
        """A deploy in which this program is the release's Python."""
        prepare = "venv_new=/venv; touch $staged/settings $staged/environment; app_prepare"
        path = self.host.write("/venv/bin/python", f"#!/bin/sh\n{python}\n")
        path.chmod(0o755)
        return self.deploy("2", "2", more=f"{prepare}\n{then}")

    def test_what_a_release_reports_is_an_event(self):
        events = self.released("echo 'copied\tto x'; printf '\\033[31mred\\n'; mkdir /var/lib/monctl/app-copies/1")
        self.assertIn(["note", "app", "copied to x"], events)
        self.assertIn(["note", "app", "[31mred"], events)
        self.assertIn(["ok", "app"], events)
        self.assertEqual((self.host.root / "var/lib/monctl/app-copies").stat().st_mode & 0o777, 0o700)

    def test_a_rollback_after_a_release_reports_that_the_database_stays(self):
        self.deploy("1")
        output = self.output_of(self.released("echo copied to x", then="false"), "app")
        self.assertIn("copied to x\nthe database is not rolled back", output)
        self.assertEqual(self.code(), "1")
        output = self.output_of(self.released("echo copied to x; echo failed >&2; false"), "app")
        self.assertIn("copied to x\nthe database is not rolled back", output)

    def test_a_rollback_without_migrations_reports_nothing_of_a_database(self):
        self.deploy("1")
        self.assertNotIn("database", self.output_of(self.released("true", then="false"), "app"))

    def test_a_unit_of_the_application_is_the_sandbox_of_its_tools(self):
        more = 'as_app "$staged" "$tree" -- /usr/bin/env'
        self.deploy("1", more=f"touch $staged/settings $staged/environment; {more}")
        (call,) = [call for call in self.host.calls() if call.startswith("systemd-run") and "/usr/bin/env" in call]
        for option in ("--uid=monctl-app", "--property=ProtectSystem=strict", "BindReadOnlyPaths=/srv/monctl/releases/1:/srv/monctl/app"):
            self.assertIn(option, call)

    def test_a_tool_of_the_application_runs_in_the_folder_of_its_unit(self):
        more = 'echo WorkingDirectory=/srv/monctl/app/backend >>"$staged/.units/monctl-app.service"; as_app "$staged" "$tree" -- /usr/bin/env'
        self.deploy("1", more=f"touch $staged/settings $staged/environment; {more}")
        (call,) = [call for call in self.host.calls() if call.startswith("systemd-run") and "/usr/bin/env" in call]
        self.assertIn("--property=WorkingDirectory=/srv/monctl/app/backend", call)
        self.assertIn("PYTHONPATH=$0${PYTHONPATH:+:$PYTHONPATH}", call)

    def test_a_tool_of_the_application_has_its_words_as_they_are(self):
        more = """(PYTHONPATH=theirs as_app "$staged" "$tree" -- /bin/sh -c 'echo "$1 $PYTHONPATH"' sh 'a $$ b' >/state/words)"""
        for systemd in ("of today", "before 254"):
            if systemd == "before 254":
                self.host.write("/state/expands", "")
            self.deploy("1", more=f"touch $staged/settings $staged/environment; {more}")
            self.assertRegex(self.host.read("/state/words"), r"^a \$\$ b /\S+:theirs\n$")

    def test_a_process_whose_program_is_missing_is_refused(self):
        self.host.write("/opt/monctl/venvs/1/bin/celery", "").chmod(0o755)
        folder = 'echo WorkingDirectory=/srv/monctl/app >>"$staged/.units/monctl-app.service"'
        prepare = f"{folder}; touch $staged/settings $staged/environment; chmod +x $tree/manage.py; "
        venv = "venv=/opt/monctl/app venv_new=/opt/monctl/venvs/1"
        for program in ("celery", "/opt/monctl/app/bin/celery", "bash", "./manage.py"):
            check = f"{prepare}({venv}; service_check app_check_program demo.service {program})"
            self.assertIn(["ok", "app"], self.deploy("1", more=check), program)
        for program in ("selery", "./none.py", "if"):
            check = f"{prepare}({venv}; service_check app_check_program demo.service {program})"
            output = self.output_of(self.deploy("1", more=check), "app")
            self.assertIn(f"there is no program `{program}`", output)


class Folders(OnHost):
    FOLDER = "/opt/monctl/tool"

    def release(self, text):
        """A tarball on the host, and its digest."""
        bytes_ = io.BytesIO()
        with tarfile.open(fileobj=bytes_, mode="w:gz") as tar:
            info = tarfile.TarInfo("tool-1.0/tool")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
        (self.host.root / "www/tool.tar.gz").write_bytes(bytes_.getvalue())
        return hashlib.sha256(bytes_.getvalue()).hexdigest()

    def install(self, digest, name="tool.tar.gz"):
        return self.run_steps(("tool", "-", "", f"archive_install {self.FOLDER} file:///www/{name} {digest}"))

    def installed(self):
        folder = self.host.work({"run.sh": (host.LIBRARY / "facts.sh").read_text(), **questions(installed=[self.FOLDER])})
        return [fields for fields in self.host.run(folder) if fields[0] in ("installed", "failed")]

    def test_a_release_is_unpacked_and_known_again(self):
        digest = self.release("1")
        self.assertIn(["ok", "tool"], self.install(digest))
        self.assertEqual(self.host.read(f"{self.FOLDER}/tool"), "1")
        ((_, folder, source, recorded, found),) = self.installed()
        self.assertEqual((folder, source, recorded), (self.FOLDER, digest, found))
        self.assertEqual([path.name for path in (self.host.root / "opt/monctl").iterdir() if "." in path.name], ["tool.monctl"])

    def test_changes_by_hand_are_detected_and_another_version_replaces_them(self):
        self.install(self.release("1"))
        self.host.write(f"{self.FOLDER}/tool", "2")
        ((*_, recorded, found),) = self.installed()
        self.assertNotEqual(recorded, found)
        digest = self.release("3")
        self.assertIn(["ok", "tool"], self.install(digest))
        self.assertEqual(self.host.read(f"{self.FOLDER}/tool"), "3")

    def test_a_download_with_another_digest_is_refused_and_the_reason_kept(self):
        self.install(self.release("1"))
        output = self.output_of(self.install(DIGEST["a"]), "tool")
        self.assertIn("has another SHA-256 digest", output)
        self.assertEqual(self.host.read(f"{self.FOLDER}/tool"), "1")
        (failed,) = [fields for fields in self.installed() if fields[0] == "failed"]
        self.assertEqual(failed[1:4], [self.FOLDER, DIGEST["a"], "file:///www/tool.tar.gz"])
        self.assertFalse(self.host.has(f"{self.FOLDER}.tar.gz"))

    def test_a_missing_download_is_named_with_the_reason(self):
        output = self.output_of(self.install(DIGEST["a"], name="none.tar.gz"), "tool")
        self.assertIn("cannot download file:///www/none.tar.gz: curl: (37)", output)
        self.install(self.release("1"))
        self.assertEqual(len(self.install(self.release("1"))), 3)
        self.assertEqual([fields[0] for fields in self.installed()], ["installed"])

    def test_a_download_that_never_ends_is_cut_off_and_takes_no_space(self):
        script = f"LARGEST_ARCHIVE_MIB=8\narchive_install {self.FOLDER} file:///dev/zero {DIGEST['a']}"
        output = self.output_of(self.run_steps(("tool", "-", "", script)), "tool")
        self.assertIn("cannot download file:///dev/zero: it is larger than 8 MiB", output)
        left = {path.name for path in (self.host.root / "opt/monctl").iterdir()}
        self.assertEqual(left, {"tool.failed"})

    def test_a_download_never_takes_more_than_half_of_what_is_free(self):
        script = f"df() {{ printf 'Avail\\n10\\n'; }}\narchive_install {self.FOLDER} file:///dev/zero {DIGEST['a']}"
        output = self.output_of(self.run_steps(("tool", "-", "", script)), "tool")
        self.assertIn("it is larger than 5 MiB, half of what is free on the host's disk", output)


class Packages(OnHost):
    def install(self, *names, more=""):
        return self.run_steps(("packages", "-", "", f"{more}\npackages_install {' '.join(names)}"))

    def test_a_lock_of_another_program_is_waited_for_and_its_holder_named(self):
        # The lists' is apt-daily's, the others are a person's; dpkg names the process in other words.
        for lock in ("/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock", "/var/lib/dpkg/lock-frontend"):
            with self.subTest(lock):
                self.host.write("/state/available", "curl\n")
                self.host.write("/state/locked", f"3 {lock}\n")
                events = self.install("curl")
                self.assertIn(["ok", "packages"], events)
                waits = [fields[2] for fields in events if fields[0] == "wait"]
                self.assertEqual(len(waits), 2, events)
                self.assertRegex(waits[0], r"^\w+ \(process 1( of \S+)?\), which holds the lock of apt or dpkg$")
                self.assertEqual(waits[1], "")
                self.assertEqual(self.host.read("/state/locked"), f"0 {lock}\n")

    def test_a_lock_that_is_never_released_fails_the_step_with_its_holder(self):
        self.host.write("/state/available", "curl\n")
        self.host.write("/state/locked", "1000 /var/lib/apt/lists/lock\n")
        output = self.output_of(self.install("curl", more="UNLOCKED_WITHIN=1"), "packages")
        self.assertIn("Could not get lock /var/lib/apt/lists/lock. It is held by process 1", output)
        self.assertRegex(output, r"waited for \d+ minutes for \w+ \(process 1")

    def test_lists_are_brought_up_to_date_only_where_they_are_old(self):
        self.host.write("/state/available", "curl\nnftables\n")
        for name in ("curl", "nftables"):
            self.assertIn(["ok", "packages"], self.install(name))
        self.assertEqual(len([call for call in self.host.calls() if call.endswith(" update")]), 1)

    def test_an_installation_that_was_cut_off_is_finished_first(self):
        self.host.write("/state/available", "curl\n")
        self.host.write("/state/interrupted", "")
        self.assertIn(["ok", "packages"], self.install("curl"))
        self.assertEqual(self.host.read("/state/installed"), "curl\n")

    def test_a_package_that_is_not_known_fails_the_step(self):
        self.host.write("/state/available", "curl\n")
        self.assertIn("Unable to locate package none", self.output_of(self.install("none"), "packages"))

    def test_a_package_that_cannot_be_configured_fails_the_step_however_often_it_is_tried(self):
        self.host.write("/state/available", "curl\nhtop\n")
        self.host.write("/state/unconfigurable", "htop\n")
        output = self.output_of(self.install("curl", "htop"), "packages")
        self.assertIn("dpkg returned an error code", output)
        self.assertEqual(len([call for call in self.host.calls() if " install " in call and "--simulate" not in call]), 2)

    def test_a_package_that_apt_did_not_install_fails_the_step_despite_apts_success(self):
        self.host.write("/state/available", "curl\n")
        self.host.write("/state/ignored", "curl\n")
        output = self.output_of(self.install("curl"), "packages")
        self.assertIn("these packages are not installed: curl (not installed)", output)

    def test_a_user_is_created_even_if_its_group_exists(self):
        self.host.write("/etc/group", "root:x:0:\nleft:x:7:\n")
        for name in ("new", "left"):
            self.assertIn(["ok", "user"], self.run_steps(("user", "-", "", f"user_create {name}")))
        self.assertIn("\nleft:", self.host.read("/etc/passwd"))


class Proofs(OnHost):
    def ask(self, script):
        proofs = (host.LIBRARY.parents[1] / "src/drill/proofs.sh").read_text()
        return self.host.run(self.host.work({"proofs.sh": proofs, "run.sh": f"{script}\necho end"}))

    def test_a_proof_is_replaced_as_a_whole_and_listed_with_the_others(self):
        self.assertEqual(self.ask("sh proofs.sh list"), [["end"]])
        answer = self.ask("echo 1 | sh proofs.sh keep A.json; echo 2 | sh proofs.sh keep B.json; echo 3 | sh proofs.sh keep A.json; sh proofs.sh list")
        self.assertEqual([(name, base64.b64decode(content)) for name, content in answer[:-1]], [("A.json", b"3\n"), ("B.json", b"2\n")])

    def test_a_proof_that_was_cut_off_leaves_the_one_before(self):
        self.ask("echo 1 | sh proofs.sh keep A.json")
        # Remains of a killed writer.
        self.host.write("/var/lib/monctl/proofs/.A.json.new", "{")
        self.host.write("/var/lib/monctl/proofs/B.json", "{\"alert\": ")
        answer = self.ask("sh proofs.sh list")
        self.assertEqual([name for name, *_ in answer], ["A.json", "B.json", "end"])


def questions(files=(), effects=(), **kinds):
    names = ("packages", "users", "units", "sets", "installed", "links", "beside")
    answer = {f"probes/{kind}": "".join(f"{item}\n" for item in kinds.get(kind, ())) for kind in names}
    return answer | {"probes/files": "".join(files), "probes/effects": "".join(effects)}


class Facts(OnHost):
    def ask(self, **kinds):
        return self.host.run(self.host.work({"run.sh": (host.LIBRARY / "facts.sh").read_text(), **questions(**kinds)}))

    def test_without_probes_the_machine_and_the_end_are_printed(self):
        answer = self.ask()
        self.assertEqual([fields[0] for fields in answer], ["system", "has", "machine", "processors", "end"])

    def test_every_probe_is_answered_and_the_end_comes_last(self):
        self.host.write("/state/installed", "curl\n")
        self.host.write("/etc/systemd/system/demo.service", "[Unit]\n")
        self.host.write("/etc/conf", "is")
        (self.host.root / "opt").mkdir()
        (self.host.root / "opt/link").symlink_to("/etc/conf")
        self.host.write("/var/lib/monctl/applied/demo", DIGEST["b"] + "\n")
        self.host.write("/var/lib/monctl/sets/app/1234/.units/demo.service", "[Unit]\n")
        self.host.write("/var/lib/monctl/sets/app/1234/.units/never-installed.service", "[Unit]\n")
        self.host.write("/var/lib/monctl/effects/demo.service", hashlib.sha256(b"rules\n").hexdigest())
        answer = self.ask(
            packages=["curl", "nftables"],
            users=["monctl-app", "nobody-of-ours"],
            units=["demo.service", "other.service"],
            sets=["/etc/monctl/app", "/etc/monctl/none"],
            links=["/opt/link", "/opt/none"],
            files=[f"{DIGEST['a']}\tyes\t/etc/conf\n", f"{DIGEST['a']}\tyes\t/etc/none\n"],
            effects=["demo.service\techo rules\n", "other.service\techo rules\n"],
        )
        self.assertEqual(answer[-1], ["end"])
        for fact in (
            ["package", "curl", "installed"],
            ["user", "monctl-app"],
            ["unit", "Id=demo.service"],
            ["unit", "LoadState=not-found"],
            ["set-unit", "/etc/monctl/app", "demo.service"],
            ["link", "/opt/link", "/etc/conf"],
            ["file", "/etc/conf", "644", "root", "root"],
            ["sha256", "/etc/conf", hashlib.sha256(b"is").hexdigest()],
            ["content", "/etc/conf", base64.b64encode(b"is").decode()],
            ["applied", "demo", DIGEST["b"]],
            ["effect", "demo.service", *[hashlib.sha256(b"rules\n").hexdigest()] * 2],
        ):
            self.assertIn(fact, answer)
        facts = {field for fields in answer for field in fields}
        self.assertTrue(facts.isdisjoint({"never-installed.service", "/etc/monctl/none", "nftables", "nobody-of-ours", "/opt/none", "/etc/none"}), facts)

    def test_hidden_content_stays_on_the_host(self):
        self.host.write("/etc/secret", "hunter2")
        answer = self.ask(files=[f"{DIGEST['a']}\tno\t/etc/secret\n"])
        self.assertIn("sha256", [fields[0] for fields in answer])
        self.assertNotIn("content", [fields[0] for fields in answer])

    def test_what_is_behind_a_link_is_not_read(self):
        self.host.write("/var/lib/monctl/app/db.sqlite3", "hunter2")
        folder = self.host.root / "srv/monctl/current"
        folder.mkdir(parents=True)
        for name, target in (("db.sqlite3", "/var/lib/monctl/app/db.sqlite3"), ("odd", "/a\nend")):
            (folder / name).symlink_to(target)
        names = ["db.sqlite3", "odd"]
        answer = self.ask(files=[f"{DIGEST['a']}\tyes\t/srv/monctl/current/{name}\n" for name in names])
        found = [fields for fields in answer if fields[0] in ("link", "sha256", "content")]
        self.assertEqual(found, [["link", "/srv/monctl/current/db.sqlite3", "/var/lib/monctl/app/db.sqlite3"]])
        self.assertEqual([fields[0] for fields in answer].count("end"), 1)

    def test_the_report_about_the_settings_is_sent_in_one_line(self):
        self.host.write("/etc/monctl/app/settings-report.json", '{"debug": true}')
        self.assertIn(["settings", '{"debug": true}'], self.ask())

    def test_data_beside_the_code_is_listed_on_hosts_of_the_previous_version(self):
        question = "root\t/srv/monctl/app\t/var/lib/monctl/sets/app/tree.manifest"
        for name in ("manage.py", "db.sqlite3", "media/a b.png"):
            self.host.write(f"/srv/monctl/app/{name}", "")
        self.assertNotIn("beside", [fields[0] for fields in self.ask(beside=[question])])
        self.host.write("/var/lib/monctl/sets/app/tree.manifest", "manage.py\n")
        facts = [fields for fields in self.ask(beside=[question]) if fields[0] == "beside"]
        self.assertEqual(facts, [["beside", "db.sqlite3"], ["beside", "media/a b.png"]])

    def test_odd_names_are_printed_unchanged(self):
        names = ["/srv/trailing ", "/srv/two  spaces", "/srv/it's", "/srv/[a]", "/srv/$HOME", "/srv/ü\u2028"]
        for name in names:
            self.host.write(name, "x")
        answer = self.ask(files=[f"{DIGEST['a']}\tyes\t{name}\n" for name in names])
        self.assertEqual([fields[1] for fields in answer if fields[0] == "content"], names)

    def test_many_files_are_printed_one_per_line(self):
        names = [f"/srv/a-name-of-some-length/{number:05}" for number in range(1500)]
        for name in names:
            self.host.write(name, "")
        answer = self.ask(files=[f"{DIGEST['a']}\tno\t{name}\n" for name in names], installed=["/srv/none"])
        self.assertEqual([fields[1] for fields in answer if fields[0] == "file"], names)
        self.assertTrue(all(len(fields) in (1, 2, 3, 4, 5) for fields in answer))


if __name__ == "__main__":
    unittest.main()
