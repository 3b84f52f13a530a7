# SPDX-License-Identifier: MIT
# Each fuzz_NAME.c is built twice: corpus_NAME gives it the files of
# tests/fuzz/corpus/NAME in every `make check`; fuzz_NAME is the fuzzer itself
# (configure CC=clang --enable-fuzzers, then `make fuzzers`).
fuzz_names = metadata packet viewer rpc config http log

check_PROGRAMS += tests/fuzz/corpus_metadata
TESTS += tests/fuzz/corpus_metadata
tests_fuzz_corpus_metadata_SOURCES = tests/fuzz/fuzz_metadata.c tests/fuzz/run_corpus.c
tests_fuzz_corpus_metadata_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"corpus/metadata"'
tests_fuzz_corpus_metadata_LDADD = libctf.a libct.a -lm

check_PROGRAMS += tests/fuzz/corpus_packet
TESTS += tests/fuzz/corpus_packet
tests_fuzz_corpus_packet_SOURCES = tests/fuzz/fuzz_packet.c tests/fuzz/run_corpus.c
tests_fuzz_corpus_packet_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"corpus/packet"'
tests_fuzz_corpus_packet_LDADD = libctf.a libct.a -lm

check_PROGRAMS += tests/fuzz/corpus_viewer
TESTS += tests/fuzz/corpus_viewer
tests_fuzz_corpus_viewer_SOURCES = tests/fuzz/fuzz_viewer.c tests/fuzz/run_corpus.c
tests_fuzz_corpus_viewer_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"corpus/viewer"'
tests_fuzz_corpus_viewer_LDADD = $(VIEWER_TEST_LIBS)

check_PROGRAMS += tests/fuzz/corpus_rpc
TESTS += tests/fuzz/corpus_rpc
tests_fuzz_corpus_rpc_SOURCES = tests/fuzz/fuzz_rpc.c tests/fuzz/run_corpus.c \
	tests/fake_history.c tests/fake_kernel.c tests/fake_network.c tests/fake_store.c
tests_fuzz_corpus_rpc_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"corpus/rpc"'
tests_fuzz_corpus_rpc_LDADD = $(SERVE_TEST_LIBS)

check_PROGRAMS += tests/fuzz/corpus_config
TESTS += tests/fuzz/corpus_config
tests_fuzz_corpus_config_SOURCES = tests/fuzz/fuzz_config.c tests/fuzz/run_corpus.c daemon/config.c daemon/config_keys.c daemon/config_rules.c daemon/config_sections.c
tests_fuzz_corpus_config_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"corpus/config"'
tests_fuzz_corpus_config_LDADD = libct.a $(INIH_LIBS) -lm

check_PROGRAMS += tests/fuzz/corpus_log
TESTS += tests/fuzz/corpus_log
tests_fuzz_corpus_log_SOURCES = tests/fuzz/fuzz_log.c tests/fuzz/run_corpus.c
tests_fuzz_corpus_log_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"corpus/log"'
tests_fuzz_corpus_log_LDADD = libanalyzers.a libctf.a libct.a $(JANSSON_LIBS) $(XXHASH_LIBS) -lm
check_PROGRAMS += tests/fuzz/corpus_http
TESTS += tests/fuzz/corpus_http
tests_fuzz_corpus_http_SOURCES = tests/fuzz/fuzz_http.c tests/fuzz/run_corpus.c
tests_fuzz_corpus_http_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"corpus/http"'
tests_fuzz_corpus_http_LDADD = libproto.a libct.a $(JANSSON_LIBS) -lm

if FUZZERS
EXTRA_PROGRAMS += tests/fuzz/fuzz_log
tests_fuzz_fuzz_log_SOURCES = tests/fuzz/fuzz_log.c
tests_fuzz_fuzz_log_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_log_LDADD = libanalyzers.a libctf.a libct.a $(JANSSON_LIBS) $(XXHASH_LIBS) -lm

EXTRA_PROGRAMS += tests/fuzz/fuzz_metadata
tests_fuzz_fuzz_metadata_SOURCES = tests/fuzz/fuzz_metadata.c
tests_fuzz_fuzz_metadata_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_metadata_LDADD = libctf.a libct.a -lm

EXTRA_PROGRAMS += tests/fuzz/fuzz_packet
tests_fuzz_fuzz_packet_SOURCES = tests/fuzz/fuzz_packet.c
tests_fuzz_fuzz_packet_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_packet_LDADD = libctf.a libct.a -lm

EXTRA_PROGRAMS += tests/fuzz/fuzz_viewer
tests_fuzz_fuzz_viewer_SOURCES = tests/fuzz/fuzz_viewer.c
tests_fuzz_fuzz_viewer_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_viewer_LDADD = $(VIEWER_TEST_LIBS)

EXTRA_PROGRAMS += tests/fuzz/fuzz_rpc
tests_fuzz_fuzz_rpc_SOURCES = tests/fuzz/fuzz_rpc.c tests/fake_history.c tests/fake_kernel.c \
	tests/fake_network.c \
	tests/fake_store.c
tests_fuzz_fuzz_rpc_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_rpc_LDADD = $(SERVE_TEST_LIBS)

EXTRA_PROGRAMS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c daemon/config.c daemon/config_keys.c daemon/config_rules.c daemon/config_sections.c
tests_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_config_LDADD = libct.a $(INIH_LIBS) -lm

EXTRA_PROGRAMS += tests/fuzz/fuzz_http
tests_fuzz_fuzz_http_SOURCES = tests/fuzz/fuzz_http.c
tests_fuzz_fuzz_http_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_http_LDADD = libproto.a libct.a $(JANSSON_LIBS) -lm

fuzzers: $(fuzz_names:%=tests/fuzz/fuzz_%)
endif

EXTRA_DIST += tests/fuzz/corpus
