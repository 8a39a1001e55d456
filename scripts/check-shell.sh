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
shellcheck --external-sources "${existing[@]}"
