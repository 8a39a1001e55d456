"""Instances that exist: DescribeInstances and its like, start, stop, terminate."""

import copy
import time

from moto.core.responses import ActionResult, EmptyResult

from ..refusal import Refused
from .own import Own

FILTERS = {
    "architecture": lambda one: one.architecture,
    "availability-zone": lambda one: one.availability_zone,
    "block-device-mapping.volume-id": lambda one: [disk.volume_id for disk in one.block_device_mapping.values()],
    "client-token": lambda one: one.client_token,
    "group-id": lambda one: [group.id for group in one.security_groups],
    "group-name": lambda one: [group.name for group in one.security_groups],
    "iam-instance-profile.arn": lambda one: (one.iam_instance_profile or {}).get("Arn"),
    "image-id": lambda one: one.image_id,
    "instance-id": lambda one: one.id,
    "instance-state-code": lambda one: one.state_code,
    "instance-state-name": lambda one: one.state,
    "instance-type": lambda one: one.instance_type,
    "instance.group-id": lambda one: [group.id for group in one.security_groups],
    "instance.group-name": lambda one: [group.name for group in one.security_groups],
    "ip-address": lambda one: one.public_ip,
    "key-name": lambda one: one.key_name,
    "metadata-options.http-tokens": lambda one: one.metadata_options.http_tokens,
    "monitoring-state": lambda one: one.monitoring_state,
    "network-interface.group-id": lambda one: [group.id for nic in one.nics.values() for group in nic.group_set],
    "network-interface.network-interface-id": lambda one: [nic.id for nic in one.nics.values()],
    "network-interface.subnet-id": lambda one: [nic.subnet_id for nic in one.nics.values()],
    "network-interface.vpc-id": lambda one: [nic.vpc_id for nic in one.nics.values()],
    "owner-id": lambda one: one.owner_id,
    "private-dns-name": lambda one: one.private_dns_name,
    "private-ip-address": lambda one: one.private_ip,
    "root-device-name": lambda one: one.root_device_name,
    "subnet-id": lambda one: one.subnet_id,
    "tenancy": lambda one: one.placement.tenancy,
    "vpc-id": lambda one: one.vpc_id,
}
STATUS_FILTERS = {name: FILTERS[name] for name in ("availability-zone", "instance-state-code", "instance-state-name")}


class Instances(Own):
    def describe_instances(self):
        wanted = self.wanted("InstanceIds", [])
        if wanted and self.wanted("MaxResults"):
            raise Refused(
                "InvalidParameterCombination",
                "The parameter instancesSet cannot be used with the parameter maxResults",
            )
        found = set(map(id, self.select(self.instances(), wanted, "i", FILTERS)))
        reservations = []
        for reservation in map(copy.copy, self.ec2_backend.reservations.values()):
            reservation.instances = [one for one in reservation.instances if id(one) in found]
            if self.world.settings.stale_states:
                at = time.monotonic() - self.world.settings.stale_states
                reservation.instances = [one.as_seen(at) for one in reservation.instances]
            if reservation.instances:
                reservations.append(reservation)
        return ActionResult({"Reservations": reservations})

    def describe_instance_status(self):
        found = self.select(self.instances(), self.wanted("InstanceIds", []), "i", STATUS_FILTERS)
        if not self.wanted("IncludeAllInstances"):
            found = [one for one in found if one.state == "running"]
        return ActionResult({"InstanceStatuses": found})

    def start_instances(self):
        found = self._all_in("StartInstances", ("stopped", "pending", "running"))
        return self._changing("StartingInstances", found, ("stopped",), self._start)

    def stop_instances(self):
        found = self._all_in("StopInstances", ("pending", "running", "stopping", "stopped"))
        for instance in found:
            if instance.disable_api_stop:
                raise Refused(
                    "OperationNotPermitted",
                    f"The instance '{instance.id}' may not be stopped. Modify its 'disableApiStop' instance attribute "
                    "and try again.",
                )
        return self._changing("StoppingInstances", found, ("pending", "running"), self._stop)

    def terminate_instances(self):
        found = self._all_in("TerminateInstances", None)
        for instance in found:
            if instance.disable_api_termination:
                raise Refused(
                    "OperationNotPermitted",
                    f"The instance '{instance.id}' may not be terminated. Modify its 'disableApiTermination' instance "
                    "attribute and try again.",
                )
        alive = ("pending", "running", "stopping", "stopped")
        return self._changing("TerminatingInstances", found, alive, self._terminate)

    def reboot_instances(self):
        self._all_in("RebootInstances", ("running",))
        self.error_on_dryrun()
        return EmptyResult()

    def _all_in(self, action, states):
        found = self.find(self.instances(), self.needed("InstanceIds"), "i")
        for instance in found:
            if states is not None and instance.state not in states:
                verb = action.removesuffix("Instances").lower()
                raise Refused(
                    "IncorrectInstanceState",
                    f"The instance '{instance.id}' is not in a state from which it can be "
                    f"{'stopped' if verb == 'stop' else verb + 'ed'}.",
                )
        return found

    def _changing(self, name, instances, states, act):
        self.error_on_dryrun()
        result = []
        for instance in instances:
            before = {"Code": instance.state_code, "Name": instance.state}
            if instance.state in states:
                act(instance)
            now = {"Code": instance.state_code, "Name": instance.state}
            result.append({"InstanceId": instance.id, "PreviousState": before, "CurrentState": now})
        return ActionResult({name: result})

    def _start(self, instance):
        instance.claim_public_address()
        self.world.lives.begin(instance, "pending")
        if instance.machine is not None:
            instance.machine.show_address(instance.nics[0])
            instance.machine.start()

    def _stop(self, instance):
        self.world.lives.begin(instance, "stopping")
        if instance.machine is not None:
            instance.machine.stop()

    def _terminate(self, instance):
        self.world.lives.begin(instance, "shutting-down")
        if instance.machine is not None:
            instance.machine.remove()
