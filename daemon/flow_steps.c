/* SPDX-License-Identifier: MIT
 *
 * flow_steps.c -- what the two QEMUs did for a request's live migration and how long
 * it took, as parts of its stages (flow.h, join_steps.h). */
#include <stdlib.h>

#include "daemon/flow_private.h"
#include "daemon/join_steps.h"
#include "lib/util.h"

/* The stage in which a step began, else the migration itself. */
static char *
parent_of(const struct flow *flow, const char *id, const json_t *step)
{
	const uint64_t t_ns = flow_number(step, "t_ns");
	const char *side = flow_member(step, "side");
	json_t *stage;
	size_t i;

	json_array_foreach(json_object_get(flow->record, "stages"), i, stage)
		if (side && streq(side, "source") && t_ns >= flow_number(stage, "start_ns") &&
		    t_ns < flow_number(stage, "end_ns"))
			return xasprintf("%s/%zu", id, i);
	return xstrdup(id);
}

void
flow_steps(const struct flow *flow, json_t *spans)
{
	const char *id = flow->record ? flow_member(flow->record, "id") : NULL;
	json_t *steps = id ? join_steps(flow->store, flow->record) : NULL, *step;
	size_t i;

	json_array_foreach(steps, i, step) {
		const json_t *lasted = json_object_get(step, "lasted_ns");
		const json_int_t t_ns = (json_int_t) flow_moved_of(flow, flow_member(step, "host"),
								   flow_number(step, "t_ns"));
		_cleanup_(freep) char *parent = parent_of(flow, id, step);
		_cleanup_(freep) char *own = xasprintf("%s/step/%zu", id, i);

		json_array_append_new(spans, json_pack(
			"{s:s, s:s, s:s, s:s, s:O, s:O, s:I, s:I, s:s, s:s, s:{s:O, s:O?}, s:{s:O, s:O, s:O}}", "id",
			own, "parent", parent, "layer", "virtualization", "service", "qemu", "host",
			json_object_get(step, "host"), "name", json_object_get(step, "step"),
			"start_ns", t_ns, "end_ns", t_ns + json_integer_value(lasted), "status", "ok",
			"joined_by", "process", "evidence", "pid", json_object_get(step, "pid"), "instance",
			json_object_get(json_object_get(flow->record, "vm"), "uuid"), "attributes", "text", json_object_get(step, "text"),
			"pid", json_object_get(step, "pid"), "side", json_object_get(step, "side")));
	}
	json_decref(steps);
}
