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

# The fuzzers' corpus is replayed by every `make check`; the fuzzers themselves
# are built by `make ctf-fuzzers` after configure --enable-fuzzers CC=clang.
ctf_fuzz_replays = tests/fuzz/replay_metadata tests/fuzz/replay_packet
check_PROGRAMS += $(ctf_fuzz_replays)
TESTS += $(ctf_fuzz_replays)
tests_fuzz_replay_metadata_SOURCES = tests/fuzz/fuzz_metadata.c tests/fuzz/replay.c
tests_fuzz_replay_metadata_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"tests/fuzz/corpus/metadata"'
tests_fuzz_replay_metadata_LDADD = libctf.a libct.a -lm
tests_fuzz_replay_packet_SOURCES = tests/fuzz/fuzz_packet.c tests/fuzz/replay.c
tests_fuzz_replay_packet_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"tests/fuzz/corpus/packet"'
tests_fuzz_replay_packet_LDADD = libctf.a libct.a -lm

if FUZZERS
ctf_fuzzers = tests/fuzz/fuzz_metadata tests/fuzz/fuzz_packet
EXTRA_PROGRAMS += $(ctf_fuzzers)
tests_fuzz_fuzz_metadata_SOURCES = tests/fuzz/fuzz_metadata.c
tests_fuzz_fuzz_metadata_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_metadata_LDADD = libctf.a libct.a -lm
tests_fuzz_fuzz_packet_SOURCES = tests/fuzz/fuzz_packet.c
tests_fuzz_fuzz_packet_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_packet_LDADD = libctf.a libct.a -lm

ctf-fuzzers: $(ctf_fuzzers)
.PHONY: ctf-fuzzers
endif

EXTRA_DIST += tests/fuzz/corpus
