#!/bin/sh
# Replaces this host's ssh host key. May be interrupted anywhere and run again.
#   prepare KEY: creates the new key while KEY (base64) is in use; prints the key that will be in use.
#   activate KEY: puts it into use, and waits until sshd shows it.
set -eu
key=/etc/ssh/ssh_host_ed25519_key
new=$key.monctl

# The key in a file, as sshd shows it; nothing if the file is not a key.
public() {
    ssh-keygen -y -f "$1" 2>/dev/null | cut -d ' ' -f 2
}

# A missing file must not be taken for a key.
known() {
    found=$(public "$1")
    if [ -z "$found" ]; then
        echo "ssh-keygen cannot read $1" >&2
        exit 1
    fi
}

# OpenSSH 10 writes a comment beside the key.
shown() {
    ssh-keyscan -T 5 -t ed25519 127.0.0.1 2>/dev/null | sed -n 's/^[^#].* ssh-ed25519 //p'
}

case $1 in
prepare)
    known "$key"
    if [ "$found" != "$2" ]; then
        echo "$found"
        exit
    fi
    made=$(public "$new")
    if [ -z "$made" ]; then
        rm -f "$new" "$new.pub"
        ssh-keygen -q -t ed25519 -N '' -C "$(hostname)" -f "$new"
        sync
    fi
    known "$new"
    echo "$found"
    ;;
activate)
    if [ -e "$new" ]; then
        [ ! -e "$new.pub" ] || mv "$new.pub" "$key.pub"
        mv "$new" "$key"
        sync
    fi
    systemctl reload ssh.service 2>/dev/null || systemctl restart ssh.service
    left=50
    # shellcheck disable=SC2310 # a condition, polled until it is true
    until [ "$(shown)" = "$2" ]; do
        left=$((left - 1))
        if [ "$left" -eq 0 ]; then
            echo "sshd does not offer its new key" >&2
            exit 1
        fi
        sleep 0.2
    done
    ;;
esac
