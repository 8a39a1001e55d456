"""Pagination that splits: a client that ignores the token loses something."""

from .running import DoubleTest

GROUPS = 8


class Pages(DoubleTest):
    def setUp(self):
        super().setUp()
        for number in range(GROUPS):
            self.ec2.create_security_group(GroupName=f"group-{number}", Description="one of many")

    def pages(self, call, key, **more):
        """The sizes of all pages, following the tokens."""
        sizes, token = [], None
        while True:
            answer = call(**more, **({"NextToken": token} if token else {}))
            sizes.append(len(answer[key]))
            token = answer.get("NextToken")
            if not token:
                return sizes

    def test_the_client_s_wish_is_honoured(self):
        sizes = self.pages(self.ec2.describe_security_groups, "SecurityGroups", MaxResults=5)
        self.assertEqual(sizes, [5, GROUPS + 1 - 5])

    def test_pages_have_everything_once(self):
        seen, token = [], None
        while token != "":
            more = {"NextToken": token} if token else {}
            answer = self.ec2.describe_security_groups(MaxResults=5, **more)
            seen += [group["GroupId"] for group in answer["SecurityGroups"]]
            token = answer.get("NextToken", "")
        self.assertEqual(len(seen), GROUPS + 1)
        self.assertEqual(len(set(seen)), GROUPS + 1)

    def test_the_server_may_split_further(self):
        self.double.settings(page_size=2)
        for _ in range(3):
            self.run_one()
        cases = [
            (self.ec2.describe_security_groups, "SecurityGroups", [2, 2, 2, 2, 1]),
            (self.ec2.describe_instances, "Reservations", [2, 1]),
            (self.ec2.describe_volumes, "Volumes", [2, 1]),
            (self.ec2.describe_network_interfaces, "NetworkInterfaces", [2, 1]),
            (self.ec2.describe_instance_status, "InstanceStatuses", [2, 1]),
            (self.ec2.describe_subnets, "Subnets", [2, 1]),
            (self.ec2.describe_vpcs, "Vpcs", [1]),
        ]
        for call, key, expected in cases:
            with self.subTest(call=key):
                self.assertEqual(self.pages(call, key), expected)
        for call, key in (
            (self.ec2.describe_images, "Images"),
            (self.ec2.describe_instance_types, "InstanceTypes"),
            (self.ec2.describe_instance_type_offerings, "InstanceTypeOfferings"),
            (self.ec2.describe_security_group_rules, "SecurityGroupRules"),
        ):
            answer = call()
            self.assertEqual((len(answer[key]), "NextToken" in answer), (2, True), key)

    def test_a_page_counts_instances_and_not_reservations(self):
        self.double.settings(page_size=2)
        self.ec2.run_instances(**self.wanted(MaxCount=3))
        first = self.ec2.describe_instances()
        self.assertEqual(len(first["Reservations"][0]["Instances"]), 2)
        rest = self.ec2.describe_instances(NextToken=first["NextToken"])
        self.assertEqual(len(rest["Reservations"][0]["Instances"]), 1)

    def test_what_makes_no_sense_is_refused(self):
        instance = self.run_one()["InstanceId"]
        call = self.ec2.describe_instances
        self.refused("InvalidParameterCombination", call, InstanceIds=[instance], MaxResults=5)
        self.refused("InvalidParameterValue", call, MaxResults=4)
        self.refused("InvalidParameterValue", call, MaxResults=1001)
        self.refused("InvalidNextToken", call, NextToken="three")
