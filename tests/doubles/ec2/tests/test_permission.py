"""Policies of IAM, as EC2 applies them."""

import copy
import json
import unittest

from ec2_double.permission.conditions import hold
from ec2_double.permission.policy import ALLOWED, DENIED, UNDECIDED, Question, decide

from .running import DoubleTest, tags

KEY = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGRYVPPJuvFdRpOJ5RuMy5n5n1iK7ZGmSuhOB9Z3wQwW team"
MINE = {"Project": "notes"}
REQUESTED = {"StringEquals": {"aws:RequestTag/Project": "notes"}}
OWNED = {"StringEquals": {"aws:ResourceTag/Project": "notes"}}


def allow(actions, resource="*", condition=None):
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


NOTHING = allow("s3:ListBuckets")


def of(kind, account="*"):
    return f"arn:aws:ec2:*:{account}:{kind}/*"


# The least that makes and removes what the tests below do, narrowed to what carries the project's tag.
LEAST = [
    allow(["ec2:DescribeInstances", "ec2:DescribeSecurityGroups"]),
    allow("ec2:RunInstances", [of("image", ""), of("subnet")]),
    allow("ec2:RunInstances", [of("security-group"), of("key-pair")], OWNED),
    allow("ec2:RunInstances", [of("instance"), of("volume"), of("network-interface")], REQUESTED),
    allow("ec2:CreateSecurityGroup", of("security-group"), REQUESTED),
    allow("ec2:CreateSecurityGroup", of("vpc")),
    allow(["ec2:ImportKeyPair", "ec2:AllocateAddress"], [of("key-pair"), of("elastic-ip")], REQUESTED),
    allow(
        "ec2:CreateTags",
        "arn:aws:ec2:*:*:*/*",
        {
            "StringEquals": {
                "aws:RequestTag/Project": "notes",
                "ec2:CreateAction": ["RunInstances", "CreateSecurityGroup", "ImportKeyPair", "AllocateAddress"],
            }
        },
    ),
    allow(
        [
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:DeleteSecurityGroup",
            "ec2:DeleteKeyPair",
            "ec2:StopInstances",
            "ec2:StartInstances",
            "ec2:TerminateInstances",
            "ec2:ModifyInstanceAttribute",
            "ec2:ModifyVolume",
            "ec2:AssociateAddress",
            "ec2:DisassociateAddress",
            "ec2:ReleaseAddress",
            "ec2:GetConsoleOutput",
        ],
        "*",
        OWNED,
    ),
]


class Permissions(DoubleTest):
    def user(self, *statements):
        policy = {"Version": "2012-10-17", "Statement": list(statements) or [NOTHING]}
        made = self.double.control("POST", "users", {"name": "ops", "policy": policy})
        return self.double.client(key=(made["access_key_id"], made["secret_access_key"]))

    def unauthorized(self, action, call, **parameters):
        refusal = self.refused("UnauthorizedOperation", call, **parameters)
        self.assertEqual(refusal["ResponseMetadata"]["HTTPStatusCode"], 403)
        self.assertIn(f"not authorized to perform: {action} ", refusal["Error"]["Message"])
        return refusal["Error"]["Message"]

    def launch(self, kinds=("instance", "volume", "network-interface"), **more):
        named = [tags(kind, **MINE) for kind in kinds]
        return {**self.wanted(**more), "TagSpecifications": named}

    def life(self, client):
        """A whole life: each action of `LEAST` is needed for it."""
        steps = []

        def do(name, **parameters):
            steps.append(name)
            return getattr(client, name)(**parameters)

        group = do(
            "create_security_group",
            GroupName="app",
            Description="application",
            TagSpecifications=[tags("security-group", **MINE)],
        )["GroupId"]
        rules = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "203.0.113.7/32"}]}]
        do("authorize_security_group_ingress", GroupId=group, IpPermissions=rules)
        do("revoke_security_group_ingress", GroupId=group, IpPermissions=rules)
        do("import_key_pair", KeyName="team", PublicKeyMaterial=KEY, TagSpecifications=[tags("key-pair", **MINE)])
        wanted = self.launch(SecurityGroupIds=[group], KeyName="team")
        instance = do("run_instances", **wanted)["Instances"][0]
        one = {"InstanceIds": [instance["InstanceId"]]}
        do("describe_instances", **one)
        do("describe_security_groups")
        address = do("allocate_address", Domain="vpc", TagSpecifications=[tags("elastic-ip", **MINE)])["AllocationId"]
        made = do("associate_address", AllocationId=address, InstanceId=instance["InstanceId"])["AssociationId"]
        do("disassociate_address", AssociationId=made)
        do("release_address", AllocationId=address)
        do("get_console_output", InstanceId=instance["InstanceId"])
        do("modify_instance_attribute", InstanceId=instance["InstanceId"], DisableApiTermination={"Value": False})
        do("modify_volume", VolumeId=self.double.inventory()["volumes"][0]["id"], Size=20)
        do("stop_instances", **one)
        do("start_instances", **one)
        do("terminate_instances", **one)
        do("describe_instances", **one)
        do("delete_key_pair", KeyName="team")
        do("delete_security_group", GroupId=group)
        return steps

    def test_the_least_policy_is_enough(self):
        self.life(self.user(*LEAST))
        self.assertEqual(set(map(len, self.double.inventory().values())), {0})

    def test_each_action_of_the_least_policy_is_needed(self):
        actions = {
            action
            for one in LEAST
            for action in (one["Action"] if isinstance(one["Action"], list) else [one["Action"]])
        }
        self.assertEqual(len(actions), 20)
        for action in sorted(actions):
            with self.subTest(without=action):
                self.double.control("POST", "reset")
                self.unauthorized(action, self.life, client=self.user(*without(LEAST, action)))

    def test_each_statement_for_running_is_needed(self):
        for index, statement in enumerate(LEAST):
            if statement["Action"] in ("ec2:RunInstances", "ec2:CreateSecurityGroup", "ec2:CreateTags"):
                with self.subTest(without=statement):
                    self.double.control("POST", "reset")
                    rest = LEAST[:index] + LEAST[index + 1 :]
                    self.unauthorized(statement["Action"], self.life, client=self.user(*rest))

    def test_running_needs_each_kind_of_resource(self):
        kinds = ["instance", "volume", "network-interface", "subnet", "security-group", "key-pair"]
        self.ec2.import_key_pair(KeyName="team", PublicKeyMaterial=KEY)
        wanted = self.wanted(KeyName="team")
        for missing in (*kinds, "image"):
            resources = [of(kind) for kind in kinds if kind != missing]
            resources += [of("image", "")] if missing != "image" else []
            with self.subTest(missing=missing):
                client = self.user(allow("ec2:RunInstances", resources))
                refusal = self.unauthorized("ec2:RunInstances", client.run_instances, **wanted)
                self.assertRegex(refusal, rf"on resource: arn:aws:ec2:eu-central-1:(123456789012)?:{missing}/")
        self.user(allow("ec2:RunInstances")).run_instances(**wanted)

    def test_without_tags_no_right_to_tag_is_needed(self):
        client = self.user(allow("ec2:RunInstances"))
        client.run_instances(**self.wanted())
        self.unauthorized("ec2:CreateTags", client.run_instances, **self.launch())

    def test_new_things_must_carry_the_tag(self):
        client = self.user(*LEAST)
        call = client.create_security_group
        named = {"GroupName": "app", "Description": "application"}
        self.unauthorized("ec2:CreateSecurityGroup", call, **named)
        other = [tags("security-group", Project="other")]
        self.unauthorized("ec2:CreateSecurityGroup", call, **named, TagSpecifications=other)
        self.unauthorized("ec2:RunInstances", client.run_instances, **self.launch(kinds=("instance", "volume")))
        self.assertEqual(set(map(len, self.double.inventory().values())), {0})

    def test_what_belongs_to_others_is_out_of_reach(self):
        client = self.user(*LEAST)
        instance = self.run_one()["InstanceId"]
        group = self.ec2.create_security_group(GroupName="theirs", Description="theirs")["GroupId"]
        self.unauthorized("ec2:TerminateInstances", client.terminate_instances, InstanceIds=[instance])
        self.unauthorized("ec2:DeleteSecurityGroup", client.delete_security_group, GroupId=group)
        wanted = {"Resources": [instance], "Tags": [{"Key": "Project", "Value": "notes"}]}
        self.unauthorized("ec2:CreateTags", client.create_tags, **wanted)
        self.assertEqual(self.state(instance), "running")

    def test_of_what_does_not_exist_a_condition_on_tags_holds_for_nobody(self):
        missing = {"InstanceIds": ["i-00000000000000000"]}
        free = self.user(allow("ec2:TerminateInstances"))
        self.refused("InvalidInstanceID.NotFound", free.terminate_instances, **missing)
        self.unauthorized("ec2:TerminateInstances", self.user(*LEAST).terminate_instances, **missing)
        self.unauthorized("ec2:DeleteKeyPair", self.user(*LEAST).delete_key_pair, KeyName="gone")
        client = self.user(*without(LEAST, "ec2:TerminateInstances"))
        self.unauthorized("ec2:TerminateInstances", client.terminate_instances, **missing)
        self.unauthorized("ec2:DeleteKeyPair", self.user().delete_key_pair, KeyName="nobody")

    def test_a_rule_that_is_tagged_needs_the_right_to_tag(self):
        group = self.ec2.create_security_group(GroupName="app", Description="application")["GroupId"]
        client = self.user(allow("ec2:AuthorizeSecurityGroupIngress"))
        wanted = {"GroupId": group, "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "203.0.113.7/32"}
        tagged = {**wanted, "TagSpecifications": [tags("security-group-rule", **MINE)]}
        self.unauthorized("ec2:CreateTags", client.authorize_security_group_ingress, **tagged)
        client.authorize_security_group_ingress(**wanted)

    def test_one_of_several_that_is_out_of_reach_stops_all(self):
        client = self.user(allow("ec2:TerminateInstances", "*", OWNED))
        mine = self.run_one(TagSpecifications=[tags("instance", **MINE)])["InstanceId"]
        theirs = self.run_one()["InstanceId"]
        self.unauthorized("ec2:TerminateInstances", client.terminate_instances, InstanceIds=[mine, theirs])
        self.assertEqual(self.state(mine), "running")

    def test_the_message_names_user_action_and_resource(self):
        instance = self.run_one()["InstanceId"]
        refusal = self.unauthorized("ec2:StopInstances", self.user().stop_instances, InstanceIds=[instance])
        self.assertTrue(refusal.startswith("You are not authorized to perform this operation. User: arn:aws:iam::"))
        self.assertIn(":user/ops is not authorized", refusal)
        self.assertIn(f"on resource: arn:aws:ec2:eu-central-1:123456789012:instance/{instance} because", refusal)
        self.assertIn("Encoded authorization failure message: ", refusal)

    def test_describing_knows_no_resources(self):
        client = self.user(allow("ec2:Describe*", of("instance")))
        refusal = self.unauthorized("ec2:DescribeInstances", client.describe_instances)
        self.assertNotIn("on resource", refusal)
        self.assertNotIn("Encoded", refusal)

    def test_an_explicit_deny_wins_and_says_so(self):
        deny = {"Effect": "Deny", "Action": "ec2:DescribeVpcs", "Resource": "*"}
        client = self.user(allow("*"), deny)
        self.assertIn("explicit deny", self.unauthorized("ec2:DescribeVpcs", client.describe_vpcs))
        client.describe_subnets()

    def test_a_region_can_be_shut_out(self):
        client = self.user(allow("ec2:*", "*", {"StringEquals": {"ec2:Region": "eu-central-1"}}))
        client.describe_vpcs()
        client = self.user(allow("ec2:*", "*", {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}))
        self.unauthorized("ec2:DescribeVpcs", client.describe_vpcs)

    def test_a_policy_can_insist_on_imdsv2(self):
        must = {"StringEquals": {"ec2:MetadataHttpTokens": "required"}}
        rest = allow(
            "ec2:RunInstances", [of(kind) for kind in ("volume", "network-interface", "subnet", "security-group")]
        )
        client = self.user(
            rest, allow("ec2:RunInstances", of("image", "")), allow("ec2:RunInstances", of("instance"), must)
        )
        self.unauthorized("ec2:RunInstances", client.run_instances, **self.wanted())
        client.run_instances(**self.wanted(MetadataOptions={"HttpTokens": "required"}))

    def test_a_profile_needs_the_right_to_pass_its_role(self):
        iam = self.double.client("iam")
        trusting = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": trusting})
        role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        iam.create_instance_profile(InstanceProfileName="reader")
        iam.add_role_to_instance_profile(InstanceProfileName="reader", RoleName="reader")
        wanted = self.wanted(IamInstanceProfile={"Name": "reader"})
        refusal = self.unauthorized("iam:PassRole", self.user(allow("ec2:RunInstances")).run_instances, **wanted)
        self.assertIn(f"on resource: {role}", refusal)
        passing = allow("iam:PassRole", role, {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}})
        self.user(allow("ec2:RunInstances"), passing).run_instances(**wanted)

    def test_a_dry_run_tells_what_is_not_allowed(self):
        self.unauthorized("ec2:RunInstances", self.user().run_instances, **self.wanted(DryRun=True))
        client = self.user(allow("ec2:RunInstances"))
        self.refused("DryRunOperation", client.run_instances, **self.wanted(DryRun=True))

    def test_iam_answers_in_its_own_words(self):
        policy = {"Version": "2012-10-17", "Statement": [NOTHING]}
        made = self.double.control("POST", "users", {"name": "ops", "policy": policy})
        iam = self.double.client("iam", key=(made["access_key_id"], made["secret_access_key"]))
        refusal = self.refused("AccessDenied", iam.get_instance_profile, InstanceProfileName="reader")
        self.assertIn(
            "iam:GetInstanceProfile on resource: arn:aws:iam::123456789012:instance-profile/reader",
            refusal["Error"]["Message"],
        )


def without(statements, action):
    rest = []
    for one in copy.deepcopy(statements):
        actions = one["Action"] if isinstance(one["Action"], list) else [one["Action"]]
        one["Action"] = [name for name in actions if name != action]
        rest += [one] if one["Action"] else []
    return rest


class Conditions(unittest.TestCase):
    """Operators, by a table: condition, what is known, whether it holds."""

    CASES = [
        ({"StringEquals": {"k": "a"}}, {"k": ["a"]}, True),
        ({"StringEquals": {"k": ["a", "b"]}}, {"k": ["b"]}, True),
        ({"StringEquals": {"K": "a"}}, {"k": ["a"]}, True),
        ({"StringEquals": {"k": "A"}}, {"k": ["a"]}, False),
        ({"StringEquals": {"k": "a*"}}, {"k": ["ab"]}, False),
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"StringEqualsIfExists": {"k": "a"}}, {}, True),
        ({"StringEqualsIfExists": {"k": "a"}}, {"k": ["b"]}, False),
        ({"StringEqualsIgnoreCase": {"k": "A"}}, {"k": ["a"]}, True),
        ({"StringNotEquals": {"k": "a"}}, {"k": ["b"]}, True),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": ["b"]}, False),
        ({"StringNotEquals": {"k": "a"}}, {}, True),
        ({"StringLike": {"k": "a*c?"}}, {"k": ["abbcd"]}, True),
        ({"StringLike": {"k": "a.c"}}, {"k": ["abc"]}, False),
        ({"StringNotLike": {"k": "a*"}}, {"k": ["abc"]}, False),
        ({"StringEquals": {"k": "${aws:username}-x"}}, {"k": ["ops-x"], "aws:username": ["ops"]}, True),
        ({"StringEquals": {"k": "${aws:username}"}}, {"k": [""]}, False),
        ({"ArnLike": {"k": "arn:aws:ec2:*:vpc/*"}}, {"k": ["arn:aws:ec2:eu:1:vpc/vpc-1"]}, True),
        ({"Bool": {"k": "true"}}, {"k": ["true"]}, True),
        ({"Bool": {"k": True}}, {"k": ["false"]}, False),
        ({"Null": {"k": "true"}}, {}, True),
        ({"Null": {"k": "false"}}, {}, False),
        ({"NumericLessThanEquals": {"k": "20"}}, {"k": ["20"]}, True),
        ({"NumericGreaterThan": {"k": 20}}, {"k": ["20"]}, False),
        ({"DateGreaterThan": {"k": "2025-01-01T00:00:00Z"}}, {"k": ["2025-06-01T00:00:00+00:00"]}, True),
        ({"IpAddress": {"k": "127.0.0.0/8"}}, {"k": ["127.0.0.1"]}, True),
        ({"NotIpAddress": {"k": "127.0.0.0/8"}}, {"k": ["127.0.0.1"]}, False),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ["a"]}, True),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ["a", "c"]}, False),
        ({"ForAllValues:StringEquals": {"k": ["a"]}}, {}, True),
        ({"ForAnyValue:StringEquals": {"k": ["a"]}}, {"k": ["a", "c"]}, True),
        ({"ForAnyValue:StringEquals": {"k": ["a"]}}, {}, False),
        ({"StringEquals": {"k": "a", "l": "b"}}, {"k": ["a"], "l": ["c"]}, False),
        ({"StringEquals": {"k": "a"}, "Bool": {"l": "true"}}, {"k": ["a"], "l": ["true"]}, True),
    ]

    def test_operators(self):
        for condition, known, expected in self.CASES:
            with self.subTest(condition=condition, known=known):
                self.assertEqual(hold(condition, known), expected)

    def test_an_unknown_operator_is_an_error(self):
        with self.assertRaises(ValueError):
            hold({"StringSmells": {"k": "a"}}, {"k": ["a"]})


class Policies(unittest.TestCase):
    def decide(self, statement, action="ec2:RunInstances", resource="arn:aws:ec2:eu:1:instance/i-1"):
        return decide([json.dumps({"Statement": statement})], Question(action, resource, {}))

    def test_actions_know_no_case_and_resources_do(self):
        self.assertEqual(self.decide(allow("EC2:runinstances")), ALLOWED)
        self.assertEqual(self.decide(allow("ec2:Run*", "arn:aws:ec2:*:instance/i-?")), ALLOWED)
        self.assertEqual(self.decide(allow("ec2:Run*", "ARN:aws:ec2:*:instance/i-1")), UNDECIDED)

    def test_the_opposites(self):
        self.assertEqual(self.decide({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}), ALLOWED)
        self.assertEqual(self.decide({"Effect": "Allow", "NotAction": "ec2:*", "Resource": "*"}), UNDECIDED)
        self.assertEqual(self.decide({"Effect": "Allow", "Action": "*", "NotResource": "*instance/*"}), UNDECIDED)

    def test_a_deny_wins_wherever_it_stands(self):
        deny = {"Effect": "Deny", "Action": "ec2:*", "Resource": "*"}
        for order in ([allow("*"), deny], [deny, allow("*")]):
            self.assertEqual(self.decide(order), DENIED)
