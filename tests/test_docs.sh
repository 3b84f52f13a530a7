#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual pages name each command, option, method, parameter and kind of
# error, are sound for man(1), and their C example compiles.
src=${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
build=${top_builddir:-$PWD}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0
for program in man col; do
	if ! command -v $program >/dev/null; then
		echo "1..0 # SKIP $program is missing"
		exit 0
	fi
done

# result NAME FILE: ok if FILE, which holds what is wrong, is empty.
result()
{
	n=$((n + 1))
	if [ -s "$2" ]; then
		echo "not ok $n - $1"
		sed 's/^/# /' "$2"
	else
		echo "ok $n - $1"
	fi
}

page()
{
	MANWIDTH=200 man -l "$src/doc/$1" 2>>"$tmp/warnings" | col -bx
}

page cloudtracectl.1 >"$tmp/ctl"
page cloudtraced-protocol.7 >"$tmp/protocol"
result "the pages are sound" "$tmp/warnings"

: >"$tmp/missing"
"$build/cloudtracectl" --list-options | sed 's/=$//' | while read -r option; do
	grep -q -e "$option" "$tmp/ctl" || echo "$option"
done >"$tmp/missing"
"$build/cloudtracectl" --list-commands | while read -r command; do
	grep -q -e "^ *$command" "$tmp/ctl" || echo "$command"
done >>"$tmp/missing"
result "cloudtracectl(1) has each command and option" "$tmp/missing"

CLOUDTRACED=$build/tests/serve-fixture "$build/cloudtracectl" --store "$src/tests/ctl/calm.json" \
	raw describe >"$tmp/methods"
/usr/bin/python3 - "$tmp/methods" "$tmp/protocol" "$src/proto/schemas/error.json" >"$tmp/missing" <<'END'
import json, re, sys
described, text = json.load(open(sys.argv[1])), open(sys.argv[2]).read()
for method in described["methods"]:
    found = re.search(r"^ *%s( {([^}]*)})?(  .*)?$" % re.escape(method["name"]), text, re.M)
    named = re.split("[, ]+", found.group(2)) if found and found.group(2) else []
    if not found or named != [p["name"] for p in method["params"]]:
        print(method["name"], [p["name"] for p in method["params"]], named)
kinds = json.load(open(sys.argv[3]))["properties"]["error"]["properties"]["data"]
for kind in kinds["properties"]["kind"]["enum"]:
    if not re.search(r"^ *%s +-32\d{3}" % kind, text, re.M):
        print(kind)
END
result "cloudtraced-protocol(7) has each method, parameter and kind" "$tmp/missing"

sed -n '/^#include <cloudtrace.h>/,/^\.Ed/p' "$src/doc/cloudtraced-protocol.7" |
	sed -e '/^\.Ed/d' -e 's/\\en/\\n/' >"$tmp/example.c"
${CC:-cc} -fsyntax-only -Wall -Wextra -Werror -I"$src/client" "$tmp/example.c" >"$tmp/errors" 2>&1
result "the C example compiles" "$tmp/errors"
echo "1..$n"
