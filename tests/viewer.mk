# SPDX-License-Identifier: MIT
# The live viewer: its core by bytes (test_viewer), its connection against a
# scripted relayd (test_viewer_mock.py) and all of it against a real one.
VIEWER_TEST_LIBS = libctf.a libct.a $(EVENT_LIBS) -lm

check_PROGRAMS += tests/viewer_probe
tests_viewer_probe_SOURCES = tests/viewer_probe.c
tests_viewer_probe_LDADD = $(VIEWER_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/test_viewer
tests_test_viewer_SOURCES = tests/test_viewer.c tests/viewer_fixture.c tests/viewer_fixture.h
tests_test_viewer_LDADD = $(CMOCKA_LIBS) $(VIEWER_TEST_LIBS)
TESTS += tests/test_viewer
endif

TESTS += tests/test_viewer_mock.py tests/test_viewer_relayd.py
EXTRA_DIST += tests/test_viewer_mock.py tests/test_viewer_relayd.py tests/lib/producer.py \
	tests/lib/mock_relayd.py tests/lib/viewer_probe.py tests/lib/tap.sh tests/lib/ports.py \
	tests/lib/harness.py
