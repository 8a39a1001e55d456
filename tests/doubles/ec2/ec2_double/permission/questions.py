"""What a call needs permission for: one question for each action and resource that it touches."""

import dataclasses
from datetime import UTC, datetime

from .creation import CREATIONS, Creation, handing_over
from .policy import Question
from .resources import Resources

# Actions on what exists already: the parameters that name it. All other actions of EC2 know no resources.
ON_EXISTING = {
    "AssociateAddress": {
        "AllocationId": "elastic-ip",
        "InstanceId": "instance",
        "NetworkInterfaceId": "network-interface",
    },
    "AssociateIamInstanceProfile": {"InstanceId": "instance"},
    "AuthorizeSecurityGroupEgress": {"GroupId": "security-group", "GroupName": "security-group"},
    "AuthorizeSecurityGroupIngress": {"GroupId": "security-group", "GroupName": "security-group"},
    "CreateTags": {"Resources": None},
    "DeleteKeyPair": {"KeyName": "key-pair", "KeyPairId": "key-pair"},
    "DeleteNetworkInterface": {"NetworkInterfaceId": "network-interface"},
    "DeleteSecurityGroup": {"GroupId": "security-group", "GroupName": "security-group"},
    "DeleteTags": {"Resources": None},
    "DeleteVolume": {"VolumeId": "volume"},
    "DescribeInstanceAttribute": {"InstanceId": "instance"},
    "DisassociateAddress": {"AssociationId": "elastic-ip"},
    "DisassociateIamInstanceProfile": {"AssociationId": "instance"},
    "GetConsoleOutput": {"InstanceId": "instance"},
    "ModifyInstanceAttribute": {"InstanceId": "instance", "Groups": "security-group"},
    "ModifyInstanceCreditSpecification": {"InstanceCreditSpecifications": "instance"},
    "ModifyInstanceMetadataOptions": {"InstanceId": "instance"},
    "ModifyVolume": {"VolumeId": "volume"},
    "RebootInstances": {"InstanceIds": "instance"},
    "ReleaseAddress": {"AllocationId": "elastic-ip"},
    "ReplaceIamInstanceProfileAssociation": {"AssociationId": "instance"},
    "RevokeSecurityGroupEgress": {"GroupId": "security-group", "GroupName": "security-group"},
    "RevokeSecurityGroupIngress": {"GroupId": "security-group", "GroupName": "security-group"},
    "StartInstances": {"InstanceIds": "instance"},
    "StopInstances": {"InstanceIds": "instance"},
    "TerminateInstances": {"InstanceIds": "instance"},
}
# IAM's parameters that name a resource, and the first part of its name.
IN_IAM = {"InstanceProfileName": "instance-profile", "RoleName": "role", "UserName": "user"}


def questions(principal, call, parameters, world):
    context = always(principal, call, world.principals.account)
    action = f"{call.service}:{call.action}"
    if call.service != "ec2":
        return [Question(action, iam_resource(call.form, world.principals.account), context)]
    resources = Resources(world, call.region)
    if call.action in CREATIONS:
        needed = CREATIONS[call.action](parameters, resources)
        return [Question(one.action, one.resource, {**context, **one.context}) for one in needed]
    if call.action in ON_EXISTING:
        context.update(request_tags(parameters.get("Tags", [])), **changed_attribute(call.action, parameters))
        needed = list(on_existing(ON_EXISTING[call.action], action, parameters, resources))
        needed += tagged_rules(call.action, parameters, resources)
        needed += handing_over(parameters, resources)
        return [dataclasses.replace(one, context={**context, **one.context}) for one in needed]
    return [Question(action, "*", context)]


def always(principal, call, account):
    """The condition keys that are known of each call."""
    return {
        "aws:CurrentTime": [datetime.now(UTC).isoformat()],
        "aws:PrincipalAccount": [account],
        "aws:PrincipalArn": [principal.arn],
        "aws:RequestedRegion": [call.region],
        # The real endpoints know no other way.
        "aws:SecureTransport": ["true"],
        "aws:SourceIp": ["127.0.0.1"],
        "aws:userid": [principal.user_id],
        **({"aws:username": [principal.user_name]} if principal.user_name else {}),
        "ec2:Region": [call.region],
    }


def on_existing(parameters_to_kinds, action, parameters, resources):
    """A question for each resource that the parameters name."""
    for parameter, kind in parameters_to_kinds.items():
        wanted = parameters.get(parameter, [])
        for one in wanted if isinstance(wanted, list) else [wanted]:
            one = one["InstanceId"] if isinstance(one, dict) else one
            found = resources.find(kind, one)
            if found is not None:
                yield Question(action, resources.arn(*found), resources.context(found[1]))
            else:
                yield Question(action, resources.name_arn(kind or resources.kind(one), one), {})


def tagged_rules(action, parameters, resources):
    """Rules of security groups are resources of their own only where they are tagged."""
    if not action.startswith("AuthorizeSecurityGroup") or not parameters.get("TagSpecifications"):
        return []
    creation = Creation(action, parameters, resources)
    creation.creates("security-group-rule")
    return creation.questions


def request_tags(tags):
    if not tags:
        return {}
    keys = {f"aws:RequestTag/{tag['Key']}": [tag.get("Value", "")] for tag in tags}
    return {**keys, "aws:TagKeys": [tag["Key"] for tag in tags]}


def changed_attribute(action, parameters):
    if action != "ModifyInstanceAttribute":
        return {}
    changed = {
        name: value["Value"] for name, value in parameters.items() if isinstance(value, dict) and "Value" in value
    }
    named_values = {f"ec2:Attribute/{name}": [str(value)] for name, value in changed.items()}
    return {**named_values, "ec2:Attribute": list(changed)} if changed else {}


def iam_resource(form, account):
    for parameter, kind in IN_IAM.items():
        if parameter in form:
            return f"arn:aws:iam::{account}:{kind}/{form[parameter]}"
    return form.get("RoleArn", form.get("PolicyArn", "*"))
