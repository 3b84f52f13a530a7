# SPDX-License-Identifier: MIT
# The Open vSwitch module without a kernel; tests/guest has one.
TESTS += tests/test_openvswitch.sh
EXTRA_DIST += instrumentation/openvswitch tests/guest tests/test_openvswitch.sh
