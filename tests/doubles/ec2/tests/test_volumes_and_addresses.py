"""Volumes, Elastic IPs, network interfaces, subnets."""

from .running import DoubleTest, tags


class Volumes(DoubleTest):
    def setUp(self):
        super().setUp()
        disk = {"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": False}}
        self.instance = self.run_one(BlockDeviceMappings=[disk])["InstanceId"]
        self.volume = self.ec2.describe_volumes()["Volumes"][0]["VolumeId"]

    def test_a_volume_grows_and_never_shrinks(self):
        change = self.ec2.modify_volume(VolumeId=self.volume, Size=20)["VolumeModification"]
        self.assertEqual((change["OriginalSize"], change["TargetSize"]), (8, 20))
        self.refused("InvalidParameterValue", self.ec2.modify_volume, VolumeId=self.volume, Size=10)
        self.assertEqual(self.ec2.describe_volumes(VolumeIds=[self.volume])["Volumes"][0]["Size"], 20)
        (change,) = self.ec2.describe_volumes_modifications(VolumeIds=[self.volume])["VolumesModifications"]
        self.assertEqual(change["TargetSize"], 20)

    def test_a_volume_in_use_is_not_deleted(self):
        self.refused("VolumeInUse", self.ec2.delete_volume, VolumeId=self.volume)
        self.ec2.terminate_instances(InstanceIds=[self.instance])
        self.state(self.instance)
        self.ec2.delete_volume(VolumeId=self.volume)
        self.refused("InvalidVolume.NotFound", self.ec2.delete_volume, VolumeId=self.volume)

    def test_volumes_are_found_by_their_instance(self):
        wanted = [{"Name": "attachment.instance-id", "Values": [self.instance]}]
        found = self.ec2.describe_volumes(Filters=wanted)["Volumes"]
        self.assertEqual([one["VolumeId"] for one in found], [self.volume])


class Addresses(DoubleTest):
    def allocate(self):
        return self.ec2.allocate_address(Domain="vpc", TagSpecifications=[tags("elastic-ip", Project="notes")])

    def associate(self, instance, address, **more):
        return self.ec2.associate_address(InstanceId=instance, AllocationId=address["AllocationId"], **more)

    def public(self, instance):
        return self.show(instance).get("PublicIpAddress")

    def test_an_address_has_its_tags_from_the_first_call(self):
        made = self.allocate()
        found = self.ec2.describe_addresses(Filters=[{"Name": "tag:Project", "Values": ["notes"]}])["Addresses"]
        self.assertEqual([one["PublicIp"] for one in found], [made["PublicIp"]])
        self.assertNotIn("AssociationId", found[0])

    def test_an_address_stays_with_a_stopped_instance(self):
        instance, address = self.run_one()["InstanceId"], self.allocate()
        self.associate(instance, address)
        self.assertEqual(self.public(instance), address["PublicIp"])
        self.ec2.stop_instances(InstanceIds=[instance])
        self.assertEqual(self.public(instance), address["PublicIp"])
        self.ec2.start_instances(InstanceIds=[instance])
        self.assertEqual(self.public(instance), address["PublicIp"])

    def test_an_address_in_use_is_not_released(self):
        instance, address = self.run_one()["InstanceId"], self.allocate()
        association = self.associate(instance, address)["AssociationId"]
        release = {"AllocationId": address["AllocationId"]}
        self.refused("InvalidIPAddress.InUse", self.ec2.release_address, **release)
        self.ec2.disassociate_address(AssociationId=association)
        self.assertNotEqual(self.public(instance), address["PublicIp"])
        self.ec2.release_address(**release)
        self.refused("InvalidAllocationID.NotFound", self.ec2.release_address, **release)
        self.refused("InvalidAssociationID.NotFound", self.ec2.disassociate_address, AssociationId=association)

    def test_an_address_is_taken_from_another_only_where_that_is_said(self):
        first, second, address = self.run_one()["InstanceId"], self.run_one()["InstanceId"], self.allocate()
        self.associate(first, address)
        again = self.associate(first, address)["AssociationId"]
        self.assertEqual(self.ec2.describe_addresses()["Addresses"][0]["AssociationId"], again)
        wanted = {"InstanceId": second, "AllocationId": address["AllocationId"]}
        self.refused("Resource.AlreadyAssociated", self.ec2.associate_address, AllowReassociation=False, **wanted)
        self.associate(second, address, AllowReassociation=True)
        self.assertEqual(self.public(second), address["PublicIp"])
        self.assertNotEqual(self.public(first), address["PublicIp"])

    def test_an_address_outlives_its_instance(self):
        instance, address = self.run_one()["InstanceId"], self.allocate()
        self.associate(instance, address)
        self.ec2.terminate_instances(InstanceIds=[instance])
        self.assertEqual(self.state(instance), "terminated")
        self.assertNotIn("AssociationId", self.ec2.describe_addresses()["Addresses"][0])
        self.assertEqual(len(self.double.inventory()["addresses"]), 1)
        self.ec2.release_address(AllocationId=address["AllocationId"])

    def test_a_pending_instance_takes_none_yet(self):
        self.double.settings(pending=600)
        instance, address = self.run_one()["InstanceId"], self.allocate()
        wanted = {"InstanceId": instance, "AllocationId": address["AllocationId"]}
        self.refused("InvalidInstanceID", self.ec2.associate_address, **wanted)


class Interfaces(DoubleTest):
    def test_an_interface_in_use_is_not_deleted(self):
        instance = self.run_one()
        interface = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
        self.refused("InvalidNetworkInterface.InUse", self.ec2.delete_network_interface, NetworkInterfaceId=interface)

    def test_an_interface_of_its_own_counts_as_left_over(self):
        subnet = self.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        group = self.ec2.create_security_group(GroupName="app", Description="application")["GroupId"]
        made = self.ec2.create_network_interface(SubnetId=subnet, Groups=[group])["NetworkInterface"]
        self.assertEqual(len(self.double.inventory()["interfaces"]), 1)
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=group)
        self.ec2.delete_network_interface(NetworkInterfaceId=made["NetworkInterfaceId"])
        self.ec2.delete_security_group(GroupId=group)


class Networks(DoubleTest):
    def test_the_default_vpc_has_a_subnet_in_each_zone(self):
        default = [{"Name": "is-default", "Values": ["true"]}]
        (vpc,) = self.ec2.describe_vpcs(Filters=default)["Vpcs"]
        self.assertTrue(vpc["IsDefault"])
        wanted = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}, {"Name": "default-for-az", "Values": ["true"]}]
        subnets = self.ec2.describe_subnets(Filters=wanted)["Subnets"]
        self.assertEqual(len({one["AvailabilityZone"] for one in subnets}), 3)
        self.assertTrue(all(one["MapPublicIpOnLaunch"] for one in subnets))
        self.refused("InvalidSubnetID.NotFound", self.ec2.describe_subnets, SubnetIds=["subnet-00000000000000000"])
        self.refused("InvalidVpcID.NotFound", self.ec2.describe_vpcs, VpcIds=["vpc-00000000000000000"])
