"""Runs an emulator as its package installs it, on a free port of loopback. Prints its address once it answers, and ends it
when standard input ends."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ACCOUNT = "123456789012"
STARTS_WITHIN = 60

BIN = Path(sys.executable).parent


def command(name, port):
    """The program with its arguments and its settings."""
    if name == "moto":
        return [BIN / "moto_server", "-H", "127.0.0.1", "-p", str(port)], {}
    settings = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "LOG_LEVEL": "WARNING",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_HOST": "127.0.0.1",
        "SERVICES": "ec2,sts",
    }
    return [BIN / "ministack"], settings


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(address):
    try:
        urllib.request.urlopen(address, timeout=5)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def main():
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    words, settings = command(sys.argv[1], port)
    child = subprocess.Popen(
        words,
        env=os.environ | settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + STARTS_WITHIN
        while not answers(address):
            if child.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{sys.argv[1]} does not start")
            time.sleep(0.05)
        print(address, flush=True)
        sys.stdin.read()
    finally:
        child.terminate()
        child.wait()


main()
