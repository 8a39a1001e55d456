"""Security groups: rules, duplicates, and what keeps them alive."""

from .running import DoubleTest, tags


def rule(cidr="203.0.113.7/32", port=22, **more):
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}], **more}


class Groups(DoubleTest):
    def group(self, name="app", **more):
        return self.ec2.create_security_group(GroupName=name, Description=f"group {name}", **more)["GroupId"]

    def show(self, group):
        return self.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]

    def allow(self, group, *rules):
        return self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=list(rules))

    def test_a_group_is_made_with_its_tags_and_lets_everything_out(self):
        shown = self.show(self.group(TagSpecifications=[tags("security-group", Project="notes")]))
        self.assertEqual(shown["Tags"], [{"Key": "Project", "Value": "notes"}])
        self.assertEqual(shown["IpPermissions"], [])
        (out,) = shown["IpPermissionsEgress"]
        self.assertEqual((out["IpProtocol"], out["IpRanges"]), ("-1", [{"CidrIp": "0.0.0.0/0"}]))

    def test_a_name_is_taken_once_in_each_network(self):
        self.group()
        self.refused("InvalidGroup.Duplicate", self.ec2.create_security_group, GroupName="app", Description="again")
        vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        self.group(VpcId=vpc)

    def test_rules_are_shown_as_they_were_given(self):
        group, other = self.group(), self.group("monitoring")
        exporters = {"IpProtocol": "tcp", "FromPort": 9100, "ToPort": 9100}
        exporters["UserIdGroupPairs"] = [{"GroupId": other, "Description": "exporters"}]
        self.allow(group, rule(port=8000), exporters)
        first, second = self.show(group)["IpPermissions"]
        self.assertEqual((first["FromPort"], first["IpRanges"]), (8000, [{"CidrIp": "203.0.113.7/32"}]))
        pair = {"GroupId": other, "UserId": "123456789012", "Description": "exporters"}
        self.assertEqual((second["FromPort"], second["UserIdGroupPairs"]), (9100, [pair]))

    def test_the_answer_has_every_rule(self):
        answer = self.allow(self.group(), rule(port=80), rule(port=443))
        self.assertEqual([one["FromPort"] for one in answer["SecurityGroupRules"]], [80, 443])

    def test_a_network_loses_the_bits_beyond_its_mask(self):
        group = self.group()
        self.allow(group, rule("10.1.2.3/16"))
        self.assertEqual(self.show(group)["IpPermissions"][0]["IpRanges"], [{"CidrIp": "10.1.0.0/16"}])

    def test_a_rule_that_is_there_is_refused_and_none_of_the_call_is_taken(self):
        group = self.group()
        self.allow(group, rule())
        described = rule(IpRanges=[{"CidrIp": "203.0.113.7/32", "Description": "other words"}])
        for wanted in ([rule(port=80), described], [rule(port=80), rule(port=80)]):
            self.refused(
                "InvalidPermission.Duplicate",
                self.ec2.authorize_security_group_ingress,
                GroupId=group,
                IpPermissions=wanted,
            )
        self.assertEqual([one["FromPort"] for one in self.show(group)["IpPermissions"]], [22])

    def test_a_rule_that_is_not_there_cannot_be_revoked(self):
        group = self.group()
        self.allow(group, rule())
        revoke = self.ec2.revoke_security_group_ingress
        self.refused("InvalidPermission.NotFound", revoke, GroupId=group, IpPermissions=[rule(), rule(port=23)])
        revoke(GroupId=group, IpPermissions=[rule()])
        self.assertEqual(self.show(group)["IpPermissions"], [])

    def test_a_rule_can_be_revoked_by_its_id(self):
        group = self.group()
        (made,) = self.allow(group, rule())["SecurityGroupRules"]
        of_group = [{"Name": "group-id", "Values": [group]}]
        found = self.ec2.describe_security_group_rules(Filters=of_group)["SecurityGroupRules"]
        inward = [one["SecurityGroupRuleId"] for one in found if not one["IsEgress"]]
        self.assertEqual(inward, [made["SecurityGroupRuleId"]])
        self.ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[made["SecurityGroupRuleId"]])
        self.assertEqual(self.show(group)["IpPermissions"], [])

    def test_what_goes_out_can_be_taken_away(self):
        group = self.group()
        everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        self.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything)
        self.assertEqual(self.show(group)["IpPermissionsEgress"], [])
        self.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[rule(port=443)])
        self.assertEqual([one["FromPort"] for one in self.show(group)["IpPermissionsEgress"]], [443])

    def test_a_rule_that_makes_no_sense_is_refused(self):
        group = self.group()
        cases = [
            ("InvalidParameterValue", rule("somewhere")),
            ("InvalidParameterValue", rule("203.0.113.7")),
            ("InvalidParameterValue", rule(port=70000)),
            ("InvalidParameterValue", {**rule(), "IpProtocol": "smoke"}),
            ("InvalidGroup.NotFound", {**rule(), "UserIdGroupPairs": [{"GroupId": "sg-00000000000000000"}]}),
        ]
        for code, wrong in cases:
            with self.subTest(wrong=wrong):
                call = self.ec2.authorize_security_group_ingress
                self.refused(code, call, GroupId=group, IpPermissions=[wrong])

    def test_sixty_rules_are_the_most(self):
        group = self.group()
        self.allow(group, *[rule(port=port) for port in range(1, 61)])
        call = self.ec2.authorize_security_group_ingress
        self.refused("RulesPerSecurityGroupLimitExceeded", call, GroupId=group, IpPermissions=[rule(port=61)])

    def test_a_group_stays_while_an_instance_is_not_terminated(self):
        self.double.settings(shutting_down=600)
        group = self.group()
        instance = self.run_one(SecurityGroupIds=[group])["InstanceId"]
        delete = self.ec2.delete_security_group
        self.refused("DependencyViolation", delete, GroupId=group)
        self.ec2.stop_instances(InstanceIds=[instance])
        self.refused("DependencyViolation", delete, GroupId=group)
        self.ec2.terminate_instances(InstanceIds=[instance])
        self.refused("DependencyViolation", delete, GroupId=group)
        self.double.settings(shutting_down=0)
        delete(GroupId=group)

    def test_a_group_stays_while_another_s_rule_names_it(self):
        group, other = self.group(), self.group("monitoring")
        named = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": other}]}
        self.allow(group, named)
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=other)
        self.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[named])
        self.ec2.delete_security_group(GroupId=other)

    def test_its_own_rules_do_not_keep_it(self):
        group = self.group()
        self.allow(group, {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]})
        self.ec2.delete_security_group(GroupId=group)

    def test_a_default_group_cannot_be_deleted(self):
        (default,) = self.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])[
            "SecurityGroups"
        ]
        self.refused("CannotDelete", self.ec2.delete_security_group, GroupId=default["GroupId"])

    def test_one_that_is_gone_is_not_found(self):
        group = self.group()
        self.ec2.delete_security_group(GroupId=group)
        self.refused("InvalidGroup.NotFound", self.ec2.delete_security_group, GroupId=group)
        self.refused("InvalidGroup.NotFound", self.ec2.describe_security_groups, GroupIds=[group])
        self.refused("InvalidGroup.NotFound", self.ec2.describe_security_groups, GroupNames=["app"])
