# SPDX-License-Identifier: MIT
bin_PROGRAMS += cloudtracectl
cloudtracectl_SOURCES = \
	client/check.c \
	client/cloudtrace.h client/conn.c client/connect.c client/connect.h \
	client/commands.c client/ctl.h \
	client/main.c \
	client/plot.c client/plot.h \
	client/screen.c client/screen.h \
	client/table.c client/table.h \
	client/view.c client/view.h \
	client/view_migration.c \
	client/view_status.c \
	client/watch.c
cloudtracectl_LDADD = libproto.a libct.a $(JANSSON_LIBS) -lm
