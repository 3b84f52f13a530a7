# SPDX-License-Identifier: MIT
check_PROGRAMS += tests/ctf_dump
tests_ctf_dump_SOURCES = tests/ctf_dump.c
tests_ctf_dump_LDADD = libctf.a libct.a $(BT2_LIBS) -lm

if HAVE_CMOCKA
check_PROGRAMS += tests/test_merge
TESTS += tests/test_merge
tests_test_merge_SOURCES = tests/test_merge.c
tests_test_merge_LDADD = libctf.a libct.a $(CMOCKA_LIBS) -lm
endif

TESTS += tests/test_oracle.py tests/test_reader.py
EXTRA_DIST += tests/test_oracle.py tests/test_reader.py tests/lib/ctf_random.py
