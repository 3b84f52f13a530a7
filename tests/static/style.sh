#!/bin/sh
# SPDX-License-Identifier: MIT
# What every source file has to have, and must not have.
set -eu
cd "${top_srcdir:-$(dirname "$0")/../..}"
# The kernel module has the kernel's style and licence.
files=$(ls ./*/*.[ch] ./*/*/*.[ch] 2>/dev/null | grep -v -e '^./build' -e /openvswitch/)
scripts=$(ls check demo .ci/run tests/*.sh tests/*.py tests/*/*.sh tests/*/*.py bench/*.sh bench/*.py 2>/dev/null || true)

. tests/lib/tap.sh

echo 1..6
check "SPDX line in the first lines" "$(for f in $files $scripts; do
	head -n 3 "$f" | grep -q 'SPDX-License-Identifier: MIT' || echo "$f"; done)"
check "no C++ comments" "$(grep -nE '(^|[[:space:];{}])//([^/]|$)' $files | head)"
check "lines of at most 110 columns" "$(for f in $files; do
	expand "$f" | awk -v f="$f" 'length($0) > 110 { print f ":" NR; exit }'; done)"
check "no trailing blanks" "$(grep -nE '[[:blank:]]+$' $files $scripts | head)"
check "no words of unfinished work" "$(grep -nwE 'TODO|FIXME|XXX' $files $scripts | grep -v tests/static/ | head)"
check "files of at most 900 lines" "$(wc -l $files | awk '$1 > 900 && $2 != "total" { print $2, $1 }')"
