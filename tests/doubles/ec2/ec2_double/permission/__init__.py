"""Authorizes a call by the policies of IAM.

`questions` lists the permissions that a call needs, as in Amazon's service authorization reference; `policy` decides
each.
"""

from ..refusal import Refused
from .policy import ALLOWED, DENIED, decide
from .questions import questions

# No policy can take this away, nor need one grant it.
ALWAYS = {"sts:GetCallerIdentity"}


def check(principal, call, parameters, world):
    """Refuses the call if one of its permissions is missing."""
    for question in questions(principal, call, parameters, world):
        if question.action in ALWAYS:
            continue
        decision = decide(principal.documents, question)
        if decision is not ALLOWED:
            raise refusal(call.service, principal, question, decision)


def refusal(service, principal, question, decision):
    why = (
        "with an explicit deny in an identity-based policy"
        if decision is DENIED
        else f"because no identity-based policy allows the {question.action} action"
    )
    place = "" if question.resource == "*" else f" on resource: {question.resource}"
    message = f"User: {principal.arn} is not authorized to perform: {question.action}{place} {why}"
    if service != "ec2":
        return Refused("AccessDenied", message, 403)
    # EC2 encodes its reasons for the actions that change something.
    encoded = "" if question.resource == "*" else " Encoded authorization failure message: c3RhbmQtaW4"
    message = f"You are not authorized to perform this operation. {message}{'.' if encoded else ''}{encoded}"
    return Refused("UnauthorizedOperation", message, 403)
