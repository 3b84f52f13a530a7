#!/bin/sh
# SPDX-License-Identifier: MIT
# What cloudtracectl prints: each tests/ctl/*.tr holds commands ("$ ...") with
# what they printed; they are run again, and both must be the same.
# "UPDATE=1 tests/test_ctl.sh" writes what is printed now.
set -u
src=${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
build=${top_builddir:-$PWD}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
PATH=$build:$PATH
CLOUDTRACED=$build/tests/serve-fixture
LC_ALL=C.UTF-8 TZ=UTC COLUMNS=100 NO_COLOR= TERM=xterm
export PATH CLOUDTRACED LC_ALL TZ COLUMNS NO_COLOR TERM tmp
cd "$src/tests/ctl" || exit 1

# The cloud at 06:00:10.431.
ctl() {
	timeout 20 cloudtracectl --store cloud.json --now 1795413610431000000 "$@"
}

# The network of two hosts.
net() {
	timeout 20 cloudtracectl --store network.json --now 1795396610431000000 network "$@"
}

# The kernel of a node.
krn() {
	timeout 20 cloudtracectl --store kernel.json --now 1795395980000000000 "$@"
}

replay() {
	while IFS= read -r line; do
		case $line in
		'$ '*)
			printf '%s\n' "$line"
			(eval "${line#??}") </dev/null 2>&1
			code=$?
			[ $code = 0 ] || printf '[exit %d]\n' $code
			;;
		'# '*) printf '%s\n' "$line" ;;
		esac
	done <"$1"
}

n=0
for script in *.tr; do
	n=$((n + 1))
	replay "$script" >"$tmp/out"
	if [ "${UPDATE:-}" ]; then
		cp "$tmp/out" "$script"
	fi
	if diff -u "$script" "$tmp/out" >"$tmp/diff"; then
		echo "ok $n - $script"
	else
		echo "not ok $n - $script"
		sed 's/^/# /' "$tmp/diff"
	fi
done
echo "1..$n"
