#!/bin/bash
# SPDX-License-Identifier: MIT
# The bash completion against what cloudtracectl says it knows.
src=${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
build=${top_builddir:-$PWD}
PATH=$build:$PATH
export CLOUDTRACED=$build/tests/serve-fixture
# shellcheck source=/dev/null
. "$src/client/cloudtracectl.bash"
n=0

# expect "WANTED ..." WORD...: what the last word is completed to.
expect()
{
	local wanted=$1
	shift
	COMP_WORDS=(cloudtracectl "$@")
	COMP_CWORD=$#
	_cloudtracectl
	local got=${COMPREPLY[*]}
	n=$((n + 1))
	if [ "$got" = "$wanted" ]; then
		echo "ok $n - cloudtracectl $*"
	else
		echo "not ok $n - cloudtracectl $*"
		echo "# wanted: $wanted"
		echo "# got:    $got"
	fi
}

expect "$(cloudtracectl --list-commands | cut -d' ' -f1 | uniq | tr '\n' ' ' | sed 's/ $//')" ""
expect "migration" mig
expect "list show watch" migration ""
expect "list" -o json alert l
expect "migration" watch m
expect "" nonsense ""
expect "json" -o j
expect "failed" --status = f
expect "--no-headers" --no
expect "--socket= --store= --since= --status= --slow= --service= --state= --severity= --subject= --sort=" --s
expect "--socket= --store= --since= --status= --slow=" flow list --s
expect "--socket= --store= --state=" vm list --s
expect "error" flow list --status e
expect "" vm list --state x
expect "running ok error cancelled lost" flow list --status ""
expect "flow" watch fl
expect "latency lost" network flows --sort l
expect "--socket= --store= --since=" thread list compute2 --s
expect "7f3a5c0de1b29834" --store "$src/tests/ctl/cloud.json" migration show 7
expect "req-9f3a5c0d-10a1-4b2c-8d3e-4f5a6b7c8d9e" --store "$src/tests/ctl/cloud.json" flow show req-9
expect "0f6f9ab3-52c1-4a7e-9d42-1c2f3e4d5a6b" --store "$src/tests/ctl/cloud.json" vm history 0
expect "req-9f3a5c0d-10a1-4b2c-8d3e-4f5a6b7c8d9e" --store "$src/tests/ctl/cloud.json" compare req-9
expect "7f3a5c0de1b29834" --store "$src/tests/ctl/cloud.json" compare req-9f3a 7
expect "compute-03" --store "$src/tests/ctl/cloud.json" node drain-status compute-03
expect "nova-compute@compute-03" --store "$src/tests/ctl/cloud.json" service show nova-c
for noun in $(cloudtracectl --list-commands | cut -d' ' -f1 | uniq); do
	expect "$(cloudtracectl --list-commands | sed -n "s/^$noun //p" | tr '\n' ' ' |
		sed 's/ $//')" "$noun" "$([ "$noun" = watch ] && echo zzz)"
done
echo "1..$n"
