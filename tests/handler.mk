# SPDX-License-Identifier: MIT
# The OpenStack handler needs no build; its tests read traces with cloudtraced.
# tests/openstack runs it in a real cloud.
TESTS += tests/test_handler.py tests/test_setup.py
EXTRA_DIST += tests/test_handler.py tests/test_setup.py tests/lib/python_tracing.py \
	tests/lib/tap_unittest.py
EXTRA_DIST += bench/handler.py tests/openstack
dist_man_MANS += doc/cloudtrace-openstack-setup.1
EXTRA_DIST += instrumentation/openstack/README.md instrumentation/openstack/pyproject.toml
EXTRA_DIST += instrumentation/openstack/cloudtrace_openstack
