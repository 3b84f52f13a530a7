# SPDX-License-Identifier: MIT
# The protocol and cloudtracectl, over a store that is a JSON file.
SERVE_TEST_LIBS = libdaemon_serve.a libproto.a libct.a $(OPENSSL_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS) -lm

check_PROGRAMS += tests/serve-fixture
tests_serve_fixture_SOURCES = tests/serve_fixture.c tests/fake_history.c tests/fake_kernel.c \
	tests/fake_network.c tests/fake_store.c \
	tests/fake_store.h
tests_serve_fixture_LDADD = $(SERVE_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/test_proto
tests_test_proto_SOURCES = tests/test_proto.c
tests_test_proto_LDADD = libproto.a libct.a $(CMOCKA_LIBS) $(JANSSON_LIBS) -lm
TESTS += tests/test_proto
endif

check_PROGRAMS += tests/client-example
tests_client_example_SOURCES = tests/client_example.c
tests_client_example_LDADD = libcloudtrace.a $(OPENSSL_LIBS) $(JANSSON_LIBS) -lm

TESTS += tests/test_ctl.sh tests/test_completion.sh tests/test_docs.sh tests/test_serve.py \
	tests/test_schemas.py
EXTRA_DIST += tests/test_ctl.sh tests/test_completion.sh tests/test_docs.sh tests/test_serve.py \
	tests/test_schemas.py tests/ctl
