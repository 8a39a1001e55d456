"""GetConsoleOutput: a real machine's console, or a few lines as an image prints them."""

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.core.utils import utcnow
from moto.ec2.models.instance_types import INSTANCE_TYPES

from ..refusal import Refused
from .own import Own

LINES = """[    0.000000] Linux version 6.12.0-cloud (stand-in)
[    1.000000] systemd[1]: Reached target multi-user.target
"""


class Console(Own):
    def get_console_output(self):
        instance = self.instance(self.needed("InstanceId"))
        if self.wanted("Latest") and INSTANCE_TYPES[instance.instance_type].get("Hypervisor") != "nitro":
            message = "This instance type does not support retrieving the latest console logs."
            raise Refused("UnsupportedOperation", message)
        machine = instance.machine
        lines = machine.console() if machine is not None else LINES
        # EC2 keeps the last 64 KB.
        output = Base64EncodedString.from_raw_string(lines[-65536:])
        return ActionResult({"InstanceId": instance.id, "Timestamp": utcnow(), "Output": output})
