#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual knows every option that the programs know, and formats cleanly.
set -u
: "${top_srcdir:=$(dirname "$0")/..}" "${top_builddir:=.}"
. "$top_srcdir/tests/lib/tap.sh"
keys=$("$top_builddir/cloudtraced" --print-config | sed -n 's/^#*\([a-z-]*\) =.*/\1/p' | sort -u)
check "cloudtraced lists its keys" "$([ "$(echo "$keys" | wc -l)" -gt 20 ] || echo "only: $keys")"
check "cloudtraced.conf(5) has every key" "$(for key in $keys; do
	grep -q "^\.It Cm $key\$" "$top_srcdir/doc/cloudtraced.conf.5" || echo "$key is missing"; done)"
check "cloudtraced.conf(5) has no others" "$(for key in $(sed -n 's/^\.It Cm //p' "$top_srcdir/doc/cloudtraced.conf.5"); do
	echo "$keys" | grep -qx -e "$key" || echo "$key"; done)"
check "cloudtraced.conf(5) says of them what the table says (cloudtraced --print-manual)" "$(
	"$top_builddir/cloudtraced" --print-manual | while read -r line; do
		grep -qxF -e "$line" "$top_srcdir/doc/cloudtraced.conf.5" || echo "$line"; done)"
modes=$("$top_builddir/cloudtraced" --help | sed -n 's/^  --\([a-z-]*\).*/\1/p')
check "cloudtraced(8) has every mode" "$(for mode in $modes; do
	grep -qE -e "-$mode( |\$)|-config|-help|-version" "$top_srcdir/doc/cloudtraced.8" || echo "$mode is missing"; done)"
for page in "$top_srcdir"/doc/*.[1-8]; do
	check "$(basename "$page") formats cleanly" \
		"$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)"
done
echo "1..$n"
