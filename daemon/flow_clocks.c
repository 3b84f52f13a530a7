/* SPDX-License-Identifier: MIT
 *
 * flow_clocks.c -- times of several hosts by the clock of the host where the request
 * came in (flow.h, clock_relation.h).  Where two clocks may be equal within what is
 * known of them, they are taken as equal. */
#include <stdlib.h>
#include <string.h>

#include "daemon/clock_relation.h"
#include "daemon/flow_private.h"
#include "lib/util.h"

enum { MAX_CLOCKS = 256 };

struct flow_clock {
	const char *host;            /* Borrowed from a fact, the record or a span. */
	struct clock_relation relation;
	bool known;
};

static const struct flow_clock *
clock_of(const struct flow *flow, const char *host)
{
	for (size_t i = 0; i < flow->n_clocks && host; i++)
		if (streq(flow->clocks[i].host, host))
			return &flow->clocks[i];
	return NULL;
}

static void
add_clock(struct flow *flow, const char *host)
{
	struct flow_clock *clock;

	if (!host || !*host || clock_of(flow, host) || flow->n_clocks == MAX_CLOCKS)
		return;
	clock = &flow->clocks[flow->n_clocks++];
	clock->host = host;
	clock->known = !clock_relation(flow->store, flow->root->host, host, flow->start_ns,
				       &clock->relation);
}

static int64_t
ahead_at(const struct flow *flow, const struct flow_clock *clock, uint64_t t_ns)
{
	const int64_t later_ns = (int64_t) (t_ns - flow->start_ns);
	const uint64_t size = clock && clock->known ? (uint64_t) llabs(clock->relation.offset_ns) : 0;

	if (!size || size <= clock->relation.error_ns)
		return 0;
	return clock->relation.offset_ns +
	       (int64_t) ((__int128_t) later_ns * clock->relation.drift_ppb / 1000000000);
}

void
flow_clocks(struct flow *flow)
{
	if (!flow->root)
		return;
	flow->clocks = xcalloc(MAX_CLOCKS, sizeof *flow->clocks);
	for (size_t i = 0; i < flow->n; i++)
		add_clock(flow, flow->facts[i]->host);
	add_clock(flow, flow_member(flow->record, "source"));
	add_clock(flow, flow_member(flow->record, "destination"));
	for (size_t i = 0; i < flow->n; i++) {
		struct flow_fact *fact = flow->facts[i];

		fact->ahead_ns = ahead_at(flow, clock_of(flow, fact->host), fact->start_ns);
	}
}

static uint64_t
moved(uint64_t t_ns, int64_t ahead_ns)
{
	const int64_t t = (int64_t) MIN(t_ns, (uint64_t) INT64_MAX) - ahead_ns;

	return t_ns ? (uint64_t) MAX(t, (int64_t) 1) : 0;
}

uint64_t
flow_moved(const struct flow_fact *fact, uint64_t t_ns)
{
	return moved(t_ns, fact->ahead_ns);
}

uint64_t
flow_moved_of(const struct flow *flow, const char *host, uint64_t t_ns)
{
	return moved(t_ns, ahead_at(flow, clock_of(flow, host), t_ns));
}

/* On which host it ended. */
static const char *
end_host(const struct flow *flow, uint64_t end_ns)
{
	if (flow->record && flow_number(flow->record, "end_ns") == end_ns)
		return flow_member(flow->record, "source");
	for (size_t i = 0; i < flow->n; i++)
		if (flow->facts[i]->end_ns == end_ns || flow->facts[i]->start_ns == end_ns)
			return flow->facts[i]->host;
	return NULL;
}

uint64_t
flow_moved_end(const struct flow *flow)
{
	const uint64_t end_ns = flow->end_ns ? flow->end_ns : flow->core_ns;

	return flow_moved_of(flow, end_host(flow, end_ns), end_ns);
}

uint64_t
flow_end_error(const struct flow *flow)
{
	const struct flow_clock *clock = clock_of(flow, end_host(flow, flow->end_ns));

	return clock && clock->known ? clock->relation.error_ns : 0;
}

/* -- Spans ---------------------------------------------------------------------------- */

static uint64_t
error_of(const struct flow *flow, const json_t *span)
{
	const struct flow_clock *clock = clock_of(flow, flow_member(span, "host"));

	return clock && clock->known ? clock->relation.error_ns : 0;
}

/* A child seems to begin before its parent, but need not. */
static void
clamp(const struct flow *flow, json_t *span, const json_t *parent)
{
	const uint64_t start_ns = flow_number(span, "start_ns"), end_ns = flow_number(span, "end_ns");
	const uint64_t from_ns = flow_number(parent, "start_ns");
	const uint64_t error_ns = error_of(flow, span) + error_of(flow, parent);

	if (!error_ns || start_ns >= from_ns || from_ns - start_ns > error_ns ||
	    (end_ns && end_ns < from_ns))
		return;
	json_object_set_new(span, "start_ns", json_integer((json_int_t) from_ns));
	json_object_set_new(span, "clamped_ns", json_integer((json_int_t) (from_ns - start_ns)));
}

void
flow_relate(const struct flow *flow, json_t *spans)
{
	json_t *ids = json_object(), *span;
	size_t i;

	json_array_foreach(spans, i, span) {
		const char *host = flow_member(span, "host"), *id = flow_member(span, "id");
		const struct flow_clock *clock = clock_of(flow, host);
		const uint64_t start_ns = flow_number(span, "start_ns");
		const int64_t ahead_ns = ahead_at(flow, clock, start_ns);

		if (ahead_ns)
			json_object_set_new(span, "offset_ns", json_integer(ahead_ns));
		if (clock && clock->known && clock->relation.error_ns)
			json_object_set_new(span, "error_ns",
					    json_integer((json_int_t) clock->relation.error_ns));
		if (id)
			json_object_set(ids, id, span);
	}
	json_array_foreach(spans, i, span) {
		const char *parent = flow_member(span, "parent");
		const json_t *its = parent ? json_object_get(ids, parent) : NULL;

		if (its)
			clamp(flow, span, its);
	}
	json_decref(ids);
}
