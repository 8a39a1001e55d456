"""Authenticates a call by its key, signature and time. botocore signs it again, and the signatures are compared."""

import hmac
import re
from datetime import UTC, datetime, timedelta

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

from .refusal import Refused

TOLERANCE = timedelta(minutes=15)
FORM = "%Y%m%dT%H%M%SZ"
SIGNED = re.compile(r"SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]+)")


def check(call, principals, clock_offset):
    """The principal that signed the call; refused if there is none, in the words of each service."""
    words = Ec2Words if call.service == "ec2" else OtherWords
    signed = SIGNED.search(call.headers.get("Authorization", ""))
    if not call.is_signed or signed is None:
        raise words.unsigned()
    principal = principals.find(call.access_key)
    if principal is None or principal.token != call.headers.get("X-Amz-Security-Token"):
        raise words.unknown_key()
    if call.service == "ec2" and call.region not in RegionsAndZonesBackend.zones:
        raise words.unknown_region()
    check_time(call, clock_offset, words)
    if principal.is_expired:
        raise words.expired_token()
    if not hmac.compare_digest(signature(call, signed[1].split(";"), principal), signed[2]):
        raise words.wrong_signature()
    return principal


def check_time(call, clock_offset, words):
    sent = datetime.strptime(call.headers.get("X-Amz-Date", ""), FORM).replace(tzinfo=UTC)
    now = datetime.now(UTC) + timedelta(seconds=clock_offset)
    if abs(sent - now) > TOLERANCE:
        raise words.wrong_time(sent, now)


def signature(call, names, principal):
    headers = {name: call.headers.get(name, "") for name in names}
    request = AWSRequest(method=call.method, url=call.path, data=call.body, headers=headers)
    request.context["timestamp"] = call.headers["X-Amz-Date"]
    signer = SigV4Auth(Credentials(principal.access_key, principal.secret_key), call.service, call.region)
    return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)


class Ec2Words:
    """EC2 distinguishes few cases."""

    @staticmethod
    def unknown_key():
        return Refused("AuthFailure", "AWS was not able to validate the provided access credentials", 401)

    wrong_signature = unknown_key

    @staticmethod
    def unknown_region():
        return Refused("AuthFailure", "Credential should be scoped to a valid region.", 401)

    @staticmethod
    def unsigned():
        return Refused("MissingParameter", "The request must contain the parameter AWSAccessKeyId")

    @staticmethod
    def expired_token():
        return Refused("RequestExpired", "Request has expired.")

    @staticmethod
    def wrong_time(_sent, _now):
        return Ec2Words.expired_token()


class OtherWords:
    """STS and IAM."""

    @staticmethod
    def unknown_key():
        return Refused("InvalidClientTokenId", "The security token included in the request is invalid.", 403)

    @staticmethod
    def wrong_signature():
        return Refused(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
            403,
        )

    @staticmethod
    def unsigned():
        return Refused("MissingAuthenticationToken", "Request is missing Authentication Token", 403)

    @staticmethod
    def expired_token():
        return Refused("ExpiredToken", "The security token included in the request is expired", 403)

    @staticmethod
    def wrong_time(sent, now):
        if sent < now:
            limit = now - TOLERANCE
            message = f"Signature expired: {sent:{FORM}} is now earlier than {limit:{FORM}} ({now:{FORM}} - 15 min.)"
        else:
            limit = now + TOLERANCE
            message = (
                f"Signature not yet current: {sent:{FORM}} is still later than {limit:{FORM}} ({now:{FORM}} + 15 min.)"
            )
        return Refused("SignatureDoesNotMatch", message, 403)
