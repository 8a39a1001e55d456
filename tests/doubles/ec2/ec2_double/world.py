"""All that the double remembers beside what moto does, and the way back to a fresh account."""

import copy
import threading
import time

from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.core.base_backend import BackendDict
from moto.core.utils import get_service_model
from moto.ec2.models import ec2_backends
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

from . import images
from .faults import Faults
from .holds import Holds
from .inventory import inventory
from .journal import Journal
from .lifecycle import Lives
from .principals import Principals
from .throttle import Throttle
from .tokens import Tokens


class World:
    """Whoever reads or changes the account holds `lock`: moto knows no threads."""

    def __init__(self, settings, machines=None):
        self.lock = threading.RLock()
        self.faults, self.holds, self.journal = Faults(), Holds(), Journal()
        self.machines = machines
        self._first_settings = settings
        self._fresh()

    def _fresh(self):
        self.settings = copy.deepcopy(self._first_settings)
        self.principals = Principals(ACCOUNT)
        self.tokens = Tokens()
        self.throttle = Throttle()
        self.lives = Lives(self)
        forget_local_zones()
        self._born = {}
        self._regions = {}

    def reset(self):
        """Back to the fresh account: what was held is never done, real machines are removed."""
        self.holds.abandon()
        self.faults.clear()
        self.journal.clear()
        with self.lock:
            if self.machines is not None:
                self.machines.remove_all()
            BackendDict.reset()
            self._fresh()

    def backend(self, region):
        """moto's store of what is in a region, made like a fresh account's at the first look."""
        if region not in self._regions:
            backend = ec2_backends[ACCOUNT][region]
            default_vpc(backend, self.settings.default_vpc)
            if not self.settings.default_subnets and backend.get_default_vpc() is not None:
                remove_subnets(backend, backend.get_default_vpc().id)
            images.furnish(backend)
            self._regions[region] = backend
        return self._regions[region]

    def change_settings(self, values):
        self.settings.change(values)
        for backend in self.regions():
            default_vpc(backend, self.settings.default_vpc)
            if not self.settings.default_subnets and backend.get_default_vpc() is not None:
                remove_subnets(backend, backend.get_default_vpc().id)

    @staticmethod
    def warm_up():
        """Reads now what moto would read at the first call."""
        get_service_model("ec2")

    def regions(self):
        return self._regions.values()

    def born(self, resource):
        """Notes that this has just been created."""
        self._born[resource.id] = time.monotonic()
        return resource

    def is_visible(self, resource):
        """False while reads still lag behind its creation."""
        return time.monotonic() - self._born.get(resource.id, -1e9) >= self.settings.stale

    def inventory(self):
        self.lives.settle()
        return inventory(self.regions())


def forget_local_zones():
    """moto's zones are the process's; those that a subnet brought along go with the account."""
    for zones in RegionsAndZonesBackend.zones.values():
        zones[:] = [zone for zone in zones if zone.zone_type == "availability-zone"]


def default_vpc(backend, wanted):
    """Sees to it that a region has a default VPC, or has none."""
    there = backend.get_default_vpc()
    if wanted and there is None:
        there = backend.default_vpc = backend.create_default_vpc()
    if wanted and not any(one.vpc and one.vpc.id == there.id for one in backend.internet_gateways.values()):
        lead_out(backend, there.id)
    if not wanted and there is not None:
        remove_subnets(backend, there.id)
        for table in [table for table in backend.route_tables.values() if table.vpc_id == there.id]:
            del backend.route_tables[table.id]
        for gateway in [one for one in backend.internet_gateways.values() if one.vpc and one.vpc.id == there.id]:
            del backend.internet_gateways[gateway.id]
        backend.groups.pop(there.id, None)
        del backend.vpcs[there.id]


def lead_out(backend, vpc_id):
    """A default VPC's main route table leads to an internet gateway; moto makes none."""
    gateway = backend.create_internet_gateway()
    backend.attach_internet_gateway(gateway.id, vpc_id)
    main = next(one for one in backend.route_tables.values() if one.vpc_id == vpc_id and one.main_association_id)
    backend.create_route(main.id, "0.0.0.0/0", gateway_id=gateway.id)


def remove_subnets(backend, vpc_id):
    for in_zone in backend.subnets.values():
        for subnet in [subnet for subnet in in_zone.values() if subnet.vpc_id == vpc_id]:
            del in_zone[subnet.id]
