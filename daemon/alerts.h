/* SPDX-License-Identifier: MIT
 *
 * alerts.h -- which facts and records are worth waking somebody for.
 *
 * Alerts are a projection: each follows from a fact, a record or the state of
 * a source, under an id made of its rule and of that thing.  Projecting again
 * gives the same alerts.  'rules' (may be NULL) says which are off, and how bad
 * they are; rules that the configuration adds are in alert_rules.h. */
#ifndef DAEMON_ALERTS_H
#define DAEMON_ALERTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/alert_rules.h"
#include "daemon/store.h"
#include "lib/error.h"

/* Whether spans of this kind raise an alert about their parent. */
bool alerts_kind(const char *kind);
/* Brings the alerts about one migration up to date; 'record' is NULL for one
 * that is no more.  A failed one keeps its alert firing for 'failed_hold_ns'. */
int alerts_migration(struct store *store, const struct alert_rules *rules, const char *id,
		     const json_t *record, uint64_t failed_hold_ns, struct error *error);
/* Forgets the alert of a span that was taken back. */
int alerts_retract(struct store *store, const char *kind, const char *span_id,
		   struct error *error);
/* Brings the alerts about migrations that a source watches up to date. */
int alerts_source(struct store *store, const struct alert_rules *rules,
		  const struct store_source *source, struct error *error);

#endif /* alerts.h */
