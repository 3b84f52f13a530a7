# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libctf.a
libctf_a_SOURCES =

# Live viewer
libctf_a_SOURCES += \
	ctf/viewer.c ctf/viewer.h ctf/viewer_private.h \
	ctf/viewer_protocol.c ctf/viewer_protocol.h \
	ctf/viewer_reply.c \
	ctf/viewer_resolve.c ctf/viewer_resolve.h \
	ctf/viewer_session.c \
	ctf/viewer_stream.c
