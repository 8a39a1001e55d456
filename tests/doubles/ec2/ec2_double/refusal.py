"""Refusals of EC2, IAM and STS, as an exception and as XML."""

from uuid import uuid4
from xml.sax.saxutils import escape


class Refused(Exception):
    """A call that is answered with an error code."""

    def __init__(self, code, message, status=400):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


def body(service, refused):
    """The XML that the service answers; EC2's has a form of its own."""
    code, message = escape(refused.code), escape(refused.message)
    if service == "ec2":
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{uuid4()}</RequestID></Response>"
        )
    fault = "Sender" if refused.status < 500 else "Receiver"
    return (
        f'<ErrorResponse xmlns="https://{service}.amazonaws.com/doc/">'
        f"<Error><Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        f"<RequestId>{uuid4()}</RequestId></ErrorResponse>"
    )
