#!/usr/bin/env bash
# Checks every shell file that git knows or would add.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mapfile -t files < <(
	git ls-files --cached --others --exclude-standard -- '*.sh' .ci/run
)
existing=()
for file in "${files[@]}"; do
	[[ ! -f $file ]] || existing+=("$file")
done
# With the sources of each, and with the check for conditions that suspend errexit in a function: such a place is a
# test, or handles its failures itself.
shellcheck --external-sources --enable=check-set-e-suppressed "${existing[@]}"
host_scripts=(playbooks/lib/*.sh)
shellcheck --external-sources --check-sourced --exclude=SC2034 --enable=check-set-e-suppressed "${host_scripts[@]}"
