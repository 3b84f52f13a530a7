#!/bin/sh
# SPDX-License-Identifier: MIT
# Usage: corpus.sh FOLDER/NAME -- unpacks tests/corpus/FOLDER/NAME.tar.xz once
# and prints where it is.
set -eu
name=$1
src=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/corpus/$name.tar.xz
cache=${top_builddir:-${TMPDIR:-/tmp}/cloudtraced-tests.$(id -u)}/tests/corpus-unpacked
to=$cache/$name
if [ ! -d "$to" ]; then
	mkdir -p "$cache/$(dirname "$name")"
	tmp=$(mktemp -d "$cache/unpack.XXXXXX")
	tar -xJf "$src" -C "$tmp"
	# Somebody else may have been faster: theirs is as good.
	mv -T "$tmp/$(basename "$name")" "$to" 2>/dev/null || [ -d "$to" ]
	rm -rf "$tmp"
fi
echo "$to"
