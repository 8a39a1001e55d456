#!/bin/sh
# Grows the mounted root file system to the size of its disk. Does nothing if it already has that size, or if the root
# is not a partition of a disk.
set -eu
device=$(findmnt -n -o SOURCE /)
[ -b "$device" ] || exit 0
disk=$(lsblk -n -d -o PKNAME "$device" 2>/dev/null || true)
if [ -n "$disk" ]; then
    number=$(cat "/sys/class/block/${device##*/}/partition")
    # 1: it is as large as it can be.
    growpart "/dev/$disk" "$number" || [ $? -eq 1 ]
fi
case $(findmnt -n -o FSTYPE /) in
ext4) resize2fs "$device" ;;
xfs) xfs_growfs / ;;
esac
