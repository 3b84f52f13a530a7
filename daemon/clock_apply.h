/* SPDX-License-Identifier: MIT
 *
 * clock_apply.h -- answers with the clocks of their hosts related to each other. */
#ifndef DAEMON_CLOCK_APPLY_H
#define DAEMON_CLOCK_APPLY_H

#include <jansson.h>

#include "daemon/store.h"

/* Gives a migration of the store the better of two offsets between its hosts' clocks:
 * what the record has from who connected and was accepted, or what segments tell.
 * For all that is shown of it, and once: what is kept and joined has raw times.
 * Sets "evidence" (clock_offset_ns, clock_error_ns, clock_how), "blackout_ns", and
 * the "gap_ns" of networks, each with its error beside it. */
void clock_add_migration(struct store *store, json_t *migration);
/* The same for each of a list. */
void clock_add_migrations(struct store *store, json_t *migrations);
/* The same for those among the "items" of store_changes(). */
void clock_add_changes(struct store *store, json_t *items);
/* Sets "clock" of each node (node.json) to how far it is ahead of the one that met
 * most others, at the last time that one is known of. */
void clock_add_nodes(struct store *store, json_t *nodes);

#endif /* clock_apply.h */
