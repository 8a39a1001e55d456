"""EC2's actions: ours first, moto's for all others."""

from moto.ec2.responses import EC2Response

from .addresses import Addresses
from .attributes import Attributes
from .catalogue import Catalogue
from .console import Console
from .credits import Credits
from .groups import Groups
from .instances import Instances
from .interfaces import Interfaces
from .keys import Keys
from .launch import Launch
from .networks import Networks
from .places import Places
from .tags import Tags
from .types import Types
from .volumes import Volumes


class Ec2(
    Launch,
    Places,
    Instances,
    Attributes,
    Console,
    Credits,
    Groups,
    Keys,
    Volumes,
    Addresses,
    Interfaces,
    Networks,
    Tags,
    Types,
    Catalogue,
    EC2Response,
):
    def __init__(self, world, call):
        super().__init__()
        self.world, self.call = world, call
