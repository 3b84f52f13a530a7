#!/bin/sh
# SPDX-License-Identifier: MIT
# Usage: valgrind_one.sh 'VALGRIND ...' TEST -- runs a unit test under valgrind, and
# shows what it said if it fails.
out=$(mktemp)
trap 'rm -f "$out"' EXIT
if $1 "./$2" >"$out" 2>&1; then
	echo "valgrind $2"
else
	echo "valgrind $2 failed:"
	cat "$out"
	exit 1
fi
