"""Everything that exists in the account and would cost something or be in the way."""


def inventory(backends):
    found = {"instances": [], "volumes": [], "addresses": [], "interfaces": [], "groups": [], "keys": []}
    for backend in backends:
        for kind, resources in _resources(backend).items():
            found[kind] += [_shown(backend, resource) for resource in resources]
    return found


def _resources(backend):
    groups = [group for in_vpc in backend.groups.values() for group in in_vpc.values()]
    return {
        "instances": [instance for instance in backend.all_instances() if instance.state != "terminated"],
        "volumes": backend.volumes.values(),
        "addresses": backend.addresses,
        "interfaces": backend.enis.values(),
        "groups": [group for group in groups if not group.is_default],
        "keys": backend.key_pairs.values(),
    }


def _shown(backend, resource):
    shown = {"id": resource.id, "region": backend.region_name, "tags": dict(backend.tags.get(resource.id, {}))}
    for name in ("state", "public_ip", "group_name", "key_name", "size", "instance_type"):
        value = getattr(resource, name, None)
        if value is not None:
            shown[name] = value
    return shown
