"""What belongs to files: `dashboards/*.yaml` and `datasources/*.yaml` below the provisioning folder.

Only the JSON that YAML holds is understood, which the original reads as well. A file is read once, at the first start.
"""

import json
import pathlib

from . import dashboards, datasources

# The original's name for the author of a provisioned file.
NOBODY = {"id": 0, "login": "Anonymous"}


def load(folder, store):
    with store:
        for source in listed(folder / "datasources", "datasources"):
            if datasources.find(store, source["uid"]) is None:
                datasources.insert(store, source["uid"], source, read_only=True)
        for provider in listed(folder / "dashboards", "providers"):
            for path in sorted(pathlib.Path(provider["options"]["path"]).rglob("*.json")):
                bring(store, path.name, json.loads(path.read_text()))


def listed(folder, key):
    """The items under this key of all files of a folder."""
    return [item for path in sorted(folder.glob("*.yaml")) for item in json.loads(path.read_text())[key]]


def bring(store, name, dashboard):
    if dashboards.find(store, dashboard["uid"]) is None:
        row = dashboards.insert(store, dashboard, 0, NOBODY)
        dashboards.write(store, row, dashboard, 0, NOBODY)
        store.run("UPDATE dashboard SET provisioned=? WHERE id=?", name, row["id"])
