"""Who may call: users and roles, their keys and policies, kept by moto; sessions and what has expired, kept here."""

import dataclasses
import json
import secrets

from moto.iam.exceptions import MalformedPolicyDocument
from moto.iam.models import IAMBackend, Policy, iam_backends
from moto.iam.policy_validation import IAMPolicyDocumentValidator
from moto.sts.models import sts_backends

ADMINISTRATOR = "administrator"
ADMINISTRATOR_KEY = "AKIAADMINISTRATOR000"
ADMINISTRATOR_SECRET = "the-administrator-of-the-double-may-do-all"
EVERYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
REGION = "us-east-1"


@dataclasses.dataclass
class Principal:
    """Someone with a key. `token` is what a temporary key must be sent with, `documents` are policies as JSON text."""

    access_key: str
    secret_key: str
    token: str | None
    arn: str
    user_id: str
    user_name: str | None
    documents: list
    is_expired: bool = False


class Principals:
    def __init__(self, account):
        self.account = account
        self._sessions = {}
        self._expired = set()
        key = self.create(ADMINISTRATOR, EVERYTHING)
        key.access_key_id, key.secret_access_key = ADMINISTRATOR_KEY, ADMINISTRATOR_SECRET

    @property
    def iam(self) -> IAMBackend:
        return iam_backends[self.account]["aws"]

    def create(self, name, policy):
        """A user with this policy, or an existing user's new policy; gives the user's key."""
        document = json.dumps(policy)
        try:
            IAMPolicyDocumentValidator(document).validate()
        except MalformedPolicyDocument as error:
            raise ValueError(f"this is not a policy: {error}") from error
        if name not in self.iam.users:
            self.iam.create_user(REGION, name)
        self.iam.put_user_policy(name, "granted", document)
        return next(iter(self.iam.users[name].access_keys), None) or self.iam.create_access_key(name)

    def begin_session(self, name):
        """A temporary key of a user: key, secret, token."""
        key = "ASIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30), secrets.token_urlsafe(120)
        self._sessions[key[0]] = (name, *key[1:])
        return key

    def expire(self, access_key):
        """From now on this key's token has expired."""
        if self.find(access_key) is None:
            raise ValueError(f"no such key: {access_key}")
        self._expired.add(access_key)

    def find(self, access_key):
        """The owner of this key; None if there is none."""
        found = self._of_user(access_key) or self._of_session(access_key) or self._of_role(access_key)
        if found is not None:
            found.is_expired = access_key in self._expired
        return found

    def _of_user(self, access_key):
        for user in self.iam.users.values():
            for key in user.access_keys:
                if key.access_key_id == access_key and key.status == "Active":
                    return self._user(user, access_key, key.secret_access_key, None)
        return None

    def _of_session(self, access_key):
        if access_key not in self._sessions:
            return None
        name, secret, token = self._sessions[access_key]
        return self._user(self.iam.users[name], access_key, secret, token)

    def _user(self, user, access_key, secret, token):
        name = user.name
        documents = [
            self.iam.get_user_policy(name, one)["policy_document"] for one in self.iam.list_user_policies(name)
        ]
        documents += attached(self.iam.list_attached_user_policies(name)[0])
        return Principal(access_key, secret, token, user.arn, user.id, name, documents)

    def _of_role(self, access_key):
        for assumed in sts_backends[self.account]["aws"].assumed_roles:
            if assumed.access_key_id == access_key:
                role = assumed.role_arn.rpartition("/")[2]
                return Principal(
                    access_key,
                    assumed.secret_access_key,
                    assumed.session_token,
                    f"arn:aws:sts::{self.account}:assumed-role/{role}/{assumed.session_name}",
                    assumed.user_id,
                    None,
                    self._of_role_documents(role),
                )
        return None

    def _of_role_documents(self, role):
        inline = [self.iam.get_role_policy(role, one)[1] for one in self.iam.list_role_policies(role)]
        return inline + attached(self.iam.list_attached_role_policies(role)[0])


def attached(policies: list[Policy]):
    """The documents of managed policies, each in its default version."""
    return [version.document for policy in policies for version in policy.versions if version.is_default]
