"""Starts the stand-in for the tests, and helps them call it. One process serves most of them; each begins afresh."""

import atexit
import functools
import json
import pathlib
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

HERE = pathlib.Path(__file__).resolve().parent.parent
REGION = "eu-central-1"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
DEADLINE = 120


class Double:
    """A stand-in that runs; used as a context."""

    def __init__(self, *options, **environment):
        command = [sys.executable, "-m", "ec2_double", *map(str, options)]
        self.process = subprocess.Popen(
            command, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment or None
        )
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the stand-in did not start: {self.process.wait()}")
        ready = json.loads(line)
        self.endpoint, self.control_address = ready["endpoint"], ready["control"]
        self.administrator = ready["access_key_id"], ready["secret_access_key"]

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.stop()

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=DEADLINE)
        self.process.stdout.close()

    def client(self, service="ec2", key=None, token=None, region=REGION):
        identifier, secret = key or self.administrator
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=identifier,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(
                retries={"total_max_attempts": 1}, parameter_validation=False, proxies={}, read_timeout=DEADLINE
            ),
        )

    def control(self, method, path, wanted=None):
        request = urllib.request.Request(
            f"{self.control_address}/{path}", method=method, data=json.dumps(wanted or {}).encode()
        )
        with OPENER.open(request, timeout=DEADLINE) as answer:
            return json.load(answer)

    def settings(self, **values):
        self.control("POST", "settings", values)

    def fault(self, action, do, **more):
        self.control("POST", "faults", {"action": action, "do": do, **more})

    def calls(self):
        return self.control("GET", "calls")["calls"]

    def inventory(self):
        return self.control("GET", "inventory")


@functools.cache
def shared():
    """The one that all tests share that need no options."""
    double = Double()
    atexit.register(double.stop)
    return double


class DoubleTest(unittest.TestCase):
    """Tests that share one stand-in, reset before each of them."""

    @classmethod
    def setUpClass(cls):
        cls.double = shared()
        cls.ec2 = cls.double.client()

    def setUp(self):
        self.double.control("POST", "reset")

    def refused(self, code, call, **parameters):
        """The call must be refused with this code; returns the refusal."""
        with self.assertRaises(ClientError) as caught:
            call(**parameters)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code, error["Message"])
        return caught.exception.response

    def image(self, architecture="amd64", owner="136693071363"):
        pattern = f"debian-13-{architecture}-*"
        images = self.ec2.describe_images(Owners=[owner], Filters=[{"Name": "name", "Values": [pattern]}])["Images"]
        return max(images, key=lambda image: image["CreationDate"])["ImageId"]

    def wanted(self, **more):
        """What RunInstances needs at least."""
        return {"ImageId": self.image(), "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1, **more}

    def run_one(self, **more):
        return self.ec2.run_instances(**self.wanted(**more))["Instances"][0]

    def show(self, instance_id):
        found = self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
        return found[0]["Instances"][0]

    def state(self, instance_id):
        return self.show(instance_id)["State"]["Name"]


def eventually(condition, what):
    """Waits for a condition, and gives what it gives."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"it did not come true that {what}")


def tags(kind, **pairs):
    return {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()]}
