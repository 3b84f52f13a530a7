/* SPDX-License-Identifier: MIT
 *
 * hub.h -- facts in, joined records and alerts out, all through the store.
 *
 * The hub keeps no state of its own that matters: what it joins it reads back
 * from the store, so any order of facts and any restart give the same store.
 * One thread (the one that writes the store). */
#ifndef DAEMON_HUB_H
#define DAEMON_HUB_H

#include <stdint.h>

#include "analyzers/facts.h"
#include "daemon/store.h"
#include "lib/error.h"

struct alert_rules;
struct hub;

struct hub_options {
	struct alert_rules *rules;    /* Taken over; NULL: those of alerts.h alone. */
	uint64_t failed_hold_ns;      /* How long a failed migration keeps its alert firing: 1 h */
};
extern const struct hub_options hub_defaults;

struct hub *hub_new(struct store *store, const struct hub_options *options);
void hub_free(struct hub *hub);
void hub_set_options(struct hub *hub, const struct hub_options *options);
/* Takes one fact: stores it and notes what has to be joined anew.  Takes over
 * the reference to its attributes. */
int hub_fact(struct hub *hub, const struct fact *fact, struct error *error);
/* Joins what was touched since the last call and brings alerts up to date.  To
 * be called before store_commit(). */
int hub_settle(struct hub *hub, struct error *error);
/* What was settled is committed. */
void hub_committed(struct hub *hub);
/* State of a source changed: alerts for migrations that it watched. */
int hub_source(struct hub *hub, const struct store_source *source, struct error *error);
/* Called for each alert that began or ended, after hub_settle(): the program
 * logs it.  'alert' is borrowed. */
void hub_on_alert(struct hub *hub, void (*alert)(void *context, const json_t *alert),
		  void *context);

/* The same for each migration and flow that changed; NULL is never given. */
void hub_on_record(struct hub *hub, void (*record)(void *context, const char *topic, const char *id,
						   const json_t *record));

#endif /* hub.h */
