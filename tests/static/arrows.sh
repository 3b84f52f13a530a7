#!/bin/sh
# SPDX-License-Identifier: MIT
# Includes may only go the way of doc/architecture.md: each folder names here
# the folders that it may use.
set -eu
cd "${top_srcdir:-$(dirname "$0")/../..}"

allowed() {
	case $1 in
	lib) echo lib ;;
	ctf) echo lib ctf ;;
	analyzers) echo lib ctf analyzers ;;
	proto) echo lib proto ;;
	daemon) echo lib ctf analyzers proto daemon ;;
	client) echo lib proto client ;;
	replay) echo lib ctf replay ;;
	instrumentation) echo lib instrumentation ;;
	esac
}

echo 1..9
n=0
for folder in lib ctf analyzers proto daemon client replay instrumentation; do
	n=$((n + 1))
	bad=
	for file in "$folder"/*.[ch] "$folder"/*/*.[ch]; do
		# The kernel module is built by the kernel's own rules.
		case $file in */openvswitch/*) continue ;; esac
		[ -e "$file" ] || continue
		for to in $(sed -n 's|^#include "\([a-z_]*\)/.*|\1|p' "$file" | sort -u); do
			case " $(allowed $folder) " in
			*" $to "*) ;;
			*) bad="$bad
# $file includes $to/" ;;
			esac
		done
		if grep -nE '^#include "[^/]*"' "$file" | grep -v '"config.h"' >&2; then
			bad="$bad
# $file includes a header without its folder"
		fi
	done
	if [ -z "$bad" ]; then
		echo "ok $n - $folder uses: $(allowed $folder)"
	else
		echo "not ok $n - $folder uses: $(allowed $folder)$bad"
	fi
done

# Nothing outside store*.c speaks SQL.
n=$((n + 1))
if grep -lE 'sqlite3_(prepare|exec|step)' daemon/*.c client/*.c proto/*.c 2>/dev/null |
   grep -v '^daemon/store'; then
	echo "not ok $n - only daemon/store*.c speaks SQL"
else
	echo "ok $n - only daemon/store*.c speaks SQL"
fi
