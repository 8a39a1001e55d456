"""Client tokens: the same token and the same parameters give the same instances, once and for all."""

from .refusal import Refused

GONE = ("shutting-down", "terminated")


class Tokens:
    def __init__(self):
        self._known = {}

    def known(self, region, token, parameters):
        """The reservation that this token made; nothing where it is new; refused where it does not fit."""
        if not token or (region, token) not in self._known:
            return None
        before, reservation = self._known[region, token]
        if before != parameters:
            raise Refused(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
            )
        if all(instance.state in GONE for instance in reservation.instances):
            raise Refused(
                "IdempotentInstanceTerminated",
                "The client token you have provided is associated with a resource that is already deleted. "
                "Please use a different client token.",
            )
        return reservation

    def remember(self, region, token, parameters, reservation):
        if token:
            self._known[region, token] = (parameters, reservation)
