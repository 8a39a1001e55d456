"""One call of an AWS API as it came in: who, what, where, with which parameters."""

import re
import time
from urllib.parse import parse_qsl

CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/(\d+)/([^/]+)/([^/]+)/aws4_request")

# Their values are the user's or monctl's, and no test's business.
SECRET = {"UserData": "user data", "UserData.Value": "user data", "PublicKeyMaterial": "public key"}


class Call:
    """`headers` is a mapping whose keys know no case, `form` the parameters as they were sent."""

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.at = time.time()
        query = path.partition("?")[2]
        fields = body.decode("utf-8", "replace") if body else query
        self.form = dict(parse_qsl(fields, keep_blank_values=True))
        self.action = self.form.get("Action", "")
        signed = CREDENTIAL.search(headers.get("Authorization", ""))
        self.is_signed = signed is not None
        self.access_key, _, self.region, self.service = signed.groups() if signed else ("", "", "us-east-1", "ec2")

    def parameters(self):
        """The parameters without what is secret, as the log shows them."""
        shown = {}
        for name, value in self.form.items():
            if name in ("Action", "Version"):
                continue
            secret = SECRET.get(name)
            shown[name] = f"({secret}, {len(value)} bytes in base64)" if secret else value
        return shown
