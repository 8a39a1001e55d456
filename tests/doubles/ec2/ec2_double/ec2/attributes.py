"""What can be changed of an instance, and when."""

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models.instance_types import INSTANCE_TYPES

from ..refusal import Refused
from .own import Own

SHOWN = {
    "disableApiStop": ("DisableApiStop", "disable_api_stop"),
    "disableApiTermination": ("DisableApiTermination", "disable_api_termination"),
    "ebsOptimized": ("EbsOptimized", "ebs_optimized"),
    "instanceInitiatedShutdownBehavior": (
        "InstanceInitiatedShutdownBehavior",
        "instance_initiated_shutdown_behavior",
    ),
    "instanceType": ("InstanceType", "instance_type"),
    "rootDeviceName": ("RootDeviceName", "root_device_name"),
    "sourceDestCheck": ("SourceDestCheck", "source_dest_check"),
    "userData": ("UserData", "user_data"),
}
# These can only be changed while the instance is stopped.
AT_REST = ("InstanceType", "UserData", "EbsOptimized")


class Attributes(Own):
    def describe_instance_attribute(self):
        instance, attribute = self.instance(self.needed("InstanceId")), self.needed("Attribute")
        if attribute == "groupSet":
            groups = [{"GroupId": group.id} for group in instance.security_groups]
            return ActionResult({"InstanceId": instance.id, "Groups": groups})
        if attribute not in SHOWN:
            raise Refused(
                "InvalidParameterValue",
                f"Value ({attribute}) for parameter attribute is invalid. Unknown attribute.",
            )
        name, held_in = SHOWN[attribute]
        return ActionResult({"InstanceId": instance.id, name: {"Value": getattr(instance, held_in)}})

    def modify_instance_attribute(self):
        instance = self.instance(self.needed("InstanceId"))
        groups = self.find(self.groups(), self.wanted("Groups", []), "sg")
        values = self._values()
        for name, value in values.items():
            self._check_change(instance, name, value)
        self.error_on_dryrun()
        for name, value in values.items():
            held_in = next(held_in for shown, held_in in SHOWN.values() if shown == name)
            setattr(instance, held_in, value)
        if groups:
            instance.security_groups = groups
            instance.nics[0]._group_set = groups
        for mapping in self.wanted("BlockDeviceMappings", []):
            self._keep_disk(instance, mapping)
        return EmptyResult()

    def _values(self):
        values = {name: self.wanted(f"{name}.Value") for name, _ in SHOWN.values()}
        attribute = self.wanted("Attribute")
        if attribute in SHOWN:
            values[SHOWN[attribute][0]] = self.wanted("Value")
        return {name: as_boolean(value) for name, value in values.items() if value is not None}

    @staticmethod
    def _check_change(instance, name, value):
        if name in AT_REST and instance.state != "stopped":
            raise Refused("IncorrectInstanceState", f"The instance '{instance.id}' is not in the 'stopped' state.")
        if name != "InstanceType":
            return
        if value not in INSTANCE_TYPES:
            raise Refused("InvalidInstanceAttributeValue", f"Invalid value '{value}' for instance attribute.")
        if instance.architecture not in INSTANCE_TYPES[value]["ProcessorInfo"]["SupportedArchitectures"]:
            message = f"The instance type '{value}' does not fit the architecture '{instance.architecture}'."
            raise Refused("InvalidParameterValue", message)

    def _keep_disk(self, instance, mapping):
        wanted = mapping.get("Ebs", {}).get("DeleteOnTermination")
        disk = instance.block_device_mapping.get(mapping.get("DeviceName"))
        if disk is None:
            message = f"No device is currently mapped at {mapping.get('DeviceName')}"
            raise Refused("InvalidInstanceAttributeValue", message)
        if wanted is not None:
            disk.delete_on_termination = wanted
            self.ec2_backend.volumes[disk.volume_id].attachment.delete_on_termination = wanted

    def modify_instance_metadata_options(self):
        instance = self.instance(self.needed("InstanceId"))
        self.error_on_dryrun()
        options = instance.metadata_options
        for name, held_in in (
            ("HttpTokens", "http_tokens"),
            ("HttpEndpoint", "http_endpoint"),
            ("HttpProtocolIpv6", "http_protocol_ipv6"),
            ("InstanceMetadataTags", "instance_metadata_tags"),
            ("HttpPutResponseHopLimit", "http_put_response_hop_limit"),
        ):
            if self.wanted(name) is not None:
                setattr(options, held_in, self.wanted(name))
        return ActionResult({"InstanceId": instance.id, "InstanceMetadataOptions": options})


def as_boolean(value):
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
