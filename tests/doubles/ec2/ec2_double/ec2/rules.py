"""Rules of security groups: from a call's parameters to moto's rules, one for each source."""

import ipaddress

from moto.ec2.models.security_groups import SecurityGroupRule

from ..refusal import Refused

PROTOCOLS = {"tcp": "tcp", "6": "tcp", "udp": "udp", "17": "udp", "icmp": "icmp", "1": "icmp", "-1": "-1", "all": "-1"}
# The parameters of the short form, which describes one rule without `IpPermissions`.
SHORT = ("IpProtocol", "FromPort", "ToPort")


def wanted(response, group, direction):
    """The rules that the call speaks of; refused where one makes no sense."""
    permissions = response.wanted("IpPermissions", [])
    if not permissions:
        short = {name: response.wanted(name) for name in SHORT if response.wanted(name) is not None}
        if response.wanted("CidrIp"):
            short["IpRanges"] = [{"CidrIp": response.wanted("CidrIp")}]
        permissions = [short] if short else []
    if not permissions:
        raise Refused("MissingParameter", "Either 'ipPermissions' or 'securityGroupRuleIds' should be provided.")
    return [rule for one in permissions for rule in _rules(response, group, one, direction)]


def _rules(response, group, permission, direction):
    protocol = PROTOCOLS.get(str(permission.get("IpProtocol", "")).lower())
    if protocol is None:
        message = f"Invalid value '{permission.get('IpProtocol')}' for IP protocol. Unknown protocol."
        raise Refused("InvalidParameterValue", message)
    first, last = permission.get("FromPort"), permission.get("ToPort")
    if protocol != "-1":
        _check_ports(protocol, first, last)
    ranges = [_range(one, "CidrIp", ipaddress.IPv4Network) for one in permission.get("IpRanges", [])]
    ranges += [_range(one, "CidrIpv6", ipaddress.IPv6Network) for one in permission.get("Ipv6Ranges", [])]
    sources = [{"ip_range": one} for one in ranges]
    sources += [
        {"ip_range": None, "source_group": _pair(response, one)} for one in permission.get("UserIdGroupPairs", [])
    ]
    if not sources:
        raise Refused("MissingParameter", "The request must contain the parameter ipRanges, ipv6Ranges or groups")
    for source in sources:
        yield SecurityGroupRule(
            response.ec2_backend,
            protocol,
            group.id,
            first,
            last,
            is_egress=direction == "egress_rules",
            **source,
        )


def _check_ports(protocol, first, last):
    if first is None or last is None:
        raise Refused(
            "InvalidParameterValue", "Invalid value for portRange. Must specify both from and to ports with TCP/UDP."
        )
    if protocol != "icmp" and not 0 <= int(first) <= int(last) <= 65535:
        raise Refused("InvalidParameterValue", f"Invalid value '{first}-{last}' for portRange.")


def _range(wanted, name, network):
    """EC2 keeps a network without the bits beyond its mask."""
    text = wanted.get(name, "")
    try:
        return {**wanted, name: str(network(text if "/" in text else "", strict=False))}
    except ValueError as error:
        raise Refused("InvalidParameterValue", f"CIDR block {text} is malformed") from error


def _pair(response, wanted):
    source = response.group(wanted["GroupId"]) if wanted.get("GroupId") else None
    if source is None:
        named = [one for one in response.groups() if one.name == wanted.get("GroupName")]
        if not named:
            message = f"The security group '{wanted.get('GroupName')}' does not exist"
            raise Refused("InvalidGroup.NotFound", message)
        source = named[0]
    pair = {"GroupId": source.id, "UserId": response.current_account}
    return {**pair, "Description": wanted["Description"]} if wanted.get("Description") else pair


def key(rule):
    """What makes two rules the same; their descriptions do not."""
    source = rule.source_group.get("GroupId")
    return rule.ip_protocol, rule.from_port, rule.to_port, rule.cidr_ipv4, rule.cidr_ipv6, source


def described(rule):
    """As EC2 words a rule in its refusals."""
    peer = rule.cidr_ipv4 or rule.cidr_ipv6 or rule.source_group.get("GroupId")
    protocol = "ALL" if rule.ip_protocol == "-1" else rule.ip_protocol.upper()
    ports = "" if rule.from_port is None else f"from port: {rule.from_port}, to port: {rule.to_port}, "
    return f"peer: {peer}, {protocol}, {ports}ALLOW"
