# SPDX-License-Identifier: MIT
check_PROGRAMS += tests/test_lib tests/test_config tests/test_histogram
TESTS += tests/test_lib tests/test_config tests/test_histogram tests/test_qemu_corpus.py tests/test_live_corpus.py tests/test_manual.sh tests/test_faults.py tests/test_stall.py
tests_test_histogram_SOURCES = tests/test_histogram.c
tests_test_histogram_LDADD = libct.a $(CMOCKA_LIBS) -lm
tests_test_lib_SOURCES = tests/test_lib.c
tests_test_lib_LDADD = libct.a $(CMOCKA_LIBS) -lm
tests_test_config_SOURCES = tests/test_config.c daemon/config.c daemon/config_keys.c daemon/config_rules.c daemon/config_sections.c
tests_test_config_LDADD = libct.a $(INIH_LIBS) $(CMOCKA_LIBS) -lm
