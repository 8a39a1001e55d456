"""CPU credits of burstable instances: what happens once they are used up."""

from moto.core.responses import ActionResult
from moto.ec2.models.instance_types import INSTANCE_TYPES

from ..refusal import Refused
from .own import Own

WORDS = ("standard", "unlimited")


def is_burstable(kind):
    return INSTANCE_TYPES[kind].get("BurstablePerformanceSupported", False)


def wanted(kind, requested):
    """What a new instance gets; nothing where its type has no credits."""
    if not is_burstable(kind):
        if requested is not None:
            message = f"The CreditSpecification parameter is not supported for the instance type {kind}."
            raise Refused("InvalidParameterCombination", message)
        return None
    if requested is None:
        return "standard" if kind.startswith("t2.") else "unlimited"
    check(requested)
    return requested


def check(requested):
    if requested not in WORDS:
        raise Refused("InvalidParameterValue", f"Invalid value '{requested}' for CpuCredits.")


class Credits(Own):
    def describe_instance_credit_specifications(self):
        ids = self.wanted("InstanceIds", [])
        found = self.find(self.instances(), ids, "i") if ids else [one for one in self.instances() if one.cpu_credits]
        for instance in found:
            if instance.cpu_credits is None:
                message = f"The instance '{instance.id}' has no CPU credits."
                raise Refused("InvalidParameterValue", message)
        shown = [{"InstanceId": one.id, "CpuCredits": one.cpu_credits} for one in found]
        return ActionResult({"InstanceCreditSpecifications": shown})

    def modify_instance_credit_specification(self):
        self.error_on_dryrun()
        done, failed = [], []
        for one in self.needed("InstanceCreditSpecifications"):
            check(one["CpuCredits"])
            instance = self.instance(one["InstanceId"])
            if instance.cpu_credits is None:
                error = {"Code": "UnsupportedOperation", "Message": "The instance has no CPU credits."}
                failed.append({"InstanceId": instance.id, "Error": error})
            else:
                instance.cpu_credits = one["CpuCredits"]
                done.append({"InstanceId": instance.id})
        return ActionResult(
            {
                "SuccessfulInstanceCreditSpecifications": done,
                "UnsuccessfulInstanceCreditSpecifications": failed,
            }
        )
