"""Reads the ini files as Grafana does: defaults, then the file given, then the environment; then expands `$__file{}`."""

import configparser
import os
import pathlib
import re
import urllib.parse


class ConfigError(Exception):
    """The server must not start: the message is what the real one prints."""


EXPANDER = re.compile(r"\$__(file|env)\{([^}]+)\}")


def expand(section, key, value):
    """Replaces `$__file{PATH}` by the file's text less the white space around it, and `$__env{NAME}` by the variable."""

    def one(match):
        kind, argument = match.groups()
        if kind == "env":
            return os.environ.get(argument, "")
        try:
            return pathlib.Path(argument).read_text().strip()
        except OSError as error:
            raise ConfigError(
                f"got error while expanding {section}.{key} with expander 'file': "
                f"stat {argument}: {error.strerror.lower()}"
            ) from error

    return EXPANDER.sub(one, value)


class Config:
    """The settings that the stand-in honours; any other is accepted and ignored."""

    def __init__(self, homepath, config_file=None):
        self.homepath = pathlib.Path(homepath)
        defaults = self.homepath / "conf" / "defaults.ini"
        if not defaults.is_file():
            raise ConfigError(
                "Could not find config defaults, make sure homepath command line parameter is set "
                "or working directory is homepath"
            )
        self._ini = configparser.RawConfigParser(
            strict=False, inline_comment_prefixes=None, comment_prefixes=("#", ";")
        )
        self._ini.read(defaults)
        if config_file:
            if not pathlib.Path(config_file).is_file():
                raise ConfigError(f"failed to parse {config_file}: open {config_file}: no such file or directory")
            self._ini.read(config_file)

    def get(self, section, key):
        """One setting. The environment's `GF_SECTION_KEY` wins; a name that ends in `__FILE` means nothing to the binary."""
        variable = f"GF_{section}_{key}".upper().replace(".", "_").replace("-", "_")
        value = os.environ.get(variable) or self._ini.get(section, key, fallback="")
        return expand(section, key, value)

    def address(self):
        """Where to listen: host and port."""
        return self.get("server", "http_addr") or "0.0.0.0", int(self.get("server", "http_port"))

    def sub_path(self):
        """The path below which everything is served, such as `/grafana`; empty for the whole server."""
        if self.get("server", "serve_from_sub_path") != "true":
            return ""
        return urllib.parse.urlsplit(self.get("server", "root_url")).path.rstrip("/")

    def anonymous_role(self):
        """What a guest may; empty where guests are let in nowhere."""
        if self.get("auth.anonymous", "enabled") != "true":
            return ""
        return self.get("auth.anonymous", "org_role") or "Viewer"

    def data_path(self):
        """The folder of the database; a relative one lies in the home path."""
        return self.homepath / self.get("paths", "data")

    def provisioning_path(self):
        """The folder of the files that own dashboards and data sources."""
        return self.homepath / self.get("paths", "provisioning")

    def version(self):
        """The version of the packed release."""
        try:
            return (self.homepath / "VERSION").read_text().strip()
        except OSError:
            return "9.4.0-pre"
