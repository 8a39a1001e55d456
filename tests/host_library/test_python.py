"""Python environments: the Python that is chosen, the packages for builds, and what is said where something is missing.

A stub stands for uv. Its answers are files below /state.
"""

import base64
import unittest

import host
from test_library import setUpModule  # noqa: F401

UV = """#!/bin/bash
echo "uv $*" >>/state/calls
case "$1 $*" in
"python "*find*only-system*) [ -s /state/system ] && cat /state/system ;;
"python "*find*) ls -d "$UV_PYTHON_INSTALL_DIR"/cpython-* 2>/dev/null | sed 's|$|/bin/python3.12|' | grep . ;;
"python "*install*)
	[ ! -e /state/refusal ] || { cat /state/refusal >&2 && exit 1; }
	made="${*: -2:1}/$(cat /state/release)"
	mkdir -p "$made/bin"
	echo program >"$made/bin/python3.12"
	chmod 755 "$made/bin/python3.12"
	[ ! -e /state/link ] || ln -s "$(cat /state/link)" "$made/link"
	;;
venv*) mkdir -p venv/bin && ln -s "${*: -2:1}" venv/bin/python ;;
"pip "*install*)
	tries=$(cat /state/tries 2>/dev/null || echo 0)
	echo $((tries + 1)) >/state/tries
	[ ! -e "/state/log.$tries" ] || { cat "/state/log.$tries" >&2 && exit 1; }
	;;
esac
"""
BUILD = "requirements_file r.txt digest; venv_install /opt/v/a source monctl-build 'uv==1' r.txt added==1"
COMPILER = (host.HERE.parent / "fixtures/builds/regex.log").read_text()
LIBRARY = (host.HERE.parent / "fixtures/builds/psycopg2.log").read_text()
TOOLS = ["g++", "make", "python3-dev"]


class Environments(unittest.TestCase):
    def setUp(self):
        self.host = host.Host()
        self.addCleanup(self.host.close)
        self.host.write("/opt/monctl/uv-1/bin/uv", UV).chmod(0o755)
        self.host.write("/state/available", "\n".join(TOOLS))
        self.host.write("/var/lib/apt/lists/mirror_Packages", "")
        self.host.write("/state/release", "cpython-3.12.4-linux-x86_64-gnu")

    def run_step(self, script):
        """What the step printed if it failed."""
        # Users of the test's root are all root's number, whose processes are those of the whole computer.
        script = f"nothing_runs_as() {{ :; }}; {script}"
        events = self.host.run(self.host.steps(("venv", "-", "", script), files={"payload/digest": "x"}))
        failed = [base64.b64decode(fields[2]).decode() for fields in events if fields[0] == "fail"]
        return failed[0] if failed else None

    def choose(self, request, *mirror):
        script = f"python_choose monctl-build uv==1 '{request}' .python-version {' '.join(mirror)}"
        return self.run_step(f"{script}; echo \"$python\" >/state/chosen")

    def chosen(self):
        return self.host.read("/state/chosen").strip()

    def installed(self):
        return self.host.read("/state/installed").split() if self.host.has("/state/installed") else []

    def test_the_python_of_the_host_is_used_if_it_satisfies_the_request(self):
        self.host.write("/state/system", "/usr/bin/python3\n")
        self.assertIsNone(self.choose(">=3.10"))
        self.assertEqual(self.chosen(), "/usr/bin/python3")
        self.assertFalse([call for call in self.host.calls() if call.startswith("uv python install")])

    def test_another_python_is_downloaded_once_and_belongs_to_root(self):
        self.assertIsNone(self.choose("3.12"))
        program = "/opt/monctl/pythons/cpython-3.12.4-linux-x86_64-gnu/bin/python3.12"
        self.assertEqual(self.chosen(), program)
        self.assertEqual(self.host.read(program), "program\n")
        self.assertIsNone(self.choose("3.12"))
        self.assertEqual(len([call for call in self.host.calls() if call.startswith("uv python install")]), 1)
        self.assertFalse(self.host.has("/opt/monctl/pythons/new.build"))

    def test_a_downloaded_python_with_a_link_to_the_outside_is_refused(self):
        self.host.write("/state/link", "/etc/shadow")
        self.assertIn("'link' is a link that points to '/etc/shadow'", self.choose("3.12"))
        self.assertFalse(self.host.has("/opt/monctl/pythons/cpython-3.12.4-linux-x86_64-gnu"))

    def test_another_implementation_and_an_old_version_are_refused(self):
        self.host.write("/state/release", "cpython-3.13.1+freethreaded-linux-x86_64-gnu")
        self.assertIn("is no release of CPython", self.choose("3.12"))
        self.host.write("/state/release", "cpython-3.9.1-linux-x86_64-gnu")
        self.assertIn("Python 3.9 (.python-version: 3.9) is not supported; set `app.python` to 3.10", self.choose("3.9"))

    def test_a_python_that_is_not_available_is_one_line(self):
        self.host.write("/state/refusal", "error: No download found for request: cpython-3.99-linux-x86_64-gnu\n")
        said = self.choose("3.99")
        self.assertEqual(len(said.splitlines()), 1, said)
        self.assertIn("Python 3.99 (.python-version) is not available: the host has 3.", said)
        self.assertIn("uv has no other: No download found for request", said)
        self.host.write("/state/refusal", "error: x\n  cause: Failed to download `https://m/p`\n  cause: dns error\n")
        said = self.choose("3.12")
        self.assertEqual(len(said.splitlines()), 1, said)
        self.assertIn("uv cannot download `https://m/p`: dns error; let the host reach it, name a mirror", said)

    def test_a_build_without_problems_installs_no_packages(self):
        self.assertIsNone(self.run_step(BUILD))
        self.assertEqual(self.installed(), [])
        self.assertEqual(self.host.link("/opt/v/a/bin/python"), "/usr/bin/python3")

    def test_a_build_that_lacks_a_compiler_is_tried_again_with_one_that_goes_afterwards(self):
        self.host.write("/state/log.0", COMPILER)
        self.assertIsNone(self.run_step(BUILD))
        calls = self.host.calls()
        apt = [call for call in calls if call.startswith("apt-get") and "--mark-auto" in call]
        self.assertTrue(apt and apt[0].endswith("g++ make python3-dev"), calls)
        self.assertIn("dpkg --purge g++ make python3-dev", calls)
        self.assertFalse(self.host.has("/var/lib/monctl/build-tools"))
        log = self.host.read("/var/lib/monctl/manifest/log")
        self.assertIn("package\tg++\tdependency\t.", log)

    def test_packages_that_were_wanted_meanwhile_are_kept(self):
        self.host.write("/state/log.0", COMPILER)
        self.host.write("/state/manual", "g++\n")
        self.assertIsNone(self.run_step(BUILD))
        self.assertIn("dpkg --purge make python3-dev", self.host.calls())

    def test_tools_of_an_interrupted_build_go_after_the_next_one(self):
        self.host.write("/var/lib/monctl/build-tools", "make\n")
        self.assertIsNone(self.run_step(BUILD))
        self.assertIn("dpkg --purge make", self.host.calls())

    def test_a_failed_build_is_one_line_with_the_packages_and_the_log(self):
        self.host.write("/state/log.0", COMPILER)
        self.host.write("/state/log.1", LIBRARY)
        said = self.run_step(f"build_with gettext; {BUILD}")
        line = "`app.packages: [gettext, libpq-dev]`\nthe log of the build is on the host: /var/lib/monctl/build.log"
        self.assertTrue(said.strip().endswith(line), said)
        self.assertIn("dpkg --purge g++ make python3-dev", self.host.calls())
        self.assertEqual(self.host.read("/var/lib/monctl/build.log"), LIBRARY)
        self.assertEqual((self.host.root / "var/lib/monctl/build.log").stat().st_mode & 0o777, 0o600)
        self.assertFalse(self.host.has("/opt/v/a"))

    def test_a_python_that_is_no_longer_used_is_removed(self):
        self.assertIsNone(self.choose("3.12"))
        self.host.write("/opt/monctl/pythons/cpython-3.11.1-linux-x86_64-gnu/bin/python3.11", "")
        script = "mkdir -p /v/bin; ln -sfn {} /v/bin/python; python_close /v"
        program = "/opt/monctl/pythons/cpython-3.12.4-linux-x86_64-gnu/bin/python3.12"
        self.assertIsNone(self.run_step(script.format(program)))
        names = sorted(path.name for path in (self.host.root / "opt/monctl/pythons").iterdir())
        self.assertEqual(names, ["cpython-3.12.4-linux-x86_64-gnu", "cpython-3.12.4-linux-x86_64-gnu.monctl"])
        self.assertIsNone(self.run_step(script.format("/usr/bin/python3")))
        self.assertEqual(list((self.host.root / "opt/monctl/pythons").iterdir()), [])


if __name__ == "__main__":
    unittest.main()
