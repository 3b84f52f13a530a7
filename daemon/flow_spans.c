/* SPDX-License-Identifier: MIT
 *
 * flow_spans.c -- the tree of spans of a flow, and where its time went: at each
 * moment the work that began last counts, as that is the innermost (flow.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/flow_private.h"
#include "lib/util.h"

static json_t *
ns_json(uint64_t ns)
{
	return ns ? json_integer((json_int_t) ns) : json_null();
}

static bool
is_span(const struct flow_fact *fact)
{
	return fact->family == FAMILY_API || fact->family == FAMILY_CALL ||
	       fact->family == FAMILY_SERVED || fact->family == FAMILY_STEP;
}

/* -- The tree ------------------------------------------------------------- */

static uint64_t
begin_of(const struct flow_fact *fact)
{
	return fact->family == FAMILY_API ? flow_began(fact) : fact->start_ns;
}

/* A message that nobody answers is worked on for as long as there is work. */
static bool
is_endless(const struct flow_fact *fact)
{
	return !fact->end_ns || (fact->family == FAMILY_SERVED && fact->end_ns <= fact->start_ns);
}

static uint64_t
end_of(const struct flow_fact *fact)
{
	return is_endless(fact) ? UINT64_MAX : fact->end_ns;
}

/* Whether 'a' may hold 'b'; an order, so that there are no circles. */
static bool
is_around(const struct flow_fact *a, const struct flow_fact *b)
{
	uint64_t a_begin = begin_of(a), b_begin = begin_of(b);

	if (a_begin != b_begin)
		return a_begin < b_begin && end_of(a) >= end_of(b);
	if (end_of(a) != end_of(b))
		return end_of(a) > end_of(b);
	return strcmp(a->id, b->id) < 0;
}

static bool
is_inner(const struct flow_fact *a, const struct flow_fact *b)
{
	if (!b || begin_of(a) != begin_of(b))
		return !b || begin_of(a) > begin_of(b);
	return end_of(a) != end_of(b) ? end_of(a) < end_of(b) : strcmp(a->id, b->id) > 0;
}

/* Who called: the line in which a service tells which request it made. */
static const struct flow_fact *
caller_of(const struct flow *flow, const struct flow_fact *fact)
{
	for (size_t i = 0; i < flow->n && fact->family == FAMILY_API; i++)
		if (flow->facts[i]->family == FAMILY_CHILD && !flow_text(flow->facts[i], "by") &&
		    streq(flow->facts[i]->key, fact->key))
			return flow->facts[i];
	return NULL;
}

static bool
is_same_worker(const struct flow_fact *a, const struct flow_fact *b)
{
	uint64_t a_pid = flow_number(a->attributes, "pid");
	uint64_t b_pid = flow_number(b->attributes, "pid");

	return streq(a->host, b->host) && streq(a->service, b->service) &&
	       (!a_pid || !b_pid || a_pid == b_pid);
}

static const struct flow_fact *
parent_of(const struct flow *flow, const struct flow_fact *fact)
{
	const struct flow_fact *caller = caller_of(flow, fact), *parent = NULL;

	if (fact == flow->root)
		return NULL;
	if (fact->family == FAMILY_SERVED && fact->other)
		return fact->other;
	for (size_t i = 0; i < flow->n && (caller || fact->family != FAMILY_API); i++) {
		const struct flow_fact *one = flow->facts[i];
		bool worker = caller ? streq(one->host, caller->host) &&
			(streq(one->request_id, caller->request_id) ||
			 streq(one->key, caller->request_id)) : is_same_worker(one, fact);

		if (worker && one != fact && is_span(one) && one->family != FAMILY_CALL &&
		    is_around(one, fact) && is_inner(one, parent))
			parent = one;
	}
	return parent ? parent : flow->root;
}

static char *
name_of(const struct flow_fact *fact)
{
	const char *topic = flow_text(fact, "topic"), *what = flow_text(fact, "what");
	const char *method = flow_text(fact, "method"), *path = flow_text(fact, "path");

	switch (fact->family) {
	case FAMILY_API:
		return xasprintf("%s %.*s", method ? method : "request",
				 path ? (int) strcspn(path, "?") : 1, path ? path : "?");
	case FAMILY_CALL:
		return xasprintf("%s %s", what ? what : "call", topic ? topic : "?");
	case FAMILY_SERVED:
		return xasprintf("serve %s", method ? method : fact->other &&
				 flow_text(fact->other, "topic") ?
				 flow_text(fact->other, "topic") : "a message");
	default:
		return xstrdup(*fact->name ? fact->name : fact->kind);
	}
}

static json_t *
attributes_of(const struct flow_fact *fact)
{
	const struct flow_fact *other = fact->family == FAMILY_CALL ? fact->other : NULL;
	json_t *attributes = (json_t *) (uintptr_t) fact->attributes;

	if (!attributes || !other)
		return attributes ? json_incref(attributes) : json_object();
	attributes = json_copy(attributes);
	json_object_set_new(attributes, "queued_ns", json_integer(
		(json_int_t) (other->start_ns - MIN(other->start_ns, fact->start_ns))));
	if (other->end_ns > other->start_ns)
		json_object_set_new(attributes, "served_ns", json_integer(
			(json_int_t) (other->end_ns - other->start_ns)));
	return attributes;
}

static json_t *
span_of(const struct flow *flow, struct flow_fact *fact)
{
	_cleanup_(freep) char *name = name_of(fact);
	json_t *evidence = json_object();
	const char *joined_by = flow_evidence(flow, fact, evidence);

	fact->parent = parent_of(flow, fact);
	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:s, s:o, s:o}", "id",
			 flow_text_json(fact->id), "parent",
			 flow_text_json(fact->parent ? fact->parent->id : NULL), "layer", "application",
			 "service", flow_text_json(fact->service), "host", flow_text_json(fact->host), "name",
			 flow_text_json(name), "start_ns", (json_int_t) begin_of(fact), "end_ns",
			 ns_json(fact->end_ns), "status", flow_text_json(fact->status), "joined_by",
			 joined_by, "evidence", evidence, "attributes", attributes_of(fact));
}

/* -- The hypervisor's part ------------------------------------------------ */

static json_t *
hypervisor_span(const struct flow *flow, const char *id, const char *parent, const char *name,
		const json_t *times, json_t *attributes)
{
	uint64_t end_ns = flow_number(times, "end_ns");
	const char *status = json_string_value(json_object_get(times, "status"));
	json_t *evidence = json_object();
	const char *joined_by = times == flow->record ? flow_evidence_of_migration(flow, evidence) :
		flow_evidence_of_stage(flow, evidence);

	return json_pack("{s:o, s:o, s:s, s:s, s:O?, s:o, s:I, s:o, s:o, s:s, s:o, s:o}", "id",
			 flow_text_json(id), "parent", flow_text_json(parent), "layer", "virtualization",
			 "service", "qemu", "host", json_object_get(flow->record, "source"), "name",
			 flow_text_json(name), "start_ns", (json_int_t) flow_number(times, "start_ns"),
			 "end_ns", ns_json(end_ns), "status",
			 flow_text_json(status ? status : end_ns ? "ok" : "running"), "joined_by",
			 joined_by, "evidence", evidence, "attributes", attributes);
}

/* The innermost step of the source that holds the migration. */
static const struct flow_fact *
around_record(const struct flow *flow)
{
	uint64_t start_ns = flow_number(flow->record, "start_ns");
	uint64_t end_ns = flow_number(flow->record, "end_ns");
	const struct flow_fact *found = NULL;

	for (size_t i = 0; i < flow->n; i++) {
		const struct flow_fact *fact = flow->facts[i];

		if (fact->family == FAMILY_STEP && strstr(fact->name, "migrat") &&
		    fact->start_ns <= start_ns && end_ns && end_of(fact) >= end_ns &&
		    is_inner(fact, found))
			found = fact;
	}
	return found ? found : flow->root;
}

static void
add_hypervisor(const struct flow *flow, json_t *spans)
{
	const char *id = json_string_value(json_object_get(flow->record, "id"));
	json_t *stage;
	size_t i;

	if (!id)
		return;
	json_array_append_new(spans, hypervisor_span(
		flow, id, around_record(flow)->id, "live migration", flow->record, json_pack(
			"{s:s, s:O?, s:O?, s:O?, s:O?, s:O?}", "migration", id, "destination",
			json_object_get(flow->record, "destination"), "downtime_ns",
			json_object_get(flow->record, "downtime_ns"), "blackout_ns",
			json_object_get(flow->record, "blackout_ns"), "network_blackout_ns",
			json_object_get(flow->record, "network_blackout_ns"), "reason",
			json_object_get(flow->record, "reason"))));
	json_array_foreach(json_object_get(flow->record, "stages"), i, stage) {
		_cleanup_(freep) char *stage_id = xasprintf("%s/%zu", id, i);
		const char *name = json_string_value(json_object_get(stage, "name"));

		json_array_append_new(spans, hypervisor_span(flow, stage_id, id,
							     name ? name : "stage", stage,
							     json_object()));
	}
}

/* -- Where its time went -------------------------------------------------- */

struct interval {
	uint64_t begin_ns, end_ns;
	const char *what;
};

struct share {
	const char *what;
	uint64_t ns;
	unsigned percent_100;        /* Hundredths of a percent... */
	uint64_t rest;               /* ... and what is left of one. */
};

struct budget {
	struct interval *intervals;
	size_t n;
	uint64_t *times;
	size_t n_times;
	struct share shares[64];
	size_t n_shares;
	uint64_t begin_ns, end_ns;
};

static void
add_interval(struct budget *budget, uint64_t begin_ns, uint64_t end_ns, const char *what)
{
	begin_ns = MAX(begin_ns, budget->begin_ns);
	end_ns = MIN(end_ns, budget->end_ns);
	if (begin_ns >= end_ns)
		return;
	budget->intervals[budget->n++] = (struct interval) { begin_ns, end_ns, what };
	budget->times[budget->n_times++] = begin_ns;
	budget->times[budget->n_times++] = end_ns;
}

static const char *
stage_what(const json_t *stage)
{
	static const char *const names[][2] = {
		{ "setup", "hypervisor: setup" }, { "precopy", "hypervisor: precopy" },
		{ "stop-and-copy", "hypervisor: stop-and-copy" },
		{ "postcopy", "hypervisor: postcopy" },
	};
	const char *name = json_string_value(json_object_get(stage, "name"));

	for (size_t i = 0; i < ARRAY_SIZE(names) && name; i++)
		if (streq(names[i][0], name))
			return names[i][1];
	return "hypervisor";
}

static void
add_fact(struct budget *budget, const struct flow_fact *fact)
{
	if (fact->family == FAMILY_CALL) {
		const struct flow_fact *served = fact->other;

		add_interval(budget, fact->start_ns, served ? served->start_ns : fact->end_ns,
			     "rpc queue");
	} else if (is_span(fact) && !(fact->family == FAMILY_SERVED && is_endless(fact))) {
		add_interval(budget, begin_of(fact), end_of(fact), flow_what(fact));
	}
}

static void
add_share(struct budget *budget, const char *what, uint64_t ns)
{
	size_t i = 0;

	while (i < budget->n_shares && !streq(budget->shares[i].what, what))
		i++;
	if (i == ARRAY_SIZE(budget->shares))
		i--;
	if (i == budget->n_shares)
		budget->shares[budget->n_shares++].what = what;
	budget->shares[i].ns += ns;
}

static int
compare_times(const void *a_, const void *b_)
{
	const uint64_t *a = a_, *b = b_;

	return *a < *b ? -1 : *a > *b;
}

/* What counts between two times next to each other. */
static const char *
innermost(const struct budget *budget, uint64_t begin_ns)
{
	const struct interval *found = NULL;

	for (size_t i = 0; i < budget->n; i++) {
		const struct interval *one = &budget->intervals[i];

		if (one->begin_ns > begin_ns || one->end_ns <= begin_ns)
			continue;
		if (!found || one->begin_ns > found->begin_ns ||
		    (one->begin_ns == found->begin_ns &&
		     (one->end_ns < found->end_ns || (one->end_ns == found->end_ns &&
						      strcmp(one->what, found->what) < 0))))
			found = one;
	}
	return found ? found->what : "unexplained";
}

static int
compare_rests(const void *a_, const void *b_)
{
	const struct share *a = a_, *b = b_;

	return a->rest != b->rest ? (a->rest > b->rest ? -1 : 1) : strcmp(a->what, b->what);
}

static int
compare_shares(const void *a_, const void *b_)
{
	const struct share *a = a_, *b = b_;

	return a->ns != b->ns ? (a->ns > b->ns ? -1 : 1) : strcmp(a->what, b->what);
}

/* Percents that add up to 100. */
static void
set_percents(struct budget *budget)
{
	uint64_t total = budget->end_ns - budget->begin_ns;
	unsigned sum = 0;

	for (size_t i = 0; i < budget->n_shares; i++) {
		struct share *share = &budget->shares[i];
		double exact = total ? 10000.0 * (double) share->ns / (double) total : 0;

		share->percent_100 = (unsigned) floor(exact);
		share->rest = (uint64_t) ((exact - floor(exact)) * 1e9);
		sum += share->percent_100;
	}
	qsort(budget->shares, budget->n_shares, sizeof *budget->shares, compare_rests);
	for (size_t i = 0; i < budget->n_shares && sum < 10000; i++, sum++)
		budget->shares[i].percent_100++;
	qsort(budget->shares, budget->n_shares, sizeof *budget->shares, compare_shares);
}

static json_t *
budget_json(const struct budget *budget)
{
	json_t *list = json_array();

	for (size_t i = 0; i < budget->n_shares; i++)
		json_array_append_new(list, json_pack(
			"{s:s, s:I, s:f}", "what", budget->shares[i].what, "ns",
			(json_int_t) budget->shares[i].ns, "percent",
			budget->shares[i].percent_100 / 100.0));
	return list;
}

static json_t *
budget_of(const struct flow *flow)
{
	struct budget budget = { .begin_ns = flow->start_ns,
				 .end_ns = flow->end_ns ? flow->end_ns : flow->core_ns };
	const json_t *stages = json_object_get(flow->record, "stages");
	size_t n = flow->n + json_array_size(stages) + 1;
	json_t *list, *stage;
	size_t i;

	budget.intervals = xcalloc(n, sizeof *budget.intervals);
	budget.times = xcalloc(2 * n + 2, sizeof *budget.times);
	for (i = 0; i < flow->n; i++)
		add_fact(&budget, flow->facts[i]);
	json_array_foreach((json_t *) (uintptr_t) stages, i, stage) {
		uint64_t end_ns = flow_number(stage, "end_ns");

		add_interval(&budget, flow_number(stage, "start_ns"),
			     end_ns ? end_ns : UINT64_MAX, stage_what(stage));
	}
	budget.times[budget.n_times++] = budget.begin_ns;
	budget.times[budget.n_times++] = budget.end_ns;
	qsort(budget.times, budget.n_times, sizeof *budget.times, compare_times);
	for (i = 1; i < budget.n_times; i++)
		if (budget.times[i] > budget.times[i - 1])
			add_share(&budget, innermost(&budget, budget.times[i - 1]),
				  budget.times[i] - budget.times[i - 1]);
	set_percents(&budget);
	list = budget_json(&budget);
	free(budget.intervals);
	free(budget.times);
	return list;
}

/* -- All ------------------------------------------------------------------ */

void
flow_spans(struct flow *flow, json_t *record)
{
	json_t *spans = json_array();
	unsigned dropped = flow->dropped;

	if (flow->root)
		for (size_t i = 0; i < flow->n; i++)
			if (flow->facts[i] == flow->root)
				json_array_append_new(spans, span_of(flow, flow->facts[i]));
	for (size_t i = 0; i < flow->n; i++) {
		if (!is_span(flow->facts[i]) || flow->facts[i] == flow->root)
			continue;
		if (json_array_size(spans) < FLOW_MAX_SPANS)
			json_array_append_new(spans, span_of(flow, flow->facts[i]));
		else
			dropped++;
	}
	add_hypervisor(flow, spans);
	flow_steps(flow, spans);
	flow_datapath(flow, spans);
	json_object_set_new(record, "spans", spans);
	json_object_set_new(record, "budget", budget_of(flow));
	json_object_set_new(record, "dropped_spans", json_integer(dropped));
}
