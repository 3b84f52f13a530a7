# SPDX-License-Identifier: MIT
check_PROGRAMS += tests/serve-fixture
tests_serve_fixture_SOURCES = tests/serve_fixture.c tests/fake_store.c tests/fake_store.h
tests_serve_fixture_LDADD = libdaemon_serve.a libproto.a libct.a $(EVENT_LIBS) $(JANSSON_LIBS) -lm
