#!/bin/sh
# Makes a base image and puts it into place by one rename, so that an image that is there is whole.
# The lock is inherited by everything that is started here: as long as any part of an earlier maker
# lives, even if monctl itself was killed, the next one waits.
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
# On disk before it is in place: not even a power failure leaves half an image under the final name.
sync -f "$target.unfinished"
mv -T "$target.unfinished" "$target"
