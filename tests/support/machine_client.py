"""The program that the stand-in for EC2 calls for its machines: passes each verb to the test that owns them.

usage: machine_client.py SOCKET VERB NAME
"""

import json
import os
import socket
import sys

path, verb, name = sys.argv[1:]
with socket.socket(socket.AF_UNIX) as test:
    test.connect(path)
    request = {"verb": verb, "name": name, "user_data": os.environ.get("EC2_DOUBLE_USER_DATA")}
    test.sendall((json.dumps(request) + "\n").encode())
    answer = json.loads(test.makefile().read())
sys.stdout.write(answer.get("output", ""))
sys.stderr.write(answer.get("error", ""))
sys.exit(1 if "error" in answer else 0)
