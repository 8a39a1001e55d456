"""Pagination: every Describe action that can split its result does, as its client or a setting wants it."""

import base64
import binascii

from moto.core.utils import get_service_model

from .refusal import Refused

SMALLEST = {"DescribeInstances": 5, "DescribeSecurityGroups": 5, "DescribeVolumes": 5, "DescribeNetworkInterfaces": 5}


class Pages:
    def __init__(self, world):
        self._world = world

    def cut(self, response, result):
        """Leaves one page of the one list in the result, and the token of the next."""
        action = response._get_action()
        model = get_service_model("ec2").operation_model(action)
        if model.output_shape is None or "NextToken" not in model.output_shape.members:
            return
        shown = result.result
        name = next((name for name, value in shown.items() if isinstance(value, (list, tuple))), None)
        if name is None:
            return
        start = offset(response._get_param("NextToken"))
        size = self._size(action, response._get_param("MaxResults"))
        split = by_instance if action == "DescribeInstances" else by_element
        shown[name], there_is_more = split(shown[name], start, size)
        shown["NextToken"] = token(start + size) if there_is_more else None

    def _size(self, action, wanted):
        smallest = SMALLEST.get(action, 1)
        if wanted is not None and not smallest <= int(wanted) <= 1000:
            raise Refused(
                "InvalidParameterValue",
                f"Value ( {wanted} ) for parameter maxResults is invalid. "
                f"Expecting a value between {smallest} and 1000.",
            )
        return min(int(wanted or 1000), self._world.settings.page_size or 1000)


def by_element(elements, start, size):
    return list(elements)[start : start + size], len(elements) > start + size


def by_instance(reservations, start, size):
    """A page of instances, in their reservations."""
    flat = [(reservation, instance) for reservation in reservations for instance in reservation.instances]
    page = {}
    for reservation, instance in flat[start : start + size]:
        page.setdefault(reservation.id, (reservation, []))[1].append(instance)
    for reservation, instances in page.values():
        reservation.instances = instances
    return [reservation for reservation, _ in page.values()], len(flat) > start + size


def token(start):
    return base64.urlsafe_b64encode(f"from {start}".encode()).decode()


def offset(text):
    if not text:
        return 0
    try:
        return int(base64.urlsafe_b64decode(text).decode().removeprefix("from "))
    except (ValueError, binascii.Error) as error:
        raise Refused("InvalidNextToken", f"The token '{text}' is invalid.") from error
