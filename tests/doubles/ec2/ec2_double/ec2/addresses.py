"""Elastic IP addresses: one that is associated cannot be released."""

from moto.core.responses import ActionResult, EmptyResult

from ..refusal import Refused
from .instance import free
from .own import Own

FILTERS = {
    "allocation-id": lambda one: one.allocation_id,
    "association-id": lambda one: one.association_id,
    "domain": lambda one: one.domain,
    "instance-id": lambda one: one.instance_id or None,
    "network-interface-id": lambda one: one.network_interface_id or None,
    "private-ip-address": lambda one: one.private_ip_address,
    "public-ip": lambda one: one.public_ip,
}


class Addresses(Own):
    def address(self, wanted):
        return self.find(self.ec2_backend.addresses, [wanted], "eipalloc")[0]

    def allocate_address(self):
        tags = self.tags_for("elastic-ip")["elastic-ip"]
        self.error_on_dryrun()
        address = self.world.born(self.ec2_backend.allocate_address("vpc", tags=tags))
        shown = {"PublicIp": address.public_ip, "AllocationId": address.allocation_id, "Domain": "vpc"}
        return ActionResult({**shown, "NetworkBorderGroup": self.region, "PublicIpv4Pool": "amazon"})

    def describe_addresses(self):
        addresses = self.ec2_backend.addresses
        found = self.select(addresses, self.wanted("AllocationIds", []), "eipalloc", FILTERS)
        wanted = self.wanted("PublicIps", [])
        for one in wanted:
            if not any(address.public_ip == one for address in found):
                raise Refused("InvalidAddress.NotFound", f"Address '{one}' not found.")
        return ActionResult({"Addresses": [one for one in found if not wanted or one.public_ip in wanted]})

    def associate_address(self):
        address = self.address(self.needed("AllocationId"))
        instance = self.instance(self.needed("InstanceId"))
        if instance.state not in ("running", "stopping", "stopped"):
            message = f"The {instance.state} instance '{instance.id}' is not in a valid state for this operation."
            raise Refused("InvalidInstanceID", message)
        if address.instance not in (None, instance) and not self.wanted("AllowReassociation", True):
            message = f"resource {address.allocation_id} is already associated with associate-id "
            raise Refused("Resource.AlreadyAssociated", f"{message}{address.association_id}")
        self.error_on_dryrun()
        if address.instance is not instance:
            self._free(address)
            if instance.machine is not None:
                # Nothing else can be reached here than the machine's own address.
                address.allocated_ip, address.public_ip = address.public_ip, instance.machine.address
            self.ec2_backend.associate_address(instance=instance, allocation_id=address.allocation_id)
        return ActionResult({"AssociationId": address.association_id})

    def disassociate_address(self):
        wanted = self.needed("AssociationId")
        for address in self.ec2_backend.addresses:
            if address.association_id == wanted:
                self.error_on_dryrun()
                self._free(address)
                return EmptyResult()
        raise Refused("InvalidAssociationID.NotFound", f"The association ID '{wanted}' does not exist")

    def _free(self, address):
        if address.association_id is None:
            return
        instance = address.instance
        free(self.ec2_backend, address)
        if instance.machine is not None:
            instance.machine.show_address(instance.nics[0])

    def release_address(self):
        address = self.address(self.needed("AllocationId"))
        if address.association_id is not None:
            raise Refused("InvalidIPAddress.InUse", f"Address {address.public_ip} is in use.")
        self.error_on_dryrun()
        self.ec2_backend.addresses.remove(address)
        self.ec2_backend.tags.pop(address.id, None)
        return EmptyResult()
