# SPDX-License-Identifier: MIT

# serve: JSON-RPC on sockets.
noinst_LIBRARIES += libdaemon_serve.a
libdaemon_serve_a_SOURCES = \
	daemon/serve.c daemon/serve.h daemon/serve_internal.h \
	daemon/serve_client.c \
	daemon/serve_methods.c \
	daemon/serve_status.c \
	daemon/serve_watch.c
