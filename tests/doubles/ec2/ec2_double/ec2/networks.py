"""VPCs and subnets, with EC2's filters."""

from moto.core.responses import ActionResult

from .own import Own

VPC_FILTERS = {
    "cidr": lambda one: one.cidr_block,
    "is-default": lambda one: one.is_default,
    "isDefault": lambda one: one.is_default,
    "owner-id": lambda one: one.ec2_backend.account_id,
    "state": lambda one: one.state,
    "vpc-id": lambda one: one.id,
}
SUBNET_FILTERS = {
    "availability-zone": lambda one: one.availability_zone,
    "availabilityZone": lambda one: one.availability_zone,
    "cidr-block": lambda one: one.cidr_block,
    "default-for-az": lambda one: one.default_for_az,
    "defaultForAz": lambda one: one.default_for_az,
    "map-public-ip-on-launch": lambda one: one.map_public_ip_on_launch,
    "state": lambda one: one.state,
    "subnet-id": lambda one: one.id,
    "vpc-id": lambda one: one.vpc_id,
}


class Networks(Own):
    def describe_vpcs(self):
        vpcs = self.ec2_backend.vpcs.values()
        return ActionResult({"Vpcs": self.select(vpcs, self.wanted("VpcIds", []), "vpc", VPC_FILTERS)})

    def describe_subnets(self):
        wanted = self.wanted("SubnetIds", [])
        return ActionResult({"Subnets": self.select(self.subnets(), wanted, "subnet", SUBNET_FILTERS)})
