# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libdaemon_store.a
libdaemon_store_a_SOURCES = \
	daemon/alerts.c daemon/alerts.h \
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
	daemon/store_recover.c \
	daemon/store_write.c
