"""The images of a region: Debian's and Ubuntu's own, several ages each, and a stranger's of the same names.

They are listed in no order of age, and the stranger's is the newest: only owner and creation date distinguish them.
"""

import hashlib
from datetime import datetime

from moto.ec2.models.amis import Ami

DEBIAN, UBUNTU, STRANGER = "136693071363", "099720109477", "999999999999"

# Owner, name with the architecture left open, creation date, root device.
LISTED = [
    (DEBIAN, "debian-13-{}-20250911-2232", "2025-09-11T17:02:31", "/dev/xvda"),
    (STRANGER, "debian-13-{}-20251231-2999", "2025-12-31T00:00:00", "/dev/xvda"),
    (DEBIAN, "debian-13-{}-20251117-2299", "2025-11-17T09:41:07", "/dev/xvda"),
    (DEBIAN, "debian-13-{}-20250814-2204", "2025-08-14T11:25:40", "/dev/xvda"),
    (DEBIAN, "debian-12-{}-20251201-2313", "2025-12-01T08:00:00", "/dev/xvda"),
    (UBUNTU, "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{}-server-20251022", "2025-10-22T06:12:55", "/dev/sda1"),
    (UBUNTU, "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{}-server-20250805", "2025-08-05T06:10:02", "/dev/sda1"),
    (STRANGER, "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{}-server-20251230", "2025-12-30T00:00:00", "/dev/sda1"),
]
ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}
ROOT_SIZE = 8


class Image(Ami):
    """An image whose root disk is as Debian and Ubuntu publish it."""

    @property
    def block_device_mappings(self):
        disk = {
            "SnapshotId": self.ebs_snapshot.id,
            "VolumeSize": ROOT_SIZE,
            "VolumeType": "gp3",
            "DeleteOnTermination": True,
            "Encrypted": False,
        }
        return [{"DeviceName": self.root_device_name, "Ebs": disk}]

    @property
    def default_user(self):
        return "ubuntu" if self.name.startswith("ubuntu") else "admin"


def furnish(backend):
    """Puts the images into a region. Their ids differ from region to region, as real ones do."""
    zone = f"{backend.region_name}a"
    for owner, pattern, created, root in LISTED:
        for name, architecture in ARCHITECTURES.items():
            title = pattern.format(name)
            seed = f"{backend.region_name} {owner} {title}"
            image = Image(
                backend,
                f"ami-{hashlib.sha256(seed.encode()).hexdigest()[:17]}",
                name=title,
                description=title,
                owner_id=owner,
                public=True,
                virtualization_type="hvm",
                architecture=architecture,
                creation_date=datetime.fromisoformat(created),
                image_location=f"{owner}/{title}",
                hypervisor="xen",
                root_device_type="ebs",
                root_device_name=root,
                boot_mode="uefi-preferred",
                region_name=zone,
            )
            backend.amis[image.id] = image
