"""Shared by our actions: finding resources like EC2, its errors for missing ones, requested tags."""

import re

from moto.ec2.responses._base_response import EC2BaseResponse

from ..refusal import Refused
from .filters import fits

ID = re.compile(r"([0-9a-f]{8}|[0-9a-f]{17})")

# Prefix of an id, the error code's first part, and what EC2 calls the thing.
KINDS = {
    "i": ("InvalidInstanceID", "instance ID"),
    "vol": ("InvalidVolume", "volume"),
    "eni": ("InvalidNetworkInterfaceID", "networkInterface ID"),
    "sg": ("InvalidGroup", "security group"),
    "subnet": ("InvalidSubnetID", "subnet ID"),
    "vpc": ("InvalidVpcID", "vpc ID"),
    "ami": ("InvalidAMIID", "image id"),
    "eipalloc": ("InvalidAllocationID", "allocation ID"),
    "eipassoc": ("InvalidAssociationID", "association ID"),
    "key": ("InvalidKeyPair", "key pair ID"),
}


class Own(EC2BaseResponse):
    """The base of our actions; `world` and `call` are set by `Ec2`."""

    @property
    def ec2_backend(self):
        return self.world.backend(self.region)

    def wanted(self, name, default=None):
        return self._get_param(name, default)

    def needed(self, name):
        value = self._get_param(name)
        if value in (None, "", []):
            raise Refused("MissingParameter", f"The request must contain the parameter {name}")
        return value

    def find(self, resources, wanted, prefix):
        """The resources of these ids, in their order; refused where an id is malformed or one is not there yet."""
        by_id = {resource.id: resource for resource in resources if self.world.is_visible(resource)}
        family, name = KINDS[prefix]
        for one in wanted:
            if not is_id(one, prefix):
                raise Refused(f"{family}.Malformed", f'Invalid id: "{one}" (expecting "{prefix}-...")')
        missing = [one for one in wanted if one not in by_id]
        if missing:
            several = len(missing) > 1
            listed = f"{name}{'s' if several else ''} '{', '.join(missing)}' do{'' if several else 'es'} not exist"
            raise Refused(f"{family}.NotFound", f"The {listed}")
        return [by_id[one] for one in dict.fromkeys(wanted)]

    def select(self, resources, wanted, prefix, known):
        """What a Describe call answers: by id or all that are there, those that fit the filters."""
        resources = list(resources)
        found = self.find(resources, wanted, prefix) if wanted else [r for r in resources if self.world.is_visible(r)]
        filters = self._filters_from_querystring()
        return [resource for resource in found if fits(resource, filters, known)]

    def instances(self):
        return self.ec2_backend.all_instances()

    def instance(self, wanted):
        return self.find(self.instances(), [wanted], "i")[0]

    def groups(self):
        return [group for in_vpc in self.ec2_backend.groups.values() for group in in_vpc.values()]

    def group(self, wanted):
        return self.find(self.groups(), [wanted], "sg")[0]

    def subnets(self):
        return [subnet for in_zone in self.ec2_backend.subnets.values() for subnet in in_zone.values()]

    def tags_for(self, *types):
        """The tags requested in this call, for each type that it creates."""
        requested = self._parse_tag_specification()
        for kind, tags in requested.items():
            if kind not in types:
                message = f"'{kind}' is not a valid taggable resource type for this operation."
                raise Refused("InvalidParameterValue", message)
            check_tags(tags)
        return {kind: requested.get(kind, {}) for kind in types}


def is_id(text, prefix):
    kind, _, rest = text.partition("-")
    return kind == prefix and ID.fullmatch(rest) is not None


def check_tags(tags):
    for key in tags:
        if key.lower().startswith("aws:"):
            message = "Tag keys starting with 'aws:' are reserved for internal use"
            raise Refused("InvalidParameterValue", message)
