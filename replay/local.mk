# SPDX-License-Identifier: MIT
bin_PROGRAMS += cloudtrace-replay
REPLAY_SOURCES = \
	replay/metadata.c replay/metadata.h \
	replay/node.c replay/node.h \
	replay/options.c replay/options.h \
	replay/packets.c replay/packets.h \
	replay/play.c replay/play.h \
	replay/progress.c replay/progress.h \
	replay/relayd.c replay/relayd.h \
	replay/sources.c replay/sources.h \
	replay/wire.h
cloudtrace_replay_SOURCES = replay/main.c $(REPLAY_SOURCES)
cloudtrace_replay_LDADD = libctf.a libct.a $(EVENT_LIBS) -lm
