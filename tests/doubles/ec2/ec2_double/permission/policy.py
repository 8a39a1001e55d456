"""Identity-based policies: a deny that fits wins, else an allow that fits is needed."""

import dataclasses
import json
import re

from . import conditions

ALLOWED, DENIED, UNDECIDED = "allowed", "denied", "undecided"


@dataclasses.dataclass
class Question:
    """May this be done to this resource? `context` are the condition keys that are known, each with its values.

    A resource that does not exist has no attributes, so that a condition on its tags is never met.
    """

    action: str
    resource: str
    context: dict


def decide(documents, question):
    decision = UNDECIDED
    for document in documents:
        for statement in as_list(json.loads(document)["Statement"]):
            if not fits(statement, question):
                continue
            if statement["Effect"] == "Deny":
                return DENIED
            decision = ALLOWED
    return decision


def fits(statement, question):
    return (
        _names(statement, "Action", question.action, question.context, re.IGNORECASE)
        and _names(statement, "Resource", question.resource, question.context, 0)
        and conditions.hold(statement.get("Condition", {}), question.context)
    )


def _names(statement, element, value, context, flags):
    """Whether the element, or its opposite (`NotAction`, `NotResource`), takes the value in."""
    patterns = as_list(statement.get(element, statement.get(f"Not{element}", [])))
    matched = any(conditions.like(pattern, value, context, flags) for pattern in patterns)
    return matched != (f"Not{element}" in statement)


def as_list(value):
    return value if isinstance(value, list) else [value]
