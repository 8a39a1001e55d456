"""The fault queue, held calls, and the log."""

import socket
import threading
import time
from urllib.parse import urlsplit

import botocore.exceptions

from .running import DoubleTest, eventually

GROUP = {"GroupName": "app", "Description": "application"}


class Faults(DoubleTest):
    def groups(self):
        return [group["group_name"] for group in self.double.inventory()["groups"]]

    def cut_off(self, call, **parameters):
        with self.assertRaises(botocore.exceptions.ConnectionClosedError):
            call(**parameters)

    def test_a_refused_call_is_not_done(self):
        self.double.fault("CreateSecurityGroup", "refuse", code="OptInRequired", message="Subscribe", status=403)
        refusal = self.refused("OptInRequired", self.ec2.create_security_group, **GROUP)
        self.assertEqual(refusal["ResponseMetadata"]["HTTPStatusCode"], 403)
        self.assertEqual(refusal["Error"]["Message"], "Subscribe")
        self.assertEqual(self.groups(), [])

    def test_a_failed_call_is_done(self):
        self.double.fault("CreateSecurityGroup", "fail")
        refusal = self.refused("InternalError", self.ec2.create_security_group, **GROUP)
        self.assertEqual(refusal["ResponseMetadata"]["HTTPStatusCode"], 500)
        self.assertEqual(self.groups(), ["app"])

    def test_a_dropped_call_is_not_done(self):
        self.double.fault("CreateSecurityGroup", "drop")
        self.cut_off(self.ec2.create_security_group, **GROUP)
        self.assertEqual(self.groups(), [])

    def test_a_lost_reply_comes_after_the_deed(self):
        self.double.fault("CreateSecurityGroup", "lose")
        self.cut_off(self.ec2.create_security_group, **GROUP)
        self.assertEqual(self.groups(), ["app"])

    def test_a_delayed_call_is_done_late(self):
        self.double.fault("CreateSecurityGroup", "delay", seconds=0.3)
        begun = time.monotonic()
        self.ec2.create_security_group(**GROUP)
        self.assertGreaterEqual(time.monotonic() - begun, 0.3)

    def test_a_fault_meets_the_nth_call_as_often_as_said(self):
        self.double.fault("DescribeVpcs", "refuse", nth=2, times=2, code="RequestLimitExceeded", status=503)
        self.ec2.describe_vpcs()
        for _ in range(2):
            self.refused("RequestLimitExceeded", self.ec2.describe_vpcs)
        self.ec2.describe_vpcs()

    def test_a_fault_can_meet_each_call_of_any_action(self):
        self.double.fault("*", "refuse", times=None)
        for call in (self.ec2.describe_vpcs, self.ec2.describe_subnets, self.ec2.describe_vpcs):
            self.refused("InternalError", call)
        self.double.control("DELETE", "faults")
        self.ec2.describe_vpcs()

    def test_the_log_tells_what_became_of_each_call(self):
        self.double.fault("CreateSecurityGroup", "fail")
        self.refused("InternalError", self.ec2.create_security_group, **GROUP)
        self.ec2.describe_vpcs()
        created, described = self.double.calls()
        self.assertEqual(
            [created[name] for name in ("action", "fault", "done", "status", "code", "outcome")],
            ["CreateSecurityGroup", "fail", True, 500, "InternalError", "answered"],
        )
        self.assertEqual(created["parameters"]["GroupName"], "app")
        self.assertEqual(described["principal"], "arn:aws:iam::123456789012:user/administrator")
        self.double.control("DELETE", "calls")
        self.assertEqual(self.double.calls(), [])

    def test_the_log_holds_no_user_data(self):
        self.run_one(UserData="the private host key")
        call = next(call for call in self.double.calls() if call["action"] == "RunInstances")
        self.assertIn("user data", call["parameters"]["UserData"])
        self.assertNotIn("dGhlIHByaXZhdGU", str(call))


class Holds(DoubleTest):
    def held(self, wait=30):
        return self.double.control("GET", f"held?wait={wait}")["held"]

    def in_background(self, call, **parameters):
        thread = threading.Thread(target=call, kwargs=parameters)
        thread.start()
        self.addCleanup(thread.join)
        return thread

    def client_that_hangs_up(self, when):
        """Sends a signed CreateSecurityGroup, and is killed while it is held."""
        self.double.fault("CreateSecurityGroup", when)
        request = signed(self.double)
        with socket.create_connection(("127.0.0.1", urlsplit(self.double.endpoint).port)) as connection:
            connection.sendall(request)
            held = self.held()
            self.assertEqual([one["action"] for one in held], ["CreateSecurityGroup"])
        eventually(lambda: not self.held(wait=0), "nothing is held any more")
        return held[0]

    def test_a_call_held_before_is_not_done_once_its_client_is_gone(self):
        self.assertEqual(self.client_that_hangs_up("hold")["when"], "before")
        call = eventually(lambda: [call for call in self.double.calls() if call["outcome"]], "the call has ended")[0]
        self.assertEqual((call["outcome"], call["done"]), ("gone", False))
        self.assertEqual(self.double.inventory()["groups"], [])

    def test_a_call_held_after_is_done_though_its_client_is_gone(self):
        self.assertEqual(self.client_that_hangs_up("hold_after")["when"], "after")
        self.assertEqual(len(self.double.inventory()["groups"]), 1)

    def test_a_held_call_goes_on_once_released(self):
        self.double.fault("CreateSecurityGroup", "hold")
        thread = self.in_background(self.ec2.create_security_group, **GROUP)
        number = self.held()[0]["id"]
        self.assertEqual(self.double.inventory()["groups"], [])
        self.double.control("POST", "release", {"id": number})
        thread.join()
        self.assertEqual(len(self.double.inventory()["groups"]), 1)

    def test_other_calls_are_answered_while_one_is_held(self):
        self.double.fault("CreateSecurityGroup", "hold_after")
        thread = self.in_background(self.ec2.create_security_group, **GROUP)
        self.held()
        self.double.client().describe_vpcs()
        self.double.control("POST", "release")
        thread.join()

    def test_what_is_held_at_a_reset_is_never_done(self):
        self.double.fault("CreateSecurityGroup", "hold")
        met = []

        def call():
            try:
                self.ec2.create_security_group(**GROUP)
            except botocore.exceptions.HTTPClientError as error:
                met.append(type(error))

        thread = self.in_background(call)
        self.held()
        self.double.control("POST", "reset")
        thread.join()
        self.assertEqual(met, [botocore.exceptions.ConnectionClosedError])
        self.assertEqual(self.double.inventory()["groups"], [])


def signed(double):
    """A CreateSecurityGroup as bytes, for a client that may be cut off anywhere."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    body = "Action=CreateSecurityGroup&Version=2016-11-15&GroupName=app&GroupDescription=application"
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    request = AWSRequest(method="POST", url=f"{double.endpoint}/", data=body, headers=headers)
    SigV4Auth(Credentials(*double.administrator), "ec2", "eu-central-1").add_auth(request)
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    head = ["POST / HTTP/1.1", f"Host: {urlsplit(double.endpoint).netloc}", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join([*head, "", body]).encode()
