#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs each tests/scripts/NAME.script and compares with NAME.expected.
# With ACCEPT=1 what comes out becomes what is expected.
set -u
src=${top_srcdir:-.}/tests/scripts
run=${top_builddir:-.}/tests/run_script
out=$(mktemp)
trap 'rm -f "$out"' EXIT

echo "1..$(ls "$src"/*.script | wc -l)"
n=0
for script in "$src"/*.script; do
	n=$((n + 1))
	name=$(basename "$script" .script)
	expected=$src/$name.expected
	if ! timeout 60 "$run" "$script" > "$out" 2>&1; then
		echo "not ok $n - $name: ended with an error"
		tail -n 5 "$out" | sed 's/^/# /'
		continue
	fi
	[ "${ACCEPT:-}" ] && cp "$out" "$expected"
	if cmp -s "$out" "$expected"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		diff -u "$expected" "$out" | head -n 40 | sed 's/^/# /'
	fi
done
