/* SPDX-License-Identifier: MIT
 *
 * expand.h -- what a page of one thing shows beyond its record. */
#ifndef DAEMON_EXPAND_H
#define DAEMON_EXPAND_H

#include <jansson.h>

#include "daemon/store.h"

/* Adds to a migration of store_migration_show() all that migration.show gives.  What
 * it asks of windows it asks through settled_ask(). */
void migration_expand(struct store *store, json_t *migration);

#endif /* expand.h */
