"""What `manage.sh` promises: a management command runs as the application's unit says, or not at all."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
SCRIPT = (TEMPLATES / "app/manage.sh").read_text()
UNIT = (TEMPLATES / "systemd/monctl-app.service").read_text().replace("{{ app_folder }}", "/srv/monctl/app/backend")
PLACE = "/etc/systemd/system/monctl-app.service"


class Manage(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.unit = Path(folder.name) / "unit"
        self.words = Path(folder.name) / "words"
        stub = Path(folder.name) / "systemd-run"
        self.helps = Path(folder.name) / "help"
        self.helps.write_text("--expand-environment=BOOL\n")
        stub.write_text(f'#!/bin/sh\n[ "$*" != --help ] || exec cat {self.helps}\nprintf "%s\\n" "$@" >{self.words}\n')
        stub.chmod(0o755)
        self.path = f"{folder.name}:{os.environ['PATH']}"

    def call(self, *words):
        """Runs the script, with this unit and with a stand-in for systemd-run; returns its exit code."""
        self.assertEqual(SCRIPT.count(PLACE), 1)
        script = SCRIPT.replace(PLACE, str(self.unit))
        call = ["bash", "-c", script, "manage", *words]
        return subprocess.run(call, env={"PATH": self.path}, stdin=subprocess.DEVNULL, capture_output=True).returncode

    def test_a_command_has_the_user_the_environment_and_the_sandbox_of_the_unit(self):
        self.unit.write_text(UNIT)
        self.assertEqual(self.call("migrate", "--check"), 0)
        words = self.words.read_text().splitlines()
        for setting in ["User=monctl-app", "EnvironmentFile=/etc/monctl/app/environment", "WorkingDirectory=/srv/monctl/app/backend"]:
            self.assertIn(f"--property={setting}", words)
        for of_a_service in ["Type=", "ExecStart=", "RuntimeDirectory=", "Restart=", "KillMode=", "WantedBy="]:
            self.assertFalse([word for word in words if of_a_service in word], of_a_service)
        self.assertEqual(words[-2:], ["migrate", "--check"])

    def test_folders_of_modules_in_the_environment_stay(self):
        self.unit.write_text(UNIT)
        self.call("shell")
        words = self.words.read_text().splitlines()
        shell = words[words.index("--") + 1 : words.index("/opt/monctl/app/bin/python")]
        for theirs, expected in [({}, "/etc/monctl/app"), ({"PYTHONPATH": "src:/x"}, "/etc/monctl/app:src:/x")]:
            output = subprocess.run([*shell, "/usr/bin/env"], env=theirs, capture_output=True, text=True, check=True).stdout
            self.assertIn(f"PYTHONPATH={expected}\n", output)

    def test_words_reach_the_command_as_they_are(self):
        self.unit.write_text(UNIT)
        self.call("shell", "-c", "print('$$ ${X}')")
        words = self.words.read_text().splitlines()
        self.assertIn("--expand-environment=no", words)
        self.assertEqual(words[-1], "print('$$ ${X}')")
        # Before version 254, systemd always expands variables.
        self.helps.write_text("--unit=UNIT\n")
        self.call("shell", "-c", "print('$$ ${X}')")
        words = self.words.read_text().splitlines()
        self.assertNotIn("--expand-environment=no", words)
        self.assertEqual(words[-1], "print('$$$$ $${X}')")

    def test_nothing_runs_if_the_unit_does_not_say_how(self):
        for text in [None, "", "[Unit]\nDescription=x\n", "[Service]\nType=notify\n"]:
            with self.subTest(text):
                self.unit.unlink(missing_ok=True)
                if text is not None:
                    self.unit.write_text(text)
                self.assertNotEqual(self.call("shell"), 0)
                self.assertFalse(self.words.exists())


if __name__ == "__main__":
    unittest.main()
