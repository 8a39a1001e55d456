#!/bin/bash
# The drill of QueueTooLong: fills the queue with empty messages, and takes them out again.
#
# Usage: drill.sh fill NUMBER, drill.sh empty
set -euo pipefail

queue=/run/monctl-queue

# As the user whose folder it is: root follows no links that this user may have made.
if ((EUID == 0)); then
	exec setpriv --reuid=monctl-queue --regid=monctl-queue --clear-groups --no-new-privs -- "$0" "$@"
fi

case $1 in
fill) seq -f "$queue/drill-%g" "$2" | xargs touch ;;
empty) rm -f "$queue"/drill-* ;;
*) exit 64 ;;
esac
