"""RunInstances: everything it refuses, its client token, its tags, and what comes into being with an instance."""

import base64
import binascii
import dataclasses
import ipaddress

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Reservation
from moto.ec2.utils import random_reservation_id

from ..refusal import Refused
from . import capacity, disks
from .instance import TimedInstance
from .own import Own

USER_DATA_LIMIT = 16384


@dataclasses.dataclass
class Place:
    """Where an instance goes: its interface's subnet and groups."""

    subnet: object
    groups: list
    public: bool
    private_ip: str | None
    description: str | None
    delete_on_termination: bool


class Launch(Own):
    def run_instances(self):
        parameters = {name: value for name, value in self.call.form.items() if name not in ("ClientToken", "DryRun")}
        token = self.wanted("ClientToken")
        before = self.world.tokens.known(self.region, token, parameters)
        if before is not None:
            return ActionResult(before)
        make = self._checked_launch()
        self.error_on_dryrun()
        reservation = make()
        self.world.tokens.remember(self.region, token, parameters, reservation)
        return ActionResult(reservation)

    def _checked_launch(self):
        """Refuses what EC2 refuses; answers what then makes the instances."""
        count = int(self.needed("MaxCount"))
        image = self._image(self.needed("ImageId"))
        kind = self._type(self.wanted("InstanceType", "m1.small"), image)
        key = self._key(self.wanted("KeyName"))
        user_data = self._user_data(self.wanted("UserData"))
        profile = self._profile(self.wanted("IamInstanceProfile"))
        place = self._place(kind)
        disks_wanted = disks.merged(image, self.wanted("BlockDeviceMappings", []))
        tags = self.tags_for("instance", "volume", "network-interface")
        capacity.check_quota(self.world, kind, count)
        capacity.check_zone(self.world, self.ec2_backend, place.subnet.availability_zone, kind)

        def make():
            reservation = Reservation(random_reservation_id(), self.current_account)
            self.ec2_backend.reservations[reservation.id] = reservation
            for index in range(count):
                instance = self._instance(index, image, kind, key, user_data, profile, place)
                reservation.instances.append(instance)
                self._furnish(instance, place, disks_wanted, tags)
            return reservation

        return make

    def _image(self, wanted):
        return self.find(self.ec2_backend.amis.values(), [wanted], "ami")[0]

    def _type(self, kind, image):
        if kind not in INSTANCE_TYPES:
            raise Refused("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
        architectures = INSTANCE_TYPES[kind]["ProcessorInfo"]["SupportedArchitectures"]
        if image.architecture not in architectures:
            raise Refused(
                "InvalidParameterValue",
                f"The architecture '{','.join(architectures)}' of the specified instance type does not match the "
                f"architecture '{image.architecture}' of the specified AMI. Specify an instance type and an AMI that "
                "have matching architectures, and try again. You can use 'describe-instance-types' or "
                "'describe-images' to discover the architecture of the instance type or AMI.",
            )
        return kind

    def _key(self, name):
        known = name is None or name in self.ec2_backend.key_pairs
        if not known or (name and not self.world.is_visible(self.ec2_backend.key_pairs[name])):
            raise Refused("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")
        return name

    @staticmethod
    def _user_data(encoded):
        if encoded is None:
            return None
        try:
            content = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refused("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.") from error
        if len(content) > USER_DATA_LIMIT:
            raise Refused("InvalidParameterValue", f"User data is limited to {USER_DATA_LIMIT} bytes")
        return Base64EncodedString(encoded)

    def _profile(self, wanted):
        if not wanted:
            return None
        part, value = ("arn", wanted["Arn"]) if "Arn" in wanted else ("name", wanted.get("Name"))
        for profile in self.world.principals.iam.instance_profiles.values():
            if value in (profile.arn, profile.name):
                return {"Arn": profile.arn, "Id": profile.id}
        raise Refused(
            "InvalidParameterValue",
            f"Value ({value}) for parameter iamInstanceProfile.{part} is invalid. "
            f"Invalid IAM Instance Profile {'ARN' if part == 'arn' else 'name'}",
        )

    def _place(self, kind):
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

    def _check_address(self, wanted, subnet):
        if wanted is None:
            return
        if ipaddress.ip_address(wanted) not in subnet.cidr:
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

    def _instance(self, index, image, kind, key, user_data, profile, place):
        interface = {
            "DeviceIndex": 0,
            "SubnetId": place.subnet.id,
            "AssociatePublicIpAddress": place.public,
            "DeleteOnTermination": place.delete_on_termination,
        }
        machine = self.world.machines.reserve() if self.world.machines is not None else None
        instance = TimedInstance(
            self.ec2_backend,
            image.id,
            user_data,
            place.groups,
            nics=[interface],
            private_ip=place.private_ip,
            instance_type=kind,
            region_name=self.region,
            key_name=key,
            ami_launch_index=index,
            ebs_optimized=self.wanted("EbsOptimized", False),
            disable_api_termination=self.wanted("DisableApiTermination", False),
            disable_api_stop=self.wanted("DisableApiStop", False),
            instance_initiated_shutdown_behavior=self.wanted("InstanceInitiatedShutdownBehavior"),
            iam_instance_profile=profile,
            monitoring_state="enabled" if self.wanted("Monitoring.Enabled") else "disabled",
            metadata_options=self.wanted("MetadataOptions", {}),
            client_token=self.wanted("ClientToken") or "",
        )
        instance.machine = machine
        return instance

    def _furnish(self, instance, place, disks_wanted, tags):
        """Disks, tags, a real machine; all in the same call."""
        interface = instance.nics[0]
        interface.description = place.description or ""
        if instance.machine is not None:
            instance.machine.show_address(interface)
        disks.attach(self.ec2_backend, instance, disks_wanted)
        self.world.born(instance).add_tags(tags["instance"])
        self.world.born(interface).add_tags(tags["network-interface"])
        for disk in instance.block_device_mapping.values():
            self.world.born(self.ec2_backend.volumes[disk.volume_id]).add_tags(tags["volume"])
        self.world.lives.begin(instance, "pending")
        if instance.machine is not None:
            self._boot(instance)

    def _boot(self, instance):
        key = self.ec2_backend.key_pairs.get(instance.key_name)
        self.world.machines.boot(
            instance.machine,
            base64.b64decode(str(instance.user_data or "")),
            self.ec2_backend.amis[instance.image_id].default_user,
            key.public_key if key else None,
        )
