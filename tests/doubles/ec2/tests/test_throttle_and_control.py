"""The token bucket; reset, settings, inventory."""

import json
import urllib.error

from .running import DoubleTest, tags


class Throttle(DoubleTest):
    def test_a_bucket_runs_empty_and_fills_again(self):
        self.double.settings(bucket={"size": 3, "refill": 0})
        for _ in range(3):
            self.ec2.describe_vpcs()
        refusal = self.refused("RequestLimitExceeded", self.ec2.describe_vpcs)
        self.assertEqual(refusal["ResponseMetadata"]["HTTPStatusCode"], 503)
        self.double.settings(bucket={"size": 3, "refill": 10000})
        self.ec2.describe_vpcs()

    def test_each_action_has_its_own(self):
        self.double.settings(bucket={"size": 1, "refill": 0})
        self.ec2.describe_vpcs()
        self.ec2.describe_subnets()
        self.refused("RequestLimitExceeded", self.ec2.describe_vpcs)

    def test_without_a_bucket_nothing_is_limited(self):
        for _ in range(50):
            self.ec2.describe_vpcs()


class Control(DoubleTest):
    def test_a_reset_gives_a_fresh_account(self):
        self.double.settings(pending=600, page_size=1)
        self.double.fault("DescribeVpcs", "refuse", times=None)
        self.ec2.create_security_group(GroupName="app", Description="application")
        self.run_one(ClientToken="once")
        statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": statement}
        self.double.control("POST", "users", {"name": "ops", "policy": policy})
        self.double.control("POST", "reset")
        self.assertEqual(set(map(len, self.double.inventory().values())), {0})
        self.assertEqual(self.double.calls(), [])
        self.assertEqual(self.double.control("GET", "faults")["faults"], [])
        self.assertEqual(self.double.control("GET", "settings")["pending"], 0)
        self.ec2.describe_vpcs()
        self.assertEqual(len(self.double.client("iam").list_users()["Users"]), 1)
        self.run_one(ClientToken="once")

    def test_what_is_not_understood_is_refused(self):
        cases = [
            ("settings", {"colour": "red"}),
            ("faults", {"action": "RunInstances", "do": "explode"}),
            ("faults", {"do": "drop"}),
            ("faults", {"action": "RunInstances", "do": "drop", "often": 3}),
            ("expire", {"access_key_id": "AKIA0000000000000000"}),
            ("users", {"name": "ops", "policy": {"Statement": "everything"}}),
        ]
        for path, wanted in cases:
            with self.subTest(path=path, wanted=wanted), self.assertRaises(urllib.error.HTTPError) as caught:
                self.double.control("POST", path, wanted)
            self.assertEqual(caught.exception.code, 400)
            self.assertIn("error", json.load(caught.exception))
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.double.control("GET", "weather")
        self.assertEqual(caught.exception.code, 404)
        caught.exception.close()

    def test_the_inventory_has_all_that_costs_in_every_region(self):
        for region in ("eu-central-1", "us-east-1"):
            client = self.double.client(region=region)
            client.allocate_address(Domain="vpc", TagSpecifications=[tags("elastic-ip", Region=region)])
        found = self.double.inventory()["addresses"]
        self.assertEqual([one["tags"]["Region"] for one in found], [one["region"] for one in found])
        self.assertEqual({one["region"] for one in found}, {"eu-central-1", "us-east-1"})

    def test_a_fresh_account_is_empty(self):
        self.ec2.describe_vpcs()
        self.assertEqual(set(map(len, self.double.inventory().values())), {0})

    def test_an_action_that_is_not_there_is_refused(self):
        self.refused("InvalidAction", self.ec2.describe_volume_status)
