"""Images: found by owner, name and age."""

from moto.core.responses import ActionResult

from .own import Own

FILTERS = {
    "architecture": lambda one: one.architecture,
    "creation-date": lambda one: one.creation_date.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    "image-id": lambda one: one.id,
    "image-type": lambda one: one.image_type,
    "is-public": lambda one: one.is_public,
    "name": lambda one: one.name,
    "owner-alias": lambda one: one.owner_alias,
    "owner-id": lambda one: one.owner_id,
    "root-device-type": lambda one: one.root_device_type,
    "state": lambda one: one.state,
    "virtualization-type": lambda one: one.virtualization_type,
}


class Catalogue(Own):
    def describe_images(self):
        owners = [self.current_account if one == "self" else one for one in self.wanted("Owners", [])]
        found = self.select(self.ec2_backend.amis.values(), self.wanted("ImageIds", []), "ami", FILTERS)
        return ActionResult({"Images": [one for one in found if not owners or one.owner_id in owners]})
