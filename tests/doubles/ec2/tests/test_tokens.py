"""Client tokens of RunInstances; that they hold for calls at the same time is shown with machines."""

from .running import DoubleTest


class Tokens(DoubleTest):
    def test_the_same_token_gives_the_same_instance(self):
        wanted = self.wanted(ClientToken="once")
        first, second = (self.ec2.run_instances(**wanted)["Instances"][0] for _ in range(2))
        self.assertEqual(first["InstanceId"], second["InstanceId"])
        self.assertEqual(len(self.double.inventory()["instances"]), 1)

    def test_another_token_gives_another_instance(self):
        ids = {self.run_one(ClientToken=token)["InstanceId"] for token in ("one", "two")}
        self.assertEqual(len(ids), 2)

    def test_the_token_is_refused_with_other_parameters(self):
        self.run_one(ClientToken="once")
        self.refused(
            "IdempotentParameterMismatch",
            self.ec2.run_instances,
            **self.wanted(ClientToken="once", InstanceType="t3.medium"),
        )
        self.assertEqual(len(self.double.inventory()["instances"]), 1)

    def test_the_token_of_a_terminated_instance_is_refused(self):
        instance = self.run_one(ClientToken="once")
        self.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
        self.refused("IdempotentInstanceTerminated", self.ec2.run_instances, **self.wanted(ClientToken="once"))

    def test_a_refused_call_does_not_use_its_token_up(self):
        self.refused("InvalidKeyPair.NotFound", self.ec2.run_instances, **self.wanted(ClientToken="x", KeyName="no"))
        self.run_one(ClientToken="x")
