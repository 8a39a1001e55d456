"""`grafana server --homepath DIR --config FILE`: reads the configuration, opens the database, listens."""

import argparse
import signal
import sys

from . import auth, permissions, provisioning
from .config import Config, ConfigError
from .prometheus import seconds
from .server import Server
from .store import Store


def arguments():
    parser = argparse.ArgumentParser(prog="grafana")
    parser.add_argument("-v", "--version", action="store_true")
    commands = parser.add_subparsers(dest="command")
    server = commands.add_parser("server")
    server.add_argument("--homepath", "-homepath", default=".")
    server.add_argument("--config", "-config")
    server.add_argument("--pidfile", "-pidfile")
    server.add_argument("--packaging", "-packaging")
    server.add_argument("--lock-seconds", type=float, default=auth.LOCK_SECONDS, help="tests only")
    server.add_argument("--release", type=int, choices=(9, 12), default=9, help="tests only: answer as this one was recorded")
    server.add_argument("--invented-release", type=int, help="tests only: answer as none was ever seen to")
    server.add_argument("--permission-seconds", type=float, default=permissions.KEPT_SECONDS, help="tests only")
    server.add_argument("settings", nargs="*")
    return parser.parse_args()


def serve(options):
    config = Config(options.homepath, options.config)
    store = Store(config.data_path())
    store.first_start(config.get("security", "admin_user"), config.get("security", "admin_password"))
    provisioning.load(config.provisioning_path(), store)
    server = Server(
        config.address(), store, config.version(), lock_seconds=options.lock_seconds,
        least_refresh=seconds(config.get("dashboards", "min_refresh_interval")),
        release=options.invented_release or options.release, permission_seconds=options.permission_seconds,
        home_page=config.get("users", "home_page"), sub_path=config.sub_path(), anonymous_role=config.anonymous_role(),
    )
    # With port 0 the kernel chose one: the caller reads it here.
    print(f"HTTP Server Listen address={server.server_address[0]}:{server.server_address[1]}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.serve_forever(poll_interval=3600)


def main():
    options = arguments()
    if options.version:
        print("grafana version (stand-in)")
        return
    if options.command != "server":
        sys.exit("no command specified, run: grafana server")
    try:
        serve(options)
    except ConfigError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass


main()
