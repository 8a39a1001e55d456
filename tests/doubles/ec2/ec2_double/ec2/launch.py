"""RunInstances: its client token, what it refuses, its tags, and what comes into being with an instance."""

import base64
import binascii

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Reservation
from moto.ec2.utils import random_reservation_id

from ..refusal import Refused
from . import capacity, credits, disks
from .instance import TimedInstance
from .own import Own

USER_DATA_LIMIT = 16384


class Launch(Own):
    def run_instances(self):
        parameters = {name: value for name, value in self.call.form.items() if name not in ("ClientToken", "DryRun")}
        token = self.wanted("ClientToken")
        before = self.world.tokens.known(self.region, token, parameters)
        if before is not None:
            self.error_on_dryrun()
            return ActionResult(before)
        make = self._checked_launch()
        self.error_on_dryrun()
        reservation = make()
        self.world.tokens.remember(self.region, token, parameters, reservation)
        return ActionResult(reservation)

    def _checked_launch(self):
        """Refuses what EC2 refuses; answers what then makes the instances."""
        count = int(self.needed("MaxCount"))
        self.needed("MinCount")
        image = self._image(self.needed("ImageId"))
        kind = self._type(self.wanted("InstanceType", "m1.small"), image)
        key = self._key(self.wanted("KeyName"))
        user_data = self._user_data(self.wanted("UserData"))
        profile = self._profile(self.wanted("IamInstanceProfile"))
        place = self.place(kind)
        disks_wanted = disks.merged(image, self.wanted("BlockDeviceMappings", []))
        cpu_credits = credits.wanted(kind, self.wanted("CreditSpecification.CpuCredits"))
        tags = self.tags_for("instance", "volume", "network-interface")
        self.check_room(place.subnet, count)
        capacity.check_quota(self.world, kind, count)
        capacity.check_zone(self.world, self.ec2_backend, place.subnet.availability_zone, kind)

        def make():
            reservation = Reservation(random_reservation_id(), self.current_account)
            self.ec2_backend.reservations[reservation.id] = reservation
            for index in range(count):
                instance = self._instance(index, image, kind, key, user_data, profile, place)
                reservation.instances.append(instance)
                instance.cpu_credits = cpu_credits
                instance.kms_keys = [one.get("Ebs", {}).get("KmsKeyId") for one in self.wanted("BlockDeviceMappings", [])]
                self._furnish(instance, place, disks_wanted, tags)
                if profile is not None:
                    # moto shows the profile, and knows nothing of the association that one replaces it by.
                    self.ec2_backend.associate_iam_instance_profile(instance.id, iam_instance_profile_arn=profile["Arn"])
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
