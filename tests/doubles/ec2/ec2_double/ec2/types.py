"""Instance types: one that does not exist is refused."""

import fnmatch

from moto.core.responses import ActionResult
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
        filters = self._filters_from_querystring()
        if set(filters) == {"instance-type"}:
            # moto compares whole names only.
            found = [one for one in INSTANCE_TYPES.values() if fits_one(one["InstanceType"], filters["instance-type"])]
            return ActionResult({"InstanceTypes": found})
        return InstanceResponse.describe_instance_types(self)


def fits_one(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
