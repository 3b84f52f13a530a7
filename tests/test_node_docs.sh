#!/bin/sh
# SPDX-License-Identifier: MIT
# The documentation of cloudtrace-node has each event, field and option.
set -u
: "${top_srcdir:=$(dirname "$0")/..}" "${top_builddir:=.}"
events=$top_srcdir/instrumentation/node/events.h
page=$top_srcdir/doc/cloudtrace-node-events.md
tmp=$(mktemp)
trap 'rm -f "$tmp"' EXIT
. "$top_srcdir/tests/lib/tap.sh"

# The words of one event's section.
section() {
	sed -n "/^## $1\$/,/^## /p" "$page" | tr -c 'a-z_0-9' '\n'
}

names=$(sed -n 's/^LTTNG_UST_TRACEPOINT_EVENT(cloudtrace_node, \([a-z_]*\),.*/\1/p' "$top_srcdir/instrumentation/node/tp.h")
check "the provider has events" "$([ "$(echo "$names" | wc -l)" -ge 11 ] || echo "only: $names")"
check "the page has every event" "$(for name in $names; do
	grep -qx "## $name" "$page" || echo "$name"; done)"
check "and no others" "$(sed -n 's/^## //p' "$page" | while read -r name; do
	echo "$names" | grep -qx "$name" || echo "$name"; done)"
check "each event's section has its fields" "$(for name in $names; do
	macro=NODE_$(echo "$name" | tr a-z A-Z)_FIELDS
	awk -v macro="#define $macro" 'index($0, macro) == 1 { on = 1 } on { print } on && !/\\$/ { exit }' "$events" |
		grep -oE '(TEXT|NUMBER)\([^)]*\)' | sed 's/.*[(, ]\([a-z_]*\))/\1/' >"$tmp"
	[ -s "$tmp" ] || echo "$name: no fields found"
	while read -r field; do
		section "$name" | grep -qx "$field" || echo "$name: $field"
	done <"$tmp"; done)"
check "the manual has every option" "$("$top_builddir/cloudtrace-node" --help |
	grep -oE '^  --[a-z-]+' | sed 's/^  --//' | while read -r option; do
	grep -qE -e "Fl -$option( |\$)" "$top_srcdir/doc/cloudtrace-node.8" || echo "$option"; done)"
echo "1..$n"
