"""Who may call: users, their keys and policies, kept by moto's IAM; sessions and expiry, kept here."""

import json

from moto.iam.models import iam_backends

from .refusal import Refused

ADMINISTRATOR = "administrator"
ADMINISTRATOR_KEY = "AKIAADMINISTRATOR000"
ADMINISTRATOR_SECRET = "the-administrator-of-the-double-may-do-all"
EVERYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


class Principals:
    def __init__(self, account):
        self._account = account
        key = self._make(ADMINISTRATOR, EVERYTHING)
        key.access_key_id, key.secret_access_key = ADMINISTRATOR_KEY, ADMINISTRATOR_SECRET

    @property
    def iam(self):
        return iam_backends[self._account]["aws"]

    def _make(self, name, policy):
        self.iam.create_user("us-east-1", name)
        self.iam.put_user_policy(name, "granted", json.dumps(policy))
        return self.iam.create_access_key(name, prefix="AKIA")

    def arn(self, access_key):
        """The ARN of the user whose key this is."""
        for user in self.iam.users.values():
            if any(key.access_key_id == access_key for key in user.access_keys):
                return user.arn
        raise Refused("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
