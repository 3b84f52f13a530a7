# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libct.a
libct_a_SOURCES = \
	lib/buf.c lib/buf.h \
	lib/clock.c lib/clock.h \
	lib/error.c lib/error.h \
	lib/histogram.c lib/histogram.h \
	lib/keyed.c lib/keyed.h \
	lib/log.c lib/log.h \
	lib/util.c lib/util.h
