"""Why requirements do not build, from logs that were recorded on a Debian 13."""

import sys
import unittest
from pathlib import Path

import host

sys.path.insert(0, str(host.LIBRARY))
import diagnose  # noqa: E402

LOGS = host.HERE.parent / "fixtures/builds"
# The requirement, the problem, and the packages, by log.
EXPECTED = {
    "bcrypt": ("bcrypt==4.0.1", "a Rust compiler is missing", "cargo, libssl-dev, pkg-config, rustc"),
    "cffi": ("cffi==2.1.1", "the header `ffi.h` is missing", "libffi-dev"),
    "cryptography": ("cryptography==50.0.2", "OpenSSL is missing", "libssl-dev, pkg-config"),
    "lxml": ("lxml==6.1.3", "libxml2 and libxslt are missing", "libxml2-dev, libxslt1-dev"),
    "mysqlclient": (
        "mysqlclient==2.3.2",
        "the client library of MySQL is missing",
        "default-libmysqlclient-dev, pkg-config",
    ),
    "pillow": ("pillow==13.0.0", "libjpeg or zlib is missing", "libjpeg-dev, zlib1g-dev"),
    "psycopg2": ("psycopg2==2.9.13", "the program `pg_config` is missing", "libpq-dev"),
    "pycurl": ("pycurl==7.49.0", "the program `curl-config` is missing", "libcurl4-openssl-dev, libssl-dev"),
    "python-ldap": ("python-ldap==3.4.8", "the client library of LDAP is missing", "libldap-dev, libsasl2-dev"),
    "xmlsec": ("xmlsec==1.3.17", "the program `pkg-config` is missing", "libxmlsec1-dev, pkg-config"),
    "xmlsec-library": ("xmlsec==1.3.17", "xmlsec1 is missing", "libxmlsec1-dev, pkg-config"),
}
# Builds that need a compiler or Python's headers.
TOOLS = {
    "cryptography-linker": "cryptography==50.0.2",
    "greenlet": "greenlet==3.5.6",
    "regex": "regex==2026.11.19",
    "regex-old-setuptools": "regex==2023.12.25",
    "uwsgi": "uwsgi==2.0.31",
    "uwsgi-headers": "uwsgi==2.0.31",
}


def log_of(name):
    return (LOGS / f"{name}.log").read_text()


class Diagnose(unittest.TestCase):
    def test_a_failed_build_is_one_line_with_the_packages_to_add(self):
        for name, (requirement, problem, packages) in EXPECTED.items():
            line = f"`{requirement}` does not build: {problem}; add to the spec: `app.packages: [{packages}]`"
            self.assertEqual(diagnose.explain(log_of(name), []), line)
            self.assertEqual(diagnose.tools(log_of(name)), "", name)

    def test_the_line_keeps_the_packages_that_the_spec_has(self):
        line = diagnose.explain(log_of("cryptography"), ["gettext", "pkg-config"])
        self.assertTrue(line.endswith("`app.packages: [gettext, pkg-config, libssl-dev]`"), line)

    def test_a_missing_compiler_or_header_of_python_is_recognized(self):
        for name, requirement in TOOLS.items():
            self.assertEqual(diagnose.tools(log_of(name)), requirement)
        # Earlier releases of uWSGI, where `gcc -v` prints nothing.
        text = "error: Failed to build `uwsgi==2.0.19`\n  AttributeError: 'NoneType' object has no attribute 'split'\n"
        self.assertEqual(diagnose.tools(text), "uwsgi==2.0.19")
        self.assertEqual(diagnose.tools(text.replace("uwsgi", "other")), "")

    def test_each_recorded_log_is_expected(self):
        self.assertEqual({path.stem for path in LOGS.iterdir()}, {*EXPECTED, *TOOLS})

    def test_each_known_problem_has_a_log(self):
        logs = [log_of(name) for name in [*EXPECTED, *TOOLS]]
        unseen = [pattern for pattern, *_ in diagnose.CAUSES if not any(diagnose.re.search(pattern, log) for log in logs)]
        self.assertEqual(unseen, [pattern for pattern, *_ in diagnose.CAUSES if "NoneType" in pattern])

    def test_an_unknown_header_or_program_is_named(self):
        for line, what in (
            ("x.c:2:10: fatal error: foo/bar.h: No such file or directory", "the header `foo/bar.h`"),
            ("/bin/sh: 1: foo-config: not found", "the program `foo-config`"),
            ("FileNotFoundError: [Errno 2] No such file or directory: 'foo-config'", "the program `foo-config`"),
        ):
            explained = diagnose.explain(f"error: Failed to build `foo==1`\n         {line}\n", [])
            self.assertTrue(explained.startswith(f"`foo==1` does not build: {what} is missing; find"), explained)

    def test_any_other_failed_build_is_its_last_line(self):
        text = "error: Failed to build `foo==1`\n  cause: x\n\n         [stderr]\n         ValueError: no\n\nhint: Build failures usually\n"
        self.assertEqual(diagnose.explain(text, []), "`foo==1` does not build: ValueError: no")

    def test_what_is_no_build_is_shown_unchanged(self):
        text = "error: No solution found when resolving dependencies:\n  Because there is no version of foo==9\n"
        self.assertEqual(diagnose.explain(text, ["gcc"]), text.strip())


if __name__ == "__main__":
    unittest.main()
