/* SPDX-License-Identifier: MIT
 *
 * parts.h -- where the time of a request or migration went, in parts that can be
 * compared with those of another one: each moment counts for the work that began
 * last, as in the budget of a flow, and all parts add up to the whole.
 *
 * A part is {"what","layer","service","host","ns","n"}: "n" pieces of work of that
 * service; "host" is where most of it was done.  "what" and "service" are the
 * same for two requests that do the same on other hosts. */
#ifndef DAEMON_PARTS_H
#define DAEMON_PARTS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/store.h"
#include "lib/buf.h"
#include "lib/error.h"

struct part_interval {
	uint64_t begin_ns, end_ns;
	const char *what, *layer;
	const char *service, *host;  /* NULL: none. */
};

/* Parts of [begin_ns, end_ns], the largest first; reorders the intervals. */
json_t *parts_of(struct part_interval *intervals, size_t n, uint64_t begin_ns, uint64_t end_ns);
/* Of a migration's record; NULL: it has no end. */
json_t *parts_of_migration(const json_t *record);

/* Keeps what peers of a record are compared by, or forgets it: those that ended well
 * are peers.  'parts' is NULL or borrowed. */
int peers_keep(struct store *store, const char *topic, const char *id, const json_t *record,
	       const json_t *parts, struct error *error);
/* How it stands among its peers (proto/schemas/peers.json): those of the same kind, and
 * of migrations of the same size, up to 30 days older.  NULL: it has not ended. */
json_t *peers_of(struct store *store, const char *topic, const json_t *record, const json_t *parts);

/* "compute: spawn (nova-compute on c1)"; 'host' may be NULL. */
void part_write_name(const json_t *part, const char *host, struct buf *out);

/* Two requests or two migrations side by side, or one and its peers ('b' NULL), by
 * any id of theirs (proto/schemas/compare.json).  -ENOENT, -ENOTUNIQ, or -EINVAL for two
 * of different sorts. */
json_t *compare(struct store *store, const char *a, const char *b, struct error *error);

#endif /* parts.h */
