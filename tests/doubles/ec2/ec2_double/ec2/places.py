"""Where RunInstances puts an instance: zone, subnet, security groups, addresses."""

import dataclasses
import ipaddress

from ..refusal import Refused
from . import capacity
from .own import Own


@dataclasses.dataclass
class Place:
    """Where an instance goes: its interface's subnet and groups."""

    subnet: object
    groups: list
    public: bool
    private_ip: str | None
    description: str | None
    delete_on_termination: bool


class Places(Own):
    def place(self, kind):
        """The requested place; refused if it does not exist."""
        interfaces = self.wanted("NetworkInterfaces", [])
        if interfaces and (self.wanted("SubnetId") or self.wanted("SecurityGroupIds")):
            raise Refused(
                "InvalidParameterCombination",
                "Network interfaces and an instance-level subnet ID or security groups may not be specified on the "
                "same request",
            )
        first = interfaces[0] if interfaces else {}
        subnet = self._subnet(first.get("SubnetId") or self.wanted("SubnetId"), kind)
        private_ip = first.get("PrivateIpAddress") or self.wanted("PrivateIpAddress")
        self._check_address(private_ip, subnet)
        groups = self._groups(first.get("Groups") or self.wanted("SecurityGroupIds", []), subnet)
        public = first.get("AssociatePublicIpAddress")
        return Place(
            subnet=subnet,
            groups=groups,
            public=subnet.map_public_ip_on_launch in (True, "true") if public is None else public,
            private_ip=private_ip,
            description=first.get("Description"),
            delete_on_termination=first.get("DeleteOnTermination") is not False,
        )

    def _subnet(self, wanted, kind):
        zone = self.wanted("Placement.AvailabilityZone")
        zones = [one.name for one in self.ec2_backend.describe_availability_zones()]
        if zone and zone not in zones:
            raise Refused("InvalidParameterValue", f"Invalid availability zone: [{zone}]")
        if wanted:
            subnet = self.find(self.subnets(), [wanted], "subnet")[0]
            if zone and zone != subnet.availability_zone:
                message = f"The zone '{zone}' is not that of the subnet '{wanted}'."
                raise Refused("InvalidParameterValue", message)
            return subnet
        defaults = self.ec2_backend.get_default_subnets()
        if self.ec2_backend.get_default_vpc() is None or not defaults:
            raise Refused(
                "VPCIdNotSpecified",
                "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.",
            )
        return defaults[zone or capacity.some_zone(self.world, self.ec2_backend, sorted(defaults), kind)]

    @staticmethod
    def check_room(subnet, count):
        """Refused where the subnet has not so many free addresses; one of IPv6 only gives none of IPv4."""
        if not subnet.ipv6_native and subnet.available_ip_address_count < count:
            message = f"There are not enough free addresses in subnet '{subnet.id}' to satisfy the requested number of instances."
            raise Refused("InsufficientFreeAddressesInSubnet", message)

    def _check_address(self, wanted, subnet):
        if wanted is None:
            return
        try:
            fits = ipaddress.ip_address(wanted) in subnet.cidr
        except ValueError as error:
            raise Refused("InvalidParameterValue", f"invalid value for parameter address: {wanted}") from error
        if not fits:
            raise Refused("InvalidParameterValue", f"Address {wanted} does not fall within the subnet's address range")
        if any(interface.private_ip_address == wanted for interface in self.ec2_backend.enis.values()):
            raise Refused("InvalidIPAddress.InUse", f"Address {wanted} is in use.")

    def _groups(self, wanted, subnet):
        by_name = {group.name: group.id for group in self.groups() if group.vpc_id == subnet.vpc_id}
        for name in self.wanted("SecurityGroups", []):
            if name not in by_name:
                raise Refused(
                    "InvalidGroup.NotFound",
                    f"The security group '{name}' does not exist in VPC '{subnet.vpc_id}'",
                )
            wanted = [*wanted, by_name[name]]
        groups = self.find(self.groups(), wanted, "sg")
        for group in groups:
            if group.vpc_id != subnet.vpc_id:
                message = f"Security group {group.id} and subnet {subnet.id} belong to different networks."
                raise Refused("InvalidParameter", message)
        return groups or [self.ec2_backend.get_default_security_group(subnet.vpc_id)]
