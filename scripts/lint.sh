#!/usr/bin/env bash
# All static checks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo fmt --check
cargo clippy --locked --quiet --all-targets -- -D warnings
cargo clippy --locked --quiet --all-targets --no-default-features -- -D warnings
scripts/check-shell.sh
