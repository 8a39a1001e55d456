"""Whether the caller may do what the call asks, by the policies of IAM.

`questions` says what a call needs, as Amazon's service authorization reference lists it; `policy` answers each.
"""

from ..refusal import Refused
from .policy import ALLOWED, DENIED, decide
from .questions import questions

# No policy can take this away, nor need one grant it.
ALWAYS = {"sts:GetCallerIdentity"}


def check(principal, call, parameters, world):
    """Refuses the call where one of its questions is answered with no."""
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
    said = f"User: {principal.arn} is not authorized to perform: {question.action}{place} {why}"
    if service != "ec2":
        return Refused("AccessDenied", said, 403)
    # EC2 encodes its reasons for the actions that change something.
    encoded = "" if question.resource == "*" else " Encoded authorization failure message: c3RhbmQtaW4"
    said = f"You are not authorized to perform this operation. {said}{'.' if encoded else ''}{encoded}"
    return Refused("UnauthorizedOperation", said, 403)
