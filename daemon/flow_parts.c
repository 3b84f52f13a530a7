/* SPDX-License-Identifier: MIT
 *
 * flow_parts.c -- where the time of a request went, by service, to be compared with
 * that of others (parts.h, flow.h). */
#include <stdlib.h>
#include <string.h>

#include "daemon/flow_private.h"
#include "daemon/parts.h"
#include "lib/util.h"

static struct part_interval
interval_of(const struct flow_fact *fact, uint64_t end_ns)
{
	return (struct part_interval) {
		.begin_ns = fact->family == FAMILY_API ? flow_began(fact) : fact->start_ns,
		.end_ns = fact->end_ns ? fact->end_ns : end_ns,
		.what = flow_what(fact), .layer = "application", .service = fact->service,
		.host = fact->host,
	};
}

static size_t
add_fact(struct part_interval *interval, const struct flow_fact *fact, uint64_t end_ns)
{
	switch (fact->family) {
	case FAMILY_API:
	case FAMILY_STEP:
		*interval = interval_of(fact, end_ns);
		return 1;
	case FAMILY_SERVED:
		/* A message that nobody answers has no end that is told. */
		if (fact->end_ns <= fact->start_ns)
			return 0;
		*interval = interval_of(fact, end_ns);
		return 1;
	case FAMILY_CALL:
		if (!fact->other && !fact->end_ns)
			return 0;
		*interval = interval_of(fact, end_ns);
		interval->end_ns = fact->other ? fact->other->start_ns : fact->end_ns;
		interval->what = "rpc queue";
		interval->service = fact->other ? fact->other->service : NULL;
		interval->host = fact->other ? fact->other->host : NULL;
		return 1;
	default:
		return 0;
	}
}

/* Nova's compute service takes a migration on and lets it wait until it has a slot: from
 * the message that nobody answers to the first thing it does. */
static size_t
add_wait(const struct flow *flow, struct part_interval *interval)
{
	const struct flow_fact *first = NULL;

	for (size_t i = 0; i < flow->n && !first; i++)
		if (flow->facts[i]->family == FAMILY_STEP &&
		    streq(flow->facts[i]->name, "pre_live_migration"))
			first = flow->facts[i];
	for (size_t i = flow->n; first && i-- > 0; ) {
		const struct flow_fact *told = flow->facts[i];

		if (told->family != FAMILY_SERVED || told->end_ns > told->start_ns ||
		    told->start_ns > first->start_ns || !streq(told->host, first->host) ||
		    !streq(told->service, first->service))
			continue;
		*interval = (struct part_interval) {
			.begin_ns = told->start_ns, .end_ns = first->start_ns, .what = "waiting for a slot",
			.layer = "application", .service = first->service, .host = first->host,
		};
		return 1;
	}
	return 0;
}

json_t *
flow_parts(const struct flow *flow)
{
	const json_t *stages = json_object_get(flow->record, "stages");
	const char *source = json_string_value(json_object_get(flow->record, "source"));
	struct part_interval *intervals;
	json_t *list, *stage;
	size_t n = 0, i;

	if (!flow->end_ns)
		return NULL;
	intervals = xcalloc(flow->n + json_array_size(stages) + 2, sizeof *intervals);
	n += add_wait(flow, intervals);
	for (i = 0; i < flow->n; i++)
		n += add_fact(&intervals[n], flow->facts[i], flow->end_ns);
	json_array_foreach((json_t *) (uintptr_t) stages, i, stage) {
		const char *name = json_string_value(json_object_get(stage, "name"));
		const uint64_t end_ns = flow_number(stage, "end_ns");

		intervals[n++] = (struct part_interval) {
			.begin_ns = flow_number(stage, "start_ns"),
			.end_ns = end_ns ? end_ns : flow->end_ns, .what = name ? name : "stage",
			.layer = "virtualization", .service = "qemu", .host = source,
		};
	}
	list = parts_of(intervals, n, flow->start_ns, flow->end_ns);
	free(intervals);
	return list;
}

json_t *
flow_parts_of(struct store *store, const char *id)
{
	json_t *parts = NULL;
	struct flow flow;

	if (flow_gather(&flow, store, id, NULL) > 0) {
		flow_outcome(&flow);
		parts = flow_parts(&flow);
	}
	flow_done(&flow);
	return parts;
}
