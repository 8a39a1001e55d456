"""Key pairs, and tags on whatever exists."""

from .running import DoubleTest, tags

KEY = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGRYVPPJuvFdRpOJ5RuMy5n5n1iK7ZGmSuhOB9Z3wQwW team"
# As `ssh-keygen -l` and OpenSSL show it: SHA-256 of the key's blob in base64.
FINGERPRINT_FORM = r"^[A-Za-z0-9+/]{43}=?$"


class Keys(DoubleTest):
    def key(self, name="team", **more):
        return self.ec2.import_key_pair(KeyName=name, PublicKeyMaterial=KEY, **more)

    def test_a_key_is_imported_with_its_tags(self):
        made = self.key(TagSpecifications=[tags("key-pair", Project="notes")])
        self.assertRegex(made["KeyPairId"], "^key-[0-9a-f]{17}$")
        self.assertRegex(made["KeyFingerprint"], FINGERPRINT_FORM)
        (shown,) = self.ec2.describe_key_pairs(Filters=[{"Name": "tag:Project", "Values": ["notes"]}])["KeyPairs"]
        self.assertEqual((shown["KeyName"], shown["KeyType"]), ("team", "ed25519"))
        self.assertNotIn("PublicKey", shown)
        (shown,) = self.ec2.describe_key_pairs(KeyNames=["team"], IncludePublicKey=True)["KeyPairs"]
        self.assertEqual(shown["PublicKey"].strip(), KEY.decode())

    def test_a_name_is_taken_once(self):
        self.key()
        for dry in (False, True):
            again = {"KeyName": "team", "PublicKeyMaterial": KEY, "DryRun": dry}
            self.refused("InvalidKeyPair.Duplicate", self.ec2.import_key_pair, **again)

    def test_what_is_no_key_is_refused(self):
        self.refused("InvalidKey.Format", self.ec2.import_key_pair, KeyName="team", PublicKeyMaterial=b"hello")

    def test_deleting_is_idempotent_and_describing_is_not(self):
        self.key()
        for _ in range(2):
            self.ec2.delete_key_pair(KeyName="team")
        self.refused("InvalidKeyPair.NotFound", self.ec2.describe_key_pairs, KeyNames=["team"])
        self.assertEqual(self.double.inventory()["keys"], [])

    def test_a_key_can_be_deleted_by_its_id(self):
        made = self.key()
        self.ec2.delete_key_pair(KeyPairId=made["KeyPairId"])
        self.assertEqual(self.ec2.describe_key_pairs()["KeyPairs"], [])


class Tags(DoubleTest):
    def setUp(self):
        super().setUp()
        self.group = self.ec2.create_security_group(GroupName="app", Description="application")["GroupId"]
        self.instance = self.run_one(SecurityGroupIds=[self.group])["InstanceId"]

    def tag(self, *resources, **pairs):
        listed = [{"Key": key, "Value": value} for key, value in pairs.items()]
        return self.ec2.create_tags(Resources=list(resources), Tags=listed)

    def of(self, resource):
        found = self.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [resource]}])["Tags"]
        return {tag["Key"]: tag["Value"] for tag in found}

    def test_several_resources_are_tagged_at_once(self):
        self.tag(self.instance, self.group, Project="notes", Role="app")
        for resource in (self.instance, self.group):
            self.assertEqual(self.of(resource), {"Project": "notes", "Role": "app"})
        self.tag(self.instance, Role="monitoring")
        self.assertEqual(self.of(self.instance), {"Project": "notes", "Role": "monitoring"})

    def test_one_that_does_not_exist_leaves_all_untagged(self):
        missing = ["i-00000000000000000", "vol-00000000000000000", "eipalloc-00000000000000000"]
        codes = ["InvalidInstanceID.NotFound", "InvalidVolume.NotFound", "InvalidAllocationID.NotFound"]
        for resource, code in zip(missing, codes, strict=True):
            wanted = {"Resources": [self.instance, resource], "Tags": [{"Key": "a", "Value": "b"}]}
            self.refused(code, self.ec2.create_tags, **wanted)
        self.assertEqual(self.of(self.instance), {})

    def test_tags_are_taken_away_by_key_and_by_value(self):
        self.tag(self.instance, Project="notes", Role="app")
        self.ec2.delete_tags(Resources=[self.instance], Tags=[{"Key": "Project"}, {"Key": "Role", "Value": "other"}])
        self.assertEqual(self.of(self.instance), {"Role": "app"})

    def test_the_list_can_be_narrowed(self):
        self.tag(self.instance, Project="notes")
        self.tag(self.group, Project="other")
        cases = [
            ({"resource-type": ["instance"]}, [self.instance]),
            ({"key": ["Proj*"], "value": ["other"]}, [self.group]),
            ({"key": ["Project"], "resource-type": ["instance", "security-group"]}, [self.instance, self.group]),
        ]
        for wanted, expected in cases:
            filters = [{"Name": name, "Values": values} for name, values in wanted.items()]
            found = self.ec2.describe_tags(Filters=filters)["Tags"]
            self.assertEqual(sorted(tag["ResourceId"] for tag in found), sorted(expected))


class Filters(DoubleTest):
    def test_filters_are_ands_of_ors_with_wildcards(self):
        for name, role in (("notes-app", "app"), ("notes-app-2", "app"), ("notes-monitoring", "monitoring")):
            self.run_one(TagSpecifications=[tags("instance", Name=name, Role=role)])
        cases = [
            ({"tag:Name": ["notes-app*"]}, 2),
            ({"tag:Name": ["notes-app-?"]}, 1),
            ({"tag:Role": ["app", "monitoring"], "instance-state-name": ["pending", "running"]}, 3),
            ({"tag:Role": ["app"], "tag:Name": ["notes-monitoring"]}, 0),
            ({"tag-key": ["Role"]}, 3),
            ({"tag:role": ["app"]}, 0),
            ({"tag:Name": ["[n]otes*"]}, 0),
        ]
        for wanted, count in cases:
            with self.subTest(wanted=wanted):
                filters = [{"Name": name, "Values": values} for name, values in wanted.items()]
                self.assertEqual(len(self.ec2.describe_instances(Filters=filters)["Reservations"]), count)

    def test_a_filter_that_does_not_exist_is_refused(self):
        wanted = [{"Name": "colour", "Values": ["red"]}]
        self.run_one()
        for call in (self.ec2.describe_instances, self.ec2.describe_volumes, self.ec2.describe_images):
            refusal = self.refused("InvalidParameterValue", call, Filters=wanted)
            self.assertIn("colour", refusal["Error"]["Message"])
