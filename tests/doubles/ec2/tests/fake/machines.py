#!/usr/bin/env python3
"""Stands in for the program that makes real machines: it only notes what it was told to do.

usage: machines.py FOLDER reserve|make|start|stop|remove|console NAME

FOLDER/log gets a line for each verb. A file FOLDER/VERB.fail makes the verb fail; while there is a file
FOLDER/VERB.wait the verb waits.
"""

import json
import os
import pathlib
import sys
import time

folder, verb, name = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
number = int(name.partition("-")[2] or 1)
address = f"10.77.0.{number + 10}"

with open(folder / "log", "a") as log:
    log.write(f"{verb} {name}\n")
while (folder / f"{verb}.wait").exists():
    time.sleep(0.01)
if (folder / f"{verb}.fail").exists():
    sys.exit(f"{verb}: no space left")
if verb == "reserve":
    print(json.dumps({"address": address}))
if verb == "make":
    (folder / f"{name}.user-data").write_bytes(pathlib.Path(os.environ["EC2_DOUBLE_USER_DATA"]).read_bytes())
    print(json.dumps({"address": address, "ssh_config": f"{folder}/ssh_config", "alias": name}))
if verb == "console":
    print(f"console of {name}")
