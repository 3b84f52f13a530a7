# SPDX-License-Identifier: MIT
check_PROGRAMS += tests/run_script tests/trace_facts tests/kernel_again
tests_kernel_again_SOURCES = tests/kernel_again.c
tests_kernel_again_LDADD = libanalyzers.a libctf.a libct.a $(JANSSON_LIBS) $(XXHASH_LIBS) $(BT2_LIBS) -lm
tests_run_script_SOURCES = tests/run_script.c
tests_run_script_LDADD = libanalyzers.a libctf.a libct.a $(JANSSON_LIBS) $(XXHASH_LIBS) -lm
tests_trace_facts_SOURCES = tests/trace_facts.c
tests_trace_facts_LDADD = libanalyzers.a libctf.a libct.a $(JANSSON_LIBS) $(XXHASH_LIBS) $(BT2_LIBS) -lm
TESTS += tests/test_scripts.sh tests/test_analyzers_corpus.py tests/test_openstack_corpus.py \
	tests/test_ovs_corpus.py tests/test_kernel_corpus.py
EXTRA_DIST += tests/scripts tests/test_scripts.sh tests/test_analyzers_corpus.py \
	tests/test_openstack_corpus.py tests/test_ovs_corpus.py tests/test_kernel_corpus.py

if HAVE_CMOCKA
check_PROGRAMS += tests/test_logs
TESTS += tests/test_logs
tests_test_logs_SOURCES = tests/test_logs.c
tests_test_logs_LDADD = libanalyzers.a libctf.a libct.a $(JANSSON_LIBS) $(XXHASH_LIBS) $(CMOCKA_LIBS) -lm
check_PROGRAMS += tests/test_engine tests/test_native tests/test_forecast tests/test_ovs
TESTS += tests/test_engine tests/test_native tests/test_forecast tests/test_ovs
check_PROGRAMS += tests/test_windows
TESTS += tests/test_windows
tests_test_windows_SOURCES = tests/test_windows.c
tests_test_windows_LDADD = libanalyzers.a libctf.a libct.a $(JANSSON_LIBS) $(XXHASH_LIBS) $(CMOCKA_LIBS) -lm
tests_test_native_SOURCES = tests/test_native.c
tests_test_native_LDADD = libanalyzers.a libctf.a libct.a $(JANSSON_LIBS) $(XXHASH_LIBS) $(CMOCKA_LIBS) -lm
tests_test_ovs_SOURCES = tests/test_ovs.c tests/ovs_fixture.c tests/ovs_fixture.h
tests_test_ovs_LDADD = libanalyzers.a libctf.a libct.a $(JANSSON_LIBS) $(XXHASH_LIBS) $(CMOCKA_LIBS) -lm
tests_test_engine_SOURCES = tests/test_engine.c
tests_test_engine_LDADD = libanalyzers.a libctf.a libct.a $(JANSSON_LIBS) $(XXHASH_LIBS) $(CMOCKA_LIBS) -lm
tests_test_forecast_SOURCES = tests/test_forecast.c
tests_test_forecast_LDADD = libanalyzers.a libct.a $(CMOCKA_LIBS) -lm
endif
