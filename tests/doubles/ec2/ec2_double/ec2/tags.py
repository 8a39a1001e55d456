"""Tags: only what exists can be tagged, and EC2's own tags are out of reach."""

from moto.core.responses import ActionResult, EmptyResult

from ..refusal import Refused
from .filters import fits
from .own import KINDS, Own, check_tags

FILTERS = {
    "key": lambda one: one.key,
    "resource-id": lambda one: one.resource_id,
    "resource-type": lambda one: one.resource_type,
    "value": lambda one: one.value,
}


class Tag:
    """One tag of one resource, as DescribeTags lists them."""

    def __init__(self, resource_id, resource_type, key, value):
        self.resource_id, self.resource_type, self.key, self.value = resource_id, resource_type, key, value

    def get_tags(self):
        return [{"key": self.key, "value": self.value}]


class Tags(Own):
    def create_tags(self):
        resources = self._resources()
        tags = {tag["Key"]: tag.get("Value", "") for tag in self.needed("Tags")}
        check_tags(tags)
        self.error_on_dryrun()
        self.ec2_backend.create_tags(resources, tags)
        return EmptyResult()

    def delete_tags(self):
        resources = self._resources()
        self.error_on_dryrun()
        tags = self.wanted("Tags")
        for resource in resources:
            gone = {tag["Key"]: tag.get("Value") for tag in tags} if tags else dict(self.ec2_backend.tags[resource])
            self.ec2_backend.delete_tags([resource], gone)
        return EmptyResult()

    def describe_tags(self):
        everything = {resource.id: (kind, resource) for kind, resource in self.taggable()}
        tags = [
            Tag(one, everything[one][0], key, value)
            for one, pairs in self.ec2_backend.tags.items()
            if one in everything and self.world.is_visible(everything[one][1])
            for key, value in pairs.items()
        ]
        filters = self._filters_from_querystring()
        return ActionResult({"Tags": [tag for tag in tags if fits(tag, filters, FILTERS)]})

    def _resources(self):
        wanted = self.needed("Resources")
        by_id = {resource.id: resource for _, resource in self.taggable()}
        for one in wanted:
            prefix = one.partition("-")[0]
            if prefix not in KINDS:
                raise Refused("InvalidID", f"The ID '{one}' is not valid")
            self.find([by_id[one]] if one in by_id else [], [one], prefix)
        return wanted

    def taggable(self):
        """Everything that can carry tags, with the name of its type."""
        backend = self.ec2_backend
        kinds = {
            "instance": self.instances(),
            "volume": backend.volumes.values(),
            "network-interface": backend.enis.values(),
            "security-group": self.groups(),
            "key-pair": backend.key_pairs.values(),
            "elastic-ip": backend.addresses,
            "image": backend.amis.values(),
            "subnet": self.subnets(),
            "vpc": backend.vpcs.values(),
        }
        return [(kind, resource) for kind, resources in kinds.items() for resource in resources]
