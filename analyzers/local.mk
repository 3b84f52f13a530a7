# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libanalyzers.a
libanalyzers_a_SOURCES = \
	analyzers/analyzer.h analyzers/analyzers.c \
	analyzers/engine.c analyzers/engine.h analyzers/engine_private.h \
	analyzers/engine_compile.c analyzers/engine_native.c analyzers/engine_save.c \
	analyzers/engine_tables.c \
	analyzers/windows.c analyzers/windows.h \
	analyzers/facts.c analyzers/facts.h \
	analyzers/kernel_cpu.c analyzers/kernel_cpu.h analyzers/kernel_threads.c \
	analyzers/kernel_cpu_window.c analyzers/kernel_cpu_sum.c analyzers/kernel_cpu_sum.h \
	analyzers/kernel_block.c analyzers/kernel_block_sum.c analyzers/kernel_block_sum.h \
	analyzers/kernel_net.c analyzers/kernel_net_sum.c analyzers/kernel_net_sum.h \
	analyzers/pack.h \
	analyzers/forecast.c analyzers/forecast.h \
	analyzers/node.c analyzers/node.h analyzers/node_host.c \
	analyzers/qemu.c analyzers/qemu.h analyzers/qemu_qmp.c \
	analyzers/qemu_rounds.c analyzers/qemu_tell.c
EXTRA_DIST += doc/analyzers/qemu.md doc/analyzers/node.md doc/analyzers/forecast.md
