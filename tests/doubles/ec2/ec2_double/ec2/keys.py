"""Key pairs: imported, listed, deleted."""

import base64
import hashlib

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidKeyPairFormatError
from moto.ec2.responses.key_pairs import KeyPairs

from ..refusal import Refused
from .own import Own

FILTERS = {
    "fingerprint": lambda one: one.key_fingerprint,
    "key-name": lambda one: one.key_name,
    "key-pair-id": lambda one: one.id,
}


class Keys(Own):
    def import_key_pair(self):
        name = self.needed("KeyName")
        tags = self.tags_for("key-pair")["key-pair"]
        if name in self.ec2_backend.key_pairs:
            raise Refused("InvalidKeyPair.Duplicate", f"The keypair '{name}' already exists.")
        self.error_on_dryrun()
        try:
            key = self.ec2_backend.import_key_pair(name, self.needed("PublicKeyMaterial"), tags)
        except InvalidKeyPairFormatError as error:
            raise Refused("InvalidKey.Format", "Key is not in valid OpenSSH public key format") from error
        if key.key_type == "ed25519":
            blob = base64.b64decode(key.public_key.split()[1])
            key.key_fingerprint = base64.b64encode(hashlib.sha256(blob).digest()).decode()
        return ActionResult(self.world.born(key))

    def describe_key_pairs(self):
        names = self.wanted("KeyNames", [])
        keys = self.ec2_backend.key_pairs
        for name in names:
            if name not in keys or not self.world.is_visible(keys[name]):
                raise Refused("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")
        found = self.select(keys.values(), self.wanted("KeyPairIds", []), "key", FILTERS)
        shown = "DescribeKeyPairsResult.KeyPairs.KeyPairInfo.PublicKey"
        if self.wanted("IncludePublicKey"):
            self._include_in_response(shown)
        else:
            self._exclude_from_response(shown)
        return ActionResult({"KeyPairs": [one for one in found if not names or one.key_name in names]})

    def delete_key_pair(self):
        wanted = self.wanted("KeyPairId")
        if wanted is None:
            return KeyPairs.delete_key_pair(self)
        self.error_on_dryrun()
        found = [key for key in self.ec2_backend.key_pairs.values() if key.id == wanted]
        for key in found:
            self.ec2_backend.delete_key_pair(key.key_name)
        return ActionResult({"Return": True, "KeyPairId": wanted})
