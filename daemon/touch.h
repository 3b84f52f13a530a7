/* SPDX-License-Identifier: MIT
 *
 * touch.h -- which requests, and which VMs, ports and volumes have to be looked
 * at again because of a fact (flow.h, thing.h). */
#ifndef DAEMON_TOUCH_H
#define DAEMON_TOUCH_H

#include <jansson.h>

#include "analyzers/facts.h"
#include "daemon/store.h"
#include "lib/error.h"

struct touch {
	json_t *requests;        /* Ids, as names. */
	json_t *things;          /* Topics, by id. */
};

/* Adds what a fact touches that was put, changed, or is about to be
 * retracted.  Returns 0 or a negative errno. */
int touch_fact(struct touch *touch, struct store *store, const struct fact *fact,
	       struct error *error);
/* The same for the record of a live migration, NULL when that is no more: its
 * request may get another status. */
int touch_migration(struct touch *touch, struct store *store, const char *id,
		    const json_t *record, struct error *error);
void touch_done(struct touch *touch);

#endif /* touch.h */
