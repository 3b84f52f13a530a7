# SPDX-License-Identifier: MIT
# What an operator installs: units, make install and uninstall, sockets that
# systemd passes in.  Debian packages have a script of their own, packages.sh.
TESTS += tests/test_units.sh tests/test_install.sh tests/test_activation.py tests/test_twice.py
EXTRA_DIST += tests/test_units.sh tests/test_install.sh tests/test_activation.py tests/test_twice.py \
	tests/packages.sh

# What a package build runs: no daemons, no network.
check-quick: all $(check_PROGRAMS)
	@set --; for test in $(check_PROGRAMS); do \
		case $$test in tests/test_*) set -- "$$@" $$test ;; esac; \
	done; $(MAKE) check-TESTS TESTS="$$*"
.PHONY: check-quick
