# SPDX-License-Identifier: MIT
if HAVE_CMOCKA
store_tests = tests/test_store tests/test_store_refusals tests/test_hub tests/test_hub_order \
	tests/test_flows tests/test_store_windows tests/test_network tests/test_parts tests/test_clocks \
	tests/test_budgets
check_PROGRAMS += $(store_tests)
TESTS += $(store_tests)
store_test_common = tests/store_fixture.c tests/store_fixture.h
store_test_libs = libdaemon_store.a libanalyzers.a libct.a $(SQLITE_LIBS) $(JANSSON_LIBS) \
	$(XXHASH_LIBS) $(CMOCKA_LIBS) -lm

tests_test_store_SOURCES = tests/test_store.c $(store_test_common)
tests_test_store_LDADD = $(store_test_libs)
tests_test_clocks_SOURCES = tests/test_clocks.c $(store_test_common)
tests_test_clocks_LDADD = $(store_test_libs)
tests_test_store_refusals_SOURCES = tests/test_store_refusals.c $(store_test_common)
tests_test_store_refusals_LDADD = $(store_test_libs)
tests_test_store_windows_SOURCES = tests/test_store_windows.c daemon/batch.c $(store_test_common)
tests_test_store_windows_LDADD = libdaemon_store.a libanalyzers.a libctf.a libct.a $(SQLITE_LIBS) \
	$(JANSSON_LIBS) $(XXHASH_LIBS) $(CMOCKA_LIBS) -lm
# The rules alone, over a store that the test plays.
check_PROGRAMS += tests/test_why
TESTS += tests/test_why
tests_test_why_SOURCES = tests/test_why.c daemon/why.c daemon/why_flow.c daemon/why_kernel.c \
	daemon/why_qemu.c
tests_test_why_LDADD = libct.a $(JANSSON_LIBS) $(CMOCKA_LIBS) -lm
tests_test_parts_SOURCES = tests/test_parts.c $(store_test_common)
tests_test_parts_LDADD = $(store_test_libs)
tests_test_network_SOURCES = tests/test_network.c $(store_test_common)
tests_test_network_LDADD = libdaemon_serve.a $(store_test_libs)
tests_test_hub_SOURCES = tests/test_hub.c $(store_test_common)
tests_test_hub_LDADD = $(store_test_libs)
tests_test_budgets_SOURCES = tests/test_budgets.c $(store_test_common)
tests_test_budgets_LDADD = libdaemon_store.a libanalyzers.a libctf.a $(store_test_libs)
tests_test_flows_SOURCES = tests/test_flows.c $(store_test_common)
tests_test_flows_LDADD = $(store_test_libs)
tests_test_hub_order_SOURCES = tests/test_hub_order.c $(store_test_common)
tests_test_hub_order_LDADD = $(store_test_libs)
endif

# Answers that outlive their windows.
check_PROGRAMS += tests/age-store
tests_age_store_SOURCES = tests/age_store.c
tests_age_store_LDADD = libdaemon_store.a libanalyzers.a libctf.a libct.a $(SQLITE_LIBS) \
	$(JANSSON_LIBS) $(XXHASH_LIBS) $(BT2_LIBS) -lm
TESTS += tests/test_settle.py
EXTRA_DIST += tests/test_settle.py

# The store as it was while a trace went on; who leaves a host, and for how long still.
check_PROGRAMS += tests/store-until
tests_store_until_SOURCES = tests/store_until.c
tests_store_until_LDADD = libdaemon_store.a libanalyzers.a libctf.a libct.a $(SQLITE_LIBS) \
	$(JANSSON_LIBS) $(XXHASH_LIBS) $(BT2_LIBS) -lm
TESTS += tests/test_drain.py
EXTRA_DIST += tests/test_drain.py

# The facts of real traces in other orders (tests/test_flows_corpus.py).
check_PROGRAMS += tests/shuffled_facts
tests_shuffled_facts_SOURCES = tests/shuffled_facts.c
tests_shuffled_facts_LDADD = libdaemon_store.a libanalyzers.a libctf.a libct.a $(SQLITE_LIBS) \
	$(JANSSON_LIBS) $(XXHASH_LIBS) $(BT2_LIBS) -lm
TESTS += tests/test_flows_corpus.py
EXTRA_DIST += tests/test_flows_corpus.py
# Every figure of recordings of several layers, and what is said when part of them is missing.
TESTS += tests/test_full.py
EXTRA_DIST += tests/test_full.py tests/lib/ctf_cut.py

# What is found of whole traces.
TESTS += tests/test_why.py
EXTRA_DIST += tests/test_why.py tests/why/kv-contended.json tests/why/kv-longstop.json \
	tests/why/kv-normal.json
