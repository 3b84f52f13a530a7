# SPDX-License-Identifier: MIT
# cloudtrace-session: tables and lists; then with real lttng-sessiond and relayd.
if HAVE_LTTNG_CTL
if HAVE_CMOCKA
check_PROGRAMS += tests/test_session
TESTS += tests/test_session
tests_test_session_SOURCES = tests/test_session.c $(SESSION_SOURCES)
tests_test_session_CPPFLAGS = $(SESSION_CPPFLAGS)
tests_test_session_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
endif
if HAVE_UST
# Named as QEMU is, for that is how it is found.
check_PROGRAMS += tests/qemu-system-probe
tests_qemu_system_probe_SOURCES = tests/qemu_probe.c bench/tracepoints_provider.h
tests_qemu_system_probe_LDADD = $(UST_LIBS) -ldl
endif
TESTS += tests/test_session_live.py
endif

EXTRA_DIST += tests/test_session_live.py
