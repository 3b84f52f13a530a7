# SPDX-License-Identifier: MIT

# serve: JSON-RPC on sockets.
noinst_LIBRARIES += libdaemon_serve.a
libdaemon_serve_a_SOURCES = \
	daemon/serve.c daemon/serve.h daemon/serve_internal.h \
	daemon/serve_client.c \
	daemon/serve_methods.c \
	daemon/serve_status.c \
	daemon/serve_watch.c
noinst_LIBRARIES += libdaemon_store.a
libdaemon_store_a_SOURCES = \
	daemon/alerts.c daemon/alerts.h \
	daemon/flow.c daemon/flow.h daemon/flow_private.h \
	daemon/flow_behalf.c \
	daemon/flow_facts.c \
	daemon/flow_findings.c \
	daemon/flow_gather.c \
	daemon/flow_kinds.c \
	daemon/flow_outcome.c \
	daemon/flow_record.c \
	daemon/flow_spans.c \
	daemon/hub.c daemon/hub.h \
	daemon/join.h \
	daemon/join_migration.c \
	daemon/join_pair.c \
	daemon/join_record.c \
	daemon/store.c daemon/store.h daemon/store_internal.h \
	daemon/store_answers.c \
	daemon/store_changes.c \
	daemon/store_dump.c \
	daemon/store_facts.c \
	daemon/store_json.c \
	daemon/store_find.c \
	daemon/store_recover.c \
	daemon/store_ref.c \
	daemon/store_request.c \
	daemon/store_service.c \
	daemon/store_windows.c \
	daemon/store_write.c \
	daemon/thing.c daemon/thing.h \
	daemon/touch.c daemon/touch.h

# The program.
sbin_PROGRAMS += cloudtraced
cloudtraced_SOURCES = \
	daemon/archive.c daemon/archive.h \
	daemon/batch.c daemon/batch.h \
	daemon/config.c daemon/config.h \
	daemon/lane.c daemon/lane.h daemon/lane_private.h \
	daemon/lane_host.c \
	daemon/lane_live.c \
	daemon/main.c \
	daemon/notify.c daemon/notify.h \
	daemon/writer.c daemon/writer.h
cloudtraced_LDFLAGS = -pthread $(LTO_LDFLAGS)
cloudtraced_LDADD = libdaemon_serve.a libdaemon_store.a libanalyzers.a libproto.a libctf.a libct.a \
	$(SQLITE_LIBS) $(JANSSON_LIBS) $(EVENT_LIBS) $(BT2_LIBS) $(INIH_LIBS) $(XXHASH_LIBS) $(SYSTEMD_LIBS) -lm
