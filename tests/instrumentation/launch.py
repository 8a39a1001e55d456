"""Stands in for systemd: `launch.py FD COMMAND...` passes an open socket on."""

import os
import sys

descriptor, *command = sys.argv[1:]
os.dup2(int(descriptor), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(command[0], command)
