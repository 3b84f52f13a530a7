# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libctf.a

libctf_a_SOURCES = \
	ctf/arena.c \
	ctf/arena.h \
	ctf/event.h \
	ctf/events.c \
	ctf/interest.c \
	ctf/interpret.c \
	ctf/interpret.h \
	ctf/limits.h \
	ctf/metadata.c \
	ctf/node.c \
	ctf/node.h \
	ctf/packet.c \
	ctf/packet.h \
	ctf/plan.c \
	ctf/plan.h \
	ctf/stream.c \
	ctf/stream.h \
	ctf/stream_private.h \
	ctf/trace.c \
	ctf/trace.h \
	ctf/trace_private.h \
	ctf/tsdl.h \
	ctf/tsdl_blocks.c \
	ctf/tsdl_lexer.c \
	ctf/tsdl_types.c \
	ctf/types.h

# Live viewer
libctf_a_SOURCES += \
	ctf/viewer.c ctf/viewer.h ctf/viewer_private.h \
	ctf/viewer_protocol.c ctf/viewer_protocol.h \
	ctf/viewer_reply.c \
	ctf/viewer_resolve.c ctf/viewer_resolve.h \
	ctf/viewer_session.c \
	ctf/viewer_apart.c \
	ctf/viewer_stream.c

# Readers of trace directories
libctf_a_SOURCES += \
	ctf/backend.h \
	ctf/bt2_fields.c ctf/bt2_fields.h \
	ctf/bt2_reader.c \
	ctf/dump.c \
	ctf/files.c ctf/files.h \
	ctf/find.c ctf/find.h \
	ctf/merge.c ctf/merge.h \
	ctf/own_reader.c \
	ctf/reader.c ctf/reader.h
