/* SPDX-License-Identifier: MIT
 *
 * unknown.h -- what is not known of a request or a migration, and why: nodes without a
 * trace, traces that end in the middle, events that were lost.  Each is an object
 * {"host", "what", "from_ns", "to_ns", "text"}: 'host' null when nobody named it,
 * times by that host's clock, 'to_ns' null when it lasts until the end. */
#ifndef DAEMON_UNKNOWN_H
#define DAEMON_UNKNOWN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/store.h"

/* What is looked at: from when to when, and how far the host's clock is ahead of the
 * clock of these times. */
struct unknown_span {
	uint64_t start_ns, end_ns;   /* end_ns 0: it goes on. */
	int64_t ahead_ns;
};

/* Adds one; 'format' is the sentence.  A list has its limit: the last says that there is
 * more. */
void unknown_add(json_t *list, const char *host, const char *what, uint64_t from_ns, uint64_t to_ns,
		 const char *format, ...) __attribute__((format(printf, 6, 7)));
/* Adds the events of a host that were lost in that time. */
void unknown_add_losses(json_t *list, struct store *store, const char *host,
			const struct unknown_span *span);
/* Whether anything at all came from this node; services call it by another name than its
 * trace does when only one of them has a domain. */
bool unknown_is_traced(struct store *store, const char *host);
/* The array for a migration of migration.show: empty when all is known. */
json_t *unknown_of_migration(struct store *store, const json_t *migration);

#endif /* unknown.h */
