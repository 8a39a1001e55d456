"""What cloud-init does with user data at an instance's first boot, as one script for the new machine.

Only what monctl uses and what is near to it; a key of the cloud-config that is not known here fails the boot, so
that nobody counts on what is not played.
"""

import base64
import shlex

import yaml

KNOWN = {
    "bootcmd",
    "disable_root",
    "fqdn",
    "hostname",
    "manage_etc_hosts",
    "preserve_hostname",
    "runcmd",
    "ssh_authorized_keys",
    "ssh_deletekeys",
    "ssh_genkeytypes",
    "ssh_keys",
    "ssh_pwauth",
    "write_files",
}


class CloudInit:
    """`user_data` are bytes, `default_user` is the image's, `public_key` the key pair's line or nothing."""

    def __init__(self, user_data, default_user, public_key):
        self.user_data = user_data
        self._user, self._public_key = default_user, public_key

    def script(self):
        """Shell for root's standard input; what is secret in it is in no command line."""
        text = self.user_data.decode()
        config, own_script = {}, None
        if text.startswith("#cloud-config"):
            config = yaml.safe_load(text) or {}
        elif text.startswith("#!"):
            own_script = text
        elif text.strip():
            raise ValueError("user data is neither `#cloud-config` nor a script")
        unknown = sorted(set(config) - KNOWN)
        if unknown:
            raise ValueError(f"the stand-in for cloud-init does not play {', '.join(unknown)}")
        parts = [
            "set -eu\nexport LC_ALL=C\n",
            *commands(config.get("bootcmd", [])),
            *[write_file(one) for one in config.get("write_files", [])],
            hostname(config),
            self._default_user(config),
            no_passwords(),
            host_keys(config),
            *commands(config.get("runcmd", [])),
            *([run_script(own_script)] if own_script else []),
            FINISHED,
        ]
        return "\n".join(parts)

    def _default_user(self, config):
        keys = [self._public_key] if self._public_key else []
        keys += config.get("ssh_authorized_keys", [])
        user, folder = self._user, f"/home/{self._user}/.ssh"
        return (
            f"id {user} >/dev/null 2>&1 || useradd --create-home --shell /bin/bash {user}\n"
            + put("/etc/sudoers.d/90-cloud-init-users", f"{user} ALL=(ALL) NOPASSWD:ALL\n", "0440")
            + f"install -d -m 0700 -o {user} -g {user} {folder}\n"
            + put(f"{folder}/authorized_keys", "".join(f"{key.strip()}\n" for key in keys), "0600")
            + f"chown {user}:{user} {folder}/authorized_keys\n"
        )


def put(path, content, mode):
    """A file's whole content; it travels in base64, so that nothing in it is shell."""
    encoded = base64.b64encode(content.encode() if isinstance(content, str) else content).decode()
    place = shlex.quote(path)
    return (
        f"mkdir -p {shlex.quote(path.rpartition('/')[0] or '/')}\n"
        f"(umask 077; base64 -d >{place} <<'END'\n{encoded}\nEND\n)\nchmod {mode} {place}\n"
    )


def write_file(wanted):
    content, path = wanted.get("content", ""), wanted["path"]
    encoding = wanted.get("encoding", "text/plain")
    if encoding in ("b64", "base64"):
        content = base64.b64decode(content)
    elif encoding != "text/plain":
        raise ValueError(f"the stand-in for cloud-init does not play the encoding {encoding}")
    if wanted.get("append"):
        raise ValueError("the stand-in for cloud-init does not append to files")
    owner = shlex.quote(str(wanted.get("owner", "root:root")))
    return (
        put(path, content, shlex.quote(str(wanted.get("permissions", "0644")))) + f"chown {owner} {shlex.quote(path)}\n"
    )


def hostname(config):
    name = config.get("fqdn") or config.get("hostname")
    if config.get("preserve_hostname") or not name:
        return ""
    short = shlex.quote(str(name).partition(".")[0])
    return f"printf '%s\\n' {short} >/etc/hostname\nhostname {short}\n"


def no_passwords():
    """As in cloud images: root has no password, and password logins are disabled."""
    return "passwd --lock root >/dev/null\n" + put(
        "/etc/ssh/sshd_config.d/60-cloudimg-settings.conf", "PasswordAuthentication no\n", "0644"
    )


def host_keys(config):
    """The keys of the user data and no others. Where they are there already, sshd is left alone."""
    given = config.get("ssh_keys", {})
    kinds = {name.rpartition("_")[0] for name in given}
    if any(not {f"{kind}_private", f"{kind}_public"} <= set(given) for kind in kinds):
        raise ValueError("`ssh_keys` has a key without its other half")
    lines = ["changed="]
    if config.get("ssh_deletekeys", True) and kinds:
        kept = " ".join(f"! -name ssh_host_{kind}_key ! -name ssh_host_{kind}_key.pub" for kind in sorted(kinds))
        lines.append(f"find /etc/ssh -name 'ssh_host_*key*' {kept} -delete")
    for kind in sorted(kinds):
        for half, path, mode in (
            ("private", f"ssh_host_{kind}_key", "0600"),
            ("public", f"ssh_host_{kind}_key.pub", "0644"),
        ):
            content = given[f"{kind}_{half}"].rstrip("\n") + "\n"
            lines.append(put(f"/etc/ssh/{path}.new", content, mode))
            lines.append(
                f"if cmp -s /etc/ssh/{path}.new /etc/ssh/{path}; then rm /etc/ssh/{path}.new; "
                f"else mv /etc/ssh/{path}.new /etc/ssh/{path}; changed=yes; fi"
            )
    lines.append('[ -z "$changed" ] || systemctl restart ssh')
    return "\n".join(lines) + "\n"


def commands(wanted):
    """A list is a command and its arguments, a string is shell. One that fails does not stop the others."""
    for one in wanted:
        shell = one if isinstance(one, str) else " ".join(shlex.quote(str(word)) for word in one)
        yield f"sh -c {shlex.quote(shell)} </dev/null || echo 'cloud-init: a command failed' >&2\n"


def run_script(text):
    return put("/var/lib/cloud/instance/scripts/part-001", text, "0700") + (
        "/var/lib/cloud/instance/scripts/part-001 </dev/null || echo 'cloud-init: the script failed' >&2\n"
    )


FINISHED = """mkdir -p /var/lib/cloud/instance /run/cloud-init
date -u >/var/lib/cloud/instance/boot-finished
echo '{"v1": {"errors": []}}' >/run/cloud-init/result.json
echo "Cloud-init finished at $(date -Ru)"
"""
