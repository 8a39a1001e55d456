"""What a call needs that creates something: the action on what is to be, on what it uses, and `ec2:CreateTags`."""

from .policy import Question


def request_tags(tags):
    context = {f"aws:RequestTag/{key}": [value] for key, value in tags.items()}
    return {**context, "aws:TagKeys": list(tags)} if tags else {}


class Creation:
    """The questions of one call, gathered."""

    def __init__(self, action, parameters, resources):
        self._action, self.parameters, self.resources = action, parameters, resources
        self.questions = []
        self._tags = {}
        for wanted in parameters.get("TagSpecifications", []):
            tags = {tag["Key"]: tag.get("Value", "") for tag in wanted.get("Tags", [])}
            self._tags.setdefault(wanted.get("ResourceType"), {}).update(tags)

    def creates(self, kind, name="*", **context):
        """Something new, with its tags."""
        resource, tags = self.resources.name_arn(kind, name), self._tags.get(kind, {})
        own = {f"ec2:{key}": [text(value)] for key, value in context.items() if value is not None}
        self.questions.append(Question(f"ec2:{self._action}", resource, {**own, **request_tags(tags)}))
        if tags:
            context = {**request_tags(tags), "ec2:CreateAction": [self._action]}
            self.questions.append(Question("ec2:CreateTags", resource, context))

    def uses(self, kind, wanted):
        """Something that exists, by its id or name; what does not is the action's to refuse."""
        found = self.resources.find(kind, wanted)
        if found is not None:
            self.uses_resource(*found)

    def uses_resource(self, kind, resource):
        arn = self.resources.arn(kind, resource)
        self.questions.append(Question(f"ec2:{self._action}", arn, self.resources.context(resource)))


def text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def create_security_group(parameters, resources):
    creation = Creation("CreateSecurityGroup", parameters, resources)
    creation.creates("security-group")
    vpc = parameters.get("VpcId") or getattr(resources.default_vpc(), "id", None)
    creation.uses("vpc", vpc)
    return creation.questions


def import_key_pair(parameters, resources):
    creation = Creation("ImportKeyPair", parameters, resources)
    creation.creates("key-pair", parameters.get("KeyName", "*"), KeyPairName=parameters.get("KeyName"))
    return creation.questions


def allocate_address(parameters, resources):
    creation = Creation("AllocateAddress", parameters, resources)
    creation.creates("elastic-ip", Domain="vpc")
    return creation.questions


def run_instances(parameters, resources):
    creation = Creation("RunInstances", parameters, resources)
    interface = next(iter(parameters.get("NetworkInterfaces", [])), {})
    subnet = _subnet(parameters, interface, resources)
    zone = getattr(subnet, "availability_zone", None)
    creation.uses("image", parameters.get("ImageId"))
    if subnet is not None:
        creation.uses_resource("subnet", subnet)
    _groups(creation, interface, subnet)
    if parameters.get("KeyName"):
        creation.uses("key-pair", parameters["KeyName"])
    options, profile = parameters.get("MetadataOptions", {}), _profile(parameters, resources)
    creation.creates(
        "instance",
        AvailabilityZone=zone,
        EbsOptimized=parameters.get("EbsOptimized", False),
        InstanceProfile=getattr(profile, "arn", None),
        InstanceType=parameters.get("InstanceType"),
        MetadataHttpEndpoint=options.get("HttpEndpoint"),
        MetadataHttpPutResponseHopLimit=options.get("HttpPutResponseHopLimit"),
        MetadataHttpTokens=options.get("HttpTokens"),
        RootDeviceType="ebs",
        Tenancy="default",
    )
    creation.creates(
        "network-interface",
        AssociatePublicIpAddress=interface.get("AssociatePublicIpAddress"),
        AvailabilityZone=zone,
        Subnet=subnet and resources.arn("subnet", subnet),
        Vpc=subnet and resources.name_arn("vpc", subnet.vpc_id),
    )
    _volumes(creation, zone)
    return creation.questions + handing_over(parameters, resources)


def handing_over(parameters, resources):
    """Whoever gives an instance a profile hands over its role."""
    context = {"iam:PassedToService": ["ec2.amazonaws.com"]}
    roles = getattr(_profile(parameters, resources), "roles", [])
    return [Question("iam:PassRole", role.arn, context) for role in roles]


def _subnet(parameters, interface, resources):
    wanted = interface.get("SubnetId") or parameters.get("SubnetId")
    if wanted:
        found = resources.find("subnet", wanted)
        return found[1] if found else None
    return resources.default_subnet(parameters.get("Placement", {}).get("AvailabilityZone"))


def _groups(creation, interface, subnet):
    parameters = creation.parameters
    wanted = interface.get("Groups") or parameters.get("SecurityGroupIds", [])
    wanted = [*wanted, *parameters.get("SecurityGroups", [])]
    for one in wanted:
        creation.uses("security-group", one)
    if not wanted and subnet is not None:
        creation.uses_resource("security-group", creation.resources.default_group(subnet.vpc_id))


def _volumes(creation, zone):
    """The root disk of the image counts even if the call does not mention it."""
    for mapping in creation.parameters.get("BlockDeviceMappings", []) or [{}]:
        disk = mapping.get("Ebs", {})
        creation.creates(
            "volume",
            AvailabilityZone=zone,
            Encrypted=disk.get("Encrypted", False),
            VolumeIops=disk.get("Iops"),
            VolumeSize=disk.get("VolumeSize"),
            VolumeThroughput=disk.get("Throughput"),
            VolumeType=disk.get("VolumeType"),
        )


def _profile(parameters, resources):
    wanted = parameters.get("IamInstanceProfile", {})
    for profile in resources.iam.instance_profiles.values():
        if wanted and wanted.get("Arn", wanted.get("Name")) in (profile.arn, profile.name):
            return profile
    return None


CREATIONS = {
    "AllocateAddress": allocate_address,
    "CreateSecurityGroup": create_security_group,
    "ImportKeyPair": import_key_pair,
    "RunInstances": run_instances,
}
