# SPDX-License-Identifier: MIT
# What runs on the nodes.
NODE_SOURCES = \
	instrumentation/node/block.c instrumentation/node/block.h \
	instrumentation/node/cmdline.c instrumentation/node/cmdline.h \
	instrumentation/node/emit.c instrumentation/node/emit.h \
	instrumentation/node/events.h \
	instrumentation/node/files.c instrumentation/node/files.h \
	instrumentation/node/host.c instrumentation/node/host.h \
	instrumentation/node/keyval.c instrumentation/node/keyval.h \
	instrumentation/node/links.c instrumentation/node/links.h \
	instrumentation/node/missing.c instrumentation/node/missing.h \
	instrumentation/node/netlink.c instrumentation/node/netlink.h \
	instrumentation/node/ovs.c instrumentation/node/ovs.h \
	instrumentation/node/process.c instrumentation/node/process.h \
	instrumentation/node/services.c instrumentation/node/services.h \
	instrumentation/node/set.c instrumentation/node/set.h \
	instrumentation/node/tp.h \
	instrumentation/node/tracer.c instrumentation/node/tracer.h \
	instrumentation/node/vm.c instrumentation/node/vm.h \
	instrumentation/node/vm_files.c \
	instrumentation/node/watch.c instrumentation/node/watch.h

if HAVE_UST
noinst_LIBRARIES += libnode.a
libnode_a_SOURCES = $(NODE_SOURCES)
libnode_a_CPPFLAGS = $(AM_CPPFLAGS) $(UST_CFLAGS)
NODE_LIBS = libnode.a libct.a $(UST_LIBS) -ldl $(JANSSON_LIBS) -lm

sbin_PROGRAMS += cloudtrace-node
cloudtrace_node_SOURCES = instrumentation/node/main.c
cloudtrace_node_CPPFLAGS = $(AM_CPPFLAGS) $(UST_CFLAGS)
cloudtrace_node_LDADD = $(NODE_LIBS)
else
EXTRA_DIST += $(NODE_SOURCES) instrumentation/node/main.c
endif
