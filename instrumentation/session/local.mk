# SPDX-License-Identifier: MIT
# cloudtrace-session needs lttng-ctl: no program where that isn't there.
SESSION_SOURCES = \
	instrumentation/session/events.c instrumentation/session/events.h \
	instrumentation/session/keeper.c instrumentation/session/keeper.h \
	instrumentation/session/link.c instrumentation/session/link.h \
	instrumentation/session/node.c instrumentation/session/node.h \
	instrumentation/session/plan.c instrumentation/session/plan.h \
	instrumentation/session/profile.c instrumentation/session/profile.h \
	instrumentation/session/state.c instrumentation/session/state.h \
	instrumentation/session/status.c instrumentation/session/status.h \
	instrumentation/session/wanted.c instrumentation/session/wanted.h \
	instrumentation/session/watch.c instrumentation/session/watch.h
SESSION_CPPFLAGS = $(AM_CPPFLAGS) $(LTTNG_CTL_CFLAGS) -DEVENTSDIR='"$(pkgdatadir)/events"'
SESSION_LIBS = libct.a $(LTTNG_CTL_LIBS) $(SYSTEMD_LIBS) -lm

dist_man_MANS += doc/cloudtrace-session.8
if HAVE_LTTNG_CTL
sbin_PROGRAMS += cloudtrace-session
cloudtrace_session_SOURCES = instrumentation/session/main.c $(SESSION_SOURCES)
cloudtrace_session_CPPFLAGS = $(SESSION_CPPFLAGS)
cloudtrace_session_LDADD = $(SESSION_LIBS)

# For nodes that have no cloudtraced: its lists of events, as it prints them.
eventsdir = $(pkgdatadir)/events
EVENT_LISTS = instrumentation/session/lists/compute instrumentation/session/lists/network \
	instrumentation/session/lists/storage instrumentation/session/lists/controller
nodist_events_DATA = $(EVENT_LISTS)
CLEANFILES += $(EVENT_LISTS)
$(EVENT_LISTS): cloudtraced$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && ./cloudtraced$(EXEEXT) --print-events $(@F) >$@.tmp && mv $@.tmp $@
else
EXTRA_DIST += $(SESSION_SOURCES) instrumentation/session/main.c
endif
