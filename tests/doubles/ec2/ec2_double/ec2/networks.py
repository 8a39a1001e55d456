"""VPCs and subnets, with EC2's filters."""

import re

from moto.core.responses import ActionResult
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend, Zone
from moto.ec2.responses.subnets import Subnets

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
    def create_subnet(self):
        """As EC2 makes them: never a default one, and also in a local zone, whose name is the region's with its city."""
        zone = self.wanted("AvailabilityZone")
        if zone and re.fullmatch(rf"{self.region}-[a-z]+-[0-9][a-z]", zone):
            known = RegionsAndZonesBackend.zones[self.region]
            if all(one.name != zone for one in known):
                known.append(Zone(region_name=self.region, name=zone, zone_id=zone, zone_type="local-zone"))
        result = Subnets.create_subnet(self)
        subnet = result.result["Subnet"]
        subnet.default_for_az = subnet.map_public_ip_on_launch = False
        if subnet.ipv6_native:
            # EC2 counts addresses of IPv4 only.
            subnet._available_ip_addresses = 0
        return result

    def describe_vpcs(self):
        vpcs = self.ec2_backend.vpcs.values()
        return ActionResult({"Vpcs": self.select(vpcs, self.wanted("VpcIds", []), "vpc", VPC_FILTERS)})

    def describe_subnets(self):
        wanted = self.wanted("SubnetIds", [])
        return ActionResult({"Subnets": self.select(self.subnets(), wanted, "subnet", SUBNET_FILTERS)})
