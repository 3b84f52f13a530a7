#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds the Debian packages from what git has here, lets lintian read them,
# installs them, runs what they bring, purges them, and looks at what is left.
#
#   tests/packages.sh [FOLDER]    keeps the packages in FOLDER
#
# The installation goes into an overlay over this machine's own root, in a mount
# namespace of its own: the machine does not see it, and what the overlay holds
# after the purge is exactly what the packages left behind.  Needs root for that
# part.
set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD
. ./build-aux/packages.sh
need_packages $packages_build $packages_packaging || exit 1

work=$(mktemp -d "${TMPDIR:-/tmp}/cloudtraced-packages.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
debs=${1:-$work}
mkdir -p "$debs" && debs=$(cd "$debs" && pwd) || exit 1
n=0 bad=0
check() { # WHAT WRONG
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		bad=$((bad + 1))
		echo "not ok $n - $1"
		tail -n 40 <<<"$2" | sed 's/^/# /'
	fi
}
finish() {
	echo "1..$n"
	[ "$bad" -eq 0 ]
	exit
}

# -- Build ----------------------------------------------------------------
mkdir "$work/source" || exit 1
if git rev-parse --git-dir >/dev/null 2>&1; then
	git ls-files -z -co --exclude-standard | while IFS= read -r -d '' file; do
		[ ! -e "$file" ] || printf '%s\0' "$file"
	done
else
	find . -path ./build -prune -o -type f -print0
fi | tar -c --null -T - | tar -x -C "$work/source"

started=$SECONDS
# Debian's own tools only: a Python of somebody's home does not build packages.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
export DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-} noautodbgsym parallel=$(nproc)"
(cd "$work/source" && dpkg-buildpackage -us -uc -b) >"$work/build.log" 2>&1
made=$?
check "the packages are built ($((SECONDS - started)) s)" "$([ $made -eq 0 ] || cat "$work/build.log")"
[ $made -eq 0 ] || finish
[ "$debs" = "$work" ] || cp "$work"/*.deb "$debs"
packages=$(sed -n 's/^Package: //p' debian/control)
check "there is each package" "$(for package in $packages; do
	ls "$work/$package"_*.deb >/dev/null 2>&1 || echo "$package"; done)"
lintian --allow-root --fail-on error "$work"/*.changes >"$work/lintian" 2>&1
made=$?
check "lintian finds no error" "$([ $made -eq 0 ] || cat "$work/lintian")"
sed 's/^/# lintian: /' "$work/lintian"

# -- Install and purge, in an overlay ------------------------------------
if [ "$(id -u)" -ne 0 ] || ! unshare --mount true 2>/dev/null; then
	check "install and purge # SKIP needs root" ""
	finish
fi

cat >"$work/inside" <<'END'
set -u
cd /debs || exit 1
packages=$*
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
before=$(stat -c %Y /var/lib/dpkg/status)
apt-get -qy install --no-install-recommends ./*.deb >/tmp/log 2>&1 || { echo "install: $?"; tail -n 20 /tmp/log; }
for package in $packages; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' $package)" = installed ] || echo "$package is not installed"
done
getent group cloudtrace >/dev/null || echo "there is no group cloudtrace"
[ -d /run/cloudtraced ] || echo "there is no /run/cloudtraced"
for unit in multi-user.target.wants/cloudtraced.service multi-user.target.wants/cloudtrace-node.service \
	sockets.target.wants/cloudtraced-control.socket sockets.target.wants/cloudtraced-ro.socket; do
	[ -e /etc/systemd/system/$unit ] || echo "not enabled: $unit"
done
[ "$(cloudtraced -t --config=/etc/cloudtraced.conf 2>&1)" = "the configuration is good" ] ||
	echo "cloudtraced -t: $(cloudtraced -t --config=/etc/cloudtraced.conf 2>&1)"
for page in $(dpkg -L $packages | sed -n 's|.*/man[1-8]/\(.*\)\.[1-8]\.gz$|\1|p'); do
	man -w "$page" >/dev/null || echo "no page $page"
done
for program in $(dpkg -L $packages | grep -E '^/usr/s?bin/.'); do
	timeout 20 "$program" --version >/tmp/log 2>&1 || { echo "$program --version:"; cat /tmp/log; }
done
if dpkg-query -W -f '${db:Status-Status}' python3-cloudtrace-openstack 2>/dev/null | grep -qx installed; then
	(cd / && /usr/bin/python3 -c 'import cloudtrace_openstack') 2>&1
fi

# A run, with its store where the unit has it.
mkdir -p /var/lib/private/cloudtraced /var/lib/cloudtraced
cloudtraced --config=/etc/cloudtraced.conf 2>/tmp/log &
for try in $(seq 100); do
	cloudtracectl status >/tmp/status 2>&1 && break
	sleep 0.1
done
kill $! && wait $! || { echo "the daemon:"; cat /tmp/log; }
grep -q . /tmp/status || echo "cloudtracectl says nothing"
[ -s /var/lib/cloudtraced/store.db ] || echo "there is no store"

# An upgrade keeps what the operator wrote.
echo "retention = 90d" >>/etc/cloudtraced.conf
apt-get -qy install --reinstall --no-install-recommends ./cloudtraced_*.deb </dev/null >/tmp/log 2>&1 ||
	{ echo "reinstall: $?"; tail -n 20 /tmp/log; }
grep -qx "retention = 90d" /etc/cloudtraced.conf || echo "an upgrade lost the configuration"
apt-get -qy remove $packages >/tmp/log 2>&1 || { echo "remove: $?"; tail -n 20 /tmp/log; }
[ -s /etc/cloudtraced.conf ] || echo "a removal lost the configuration"
[ -s /var/lib/cloudtraced/store.db ] || echo "a removal lost the store"
dpkg --purge $packages >/tmp/log 2>&1 || { echo "purge: $?"; tail -n 20 /tmp/log; }
grep -i warning /tmp/log | grep -v "which isn.t installed"
END

mkdir "$work/over"
cat >"$work/outside" <<END
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$work/over"
cd "$work/over"
mkdir upper inner root
mount -t overlay -o lowerdir=/,upperdir=\$PWD/upper,workdir=\$PWD/inner overlay root
for fs in proc sys dev; do mount --rbind /\$fs root/\$fs; done
mount -t tmpfs tmpfs root/tmp
mount -t tmpfs tmpfs root/run
mkdir root/debs
mount --bind "$work" root/debs
# A TMPDIR of this machine is not there.
TMPDIR=/tmp chroot root /bin/bash /debs/inside $(echo $packages) >"$work/problems" 2>&1 || true
umount root/debs && rmdir root/debs
find root/run -path '*cloudtrac*' >"$work/left"

# What the overlay holds besides the package manager's own books, logs and
# caches: new or changed files, new folders, and whiteouts of what was removed.
cd upper
find . \( -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/log -o -path ./var/cache \
	-o -path ./etc/ld.so.cache -o -path ./etc/.pwd.lock -o -path './etc/*-' \
	-o -path ./var/lib/systemd/deb-systemd-helper-enabled \) -prune -o -print |
while read -r path; do
	if [ -c "\$path" ]; then
		echo "removed: \$path"
	elif [ -d "\$path" ]; then
		[ -d "/\$path" ] || echo "left: \$path"
	elif [ -e "/\$path" ] || [ -L "/\$path" ]; then
		cmp -s "\$path" "/\$path" || echo "changed: \$path"
	else
		echo "left: \$path"
	fi
done >>"$work/left"
END
if ! unshare --mount --fork --pid --mount-proc /bin/bash "$work/outside" >"$work/log" 2>&1; then
	check "install and purge # SKIP no overlay here: $(tail -n 1 "$work/log")" ""
	finish
fi
check "the packages are installed, run, and are purged" "$(cat "$work/problems")"
check "nothing is left of them" "$(cat "$work/left")"
finish
