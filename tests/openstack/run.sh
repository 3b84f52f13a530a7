#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [OPTION...] -- installs the packages that aren't there (none of their
# services is started), then run.py, whose options these are.  See README.md.
set -eu
here=$(dirname "$(realpath "$0")")
[ "$(id -u)" = 0 ] || { echo "run.sh: only root can make network namespaces" >&2; exit 1; }

missing=
while read -r package; do
	dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q ' installed$' ||
		missing="$missing $package"
done <"$here/packages"
if [ -n "$missing" ]; then
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
		trap 'rm -f $policy' EXIT
	fi
	apt-get update
	# shellcheck disable=SC2086 # a list
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
fi
python3 "$here/run.py" "$@"
