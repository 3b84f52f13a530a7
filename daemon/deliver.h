/* SPDX-License-Identifier: MIT
 *
 * deliver.h -- brings alerts, and finished flows as traces, to receivers, on a
 * thread of its own.
 *
 *   deliver.c          the thread: what waits for whom, retries, HTTP by libcurl
 *   deliver_payload.c  Alertmanager's and the webhook's JSON, the journal
 *   deliver_exec.c     programs
 *
 * The writer queues an alert in the store in the very transaction that raises or
 * ends it; this thread reads the queue, and what was taken is removed with the
 * writer's next batch.  So nothing is lost by a crash, and at worst something is
 * sent twice.  To Alertmanager all that fires is sent again and again, and what
 * ended for five minutes more, as it wants it. */
#ifndef DAEMON_DELIVER_H
#define DAEMON_DELIVER_H

#include <jansson.h>

#include "daemon/config_sections.h"
#include "daemon/store.h"
#include "lib/error.h"

struct deliver;
struct writer;

/* -- For the writer's thread: who is to get an alert ----------------------- */

struct deliver_routes;

struct deliver_routes *deliver_routes_new(const struct config_sections *sections);
/* Accepts NULL. */
void deliver_routes_free(struct deliver_routes *routes);
/* Queues the alert for each receiver that wants it.  'routes' may be NULL. */
int deliver_routes_queue(const struct deliver_routes *routes, struct store *store,
			 const json_t *alert, struct error *error);

/* Queues a flow or migration, once it ended, for each receiver that takes traces. */
int deliver_routes_queue_record(const struct deliver_routes *routes, struct store *store,
				const char *topic, const char *id, const json_t *record,
				struct error *error);

/* -- The thread ------------------------------------------------------------ */

/* Copies the receivers.  Starts nothing ('*ret' is NULL) without any. */
int deliver_start(const char *store_path, const struct config_sections *sections,
		  struct writer *writer, struct deliver **ret, struct error *error);
/* Something was committed.  Any thread; accepts NULL. */
void deliver_notify(struct deliver *deliver);
/* Ends what is under way and the thread.  Accepts NULL. */
void deliver_stop(struct deliver *deliver);
/* Monotonic time of the thread's last sign of life. */
uint64_t deliver_alive_ns(const struct deliver *deliver);

/* Whether one of the silences is about this alert (proto/schemas/silence.json). */
bool deliver_is_silenced(const json_t *silences, const json_t *alert, uint64_t now_ns);

#endif /* deliver.h */
