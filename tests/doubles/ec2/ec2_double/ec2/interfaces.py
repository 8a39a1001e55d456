"""Network interfaces."""

from moto.core.responses import ActionResult, EmptyResult

from ..refusal import Refused
from .own import Own

FILTERS = {
    "attachment.instance-id": lambda one: one.instance.id if one.instance else None,
    "attachment.status": lambda one: "attached" if one.instance else "detached",
    "availability-zone": lambda one: one.availability_zone,
    "description": lambda one: one.description,
    "group-id": lambda one: [group.id for group in one.group_set],
    "group-name": lambda one: [group.name for group in one.group_set],
    "interface-type": lambda one: one.interface_type,
    "network-interface-id": lambda one: one.id,
    "owner-id": lambda one: one.owner_id,
    "private-ip-address": lambda one: one.private_ip_address,
    "status": lambda one: one.status,
    "subnet-id": lambda one: one.subnet_id,
    "vpc-id": lambda one: one.vpc_id,
}


class Interfaces(Own):
    def describe_network_interfaces(self):
        wanted = self.wanted("NetworkInterfaceIds", [])
        found = self.select(self.ec2_backend.enis.values(), wanted, "eni", FILTERS)
        return ActionResult({"NetworkInterfaces": found})

    def delete_network_interface(self):
        interface = self.find(self.ec2_backend.enis.values(), [self.needed("NetworkInterfaceId")], "eni")[0]
        if interface.instance is not None:
            message = f"Network interface '{interface.id}' is currently in use."
            raise Refused("InvalidNetworkInterface.InUse", message)
        self.error_on_dryrun()
        interface.delete()
        self.ec2_backend.tags.pop(interface.id, None)
        return EmptyResult()
