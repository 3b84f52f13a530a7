#!/bin/sh
# SPDX-License-Identifier: MIT
# "make install" stays inside DESTDIR and keeps an operator's configuration;
# "make uninstall" leaves nothing but what the operator changed.
set -u
: "${top_builddir:=.}"
root=$(mktemp -d) || exit 1
trap 'rm -rf "$root"' EXIT
. "${top_srcdir:=$(dirname "$0")/..}/tests/lib/tap.sh"
run() { # TARGET
	unset MAKEFLAGS MFLAGS
	make -s -C "$top_builddir" "$1" DESTDIR="$root" prefix=/usr sysconfdir=/etc \
		localstatedir=/var runstatedir=/run 2>&1 | tail -n 5
}
conf=$root/etc/cloudtraced.conf

run install >"$root/log"
check "the programs are there" "$(for name in sbin/cloudtraced bin/cloudtracectl bin/cloudtrace-replay; do
	[ -x "$root/usr/$name" ] || { echo "$name"; cat "$root/log"; }; done)"
check "the units, the group and the folder of the sockets are there" "$(cd "$root/usr/lib" && for name in \
	systemd/system/cloudtraced.service systemd/system/cloudtraced-control.socket \
	systemd/system/cloudtraced-ro.socket systemd/system/cloudtrace-relayd.service \
	systemd/system/cloudtrace-node.service systemd/system/cloudtrace-session@.service \
	sysusers.d/cloudtraced.conf tmpfiles.d/cloudtraced.conf; do [ -f "$name" ] || echo "$name"; done)"
check "the configuration is there, and is taken" \
	"$("$root/usr/sbin/cloudtraced" -t --config="$conf" 2>&1 | grep -vx 'the configuration is good')"
check "it sets nothing" "$(grep -v '^#' "$conf")"

echo "retention = 90d" >>"$conf"
run install >"$root/log"
check "a second install keeps the configuration" "$(tail -n 1 "$conf" | grep -vx 'retention = 90d')"
run uninstall >"$root/log"
check "uninstall keeps a configuration that was changed" "$([ -f "$conf" ] || echo "it is gone")"
sed -i '$d' "$conf"
run uninstall >"$root/log"
rm -f "$root/log"
check "nothing is left" "$(find "$root" ! -type d)"
echo "1..$n"
