/* SPDX-License-Identifier: MIT
 *
 * flow_spans.c -- the tree of spans of a flow (flow.h). */
#include <stdlib.h>
#include <string.h>

#include "daemon/clock_apply.h"
#include "daemon/flow_budget.h"
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
	return flow_moved(fact, fact->family == FAMILY_API ? flow_began(fact) : fact->start_ns);
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
	return is_endless(fact) ? UINT64_MAX : flow_moved(fact, fact->end_ns);
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
	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:s, s:I, s:o, s:o, s:s, s:o, s:o}", "id",
			 flow_text_json(fact->id), "parent",
			 flow_text_json(fact->parent ? fact->parent->id : NULL), "layer", "application",
			 "service", flow_text_json(fact->service), "host", flow_text_json(fact->host), "name",
			 flow_text_json(name), "what", fact->family == FAMILY_CALL ? "rpc queue" :
			 flow_what(fact), "start_ns", (json_int_t) begin_of(fact), "end_ns",
			 ns_json(flow_moved(fact, fact->end_ns)), "status", flow_text_json(fact->status),
			 "joined_by", joined_by, "evidence", evidence, "attributes",
			 attributes_of(fact));
}

/* -- The hypervisor's part ------------------------------------------------ */

static const char *
stage_what(const char *name)
{
	static const char *const names[][2] = {
		{ "setup", "hypervisor: setup" }, { "precopy", "hypervisor: precopy" },
		{ "stop-and-copy", "hypervisor: stop-and-copy" },
		{ "postcopy", "hypervisor: postcopy" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (streq(names[i][0], name))
			return names[i][1];
	return "hypervisor";
}

static json_t *
hypervisor_span(const struct flow *flow, const char *id, const char *parent, const char *name,
		const json_t *times, json_t *attributes)
{
	const char *status = json_string_value(json_object_get(times, "status"));
	const char *host = flow_member(flow->record, "source");
	const uint64_t start_ns = flow_moved_of(flow, host, flow_number(times, "start_ns"));
	const uint64_t end_ns = flow_moved_of(flow, host, flow_number(times, "end_ns"));
	json_t *evidence = json_object();
	const char *joined_by = times == flow->record ? flow_evidence_of_migration(flow, evidence) :
		flow_evidence_of_stage(flow, evidence);

	json_object_set(attributes, "pid", json_object_get(flow->record, "source_pid"));
	return json_pack("{s:o, s:o, s:s, s:s, s:O?, s:o, s:s, s:I, s:o, s:o, s:s, s:o, s:o}", "id",
			 flow_text_json(id), "parent", flow_text_json(parent), "layer", "virtualization",
			 "service", "qemu", "host", json_object_get(flow->record, "source"), "name",
			 flow_text_json(name), "what", stage_what(name), "start_ns",
			 (json_int_t) start_ns, "end_ns", ns_json(end_ns), "status",
			 flow_text_json(status ? status : end_ns ? "ok" : "running"), "joined_by",
			 joined_by, "evidence", evidence, "attributes", attributes);
}

/* The innermost step of the source that holds the migration. */
static const struct flow_fact *
around_record(const struct flow *flow)
{
	const char *host = flow_member(flow->record, "source");
	uint64_t start_ns = flow_moved_of(flow, host, flow_number(flow->record, "start_ns"));
	uint64_t end_ns = flow_moved_of(flow, host, flow_number(flow->record, "end_ns"));
	const struct flow_fact *found = NULL;

	for (size_t i = 0; i < flow->n; i++) {
		const struct flow_fact *fact = flow->facts[i];

		if (fact->family == FAMILY_STEP && strstr(fact->name, "migrat") &&
		    begin_of(fact) <= start_ns && end_ns && end_of(fact) >= end_ns &&
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

/* -- All ------------------------------------------------------------------ */

void
flow_spans(struct flow *flow, json_t *record)
{
	json_t *spans = json_array(), *budget;
	unsigned dropped = flow->dropped;
	uint64_t end_ns;

	flow_clocks(flow);
	clock_add_migration(flow->store, flow->record);
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
	flow_relate(flow, spans);
	end_ns = flow_moved_end(flow);
	budget = flow_budget(flow->store, spans, flow->start_ns, end_ns);
	json_object_update(record, budget);
	json_decref(budget);
	json_object_set_new(record, "spans", spans);
	json_object_set_new(record, "dropped_spans", json_integer(dropped));
	json_object_set_new(record, "error_ns", ns_json(flow_end_error(flow)));
	if (flow->end_ns && end_ns != flow->end_ns) {
		end_ns = MAX(end_ns, flow->start_ns);
		json_object_set_new(record, "end_ns", ns_json(end_ns));
		json_object_set_new(record, "total_ns",
				    json_integer((json_int_t) (end_ns - flow->start_ns)));
	}
}
