# SPDX-License-Identifier: MIT
# The Debian packages that building, the demo and the tests need; sourced by
# ./check and ./demo.

packages_build="gcc make autoconf automake pkg-config xz-utils libc6-dev
libevent-dev libjansson-dev libsqlite3-dev libbabeltrace2-dev uthash-dev libxxhash-dev
libinih-dev libsystemd-dev libcmocka-dev libssl-dev libcurl4-openssl-dev"
packages_demo="lttng-tools"
packages_test="lttng-tools liblttng-ust-dev babeltrace2 clang clang-tools libclang-rt-14-dev
cppcheck valgrind python3 python3-jsonschema procps man-db
systemd qemu-system-x86 liblttng-ust-python-agent1 python3-eventlet python3-oslo.log
python3-oslo.context python3-oslo.config python3-oslo.privsep python3-pip python3-setuptools
python3-wheel openssl curl prometheus prometheus-alertmanager protobuf-compiler"
packages_packaging="dpkg-dev debhelper dh-python dh-dkms dkms lttng-modules-dkms pybuild-plugin-pyproject
python3-all python3-setuptools lintian"

# Packages that are installed start no service; says 0 if it has to be undone.
deny_services() {
	[ ! -e /usr/sbin/policy-rc.d ] || return 1
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
}

# need_packages NAME...: installs what is missing, or says what is.
need_packages() {
	local name missing=
	for name in "$@"; do
		dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' ||
			missing="$missing $name"
	done
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
		echo "installing:$missing"
		local denied= done=
		deny_services && denied=1
		apt-get -q update >/dev/null &&
			DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends $missing >/dev/null &&
			done=1
		[ -z "$denied" ] || rm -f /usr/sbin/policy-rc.d
		[ -z "$done" ] || return 0
		echo "these Debian packages could not be installed:$missing" >&2
		return 1
	fi
	echo "these Debian packages are missing:$missing" >&2
	echo "install them as root: apt-get install$missing" >&2
	return 1
}
