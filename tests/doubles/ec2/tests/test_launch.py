"""RunInstances: what it refuses, and what comes into being with an instance."""

import base64

from .running import DoubleTest, tags

KEY = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGRYVPPJuvFdRpOJ5RuMy5n5n1iK7ZGmSuhOB9Z3wQwW team"


class Refusals(DoubleTest):
    def test_what_does_not_exist_is_refused(self):
        cases = [
            ("InvalidAMIID.NotFound", {"ImageId": "ami-00000000000000000"}),
            ("InvalidAMIID.Malformed", {"ImageId": "debian-13"}),
            ("InvalidParameterValue", {"InstanceType": "t3.gigantic"}),
            ("InvalidKeyPair.NotFound", {"KeyName": "nobody"}),
            ("InvalidSubnetID.NotFound", {"SubnetId": "subnet-00000000000000000"}),
            ("InvalidGroup.NotFound", {"SecurityGroupIds": ["sg-00000000000000000"]}),
            ("InvalidGroup.NotFound", {"SecurityGroups": ["nobody"]}),
            ("InvalidParameterValue", {"Placement": {"AvailabilityZone": "eu-central-1z"}}),
            ("InvalidParameterValue", {"IamInstanceProfile": {"Name": "nobody"}}),
            ("InvalidParameterValue", {"IamInstanceProfile": {"Arn": "arn:aws:iam::1:instance-profile/nobody"}}),
        ]
        for code, wrong in cases:
            with self.subTest(wrong=wrong):
                self.refused(code, self.ec2.run_instances, **self.wanted(**wrong))
        self.assertEqual(self.double.inventory()["instances"], [])

    def test_what_is_missing_is_named(self):
        wanted = self.wanted()
        for name in ("ImageId", "MaxCount", "MinCount"):
            with self.subTest(name=name):
                rest = {key: value for key, value in wanted.items() if key != name}
                refusal = self.refused("MissingParameter", self.ec2.run_instances, **rest)
                self.assertIn(name, refusal["Error"]["Message"])

    def test_a_type_of_another_architecture_than_the_image_s_is_refused(self):
        for image, kind in (("amd64", "t4g.small"), ("arm64", "t3.small")):
            with self.subTest(image=image):
                wanted = self.wanted(ImageId=self.image(image), InstanceType=kind)
                refusal = self.refused("InvalidParameterValue", self.ec2.run_instances, **wanted)
                self.assertIn("architecture", refusal["Error"]["Message"])
        self.run_one(ImageId=self.image("arm64"), InstanceType="t4g.small")

    def test_user_data_is_limited(self):
        self.run_one(UserData="x" * 16384)
        refusal = self.refused("InvalidParameterValue", self.ec2.run_instances, **self.wanted(UserData="x" * 16385))
        self.assertEqual(refusal["Error"]["Message"], "User data is limited to 16384 bytes")

    def test_groups_of_another_network_are_refused(self):
        vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        group = self.ec2.create_security_group(GroupName="far", Description="far", VpcId=vpc)["GroupId"]
        self.refused("InvalidParameter", self.ec2.run_instances, **self.wanted(SecurityGroupIds=[group]))

    def test_a_full_subnet_takes_no_more(self):
        vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        # Of 16 addresses EC2 keeps five.
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/28")["Subnet"]["SubnetId"]
        self.ec2.run_instances(**self.wanted(SubnetId=subnet, MinCount=11, MaxCount=11))
        self.refused("InsufficientFreeAddressesInSubnet", self.ec2.run_instances, **self.wanted(SubnetId=subnet))

    def test_without_a_default_vpc_a_subnet_is_needed(self):
        self.double.settings(default_vpc=False)
        self.assertEqual(self.ec2.describe_vpcs()["Vpcs"], [])
        self.refused("VPCIdNotSpecified", self.ec2.run_instances, **self.wanted())
        self.refused("VPCIdNotSpecified", self.ec2.create_security_group, GroupName="a", Description="a")
        vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", AvailabilityZone="eu-central-1b")
        instance = self.run_one(SubnetId=subnet["Subnet"]["SubnetId"])
        self.assertEqual(instance["VpcId"], vpc)
        self.assertEqual(instance["Placement"]["AvailabilityZone"], "eu-central-1b")

    def test_the_default_vpc_comes_and_goes_with_its_setting(self):
        for wanted in (True, False, True):
            self.double.settings(default_vpc=wanted)
            self.assertEqual(len(self.ec2.describe_vpcs()["Vpcs"]), int(wanted))
            self.assertEqual(len(self.ec2.describe_subnets()["Subnets"]), 3 * wanted)
        self.run_one()

    def test_a_default_vpc_leads_out_and_one_s_own_does_not(self):
        default = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        own = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        for vpc, wanted in ((default, True), (own, False)):
            tables = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
            gateways = [route.get("GatewayId", "") for table in tables for route in table["Routes"]]
            self.assertEqual(any(one.startswith("igw-") for one in gateways), wanted)

    def test_subnets_of_one_s_own_may_be_local_or_of_ipv6_only_and_are_no_default_ones(self):
        vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        local = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", AvailabilityZone="eu-central-1-ham-1a")
        six = self.ec2.create_subnet(
            VpcId=vpc, Ipv6CidrBlock="2001:db8::/64", Ipv6Native=True, AvailabilityZone="eu-central-1a"
        )
        self.assertFalse(local["Subnet"]["DefaultForAz"] or local["Subnet"]["MapPublicIpOnLaunch"])
        self.assertTrue(six["Subnet"]["Ipv6Native"])
        self.assertEqual(six["Subnet"]["AvailableIpAddressCount"], 0)

    def test_credits_are_those_of_the_family_unless_asked_and_can_be_switched(self):
        instance = self.run_one()["InstanceId"]
        shown = self.ec2.describe_instance_credit_specifications(InstanceIds=[instance])
        self.assertEqual(shown["InstanceCreditSpecifications"][0]["CpuCredits"], "unlimited")
        wanted = [{"InstanceId": instance, "CpuCredits": "standard"}]
        self.ec2.modify_instance_credit_specification(InstanceCreditSpecifications=wanted)
        shown = self.ec2.describe_instance_credit_specifications(InstanceIds=[instance])
        self.assertEqual(shown["InstanceCreditSpecifications"][0]["CpuCredits"], "standard")

    def test_a_start_that_fails_stops_what_ran_before_and_terminates_what_did_not(self):
        old = self.run_one()["InstanceId"]
        self.ec2.describe_instances()
        self.ec2.stop_instances(InstanceIds=[old])
        self.double.settings(failing_start="Client.InternalError")
        self.ec2.start_instances(InstanceIds=[old])
        new = self.run_one()["InstanceId"]
        found = [one for each in self.ec2.describe_instances()["Reservations"] for one in each["Instances"]]
        states = {one["InstanceId"]: (one["State"]["Name"], one["StateReason"]["Code"]) for one in found}
        self.assertEqual(states[old], ("stopped", "Client.InternalError"))
        self.assertEqual(states[new], ("terminated", "Client.InternalError"))

    def test_a_dry_run_makes_nothing(self):
        refusal = self.refused("DryRunOperation", self.ec2.run_instances, **self.wanted(DryRun=True))
        self.assertEqual(refusal["ResponseMetadata"]["HTTPStatusCode"], 412)
        self.refused("InvalidKeyPair.NotFound", self.ec2.run_instances, **self.wanted(DryRun=True, KeyName="no"))
        self.assertEqual(self.double.inventory()["instances"], [])


class Capacity(DoubleTest):
    def zone(self, **more):
        return self.run_one(**more)["Placement"]["AvailabilityZone"]

    def test_a_zone_without_capacity_says_which_zones_have_some(self):
        self.double.settings(no_capacity=[{"zone": "eu-central-1a", "type": "t3.small"}])
        wanted = self.wanted(Placement={"AvailabilityZone": "eu-central-1a"})
        refusal = self.refused("InsufficientInstanceCapacity", self.ec2.run_instances, **wanted)
        self.assertEqual(refusal["ResponseMetadata"]["HTTPStatusCode"], 500)
        self.assertIn("eu-central-1b", refusal["Error"]["Message"])
        self.assertEqual(self.zone(Placement={"AvailabilityZone": "eu-central-1b"}), "eu-central-1b")
        self.assertEqual(self.zone(InstanceType="t3.medium"), "eu-central-1a")

    def test_where_no_zone_is_asked_for_one_with_capacity_is_chosen(self):
        self.double.settings(no_capacity=[{"zone": "eu-central-1a"}])
        self.assertEqual(self.zone(), "eu-central-1b")

    def test_no_zone_may_have_capacity_at_all(self):
        self.double.settings(no_capacity=[{"type": "t3.small"}])
        self.refused("InsufficientInstanceCapacity", self.ec2.run_instances, **self.wanted())

    def test_the_quota_counts_what_runs(self):
        self.double.settings(vcpu_quota=4)
        first = self.run_one()["InstanceId"]
        self.run_one()
        self.refused("VcpuLimitExceeded", self.ec2.run_instances, **self.wanted())
        self.ec2.terminate_instances(InstanceIds=[first])
        self.run_one()

    def test_a_type_that_a_zone_does_not_offer_is_unsupported(self):
        offered = self.ec2.describe_instance_type_offerings(
            LocationType="availability-zone", Filters=[{"Name": "location", "Values": ["us-east-1e"]}]
        )
        self.assertEqual(offered["InstanceTypeOfferings"], [])
        american = self.double.client(region="us-east-1")
        images = american.describe_images(Owners=["136693071363"])["Images"]
        image = next(one["ImageId"] for one in images if one["Architecture"] == "x86_64")
        wanted = {**self.wanted(ImageId=image), "Placement": {"AvailabilityZone": "us-east-1e"}}
        refusal = self.refused("Unsupported", american.run_instances, **{**wanted, "InstanceType": "m7i.large"})
        self.assertIn("us-east-1a", refusal["Error"]["Message"])


class Together(DoubleTest):
    def test_tags_are_there_with_the_first_call(self):
        kinds = ("instance", "volume", "network-interface")
        instance = self.run_one(TagSpecifications=[tags(kind, Project="notes", Kind=kind) for kind in kinds])
        self.assertIn({"Key": "Kind", "Value": "instance"}, instance["Tags"])
        inventory = self.double.inventory()
        for place, kind in zip(("instances", "volumes", "interfaces"), kinds, strict=True):
            self.assertEqual([one["tags"] for one in inventory[place]], [{"Project": "notes", "Kind": kind}])

    def test_tags_for_what_is_not_created_are_refused(self):
        wanted = self.wanted(TagSpecifications=[tags("vpc", a="b")])
        self.refused("InvalidParameterValue", self.ec2.run_instances, **wanted)

    def test_tags_of_amazon_s_own_are_refused(self):
        wanted = self.wanted(TagSpecifications=[tags("instance", **{"aws:name": "b"})])
        self.refused("InvalidParameterValue", self.ec2.run_instances, **wanted)

    def test_the_root_disk_is_as_the_image_says(self):
        instance = self.run_one()
        self.assertEqual(instance["RootDeviceName"], "/dev/xvda")
        (volume,) = self.ec2.describe_volumes()["Volumes"]
        self.assertEqual((volume["Size"], volume["VolumeType"], volume["Encrypted"]), (8, "gp3", False))
        self.assertTrue(volume["Attachments"][0]["DeleteOnTermination"])

    def test_the_root_disk_is_as_asked(self):
        disk = {"VolumeSize": 30, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": False, "Iops": 4000}
        instance = self.run_one(BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": disk}])
        (volume,) = self.ec2.describe_volumes()["Volumes"]
        self.assertEqual(
            [volume[name] for name in ("Size", "VolumeType", "Encrypted", "Iops")], [30, "gp3", True, 4000]
        )
        self.assertFalse(volume["Attachments"][0]["DeleteOnTermination"])
        self.assertFalse(instance["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"])

    def test_more_disks_than_the_root_are_made(self):
        self.run_one(BlockDeviceMappings=[{"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 5}}])
        self.assertEqual(sorted(one["size"] for one in self.double.inventory()["volumes"]), [5, 8])

    def test_a_root_disk_smaller_than_the_image_is_refused(self):
        wanted = self.wanted(BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 4}}])
        self.refused("InvalidBlockDeviceMapping", self.ec2.run_instances, **wanted)

    def test_metadata_options_are_kept(self):
        shown = self.run_one(MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1})
        self.assertEqual(shown["MetadataOptions"]["HttpTokens"], "required")
        self.ec2.modify_instance_metadata_options(InstanceId=shown["InstanceId"], HttpPutResponseHopLimit=2)
        options = self.show(shown["InstanceId"])["MetadataOptions"]
        self.assertEqual((options["HttpTokens"], options["HttpPutResponseHopLimit"]), ("required", 2))

    def test_key_group_profile_and_user_data_are_kept(self):
        self.ec2.import_key_pair(KeyName="team", PublicKeyMaterial=KEY)
        group = self.ec2.create_security_group(GroupName="app", Description="application")["GroupId"]
        iam = self.double.client("iam")
        arn = iam.create_instance_profile(InstanceProfileName="reader")["InstanceProfile"]["Arn"]
        instance = self.run_one(
            KeyName="team", SecurityGroupIds=[group], IamInstanceProfile={"Name": "reader"}, UserData="#!/bin/sh"
        )
        shown = self.show(instance["InstanceId"])
        self.assertEqual(shown["KeyName"], "team")
        self.assertEqual([one["GroupId"] for one in shown["SecurityGroups"]], [group])
        self.assertEqual(shown["IamInstanceProfile"]["Arn"], arn)
        attribute = self.ec2.describe_instance_attribute(InstanceId=instance["InstanceId"], Attribute="userData")
        self.assertEqual(base64.b64decode(attribute["UserData"]["Value"]), b"#!/bin/sh")

    def test_an_interface_can_be_asked_for_in_full(self):
        subnet = self.ec2.describe_subnets()["Subnets"][1]
        group = self.ec2.create_security_group(GroupName="app", Description="application")["GroupId"]
        interface = {
            "DeviceIndex": 0,
            "SubnetId": subnet["SubnetId"],
            "Groups": [group],
            "AssociatePublicIpAddress": False,
        }
        instance = self.run_one(NetworkInterfaces=[interface])
        self.assertNotIn("PublicIpAddress", instance)
        self.assertEqual(instance["SubnetId"], subnet["SubnetId"])
        self.assertEqual(instance["NetworkInterfaces"][0]["Groups"], [{"GroupId": group, "GroupName": "app"}])

    def test_an_address_can_be_asked_for(self):
        subnet = self.ec2.describe_subnets()["Subnets"][0]
        address = subnet["CidrBlock"].rpartition(".")[0] + ".77"
        wanted = self.wanted(SubnetId=subnet["SubnetId"], PrivateIpAddress=address)
        self.assertEqual(self.ec2.run_instances(**wanted)["Instances"][0]["PrivateIpAddress"], address)
        self.refused("InvalidIPAddress.InUse", self.ec2.run_instances, **wanted)
        for wrong in ("10.1.2.3", "somewhere"):
            wanted["PrivateIpAddress"] = wrong
            self.refused("InvalidParameterValue", self.ec2.run_instances, **wanted)

    def test_several_instances_can_come_from_one_call(self):
        made = self.ec2.run_instances(**self.wanted(MaxCount=3))["Instances"]
        self.assertEqual(len({one["InstanceId"] for one in made}), 3)
        self.assertEqual([one["AmiLaunchIndex"] for one in made], [0, 1, 2])
