"""EC2's filters: values of one filter are alternatives, several filters must all fit, `*` and `?` are wildcards."""

import fnmatch

from ..refusal import Refused


def fits(resource, filters, known):
    """Whether the resource fits. `known` names the value, or the values, that each filter looks at."""
    return all(_fits_one(resource, name, values, known) for name, values in filters.items())


def _fits_one(resource, name, wanted, known):
    actual = [text(value) for value in _values(resource, name, known) if value is not None]
    return any(fnmatch.fnmatchcase(value, _pattern(one)) for one in wanted for value in actual)


def _values(resource, name, known):
    tags = {tag["key"]: tag["value"] for tag in resource.get_tags()}
    if name.startswith("tag:"):
        return [tags.get(name.removeprefix("tag:"))]
    if name == "tag-key":
        return list(tags)
    if name == "tag-value":
        return list(tags.values())
    if name not in known:
        raise Refused("InvalidParameterValue", f"The filter '{name}' is invalid")
    values = known[name](resource)
    return values if isinstance(values, (list, tuple, set)) else [values]


def _pattern(wanted):
    """As fnmatch writes it, which has one special character more than EC2."""
    return wanted.replace("[", "[[]")


def text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)
