# SPDX-License-Identifier: MIT
# TAP for the tests that are shell scripts; they print their plan at the end.
n=0

# A check holds if there is nothing to tell that is wrong.
check() { # WHAT WRONG
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		echo "$2" | sed 's/^/# /'
	fi
}
