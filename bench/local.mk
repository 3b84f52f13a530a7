# SPDX-License-Identifier: MIT
# "make bench" measures against babeltrace2; see doc/benchmarks.md.
EXTRA_PROGRAMS += bench/gen_trace bench/bench_decode bench/bench_ovs bench/tracepoints bench/load bench/load_traced \
	bench/bench_log
bench_gen_trace_SOURCES = bench/gen_trace.c bench/trace_writer.c bench/trace_writer.h
bench_gen_trace_LDADD = libct.a -lm
bench_bench_decode_SOURCES = bench/bench_decode.c
bench_bench_decode_LDFLAGS = -pthread $(LTO_LDFLAGS)
bench_bench_decode_LDADD = libctf.a libct.a $(BT2_LIBS) $(XXHASH_LIBS) -lm
bench_bench_ovs_SOURCES = bench/bench_ovs.c
bench_bench_ovs_LDFLAGS = $(LTO_LDFLAGS)
bench_bench_ovs_LDADD = libanalyzers.a libctf.a libct.a $(JANSSON_LIBS) $(XXHASH_LIBS) -lm
# Need liblttng-ust-dev: without it there is no latency, and no load with tracepoints.
bench_tracepoints_SOURCES = bench/tracepoints.c bench/tracepoints_provider.h
bench_tracepoints_LDADD = libct.a -llttng-ust -ldl -lm
bench_load_SOURCES = bench/load.c
bench_load_traced_SOURCES = bench/load.c bench/tracepoints_provider.h
bench_load_traced_CPPFLAGS = $(AM_CPPFLAGS) -DLOAD_TRACED
bench_load_traced_LDADD = -llttng-ust -ldl

bench_bench_log_SOURCES = bench/bench_log.c
bench_bench_log_LDFLAGS = $(LTO_LDFLAGS)
bench_bench_log_LDADD = libanalyzers.a libctf.a libct.a $(JANSSON_LIBS) $(XXHASH_LIBS) $(BT2_LIBS) -lm

EXTRA_DIST += doc/benchmarks.md bench/run bench/measure.py bench/offline.py bench/live.py \
	bench/profiles.py bench/service.py bench/openstack.py bench/ovs.py bench/clients.py
CLEANFILES += bench/gen_trace bench/bench_decode bench/tracepoints bench/load bench/load_traced \
	bench/bench_log bench/bench_ovs

bench: all bench/gen_trace$(EXEEXT) bench/bench_decode$(EXEEXT) bench/load$(EXEEXT) \
	bench/bench_log$(EXEEXT) bench/bench_ovs$(EXEEXT)
	-@$(MAKE) bench/tracepoints$(EXEEXT) bench/load_traced$(EXEEXT) >/dev/null 2>&1
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
		/usr/bin/python3 '$(srcdir)/bench/run' $(BENCH)
