#!/bin/sh
# SPDX-License-Identifier: MIT
# What every source file has to have, and must not have.
set -eu
cd "${top_srcdir:-$(dirname "$0")/../..}"
# The kernel module has the kernel's style and licence.
files=$(ls ./*/*.[ch] ./*/*/*.[ch] 2>/dev/null | grep -v -e '^./build' -e /openvswitch/)
scripts=$(ls check demo .ci/run tests/*.sh tests/*.py tests/*/*.sh tests/*/*.py bench/*.sh bench/*.py 2>/dev/null || true)

n=0
report() {
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		echo "$2" | sed 's/^/# /'
	fi
}

echo 1..6
report "SPDX line in the first lines" "$(for f in $files $scripts; do
	head -n 3 "$f" | grep -q 'SPDX-License-Identifier: MIT' || echo "$f"; done)"
report "no C++ comments" "$(grep -nE '(^|[[:space:];{}])//([^/]|$)' $files | head)"
report "lines of at most 110 columns" "$(for f in $files; do
	expand "$f" | awk -v f="$f" 'length($0) > 110 { print f ":" NR; exit }'; done)"
report "no trailing blanks" "$(grep -nE '[[:blank:]]+$' $files $scripts | head)"
report "no words of unfinished work" "$(grep -nwE 'TODO|FIXME|XXX' $files $scripts | grep -v tests/static/ | head)"
report "files of at most 900 lines" "$(wc -l $files | awk '$1 > 900 && $2 != "total" { print $2, $1 }')"
