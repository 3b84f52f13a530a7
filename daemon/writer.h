/* SPDX-License-Identifier: MIT
 *
 * writer.h -- the thread that owns the store and the hub: takes batches from
 * ingest, commits each as one transaction, and tells the serving side.
 *
 * When the store can't be written (disk full) a batch is tried again each
 * second; meanwhile the queue fills and ingest stops asking for packets.
 * Nothing is lost, as relayd keeps what was not read. */
#ifndef DAEMON_WRITER_H
#define DAEMON_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/batch.h"
#include "daemon/hub.h"

struct deliver_routes;
struct writer;

struct writer_options {
	const char *store_path;
	struct hub_options hub;
	struct deliver_routes *routes;   /* Who gets alerts; taken over; may be NULL. */
	uint64_t retention_ns, window_retention_ns;
	/* Called on the writer's thread after each commit that changed something. */
	void (*committed)(void *context);
	void *context;
};

/* Opens (and makes or migrates) the store, then starts the thread. */
int writer_start(const struct writer_options *options, struct writer **ret, struct error *error);
/* Gives a batch away.  False when the queue is full: the caller keeps it and
 * tries again later.  Never blocks.  Any thread. */
bool writer_submit(struct writer *writer, struct batch *batch);
/* Takes over new settings, with hub->rules and 'routes', between two batches.
 * Any thread. */
void writer_reconfigure(struct writer *writer, uint64_t retention_ns, uint64_t window_retention_ns,
			const struct hub_options *hub, struct deliver_routes *routes);
/* Commits what is queued (gives up after 'timeout_ns') and ends the thread. */
void writer_stop(struct writer *writer, uint64_t timeout_ns);
/* Monotonic time of the thread's last sign of life, for the watchdog. */
uint64_t writer_alive_ns(const struct writer *writer);

#endif /* writer.h */
