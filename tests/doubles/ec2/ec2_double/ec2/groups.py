"""Security groups: what is in use stays, what is there twice is refused."""

from moto.core.responses import ActionResult

from ..refusal import Refused
from . import rules
from .own import Own

MOST_RULES = 60

FILTERS = {
    "description": lambda one: one.description,
    "group-id": lambda one: one.id,
    "group-name": lambda one: one.name,
    "owner-id": lambda one: one.owner_id,
    "vpc-id": lambda one: one.vpc_id,
    "ip-permission.cidr": lambda one: [rule.cidr_ipv4 for rule in one.ingress_rules],
    "ip-permission.from-port": lambda one: [rule.from_port for rule in one.ingress_rules],
    "ip-permission.group-id": lambda one: [rule.source_group.get("GroupId") for rule in one.ingress_rules],
    "ip-permission.protocol": lambda one: [rule.ip_protocol for rule in one.ingress_rules],
    "ip-permission.to-port": lambda one: [rule.to_port for rule in one.ingress_rules],
    "egress.ip-permission.cidr": lambda one: [rule.cidr_ipv4 for rule in one.egress_rules],
    "egress.ip-permission.group-id": lambda one: [rule.source_group.get("GroupId") for rule in one.egress_rules],
}
RULE_FILTERS = {
    "group-id": lambda one: one.group_id,
    "security-group-rule-id": lambda one: one.id,
}


class Groups(Own):
    def create_security_group(self):
        name, description = self.needed("GroupName"), self.needed("Description")
        vpc = self._vpc(self.wanted("VpcId"))
        tags = self.tags_for("security-group")["security-group"]
        if name.startswith("sg-"):
            message = f"Value ({name}) for parameter GroupName is invalid. Group names may not be in the format sg-*"
            raise Refused("InvalidParameterValue", message)
        if any(group.name == name and group.vpc_id == vpc.id for group in self.groups()):
            message = f"The security group '{name}' already exists for VPC '{vpc.id}'"
            raise Refused("InvalidGroup.Duplicate", message)
        self.error_on_dryrun()
        group = self.ec2_backend.create_security_group(name, description, vpc_id=vpc.id, tags=tags, force=True)
        self.world.born(group)
        shown = [{"Key": key, "Value": value} for key, value in tags.items()]
        return ActionResult({"GroupId": group.id, "SecurityGroupArn": group.arn, "Tags": shown})

    def _vpc(self, wanted):
        if wanted:
            return self.find(self.ec2_backend.vpcs.values(), [wanted], "vpc")[0]
        default = self.ec2_backend.get_default_vpc()
        if default is None:
            raise Refused("VPCIdNotSpecified", "No default VPC for this user")
        return default

    def describe_security_groups(self):
        names = self.wanted("GroupNames", [])
        found = self.select(self.groups(), self.wanted("GroupIds", []), "sg", FILTERS)
        for name in names:
            if not any(group.name == name for group in found):
                raise Refused("InvalidGroup.NotFound", f"The security group '{name}' does not exist")
        return ActionResult({"SecurityGroups": [one for one in found if not names or one.name in names]})

    def describe_security_group_rules(self):
        rules = [rule for group in self.groups() for rule in group.ingress_rules + group.egress_rules]
        return ActionResult({"SecurityGroupRules": self.select(rules, [], "sg", RULE_FILTERS)})

    def delete_security_group(self):
        group = self._named()
        if group.is_default:
            message = f'the specified group: "{group.id}" name: "default" cannot be deleted by a user'
            raise Refused("CannotDelete", message)
        if self._is_used(group):
            raise Refused("DependencyViolation", f"resource {group.id} has a dependent object")
        self.error_on_dryrun()
        del self.ec2_backend.groups[group.vpc_id][group.id]
        self.ec2_backend.tags.pop(group.id, None)
        return ActionResult({"Return": True, "GroupId": group.id})

    def _named(self):
        wanted, name = self.wanted("GroupId"), self.wanted("GroupName")
        if wanted:
            return self.group(wanted)
        if not name:
            raise Refused("MissingParameter", "The request must contain the parameter GroupName or GroupId")
        default = self.ec2_backend.get_default_vpc()
        for group in self.groups():
            if group.name == name and default is not None and group.vpc_id == default.id:
                return group
        raise Refused("InvalidGroup.NotFound", f"The security group '{name}' does not exist")

    def _is_used(self, group):
        """By an interface, or by a rule of another group."""
        interfaces = self.ec2_backend.enis.values()
        others = [one for one in self.groups() if one is not group]
        return any(group in interface.group_set for interface in interfaces) or any(
            rule.source_group.get("GroupId") == group.id
            for other in others
            for rule in other.ingress_rules + other.egress_rules
        )

    def authorize_security_group_ingress(self):
        return self._authorize("ingress_rules")

    def authorize_security_group_egress(self):
        return self._authorize("egress_rules")

    def revoke_security_group_ingress(self):
        return self._revoke("ingress_rules")

    def revoke_security_group_egress(self):
        return self._revoke("egress_rules")

    def _authorize(self, direction):
        """All rules of a call or none."""
        group, tags = self._named(), self.tags_for("security-group-rule")["security-group-rule"]
        wanted = rules.wanted(self, group, direction)
        there = getattr(group, direction)
        taken = set(map(rules.key, there))
        for rule in wanted:
            if rules.key(rule) in taken:
                message = f'the specified rule "{rules.described(rule)}" already exists'
                raise Refused("InvalidPermission.Duplicate", message)
            taken.add(rules.key(rule))
        if len(there) + len(wanted) > MOST_RULES:
            message = "The maximum number of rules per security group has been reached."
            raise Refused("RulesPerSecurityGroupLimitExceeded", message)
        self.error_on_dryrun()
        for rule in wanted:
            there.append(rule)
            rule.add_tags(tags)
        return ActionResult({"Return": True, "SecurityGroupRules": wanted})

    def _revoke(self, direction):
        group = self._named()
        there, by_id = getattr(group, direction), self.wanted("SecurityGroupRuleIds", [])
        known = {rule.id: rule for rule in there}
        for one in by_id:
            if one not in known:
                raise Refused(
                    "InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{one}' does not exist"
                )
        wanted = {rules.key(rule) for rule in [known[one] for one in by_id] or rules.wanted(self, group, direction)}
        if not wanted <= set(map(rules.key, there)):
            message = "The specified rule does not exist in this security group."
            raise Refused("InvalidPermission.NotFound", message)
        self.error_on_dryrun()
        there[:] = [rule for rule in there if rules.key(rule) not in wanted]
        return ActionResult({"Return": True})
