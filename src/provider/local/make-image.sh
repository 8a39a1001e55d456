#!/bin/sh
# Builds a base image and puts it into place by one rename, so that an existing image is always complete.
# All processes that are started here inherit the lock: the next build waits until the last process of an
# earlier one has ended, even if monctl itself was killed.
# usage: make-image.sh TARGET SUITE SOURCES MMDEBSTRAP-OPTION...
set -eu

target=$1
suite=$2
sources=$3
shift 3

exec 9>"$target.lock"
flock 9
[ ! -d "$target" ] || exit 0

rm -rf --one-file-system "$target.unfinished"
if [ -n "$sources" ]; then
    printf '%s\n' "$sources" | mmdebstrap "$@" "$suite" "$target.unfinished" -
else
    mmdebstrap "$@" "$suite" "$target.unfinished"
fi
# Synced before the rename: not even a power failure leaves half an image under the final name.
sync -f "$target.unfinished"
mv -T "$target.unfinished" "$target"
