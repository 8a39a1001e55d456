#!/bin/sh
# The last proofs on the monitoring host, a file for each alert.
#   keep NAME  replaces the file with standard input
#   export     replaces the rules that export the proofs with standard input, and lets Prometheus read them
#   list       prints each proof: its file's name, a tab, its content in base64
# A file is replaced as a whole or not at all.
set -eu
folder=/var/lib/monctl/proofs

replace() { # NAME
    mkdir -p "$folder"
    cat >"$folder/.$1.new"
    chmod 0644 "$folder/.$1.new"
    sync "$folder/.$1.new"
    mv "$folder/.$1.new" "$folder/$1"
}

case $1 in
keep) replace "$2" ;;
export)
    replace rules.yml
    systemctl reload monctl-prometheus.service
    ;;
list)
    for file in "$folder"/*.json; do
        [ -e "$file" ] || continue
        content=$(base64 -w 0 "$file")
        printf '%s\t%s\n' "${file##*/}" "$content"
    done
    ;;
esac
