"""Resources as policies see them: their ARNs, their tags, and the condition keys that go with their kind."""

# Kinds whose ARNs name no account.
WITHOUT_ACCOUNT = ("image", "snapshot")


class Resources:
    def __init__(self, world, region):
        self._backend = world.backend(region)
        self.iam = world.principals.iam
        self._region, self._account = region, world.principals.account

    def name_arn(self, kind, name):
        account = "" if kind in WITHOUT_ACCOUNT else self._account
        return f"arn:aws:ec2:{self._region}:{account}:{kind}/{name}"

    def arn(self, kind, resource):
        return self.name_arn(kind, resource.key_name if kind == "key-pair" else resource.id)

    def find(self, kind, wanted):
        """The kind and the resource of this id, name or association; nothing where there is none."""
        for candidate, resources in self._all().items():
            for resource in resources if kind in (None, candidate) else ():
                names = (resource.id, *(getattr(resource, name, None) for name in ALSO_NAMED.get(candidate, ())))
                if wanted in names or wanted == self._profile_association(resource):
                    return candidate, resource
        return None

    @staticmethod
    def kind(wanted):
        """What an id must belong to, by its prefix."""
        return PREFIXES.get(wanted.partition("-")[0], "*")

    def _profile_association(self, resource):
        """By what an instance is named where its profile is replaced."""
        association = self._backend.iam_instance_profile_associations.get(resource.id)
        return association.association_id if association else ""

    def _all(self):
        backend = self._backend
        return {
            "elastic-ip": backend.addresses,
            "image": backend.amis.values(),
            "instance": backend.all_instances(),
            "key-pair": backend.key_pairs.values(),
            "network-interface": backend.enis.values(),
            "security-group": [group for in_vpc in backend.groups.values() for group in in_vpc.values()],
            "subnet": [subnet for in_zone in backend.subnets.values() for subnet in in_zone.values()],
            "volume": backend.volumes.values(),
            "vpc": backend.vpcs.values(),
        }

    def default_vpc(self):
        return self._backend.get_default_vpc()

    def default_subnet(self, zone):
        """Where an instance goes that names no subnet."""
        defaults = self._backend.get_default_subnets()
        return defaults.get(zone) or next(iter(defaults.values()), None)

    def default_group(self, vpc_id):
        return self._backend.get_default_security_group(vpc_id)

    def context(self, resource):
        """Tags, and what else is known of an existing resource."""
        tags = self._backend.tags.get(resource.id, {})
        context = {}
        for key, value in tags.items():
            context[f"aws:ResourceTag/{key}"] = context[f"ec2:ResourceTag/{key}"] = [value]
        for name, attribute in KNOWN.items():
            value = getattr(resource, attribute, None)
            if value is not None and not callable(value):
                context[f"ec2:{name}"] = [str(value).lower() if isinstance(value, bool) else str(value)]
        if getattr(resource, "vpc_id", None):
            context["ec2:Vpc"] = [self.name_arn("vpc", resource.vpc_id)]
        return context


PREFIXES = {
    "ami": "image",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "i": "instance",
    "key": "key-pair",
    "sg": "security-group",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
}
# What a resource may be called by beside its id.
ALSO_NAMED = {
    "elastic-ip": ("association_id", "public_ip"),
    "key-pair": ("key_name",),
    "security-group": ("name",),
}
# Condition keys, and the attribute of a resource that has their value, where it has one.
KNOWN = {
    "AllocationId": "allocation_id",
    "AvailabilityZone": "availability_zone",
    "Domain": "domain",
    "Encrypted": "encrypted",
    "InstanceType": "instance_type",
    "KeyPairName": "key_name",
    "KeyPairType": "key_type",
    "Owner": "owner_id",
    "Public": "is_public",
    "PublicIpAddress": "public_ip",
    "RootDeviceType": "root_device_type",
    "VolumeIops": "iops",
    "VolumeSize": "size",
    "VolumeThroughput": "throughput",
    "VolumeType": "volume_type",
}
