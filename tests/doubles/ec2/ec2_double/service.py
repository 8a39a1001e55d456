"""Doing a call: moto's request parsing, the action (ours or moto's), moto's XML."""

from uuid import uuid4

from moto.core.exceptions import ServiceException
from moto.core.request import Request
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores, method_names_from_class
from moto.iam.responses import IamResponse
from werkzeug.exceptions import HTTPException

from . import permission, signature
from .ec2 import Ec2
from .pages import Pages
from .refusal import Refused
from .sts import Sts

# Error codes of EC2 that are answered with another status than 400.
STATUS = {"DryRunOperation": 412}


class Service:
    def __init__(self, world):
        self._world = world
        self._pages = Pages(world)

    def do(self, call, entry):
        """The XML of the answer; raises `Refused`. Whoever calls holds the world's lock."""
        world = self._world
        principal = signature.check(call, world.principals, world.settings.clock_offset)
        world.throttle.take(call.action, world.settings.bucket)
        entry["principal"] = principal.arn
        response = self._response(call, principal)
        world.lives.settle()
        permission.check(principal, call, response.params if call.service == "ec2" else {}, world)
        try:
            return self._act(call, response)
        except ServiceException as error:
            raise Refused(error.code, error.message, STATUS.get(error.code, 400)) from error
        except HTTPException as error:
            code = getattr(error, "error_type", error.name)
            raise Refused(code, getattr(error, "message", error.description), error.code) from error

    def _response(self, call, principal):
        """moto's object for one call of a service, with the parameters in it."""
        if call.service == "ec2":
            response = Ec2(self._world, call)
        elif call.service == "iam":
            response = IamResponse()
        elif call.service == "sts":
            response = Sts(principal, self._world.principals.account)
        else:
            raise Refused("UnknownService", f"the double does not answer as {call.service}")
        host = call.headers.get("Host", "localhost")
        request = Request.from_primitives(call.method, f"http://{host}{call.path}", call.headers, call.body)
        response.setup_class(request)
        # moto would take it from the user agent, where there is one.
        response.region = call.region
        return response

    def _act(self, call, response):
        name = camelcase_to_underscores(call.action)
        if not name or name not in method_names_from_class(type(response)):
            raise NotImplementedError(call.action)
        if call.service == "ec2" and call.action.startswith(("Describe", "Get")):
            response.error_on_dryrun()
        result = getattr(response, name)()
        if isinstance(result, ActionResult):
            if call.service == "ec2":
                self._pages.cut(response, result)
            text = response.serialized(result)[2]
        else:
            text = result if isinstance(result, str) else result[-1]
        return text.replace("request-id", str(uuid4()))
