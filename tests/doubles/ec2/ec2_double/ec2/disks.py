"""The disks of an instance: those of its image, overridden by the call."""

import copy

from ..refusal import Refused


def merged(image, requested):
    """Device name to what EBS must provide."""
    disks = {disk["DeviceName"]: copy.deepcopy(disk["Ebs"]) for disk in image.block_device_mappings}
    for mapping in requested:
        name = mapping.get("DeviceName")
        if not name:
            raise Refused("MissingParameter", "The request must contain the parameter deviceName")
        if mapping.get("NoDevice") is not None:
            disks.pop(name, None)
            continue
        disks[name] = {**disks.get(name, {}), **mapping.get("Ebs", {})}
    for name, disk in disks.items():
        _check(name, disk, image)
    return disks


def _check(name, disk, image):
    if disk.get("VolumeSize") is None and disk.get("SnapshotId") is None:
        raise Refused("MissingParameter", "The request must contain the parameter size or snapshotId")
    smallest = next(one["Ebs"]["VolumeSize"] for one in image.block_device_mappings)
    if name == image.root_device_name and int(disk["VolumeSize"]) < smallest:
        raise Refused(
            "InvalidBlockDeviceMapping",
            f"Volume of size {disk['VolumeSize']}GB is smaller than snapshot '{disk['SnapshotId']}', "
            f"expect size>= {smallest}GB",
        )


def attach(backend, instance, disks):
    for name, disk in disks.items():
        volume = backend.create_volume(
            size=int(disk["VolumeSize"]),
            zone_name=instance.availability_zone,
            snapshot_id=disk.get("SnapshotId"),
            encrypted=disk.get("Encrypted") in (True, "true"),
            kms_key_id=disk.get("KmsKeyId"),
            volume_type=disk.get("VolumeType", "gp2"),
            iops=disk.get("Iops"),
            throughput=disk.get("Throughput") or (125 if disk.get("VolumeType") == "gp3" else None),
        )
        goes_along = disk.get("DeleteOnTermination") in (True, "true")
        attachment = backend.attach_volume(volume.id, instance.id, name, goes_along)
        attachment.delete_on_termination = goes_along
