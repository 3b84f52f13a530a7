# SPDX-License-Identifier: MIT
# "make bench" measures against babeltrace2; see doc/benchmarks.md.
EXTRA_PROGRAMS += bench/gen_trace bench/bench_decode bench/tracepoints
bench_gen_trace_SOURCES = bench/gen_trace.c bench/trace_writer.c bench/trace_writer.h
bench_gen_trace_LDADD = libct.a -lm
bench_bench_decode_SOURCES = bench/bench_decode.c
bench_bench_decode_LDFLAGS = -pthread $(LTO_LDFLAGS)
bench_bench_decode_LDADD = libctf.a libct.a $(BT2_LIBS) $(XXHASH_LIBS) -lm
# The only program that needs liblttng-ust-dev: without it there is no latency.
bench_tracepoints_SOURCES = bench/tracepoints.c bench/tracepoints_provider.h
bench_tracepoints_LDADD = libct.a -llttng-ust -ldl -lm

EXTRA_DIST += doc/benchmarks.md bench/run bench/measure.py bench/offline.py bench/live.py
CLEANFILES += bench/gen_trace bench/bench_decode bench/tracepoints

bench: all bench/gen_trace$(EXEEXT) bench/bench_decode$(EXEEXT)
	-@$(MAKE) bench/tracepoints$(EXEEXT) >/dev/null 2>&1
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
		/usr/bin/python3 '$(srcdir)/bench/run' $(BENCH)
