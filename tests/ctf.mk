# SPDX-License-Identifier: MIT
ctf_test_libs = libctf.a libct.a $(CMOCKA_LIBS) -lm
ctf_tests = tests/test_ctf_metadata tests/test_ctf_decode tests/test_ctf_stream \
	tests/test_ctf_corpus

if HAVE_CMOCKA
check_PROGRAMS += $(ctf_tests)
TESTS += $(ctf_tests)
endif
tests_test_ctf_metadata_SOURCES = tests/test_ctf_metadata.c tests/ctf_make.c tests/ctf_make.h
tests_test_ctf_metadata_LDADD = $(ctf_test_libs)
tests_test_ctf_decode_SOURCES = tests/test_ctf_decode.c tests/ctf_make.c tests/ctf_make.h
tests_test_ctf_decode_LDADD = $(ctf_test_libs)
tests_test_ctf_stream_SOURCES = tests/test_ctf_stream.c tests/ctf_make.c tests/ctf_make.h
tests_test_ctf_stream_LDADD = $(ctf_test_libs)
tests_test_ctf_corpus_SOURCES = tests/test_ctf_corpus.c
tests_test_ctf_corpus_LDADD = $(ctf_test_libs)
