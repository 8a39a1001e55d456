"""Who calls: keys, signatures, clocks, sessions."""

import datetime
import json
import unittest.mock

from .running import DoubleTest

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class Credentials(DoubleTest):
    def user(self, name="ops", policy=EVERYTHING, **more):
        made = self.double.control("POST", "users", {"name": name, "policy": policy, **more})
        return (made["access_key_id"], made["secret_access_key"]), made.get("session_token")

    def both(self, ec2_code, sts_code, **who):
        """The refusals of EC2 and of STS."""
        return (
            self.refused(ec2_code, self.double.client(**who).describe_vpcs),
            self.refused(sts_code, self.double.client("sts", **who).get_caller_identity),
        )

    def test_who_calls_is_known(self):
        key, _ = self.user()
        response = self.double.client("sts", key=key).get_caller_identity()
        self.assertEqual((response["Account"], response["Arn"]), ("123456789012", "arn:aws:iam::123456789012:user/ops"))
        self.double.client(key=key).describe_vpcs()
        self.assertEqual(self.double.calls()[-1]["principal"], "arn:aws:iam::123456789012:user/ops")

    def test_an_unknown_key_is_refused(self):
        refusal, _ = self.both("AuthFailure", "InvalidClientTokenId", key=("AKIA0000000000000000", "secret"))
        self.assertEqual(refusal["ResponseMetadata"]["HTTPStatusCode"], 401)

    def test_a_wrong_secret_is_refused(self):
        identifier, _ = self.double.administrator
        self.both("AuthFailure", "SignatureDoesNotMatch", key=(identifier, "wrong"))

    def test_a_changed_request_is_refused(self):
        client = self.double.client()

        def change(request, **_more):
            request.body = b"Action=DescribeInstances&Version=2016-11-15"
            request.headers["Content-Length"] = str(len(request.body))

        client.meta.events.register("before-send.ec2.*", change)
        self.refused("AuthFailure", client.describe_vpcs)

    def test_a_clock_that_is_off_is_refused(self):
        for minutes in (-16, 16):
            with self.subTest(minutes=minutes):
                self.double.settings(clock_offset=60 * minutes)
                _, refusal = self.both("RequestExpired", "SignatureDoesNotMatch")
                self.assertIn("Signature", refusal["Error"]["Message"])
        self.double.settings(clock_offset=60 * 14)
        self.ec2.describe_vpcs()

    def test_a_client_s_clock_counts_the_same(self):
        late = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=16)
        with unittest.mock.patch("botocore.auth.get_current_datetime", return_value=late.replace(tzinfo=None)):
            self.refused("RequestExpired", self.double.client().describe_vpcs)

    def test_answers_carry_the_double_s_time(self):
        self.double.settings(clock_offset=600)
        headers = self.ec2.describe_vpcs()["ResponseMetadata"]["HTTPHeaders"]
        server_time = datetime.datetime.strptime(headers["date"], "%a, %d %b %Y %H:%M:%S GMT")
        ahead = server_time - datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        self.assertAlmostEqual(ahead.total_seconds(), 600, delta=30)

    def test_a_session_needs_its_token(self):
        key, token = self.user(session=True)
        self.assertTrue(key[0].startswith("ASIA"))
        self.double.client(key=key, token=token).describe_vpcs()
        self.both("AuthFailure", "InvalidClientTokenId", key=key)
        self.both("AuthFailure", "InvalidClientTokenId", key=key, token="another")

    def test_an_expired_session_says_so(self):
        key, token = self.user(session=True)
        self.double.control("POST", "expire", {"access_key_id": key[0]})
        self.both("RequestExpired", "ExpiredToken", key=key, token=token)

    def test_a_region_that_does_not_exist_is_refused(self):
        self.refused("AuthFailure", self.double.client(region="mars-north-1").describe_vpcs)

    def test_an_unsigned_call_is_refused(self):
        from botocore import UNSIGNED

        client = self.double.client()
        client.meta.config.signature_version = UNSIGNED
        client._request_signer._signature_version = UNSIGNED
        self.refused("MissingParameter", client.describe_vpcs)

    def test_a_role_can_be_assumed(self):
        iam = self.double.client("iam")
        trusting = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": trusting})
        role = iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        granting = {"Effect": "Allow", "Action": "ec2:DescribeVpcs", "Resource": "*"}
        allowed = json.dumps({"Version": "2012-10-17", "Statement": granting})
        iam.put_role_policy(RoleName="deployer", PolicyName="granted", PolicyDocument=allowed)
        lent = self.double.client("sts").assume_role(RoleArn=role, RoleSessionName="night")["Credentials"]
        who = {"key": (lent["AccessKeyId"], lent["SecretAccessKey"]), "token": lent["SessionToken"]}
        response = self.double.client("sts", **who).get_caller_identity()
        self.assertEqual(response["Arn"], "arn:aws:sts::123456789012:assumed-role/deployer/night")
        client = self.double.client(**who)
        client.describe_vpcs()
        self.refused("UnauthorizedOperation", client.describe_subnets)
