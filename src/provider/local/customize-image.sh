#!/bin/sh
# Turns a fresh Debian into what a cloud's image is: no identity of its own, networkd, the system's CA
# certificates complete. Run by mmdebstrap as its last hook.
# usage: customize-image.sh ROOT
set -eu

root=$1

chroot "$root" update-ca-certificates
chroot "$root" systemctl enable systemd-networkd.service

# Each machine gets its own.
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/etc/resolv.conf" "$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"
# Proxies are given to each machine, as it sees them.
rm -f "$root/etc/apt/apt.conf.d/99mmdebstrap"

cat >"$root/etc/ssh/sshd_config.d/10-monctl.conf" <<END
# One key of each side, made before the machine was; passwords never.
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
# Only this computer and the project's machines can connect; many connections in a row are no attack here.
PerSourcePenalties no
END
