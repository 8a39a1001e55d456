"""STS: moto's, but for who is calling, which is known here."""

from moto.core.responses import ActionResult
from moto.sts.responses import TokenResponse


class Sts(TokenResponse):
    def __init__(self, principal, account):
        super().__init__()
        self._principal, self._account = principal, account

    def get_caller_identity(self):
        principal = self._principal
        return ActionResult({"UserId": principal.user_id, "Account": self._account, "Arn": principal.arn})
