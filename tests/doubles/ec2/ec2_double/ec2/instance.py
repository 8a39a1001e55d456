"""An instance of moto whose state is set from outside, and which is dismantled when it terminates."""

import copy
import functools
import time

from moto.core.utils import utcnow
from moto.ec2.models.instances import Instance, InstanceState, StateReason


class TimedInstance(Instance):
    machine = None
    """The real machine behind it, where there is one."""
    has_run = False
    kms_keys = ()
    """The keys of its disks; None stands for the account's own."""
    cpu_credits = None
    """`standard` or `unlimited`, of types that have credits."""

    @property
    def instance_id(self):
        return self.id

    @functools.cached_property
    def history(self):
        """When it came into which state, and why; the first is the one that it begins in."""
        return []

    def as_seen(self, at):
        """As it was at that moment, which is what answers that lag behind show; never as it was before it existed."""
        seen = next((one for one in reversed(self.history) if one[0] <= at), self.history[0])
        shown = copy.copy(self)
        _, shown._state, shown._reason, shown.state_reason = seen
        return shown

    def become(self, state, code):
        self._become(state, code)
        self.history.append((time.monotonic(), self._state, self._reason, self.state_reason))

    def _become(self, state, code):
        self._state = InstanceState(state, code)
        if state in ("pending", "running"):
            self._reason, self.state_reason = "", None
        elif state in ("stopping", "shutting-down"):
            self._reason = f"User initiated ({utcnow():%Y-%m-%d %H:%M:%S} GMT)"
            self.explain("Client.UserInitiatedShutdown", "User initiated shutdown")

    def explain(self, code, message):
        """Says why it stops, as EC2 shows it afterwards."""
        self.state_reason = StateReason(f"{code}: {message}", code)
        if self.history:
            self.history[-1] = (*self.history[-1][:3], self.state_reason)

    def release_public_address(self):
        """An address that came by itself is lost with the stop; an Elastic IP stays."""
        elastic = [address.eni for address in self.ec2_backend.addresses]
        for interface in self.nics.values():
            if interface not in elastic:
                interface.stop()

    def claim_public_address(self):
        for interface in self.nics.values():
            if interface.public_ip is None:
                interface.start()

    def fall_apart(self):
        """What goes with a terminated instance: interfaces, disks, addresses, groups. Its tags stay."""
        backend = self.ec2_backend
        for address in backend.addresses:
            if address.instance is self:
                free(backend, address)
        for interface in list(self.nics.values()):
            if interface.delete_on_termination:
                interface.delete()
            else:
                self.detach_eni(interface)
        self.teardown_defaults()
        self.nics, self.security_groups, self._subnet_id = {}, [], None
        backend.iam_instance_profile_associations.pop(self.id, None)

    def forget(self):
        """After its hour nothing is left of it."""
        backend = self.ec2_backend
        for number, reservation in list(backend.reservations.items()):
            reservation.instances = [one for one in reservation.instances if one is not self]
            if not reservation.instances:
                del backend.reservations[number]
        backend.tags.pop(self.id, None)

    @property
    def private_ip(self):
        return self.nics[0].private_ip_address if 0 in self.nics else None

    private_ip_address = private_ip

    @property
    def public_ip(self):
        return self.nics[0].public_ip if 0 in self.nics else None

    public_ip_address = public_ip

    @property
    def private_dns_name(self):
        return f"ip-{self.private_ip.replace('.', '-')}.{self.region_name}.compute.internal" if self.private_ip else ""

    @property
    def enclave_options(self):
        return None


def free(backend, address):
    """Takes an Elastic IP from whatever has it. One that stood for a machine's address is itself again."""
    backend.disassociate_address(association_id=address.association_id)
    address.public_ip = getattr(address, "allocated_ip", address.public_ip)
