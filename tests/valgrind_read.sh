#!/bin/sh
# SPDX-License-Identifier: MIT
# Usage: valgrind_read.sh 'VALGRIND ...' -- reads a trace and shows what was
# found, all of it under valgrind.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trace=$("$(dirname "$0")/lib/corpus.sh" qemu/h-two-and-back)
$1 "$top_builddir/cloudtraced" --read "$trace" --store="$folder/store.db"
$1 "$top_builddir/cloudtraced" --dump "$trace" >"$folder/dump"
$1 "$top_builddir/cloudtraced" --dump-store --store="$folder/store.db" >"$folder/text"
export CLOUDTRACED="$top_builddir/cloudtraced"
$1 "$top_builddir/cloudtracectl" --store "$folder/store.db" migration list >"$folder/list"
[ "$(wc -l <"$folder/list")" -eq 4 ]
