"""Starts the double: `python -m ec2_double [options] [--machines COMMAND…]`.

The first line of output contains its address, once it is ready. It ends when its standard input ends, or on SIGTERM,
and takes with it every machine that it made.
"""

import argparse
import json
import sys
import threading

from .control import Control
from .ending import Ending
from .front import Front
from .principals import ADMINISTRATOR_KEY, ADMINISTRATOR_SECRET
from .server import Server
from .service import Service
from .settings import Settings
from .world import World


def options(arguments):
    parser = argparse.ArgumentParser(prog="ec2_double")
    parser.add_argument("--port", type=int, default=0)
    for name in ("pending", "stopping", "shutting-down", "terminated", "stale"):
        parser.add_argument(f"--{name}", type=float, metavar="SECONDS")
    parser.add_argument("--page-size", type=int, metavar="COUNT")
    parser.add_argument("--vcpu-quota", type=int, metavar="COUNT")
    parser.add_argument("--no-default-vpc", action="store_false", dest="default_vpc", default=None)
    parser.add_argument("--machines", nargs=argparse.REMAINDER, metavar="COMMAND")
    return parser.parse_args(arguments)


def main():
    ending = Ending()
    chosen = vars(options(sys.argv[1:]))
    port, command = chosen.pop("port"), chosen.pop("machines")
    settings = Settings()
    settings.change({name: value for name, value in chosen.items() if value is not None})
    machines = None
    if command:
        from .machines import Machines

        machines = Machines(command)
    world = World(settings, machines)
    world.warm_up()
    front, control = Front(world, Service(world)), Control(world)
    server = Server(("127.0.0.1", port), front, control, lambda: world.settings.clock_offset)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    key = {"access_key_id": ADMINISTRATOR_KEY, "secret_access_key": ADMINISTRATOR_SECRET}
    print(json.dumps({"endpoint": address, "control": f"{address}/double", **key}), flush=True)
    ending.wait()
    if machines is not None and not machines.close():
        sys.exit("ec2_double: not every machine could be removed")


main()
