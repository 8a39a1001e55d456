"""What the account and its zones have left: quotas of virtual CPUs, types that a zone lacks."""

import functools

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

from ..refusal import Refused


def vcpus(kind):
    return INSTANCE_TYPES[kind]["VCpuInfo"]["DefaultVCpus"]


def check_quota(world, kind, count):
    quota = world.settings.vcpu_quota
    if not quota:
        return
    alive = [one for backend in world.regions() for one in backend.all_instances()]
    used = sum(vcpus(one.instance_type) for one in alive if one.state in ("pending", "running"))
    if used + count * vcpus(kind) > quota:
        raise Refused(
            "VcpuLimitExceeded",
            f"You have requested more vCPU capacity than your current vCPU limit of {quota} allows for the instance "
            "bucket that the specified instance type belongs to. Please visit "
            "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
        )


@functools.cache
def offers(region):
    """Zones and types that go together."""
    offered = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, [])
    return {(one["Location"], one["InstanceType"]) for one in offered}


def is_offered(region, zone, kind):
    return (zone, kind) in offers(region)


def lacks(world, zone, kind):
    return any(
        one.get("zone") in (None, zone) and one.get("type") in (None, kind) for one in world.settings.no_capacity
    )


def some_zone(world, backend, zones, kind):
    """The zone that EC2 chooses where the caller names none."""
    offered = [zone for zone in zones if is_offered(backend.region_name, zone, kind)]
    return next((zone for zone in offered if not lacks(world, zone, kind)), (offered or zones)[0])


def check_zone(world, backend, zone, kind):
    zones = [one.name for one in backend.describe_availability_zones()]
    offered = [one for one in zones if is_offered(backend.region_name, one, kind)]
    if zone not in offered:
        raise Refused(
            "Unsupported",
            f"Your requested instance type ({kind}) is not supported in your requested Availability Zone ({zone}). "
            "Please retry your request by not specifying an Availability Zone or choosing "
            f"{', '.join(offered)}.",
        )
    if lacks(world, zone, kind):
        others = [one for one in offered if not lacks(world, one, kind)]
        raise Refused(
            "InsufficientInstanceCapacity",
            f"We currently do not have sufficient {kind} capacity in the Availability Zone you requested ({zone}). "
            "Our system will be working on provisioning additional capacity. "
            + (
                f"You can currently get {kind} capacity by not specifying an Availability Zone in your request or "
                f"choosing {', '.join(others)}."
                if others
                else ""
            ),
            500,
        )
