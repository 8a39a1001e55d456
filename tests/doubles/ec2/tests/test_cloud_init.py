"""What cloud-init's stand-in does on a new machine, played in a folder that stands for its root."""

import pathlib
import subprocess
import tempfile
import unittest

from ec2_double.machines.cloud_init import CloudInit

KEY = "ssh-ed25519 AAAATEAM team"
# What needs root, or is not for this computer; each notes how it was called.
STUBS = ("chown", "hostname", "id", "install", "passwd", "systemctl", "useradd")


class Played:
    """A script that has run below a folder; `called` are the calls of the stubs."""

    def __init__(self, test, user_data, before=None, key=KEY):
        folder = tempfile.TemporaryDirectory(prefix="ec2-double-test-")
        test.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name) / "root"
        for name in ("etc/ssh", "home/admin/.ssh", "var/lib", "run"):
            (self.root / name).mkdir(parents=True)
        for name, content in (before or {}).items():
            (self.root / name).write_text(content)
        script = CloudInit(user_data.encode(), "admin", key).script()
        for top in ("etc", "home", "var", "run"):
            script = script.replace(f"/{top}/", f"{self.root}/{top}/")
        calls = pathlib.Path(folder.name) / "calls"
        stubs = "".join(f'{name}() {{ echo "{name} $*" >>{calls}; }}\n' for name in STUBS)
        done = subprocess.run(["sh", "-s"], input=stubs + script, text=True, capture_output=True, timeout=120)
        test.assertEqual(done.returncode, 0, done.stderr)
        self.output, self.errors = done.stdout, done.stderr
        self.called = calls.read_text().splitlines()

    def text(self, name):
        return (self.root / name).read_text()

    def mode(self, name):
        return oct((self.root / name).stat().st_mode & 0o7777)


class Plays(unittest.TestCase):
    def test_the_image_s_user_has_the_key_pair_and_sudo(self):
        played = Played(self, "#cloud-config\nssh_authorized_keys: [ssh-ed25519 AAAAOTHER other]\n")
        self.assertEqual(played.text("home/admin/.ssh/authorized_keys"), f"{KEY}\nssh-ed25519 AAAAOTHER other\n")
        self.assertEqual(played.mode("home/admin/.ssh/authorized_keys"), "0o600")
        self.assertEqual(played.text("etc/sudoers.d/90-cloud-init-users"), "admin ALL=(ALL) NOPASSWD:ALL\n")
        self.assertEqual(played.mode("etc/sudoers.d/90-cloud-init-users"), "0o440")

    def test_root_has_no_password(self):
        played = Played(self, "")
        self.assertIn("passwd --lock root", played.called)
        self.assertIn("PasswordAuthentication no", played.text("etc/ssh/sshd_config.d/60-cloudimg-settings.conf"))

    def test_the_host_keys_are_those_of_the_user_data(self):
        before = {"etc/ssh/ssh_host_rsa_key": "old", "etc/ssh/ssh_host_ed25519_key": "old"}
        config = (
            "#cloud-config\nssh_deletekeys: true\nssh_keys:\n  ed25519_private: |\n    secret\n  ed25519_public: open\n"
        )
        played = Played(self, config, before)
        self.assertEqual(played.text("etc/ssh/ssh_host_ed25519_key"), "secret\n")
        self.assertEqual(played.mode("etc/ssh/ssh_host_ed25519_key"), "0o600")
        self.assertEqual(played.text("etc/ssh/ssh_host_ed25519_key.pub"), "open\n")
        self.assertFalse((played.root / "etc/ssh/ssh_host_rsa_key").exists())
        self.assertIn("systemctl restart ssh", played.called)

    def test_sshd_is_left_alone_where_it_has_the_right_key(self):
        before = {"etc/ssh/ssh_host_ed25519_key": "secret\n", "etc/ssh/ssh_host_ed25519_key.pub": "open\n"}
        played = Played(self, "#cloud-config\nssh_keys: {ed25519_private: secret, ed25519_public: open}\n", before)
        self.assertNotIn("systemctl restart ssh", played.called)

    def test_the_host_name_is_set_unless_it_is_to_be_kept(self):
        self.assertEqual(Played(self, "#cloud-config\nhostname: web-1\n").text("etc/hostname"), "web-1\n")
        kept = Played(self, "#cloud-config\nhostname: web-1\npreserve_hostname: true\n")
        self.assertFalse((kept.root / "etc/hostname").exists())

    def test_files_are_written_as_they_are(self):
        config = (
            "#cloud-config\nwrite_files:\n"
            "- {path: /etc/one, content: \"it's $HOME\\n\", permissions: '0600'}\n"
            "- {path: /var/deep/two, content: aGVsbG8=, encoding: b64, owner: 'admin:admin'}\n"
        )
        played = Played(self, config)
        self.assertEqual(played.text("etc/one"), "it's $HOME\n")
        self.assertEqual(played.mode("etc/one"), "0o600")
        self.assertEqual(played.text("var/deep/two"), "hello")
        self.assertIn(f"chown admin:admin {played.root}/var/deep/two", played.called)

    def test_commands_run_in_order_and_one_that_fails_stops_nothing(self):
        config = "#cloud-config\nbootcmd: [echo first]\nruncmd:\n- [echo, 'two words']\n- exit 3\n- echo last\n"
        played = Played(self, config)
        self.assertEqual(played.output.splitlines()[:3], ["first", "two words", "last"])
        self.assertIn("a command failed", played.errors)

    def test_a_script_as_user_data_runs(self):
        self.assertIn("from the script", Played(self, "#!/bin/sh\necho from the script\n").output)

    def test_it_says_when_it_is_done(self):
        self.assertTrue((Played(self, "").root / "var/lib/cloud/instance/boot-finished").exists())

    def test_what_it_does_not_play_is_refused(self):
        for config in ("#cloud-config\npackages: [vim]\n", "Content-Type: multipart/mixed\n"):
            with self.subTest(config=config), self.assertRaises(ValueError):
                CloudInit(config.encode(), "admin", KEY).script()
