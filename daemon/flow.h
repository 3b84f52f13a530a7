/* SPDX-License-Identifier: MIT
 *
 * flow.h -- the facts of one request become a flow (proto/schemas/flow.json).
 *
 *   flow.c          which requests have to be looked at again, and writing
 *   flow_behalf.c   on whose behalf a request was made
 *   flow_clocks.c   times of several hosts by one clock
 *   flow_evidence.c by what each span was joined
 *   flow_facts.c    facts as these files look at them
 *   flow_findings.c what is remarkable about a request
 *   flow_gather.c   which facts belong to a request
 *   flow_kinds.c    tables: kinds of requests, of steps, of causes
 *   flow_outcome.c  status, end, what went wrong
 *   flow_parts.c    where its time went, to be compared with others
 *   flow_record.c   the flow as lists show it
 *   flow_spans.c    the tree of spans (flow_path.h, flow_budget.h: its time)
 *   flow_steps.c    what QEMU did for its live migration
 *   flow_unknown.c  what is not known of it, and why
 *
 * All of it is a function of the facts in the store: never of the order in
 * which these came.  A log line's request id is evidence, no proof: facts are
 * joined by it only where their kind of line is known to carry the right one
 * ("rid_ok"), messages by their id, and what names but a VM, port or volume
 * goes to the newest request about that which does such things. */
#ifndef DAEMON_FLOW_H
#define DAEMON_FLOW_H

#include <jansson.h>

#include "analyzers/facts.h"
#include "daemon/store.h"
#include "lib/error.h"

/* The request at the top of the one given: itself, or the one on whose behalf
 * it was made.  Returns 0, or -ENOENT when no fact names it. */
int flow_root(struct store *store, const char *request, char ret[FACT_KEY_SIZE]);
/* Brings the flows of these requests (an object, its names the ids) up to
 * date, and those that theirs have a say in. */
int flows_settle(struct store *store, const json_t *requests, struct error *error);
/* Adds what lists leave out: spans, budget, dropped_spans. */
void flow_expand(struct store *store, json_t *flow);
/* Where its time went (parts.h); NULL: it has not ended, or is no flow. */
json_t *flow_parts_of(struct store *store, const char *id);

#endif /* flow.h */
