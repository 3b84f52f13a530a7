/* SPDX-License-Identifier: MIT
 *
 * join_steps.h -- what the two QEMUs of a migration were asked and did. */
#ifndef DAEMON_JOIN_STEPS_H
#define DAEMON_JOIN_STEPS_H

#include <jansson.h>

#include "daemon/store.h"

/* The steps of both sides of a record (store_migration()), in order of time by the
 * source's clock: {"t_ns" by the clock of its host, "side", "host", "pid", "step",
 * "text", "lasted_ns"}, the last one null unless the step lasts until another one.  A
 * new reference; empty where nobody told steps. */
json_t *join_steps(struct store *store, const json_t *migration);

#endif /* join_steps.h */
