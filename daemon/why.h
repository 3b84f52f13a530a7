/* SPDX-License-Identifier: MIT
 *
 * why.h -- why a migration or request failed or took so long: findings, each a
 * sentence with its figures, from tables of rules (doc/analyzers/findings.md).
 *
 *   why.c         the order of findings, and running a table over a subject
 *   why_answer.c  what stands for any id: verdict, findings, budget, what is unknown
 *   why_flow.c    rules about requests
 *   why_kernel.c  rules about migrations, from what the kernels traced
 *   why_qemu.c    rules about migrations, from what QEMU told
 *
 * Findings follow from the store alone and are made when somebody asks; what they need
 * of windows is asked through settled_ask().  Something healthy gives none. */
#ifndef DAEMON_WHY_H
#define DAEMON_WHY_H

#include <jansson.h>

#include "daemon/store.h"
#include "lib/error.h"

/* Of a migration as migration.show gives it, "kernel" included: an array of {"rule",
 * "text", "evidence", "layer", "node", "weight"}, those that explain most of its time
 * first.  'weight' is that share, 0 to 1; what explains that it failed has 1, what is
 * only said has 0.  A new reference. */
json_t *why_migration(struct store *store, const json_t *migration);
/* The same of a request as flow.show gives it, with spans. */
json_t *why_flow(struct store *store, const json_t *flow);

/* The answer of the method "why" about any id that "find" takes, or that of an alert
 * (proto/schemas/why.json); NULL with ENOENT: nothing is known by it. */
json_t *why_answer(struct store *store, const char *id, struct error *error);
/* The findings about an alert's subject; NULL when it has none or is neither a migration
 * nor a request. */
json_t *why_alert(struct store *store, const json_t *alert);

#endif /* why.h */
