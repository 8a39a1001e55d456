"""States that take their time, reads that lag behind, and what is left of an instance."""

import time

from .running import DoubleTest, eventually

ALL = {"Filters": [{"Name": "instance-state-name", "Values": ["*"]}]}


class States(DoubleTest):
    def one(self):
        return self.run_one()["InstanceId"]

    def test_a_state_lasts_as_long_as_its_setting_says(self):
        self.double.settings(pending=0.3)
        begun = time.monotonic()
        instance = self.one()
        self.assertEqual(self.state(instance), "pending")
        eventually(lambda: self.state(instance) == "running", "the instance is running")
        self.assertGreaterEqual(time.monotonic() - begun, 0.3)

    def test_at_zero_a_state_is_over_at_the_next_look(self):
        started = self.run_one()
        self.assertEqual(started["State"]["Name"], "pending")
        self.assertEqual(self.state(started["InstanceId"]), "running")

    def test_every_way_leads_through_its_states(self):
        self.double.settings(pending=600, stopping=600, shutting_down=600)
        instance = self.one()
        wanted = {"InstanceIds": [instance]}
        ways = [
            (None, "pending", "running"),
            (self.ec2.stop_instances, "stopping", "stopped"),
            (self.ec2.start_instances, "pending", "running"),
            (self.ec2.terminate_instances, "shutting-down", "terminated"),
        ]
        for call, during, after in ways:
            if call is not None:
                call(**wanted)
            self.assertEqual(self.state(instance), during)
            self.double.settings(pending=0, stopping=0, shutting_down=0)
            self.assertEqual(self.state(instance), after)
            self.double.settings(pending=600, stopping=600, shutting_down=600)

    def test_answers_may_show_the_state_of_a_while_ago(self):
        instance = self.one()
        self.assertEqual(self.state(instance), "running")
        self.double.settings(stale_states=0.5)
        eventually(lambda: self.state(instance) == "running", "the start is seen")
        self.ec2.stop_instances(InstanceIds=[instance])
        self.assertEqual(self.state(instance), "running")
        eventually(lambda: self.state(instance) == "stopped", "the stop is seen")

    def test_a_call_says_the_state_before_and_now(self):
        instance = self.one()
        (change,) = self.ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"]
        self.assertEqual(
            (change["PreviousState"]["Name"], change["CurrentState"]["Name"]), ("running", "shutting-down")
        )
        (change,) = self.ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"]
        self.assertEqual(
            (change["PreviousState"]["Name"], change["CurrentState"]["Name"]), ("terminated", "terminated")
        )

    def test_one_that_is_unknown_leaves_the_others_alone(self):
        instance = self.one()
        for call in (self.ec2.stop_instances, self.ec2.terminate_instances):
            self.refused("InvalidInstanceID.NotFound", call, InstanceIds=[instance, "i-00000000000000000"])
            self.assertEqual(self.state(instance), "running")
        self.refused("InvalidInstanceID.Malformed", self.ec2.terminate_instances, InstanceIds=["web-1"])

    def test_what_is_terminated_cannot_be_started(self):
        instance = self.one()
        self.ec2.terminate_instances(InstanceIds=[instance])
        for call in (self.ec2.start_instances, self.ec2.stop_instances):
            self.refused("IncorrectInstanceState", call, InstanceIds=[instance])

    def test_an_address_of_its_own_is_lost_with_a_stop(self):
        instance = self.one()
        before = self.show(instance)
        self.ec2.stop_instances(InstanceIds=[instance])
        stopped = self.show(instance)
        self.assertNotIn("PublicIpAddress", stopped)
        self.assertEqual(stopped["PrivateIpAddress"], before["PrivateIpAddress"])
        self.ec2.start_instances(InstanceIds=[instance])
        self.assertNotEqual(self.show(instance)["PublicIpAddress"], before["PublicIpAddress"])

    def test_protection_refuses_termination(self):
        instance = self.run_one(DisableApiTermination=True)["InstanceId"]
        refusal = self.refused("OperationNotPermitted", self.ec2.terminate_instances, InstanceIds=[instance])
        self.assertIn("disableApiTermination", refusal["Error"]["Message"])
        query = {"InstanceId": instance, "Attribute": "disableApiTermination"}
        self.assertTrue(self.ec2.describe_instance_attribute(**query)["DisableApiTermination"]["Value"])
        self.ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
        self.ec2.terminate_instances(InstanceIds=[instance])

    def test_the_type_changes_only_at_rest(self):
        instance = self.one()
        wanted = {"InstanceId": instance, "InstanceType": {"Value": "t3.medium"}}
        self.refused("IncorrectInstanceState", self.ec2.modify_instance_attribute, **wanted)
        self.ec2.stop_instances(InstanceIds=[instance])
        self.assertEqual(self.state(instance), "stopped")
        self.ec2.modify_instance_attribute(**wanted)
        self.assertEqual(self.show(instance)["InstanceType"], "t3.medium")
        wanted["InstanceType"] = {"Value": "t4g.small"}
        self.refused("InvalidParameterValue", self.ec2.modify_instance_attribute, **wanted)

    def test_groups_can_be_exchanged(self):
        instance = self.one()
        group = self.ec2.create_security_group(GroupName="app", Description="application")["GroupId"]
        self.ec2.modify_instance_attribute(InstanceId=instance, Groups=[group])
        self.assertEqual([one["GroupId"] for one in self.show(instance)["SecurityGroups"]], [group])

    def test_status_shows_what_runs(self):
        self.double.settings(pending=600)
        instance = self.one()
        self.assertEqual(self.ec2.describe_instance_status()["InstanceStatuses"], [])
        every = self.ec2.describe_instance_status(IncludeAllInstances=True)["InstanceStatuses"]
        self.assertEqual([one["InstanceId"] for one in every], [instance])


class Remains(DoubleTest):
    def test_a_terminated_instance_is_shown_with_its_tags(self):
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Project", "Value": "notes"}]}]
        instance = self.run_one(TagSpecifications=tags)["InstanceId"]
        self.ec2.terminate_instances(InstanceIds=[instance])
        shown = self.show(instance)
        self.assertEqual(shown["State"]["Name"], "terminated")
        self.assertEqual(shown["Tags"], [{"Key": "Project", "Value": "notes"}])
        self.assertEqual(
            (shown["NetworkInterfaces"], shown["SecurityGroups"], shown["BlockDeviceMappings"]), ([], [], [])
        )
        for gone in ("PublicIpAddress", "PrivateIpAddress", "SubnetId", "VpcId"):
            self.assertNotIn(gone, shown)

    def test_its_time_over_nothing_is_left(self):
        instance = self.run_one()["InstanceId"]
        self.ec2.terminate_instances(InstanceIds=[instance])
        self.assertEqual(self.state(instance), "terminated")
        self.double.settings(terminated=0)
        self.refused("InvalidInstanceID.NotFound", self.ec2.describe_instances, InstanceIds=[instance])
        self.assertEqual(self.ec2.describe_instances()["Reservations"], [])

    def test_interfaces_and_disks_go_with_it_and_not_before(self):
        self.double.settings(shutting_down=600)
        instance = self.run_one()["InstanceId"]
        self.ec2.terminate_instances(InstanceIds=[instance])
        inventory = self.double.inventory()
        self.assertEqual([len(inventory[kind]) for kind in ("instances", "volumes", "interfaces")], [1, 1, 1])
        self.double.settings(shutting_down=0)
        inventory = self.double.inventory()
        self.assertEqual([len(inventory[kind]) for kind in ("instances", "volumes", "interfaces")], [0, 0, 0])

    def test_a_disk_that_is_to_stay_stays(self):
        disk = {"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": False}}
        instance = self.run_one(BlockDeviceMappings=[disk])["InstanceId"]
        self.ec2.terminate_instances(InstanceIds=[instance])
        self.state(instance)
        (volume,) = self.ec2.describe_volumes()["Volumes"]
        self.assertEqual(volume["State"], "available")


class Stale(DoubleTest):
    def setUp(self):
        super().setUp()
        self.double.settings(stale=600)

    def test_a_new_instance_is_not_found_for_a_while(self):
        instance = self.run_one(TagSpecifications=[])["InstanceId"]
        tag = {"Resources": [instance], "Tags": [{"Key": "a", "Value": "b"}]}
        self.refused("InvalidInstanceID.NotFound", self.ec2.describe_instances, InstanceIds=[instance])
        self.refused("InvalidInstanceID.NotFound", self.ec2.create_tags, **tag)
        self.assertEqual(self.ec2.describe_instances(**ALL)["Reservations"], [])
        self.assertEqual(self.ec2.describe_volumes()["Volumes"], [])
        self.double.settings(stale=0)
        self.assertEqual(self.state(instance), "running")
        self.ec2.create_tags(**tag)

    def test_its_token_gives_it_all_the_same(self):
        wanted = self.wanted(ClientToken="once")
        first, second = (self.ec2.run_instances(**wanted)["Instances"][0]["InstanceId"] for _ in range(2))
        self.assertEqual(first, second)

    def test_a_new_group_is_not_found_for_a_while_and_yet_in_the_way(self):
        named = {"GroupName": "app", "Description": "application"}
        group = self.ec2.create_security_group(**named)["GroupId"]
        self.refused("InvalidGroup.NotFound", self.ec2.describe_security_groups, GroupIds=[group])
        self.refused("InvalidGroup.Duplicate", self.ec2.create_security_group, **named)
        self.assertEqual(len(self.double.inventory()["groups"]), 1)

    def test_what_was_there_before_is_found(self):
        self.assertNotEqual(self.ec2.describe_subnets()["Subnets"], [])
        self.assertNotEqual(self.ec2.describe_images(Owners=["136693071363"])["Images"], [])
