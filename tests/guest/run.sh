#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [OPTION...] -- makes the guest in $WORK (/var/tmp/cloudtraced-guest)
# if it isn't there, and runs it; the options are those of run.py.  See README.md.
set -eu
here=$(dirname "$(realpath "$0")")
WORK=${WORK:-/var/tmp/cloudtraced-guest}

missing=
for program in debootstrap mke2fs make qemu-system-x86_64 lttng-relayd python3; do
	command -v "$program" >/dev/null || missing="$missing $program"
done
if [ -n "$missing" ]; then
	echo "missing:$missing" >&2
	echo "as root: apt-get install debootstrap e2fsprogs make qemu-system-x86" \
		"lttng-tools python3" >&2
	exit 1
fi
[ -e "$WORK/root.img" ] || sh "$here/image.sh" "$WORK"
exec python3 "$here/run.py" --work "$WORK" "$@"
