/* SPDX-License-Identifier: MIT
 *
 * flow_budget.h -- where the time of a flow went: of each span its own part and its
 * children's, and of the whole the critical path.
 *
 * Works on the spans as flow.show gives them (proto/schemas/flow.json). */
#ifndef DAEMON_FLOW_BUDGET_H
#define DAEMON_FLOW_BUDGET_H

#include <jansson.h>
#include <stdint.h>

#include "daemon/store.h"

/* The first of 'spans' is the root; each has "id", "parent", "host", "start_ns", "end_ns" and
 * "what" (what its time counts as), and may have "offset_ns": how far its host's clock is
 * ahead of the times given.  Adds to each "took_ns", "self_ns", "budget" (adds up to took_ns) and
 * "critical", hangs those that hang on nothing or in a ring on the root, and returns
 * {"budget", "critical_path"} of [from_ns, to_ns]. */
json_t *flow_budget(struct store *store, json_t *spans, uint64_t from_ns, uint64_t to_ns);

#endif /* flow_budget.h */
