"""Real machines behind instances, with a program that only records its calls."""

import os
import pathlib
import tempfile
import threading

from .running import DEADLINE, Double, DoubleTest, eventually, tags

FAKE = pathlib.Path(__file__).resolve().parent / "fake"
CLOUD_CONFIG = "#cloud-config\nssh_deletekeys: true\nruncmd:\n- echo hello\n"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGRYVPPJuvFdRpOJ5RuMy5n5n1iK7ZGmSuhOB9Z3wQwW team"


class Machines(DoubleTest):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="ec2-double-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        path = {"PATH": f"{FAKE}:{os.environ['PATH']}"}
        cls.double = Double("--machines", FAKE / "machines", cls.folder, **{**os.environ, **path})
        cls.addClassCleanup(cls.double.stop)
        cls.ec2 = cls.double.client()

    def setUp(self):
        for path in self.folder.iterdir():
            path.unlink()
        super().setUp()
        (self.folder / "log").unlink(missing_ok=True)

    def verbs(self):
        log = self.folder / "log"
        return log.read_text().splitlines() if log.exists() else []

    def expect_call(self, verb):
        eventually(lambda: verb in self.verbs(), f"the program is called with `{verb}`: {self.verbs()}")

    def in_state(self, instance, state):
        eventually(lambda: self.state(instance["InstanceId"]) == state, f"the instance is {state}")

    def reason(self, instance):
        return self.show(instance["InstanceId"])["StateReason"]["Message"]

    def run_with_key(self, **more):
        self.ec2.import_key_pair(KeyName="team", PublicKeyMaterial=KEY.encode())
        return self.run_one(KeyName="team", UserData=CLOUD_CONFIG, **more)

    def test_the_address_is_known_before_the_machine_has_booted(self):
        (self.folder / "make.wait").touch()
        instance = self.run_one()
        self.assertEqual(instance["PrivateIpAddress"], "10.77.0.11")
        self.assertEqual(instance["PublicIpAddress"], "10.77.0.11")
        self.expect_call("make app")
        self.assertEqual(self.state(instance["InstanceId"]), "running")
        (self.folder / "make.wait").unlink()

    def test_names_are_counted_up(self):
        addresses = [self.run_one()["PrivateIpAddress"] for _ in range(3)]
        self.assertEqual(addresses, ["10.77.0.11", "10.77.0.12", "10.77.0.13"])
        self.expect_call("make app-3")

    def test_two_calls_at_the_same_time_with_one_token_give_one_instance(self):
        (self.folder / "reserve.wait").touch()
        wanted, made = self.wanted(ClientToken="once"), []

        def run():
            made.append(self.double.client().run_instances(**wanted)["Instances"][0]["InstanceId"])

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        self.expect_call("reserve app")
        eventually(lambda: [one["action"] for one in self.double.calls()].count("RunInstances") == 2, "both came in")
        (self.folder / "reserve.wait").unlink()
        for thread in threads:
            thread.join()
        self.assertEqual(len(set(made)), 1)
        self.assertNotIn("reserve app-2", self.verbs())

    def test_the_program_gets_the_user_data_before_the_boot(self):
        self.run_with_key()
        eventually(lambda: (self.folder / "app.script").exists(), "cloud-init has run")
        self.assertEqual((self.folder / "app.user-data").read_text(), CLOUD_CONFIG)

    def test_cloud_init_runs_once_the_machine_answers(self):
        self.run_with_key()
        self.expect_call("ssh app sh -s")
        script = eventually(lambda: (self.folder / "app.script").read_text(), "the script has arrived")
        self.assertIn("useradd --create-home --shell /bin/bash admin", script)
        self.assertIn("echo hello", script)

    def test_the_life_of_an_instance_is_the_machine_s(self):
        instance = self.run_one()
        wanted = {"InstanceIds": [instance["InstanceId"]]}
        self.expect_call("ssh app sh -s")
        self.ec2.stop_instances(**wanted)
        self.in_state(instance, "stopped")
        self.ec2.start_instances(**wanted)
        self.in_state(instance, "running")
        self.expect_call("start app")
        self.assertEqual(self.show(instance["InstanceId"])["PublicIpAddress"], "10.77.0.11")
        self.ec2.terminate_instances(**wanted)
        self.in_state(instance, "terminated")
        self.assertEqual(
            self.verbs(), ["reserve app", "make app", "ssh app sh -s", "stop app", "start app", "remove app"]
        )

    def test_an_instance_is_terminated_only_once_its_machine_is_gone(self):
        instance = self.run_one()
        self.expect_call("ssh app sh -s")
        (self.folder / "remove.wait").touch()
        self.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
        self.expect_call("remove app")
        self.assertEqual(self.state(instance["InstanceId"]), "shutting-down")
        (self.folder / "remove.wait").unlink()
        self.in_state(instance, "terminated")

    def test_an_instance_whose_machine_cannot_be_removed_does_not_terminate(self):
        instance = self.run_one()
        self.expect_call("ssh app sh -s")
        (self.folder / "remove.fail").touch()
        self.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
        eventually(lambda: "no space left" in self.reason(instance), "the removal has failed")
        self.assertEqual(self.state(instance["InstanceId"]), "shutting-down")

    def test_a_machine_can_be_terminated_while_it_boots(self):
        (self.folder / "make.wait").touch()
        instance = self.run_one()
        self.expect_call("make app")
        self.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
        self.in_state(instance, "terminated")
        self.assertEqual(self.verbs(), ["reserve app", "make app", "remove app"])

    def test_a_machine_that_cannot_be_made_terminates_by_itself_and_says_why(self):
        (self.folder / "make.fail").touch()
        instance = self.run_one()
        self.in_state(instance, "terminated")
        self.assertRegex(self.reason(instance), "^Server.InternalError: .*no space left")
        self.assertEqual(self.verbs()[-1], "remove app")

    def test_the_console_is_the_machine_s(self):
        instance = self.run_one()
        output = self.ec2.get_console_output(InstanceId=instance["InstanceId"])["Output"]
        self.assertIn("console of app", output)

    def test_an_elastic_address_is_the_machine_s_too(self):
        instance = self.run_one()
        allocated = self.ec2.allocate_address(Domain="vpc", TagSpecifications=[tags("elastic-ip", a="b")])
        self.ec2.associate_address(InstanceId=instance["InstanceId"], AllocationId=allocated["AllocationId"])
        self.assertEqual(self.show(instance["InstanceId"])["PublicIpAddress"], "10.77.0.11")
        self.assertEqual(self.ec2.describe_addresses()["Addresses"][0]["PublicIp"], "10.77.0.11")

    def test_a_reset_removes_all_machines(self):
        for _ in range(2):
            self.run_one()
        self.double.control("POST", "reset")
        self.assertLessEqual({"remove app", "remove app-2"}, set(self.verbs()))
        self.assertEqual(self.run_one()["PrivateIpAddress"], "10.77.0.11")


class Ending(DoubleTest):
    def test_the_double_removes_its_machines_when_it_ends(self):
        for end in ("input", "signal"):
            with self.subTest(end=end), tempfile.TemporaryDirectory() as folder:
                path = f"{FAKE}:{os.environ['PATH']}"
                double = Double("--machines", FAKE / "machines", folder, **{**os.environ, "PATH": path})
                self.ec2 = double.client()
                self.run_one()
                if end == "signal":
                    double.process.terminate()
                    double.process.wait(timeout=DEADLINE)
                double.stop()
                self.assertIn("remove app", (pathlib.Path(folder) / "log").read_text().splitlines())
