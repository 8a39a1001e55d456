"""Volumes: listed, grown, deleted."""

from moto.core.responses import ActionResult, EmptyResult

from ..refusal import Refused
from .own import Own

FILTERS = {
    "attachment.delete-on-termination": lambda one: [
        getattr(a, "delete_on_termination", False) for a in one.attachments
    ],
    "attachment.device": lambda one: [a.device for a in one.attachments],
    "attachment.instance-id": lambda one: [a.instance.id for a in one.attachments],
    "attachment.status": lambda one: [a.status for a in one.attachments],
    "availability-zone": lambda one: one.availability_zone,
    "encrypted": lambda one: one.encrypted,
    "size": lambda one: one.size,
    "snapshot-id": lambda one: one.snapshot_id,
    "status": lambda one: one.status,
    "volume-id": lambda one: one.id,
    "volume-type": lambda one: one.volume_type,
}


class Volumes(Own):
    def volume(self, wanted):
        return self.find(self.ec2_backend.volumes.values(), [wanted], "vol")[0]

    def describe_volumes(self):
        volumes = self.ec2_backend.volumes.values()
        return ActionResult({"Volumes": self.select(volumes, self.wanted("VolumeIds", []), "vol", FILTERS)})

    def delete_volume(self):
        volume = self.volume(self.needed("VolumeId"))
        if volume.attachment is not None:
            message = f"Volume {volume.id} is currently attached to {volume.attachment.instance.id}"
            raise Refused("VolumeInUse", message)
        self.error_on_dryrun()
        del self.ec2_backend.volumes[volume.id]
        self.ec2_backend.tags.pop(volume.id, None)
        return EmptyResult()

    def modify_volume(self):
        volume = self.volume(self.needed("VolumeId"))
        size = self.wanted("Size")
        if size is not None and int(size) < volume.size:
            raise Refused("InvalidParameterValue", "New size cannot be smaller than existing size")
        self.error_on_dryrun()
        volume.modify(size and int(size), self.wanted("VolumeType"), self.wanted("Iops"), self.wanted("Throughput"))
        return ActionResult({"VolumeModification": volume.modifications[-1]})
