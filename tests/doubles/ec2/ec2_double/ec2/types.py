"""Instance types: one that does not exist is refused."""

from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.responses.instances import InstanceResponse

from ..refusal import Refused
from .own import Own


class Types(Own):
    def describe_instance_types(self):
        unknown = [kind for kind in self.wanted("InstanceTypes", []) if kind not in INSTANCE_TYPES]
        if unknown:
            listed = ", ".join(unknown)
            raise Refused("InvalidInstanceType", f"The following supplied instance types do not exist: [{listed}]")
        return InstanceResponse.describe_instance_types(self)
