"""Explains from its log why the requirements of an application could not be installed. The log is untrusted.

    diagnose.py tools LOG               prints the requirement whose build lacks a compiler or Python's headers, if any
    diagnose.py explain LOG PACKAGE…    prints the cause; PACKAGE… are those of the spec's `app.packages`
"""

import re
import sys
from pathlib import Path

TOOLS = "g++ make python3-dev"

# What the log of a failed build contains, what that means, and the Debian packages to install. The first match counts.
CAUSES = (
    (r"No such file or directory: '\S*\b(gcc|g\+\+|cc|c\+\+)'", "a compiler is missing", TOOLS),
    (r"command '\S*\b(gcc|g\+\+|cc|c\+\+)' failed: No such file", "a compiler is missing", TOOLS),
    (r"need a C compiler to build|linker `cc` not found", "a compiler is missing", TOOLS),
    (r"`uwsgi\b.*(?s:.*)'NoneType' object has no attribute 'split'", "a compiler is missing", TOOLS),
    (r"fatal error: Python\.h: No such file", "the header `Python.h` is missing", TOOLS),
    (r"pg_config executable not found", "the program `pg_config` is missing", "libpq-dev"),
    (
        r"Can not find valid pkg-config name",
        "the client library of MySQL is missing",
        "default-libmysqlclient-dev pkg-config",
    ),
    (r"make sure the libxml2 and libxslt development", "libxml2 and libxslt are missing", "libxml2-dev libxslt1-dev"),
    (r"could not be found for (jpeg|zlib),", "libjpeg or zlib is missing", "libjpeg-dev zlib1g-dev"),
    (
        r"`xmlsec\b.*(?s:.*)Unable to invoke pkg-config",
        "the program `pkg-config` is missing",
        "libxmlsec1-dev pkg-config",
    ),
    (r"xmlsec1 is not installed or not in path", "xmlsec1 is missing", "libxmlsec1-dev pkg-config"),
    (r"Could not find directory of OpenSSL installation", "OpenSSL is missing", "libssl-dev pkg-config"),
    (r"can't find Rust compiler", "a Rust compiler is missing", "cargo libssl-dev pkg-config rustc"),
    (r"fatal error: ffi\.h: No such file", "the header `ffi.h` is missing", "libffi-dev"),
    (r"fatal error: (lber|ldap)\.h: No such file", "the client library of LDAP is missing", "libldap-dev libsasl2-dev"),
    (
        r"No such file or directory: 'curl-config'",
        "the program `curl-config` is missing",
        "libcurl4-openssl-dev libssl-dev",
    ),
)

# The same where no package is known.
UNKNOWN = (
    (r"fatal error: ([\w./+-]+): No such file", "the header `{}`"),
    (r"\b([\w.+-]+): (?:command )?not found\b", "the program `{}`"),
    (r"No such file or directory: '([\w.+-]+)'", "the program `{}`"),
)


def requirement(log: str) -> str | None:
    """The requirement whose build failed; None if another cause ended the installation."""
    found = re.search(r"Failed to (?:download and )?build `([^`\n]+)`", log)
    return found and found[1]


def cause(log: str) -> tuple[str, str] | None:
    """What prevents the build, and the packages that help."""
    return next(((problem, packages) for pattern, problem, packages in CAUSES if re.search(pattern, log)), None)


def tools(log: str) -> str:
    found = cause(log)
    return (requirement(log) or "") if found and found[1] == TOOLS else ""


def explain(log: str, present: list[str]) -> str:
    name = requirement(log)
    if name is None:
        return log.strip()
    head = f"`{name}` does not build: "
    if found := cause(log):
        problem, packages = found
        listed = ", ".join([*present, *(package for package in packages.split() if package not in present)])
        return head + f"{problem}; add to the spec: `app.packages: [{listed}]`"
    for pattern, missing in UNKNOWN:
        if found := re.search(pattern, log):
            what = missing.format(found[1])
            return head + f"{what} is missing; find its Debian package at https://packages.debian.org and add it to `app.packages`"
    return head + last_line(log)


def last_line(log: str) -> str:
    """The last line that the build itself printed. uv indents such lines, and adds hints."""
    lines = [line.strip() for line in log.split("\n") if line.startswith("  ") and line.strip()]
    return lines[-1] if lines else log.strip()


if __name__ == "__main__":
    action, path, *packages = sys.argv[1:]
    content = Path(path).read_text(errors="replace")
    print(tools(content) if action == "tools" else explain(content, packages))
