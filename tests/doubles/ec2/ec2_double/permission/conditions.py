"""A statement's conditions. Keys are case-insensitive; an unknown key matches only a condition on its absence."""

import ipaddress
import operator
import re
from datetime import datetime

VARIABLE = re.compile(r"\$\{([^}]*)\}")


def hold(wanted, context):
    """Whether all conditions of a statement hold."""
    known = {name.lower(): values for name, values in context.items()}
    return all(
        _holds(name, known.get(key.lower()), _as_list(values), context)
        for name, keys in wanted.items()
        for key, values in keys.items()
    )


def _holds(name, actual, wanted, context):
    quantifier, _, base = name.rpartition(":")
    base, optional = (base.removesuffix("IfExists"), True) if base.endswith("IfExists") else (base, False)
    if base == "Null":
        return (actual is None) == (str(wanted[0]).lower() == "true")
    if base not in OPERATORS:
        raise ValueError(f"the stand-in does not know the condition operator {name}")
    test, negated = OPERATORS[base]
    if actual is None:
        return optional or negated or quantifier == "ForAllValues"

    # A negated operator wants that none of the values fits.
    def fits(value):
        return any(test(value, one, context) for one in wanted) != negated

    return (
        all(map(fits, actual))
        if quantifier == "ForAllValues" or (negated and not quantifier)
        else any(map(fits, actual))
    )


def like(pattern, value, context, flags=0):
    """A pattern with `*`, `?` and policy variables; both wildcards match any character, `/` and `:` too."""
    parts, at = [], 0
    for variable in VARIABLE.finditer(pattern):
        parts += [_wild(pattern[at : variable.start()]), re.escape(_value(variable[1], context))]
        at = variable.end()
    parts.append(_wild(pattern[at:]))
    return re.fullmatch("".join(parts), value, flags | re.DOTALL) is not None


def _wild(text):
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def _value(name, context):
    if name in ("*", "?", "$"):
        return name
    values = {key.lower(): values for key, values in context.items()}.get(name.lower())
    # A variable without a value fits nothing.
    return values[0] if values else "\0"


def _plain(text, context):
    return VARIABLE.sub(lambda variable: _value(variable[1], context), text)


def _equal(value, wanted, context):
    return value == _plain(wanted, context)


def _equal_ignoring_case(value, wanted, context):
    return value.lower() == _plain(wanted, context).lower()


def _like(value, wanted, context):
    return like(wanted, value, context)


def _in_network(value, wanted, _context):
    return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)


def _boolean(value, wanted, _context):
    return value.lower() == str(wanted).lower()


def _number(compare):
    return lambda value, wanted, _context: compare(float(value), float(wanted))


def _date(compare):
    def moment(text):
        return datetime.fromisoformat(text.replace("Z", "+00:00"))

    return lambda value, wanted, _context: compare(moment(value), moment(wanted))


# The test of one value against one wanted, and whether the operator wants the opposite.
OPERATORS = {
    "StringEquals": (_equal, False),
    "StringNotEquals": (_equal, True),
    "StringEqualsIgnoreCase": (_equal_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_equal_ignoring_case, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (_like, False),
    "ArnNotEquals": (_like, True),
    "ArnLike": (_like, False),
    "ArnNotLike": (_like, True),
    "Bool": (_boolean, False),
    "IpAddress": (_in_network, False),
    "NotIpAddress": (_in_network, True),
    "NumericEquals": (_number(operator.eq), False),
    "NumericNotEquals": (_number(operator.eq), True),
    "NumericLessThan": (_number(operator.lt), False),
    "NumericLessThanEquals": (_number(operator.le), False),
    "NumericGreaterThan": (_number(operator.gt), False),
    "NumericGreaterThanEquals": (_number(operator.ge), False),
    "DateEquals": (_date(operator.eq), False),
    "DateNotEquals": (_date(operator.eq), True),
    "DateLessThan": (_date(operator.lt), False),
    "DateLessThanEquals": (_date(operator.le), False),
    "DateGreaterThan": (_date(operator.gt), False),
    "DateGreaterThanEquals": (_date(operator.ge), False),
}


def _as_list(value):
    return value if isinstance(value, list) else [value]
