# SPDX-License-Identifier: MIT

# libcloudtrace: one object, so that nothing but cloudtrace_*() is seen by the
# programs that use it.
lib_LIBRARIES = libcloudtrace.a
include_HEADERS = client/cloudtrace.h
libcloudtrace_a_SOURCES = client/cloudtrace.h
libcloudtrace_a_LIBADD = client/libcloudtrace-all.o
noinst_LIBRARIES += libclient.a
libclient_a_SOURCES = client/conn.c client/connect.c client/connect.h \
	client/connect_tls.c client/connect_tls.h

OBJCOPY = objcopy
# Without what -flto left: it has the names that are not to be seen.
client/libcloudtrace-all.o: libclient.a libproto.a libct.a
	$(AM_V_GEN)$(LD) -r -o $@.tmp --whole-archive libclient.a --no-whole-archive libproto.a \
		libct.a && $(OBJCOPY) --wildcard --remove-section='.gnu.lto_*' \
		--keep-global-symbol='cloudtrace_*' $@.tmp $@ && rm -f $@.tmp
CLEANFILES += client/libcloudtrace-all.o

bin_PROGRAMS += cloudtracectl
cloudtracectl_SOURCES = \
	client/check.c \
	client/columns.h \
	client/commands.c client/ctl.h \
	client/commands_daemon.c \
	client/export.c client/export.h \
	client/export_chrome.c \
	client/export_perfetto.c \
	client/help.c \
	client/histogram.c \
	client/main.c \
	client/options.c client/options.h \
	client/page.c \
	client/plot.c client/plot.h \
	client/screen.c client/screen.h \
	client/table.c client/table.h \
	client/top.c \
	client/view.c client/view.h \
	client/view_compare.c \
	client/view_drain.c \
	client/view_find.c \
	client/view_budget.c \
	client/view_flow.c \
	client/view_io.c \
	client/view_kernel.c client/view_steps.c \
	client/view_lists.c \
	client/view_migration.c \
	client/view_network.c \
	client/view_network_places.c \
	client/view_service.c \
	client/view_status.c \
	client/view_things.c \
	client/view_vm.c \
	client/view_waterfall.c \
	client/view_why.c \
	client/watch.c \
	client/waterfall.c client/waterfall.h
cloudtracectl_LDADD = libclient.a libproto.a libct.a $(OPENSSL_LIBS) $(JANSSON_LIBS) -lm

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = client/cloudtracectl.bash
