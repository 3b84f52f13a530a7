/* SPDX-License-Identifier: MIT
 *
 * ovs_control.c -- what changes the datapath: commands over generic netlink, by
 * whom, how long they took; and storms of upcalls.
 *
 * Commands on flows come by the thousand and are counted; those on ports and
 * datapaths are a mark "ovs.change" each. */
#include <inttypes.h>
#include <string.h>

#include "analyzers/ovs.h"

/* A window with so many upcalls, this share of lookups (percent), is a storm. */
enum { STORM_UPCALLS = 50, STORM_PERCENT = 20 };

static struct ovs_command *
command_of(struct ovs *ovs, enum ovs_op op, const char comm[16])
{
	struct ovs_command key, *command;

	memset(&key, 0, sizeof key);
	key.key.op = op;
	memcpy(key.key.comm, comm, sizeof key.key.comm);
	command = keyed_get(&ovs->window.commands, &key.key, NULL);
	if (!command)
		COUNT(ovs, EVICTED_OTHERS);
	return command;
}

static bool
is_topology(enum ovs_op op)
{
	return op != OVS_FLOW_NEW && op != OVS_FLOW_SET && op != OVS_FLOW_DEL && op != OVS_EXECUTE;
}

static void
tell_change(const struct step *step, enum ovs_op op, uint64_t tid, const char *comm,
	    const struct text *name, const int64_t *ret, const uint64_t *took_ns)
{
	struct fact fact = { .type = FACT_MARK, .kind = "ovs.change", .start_ns = step->t_ns };
	json_t *port = name && name->size ? json_stringn(name->s, MIN(name->size, (size_t) 63)) :
		       NULL;

	snprintf(fact.key, sizeof fact.key, "%s/%" PRIu64, ovs_op_names[op], tid);
	fact.attributes = json_pack("{s:s, s:I, s:o}", "op", ovs_op_names[op], "tid",
				    (json_int_t) tid, "name", port ? port : json_null());
	json_object_set_new(fact.attributes, "comm", json_string(comm));
	if (!json_object_get(fact.attributes, "comm"))
		json_object_set_new(fact.attributes, "comm", json_null());
	if (ret)
		json_object_set_new(fact.attributes, "ret", json_integer(*ret));
	if (took_ns)
		json_object_set_new(fact.attributes, "took_ns", json_integer((json_int_t) *took_ns));
	native_tell(step, &fact);
}

static void
count(struct ovs *ovs, const struct step *step, enum ovs_op op, uint64_t tid, const char comm[16],
      const struct text *name, const int64_t *ret, const uint64_t *took_ns)
{
	struct ovs_command *command = command_of(ovs, op, comm);

	if (command) {
		command->count++;
		command->failed += ret && *ret < 0;
		if (took_ns)
			histogram_add(&command->took, *took_ns);
	}
	if (op == OVS_FLOW_NEW && took_ns)
		TOOK(ovs, FLOW_PUT, *took_ns);
	if (is_topology(op))
		tell_change(step, op, tid, comm, name, ret, took_ns);
}

void
ovs_command(struct ovs *ovs, const struct step *step, enum ovs_op op, unsigned phase, uint64_t tid,
	    const struct text *comm, const struct text *name, int64_t ret, bool has_ret)
{
	struct ovs_thread *thread = ovs_thread_get(ovs, tid);
	const bool inside = thread->op_ns && thread->op == op;
	uint64_t took_ns;
	char text[16] = "";

	text_copy(text, sizeof text, comm);
	if (*text)
		memcpy(thread->comm, text, sizeof text);
	if (phase == 0) {
		thread->op_ns = step->t_ns;
		thread->op = op;
	} else if (phase == 2) {
		/* The probe for entry and return is there too: that one counts. */
		if (!inside)
			count(ovs, step, op, tid, text, name, has_ret ? &ret : NULL, NULL);
	} else {
		took_ns = inside ? ovs_since(step->t_ns, thread->op_ns) : 0;
		if (inside)
			thread->op_ns = 0;
		count(ovs, step, op, tid, text, name, has_ret ? &ret : NULL,
		      inside ? &took_ns : NULL);
	}
}

void
ovs_genl_cmd(struct ovs *ovs, const struct step *step)
{
	static const struct { const char *name; enum ovs_op op; } ops[] = {
		{ "ovs_packet_cmd_execute", OVS_EXECUTE }, { "ovs_flow_cmd_new", OVS_FLOW_NEW },
		{ "ovs_flow_cmd_set", OVS_FLOW_SET }, { "ovs_flow_cmd_del", OVS_FLOW_DEL },
		{ "ovs_vport_cmd_new", OVS_VPORT_NEW }, { "ovs_vport_cmd_del", OVS_VPORT_DEL },
		{ "ovs_vport_cmd_set", OVS_VPORT_SET }, { "ovs_dp_cmd_new", OVS_DP_NEW },
		{ "ovs_dp_cmd_set", OVS_DP_SET }, { "ovs_dp_cmd_del", OVS_DP_DEL },
	};
	const struct ovs_genl_fields *fields = step->values;

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		if (!text_is(&fields->op, ops[i].name))
			continue;
		if (fields->phase && fields->ret >= 0 && ops[i].op == OVS_FLOW_NEW)
			COUNT(ovs, FLOWS_ADDED);
		if (fields->phase && fields->ret >= 0 && ops[i].op == OVS_FLOW_DEL)
			COUNT(ovs, FLOWS_REMOVED);
		ovs_command(ovs, step, ops[i].op, fields->phase != 0, (uint64_t) fields->tid,
			    &fields->comm, &fields->name, fields->ret, true);
		return;
	}
}

/* -- Storms ------------------------------------------------------------------ */

static void
tell_storm(struct ovs *ovs, const struct step *step, bool over)
{
	const struct ovs_storm *storm = &ovs->main.storm;
	struct fact fact = { .type = FACT_SPAN, .kind = "ovs.upcall_storm", .key = "upcalls",
			     .status = over ? "over" : "running", .start_ns = storm->start_ns,
			     .end_ns = over ? storm->end_ns : 0 };

	fact.attributes = json_pack("{s:I, s:I, s:I, s:I}", "upcalls", (json_int_t) storm->upcalls,
				    "misses", (json_int_t) storm->misses, "lookups",
				    (json_int_t) storm->lookups, "peak_per_s",
				    (json_int_t) storm->peak);
	native_tell(step, &fact);
}

void
ovs_storm_window(struct ovs *ovs, const struct step *step, uint64_t from_ns, uint64_t to_ns)
{
	const uint64_t *counters = ovs->window.counters;
	const uint64_t upcalls = counters[OVS_UPCALLS];
	struct ovs_storm *storm = &ovs->main.storm;
	const bool stormy = upcalls >= STORM_UPCALLS &&
			    upcalls * 100 >= counters[OVS_LOOKUPS] * STORM_PERCENT;

	if (storm->start_ns && (!stormy || from_ns > storm->end_ns))
		ovs_storm_end(ovs, step);
	if (!stormy)
		return;
	if (!storm->start_ns)
		*storm = (struct ovs_storm) { .start_ns = from_ns };
	storm->end_ns = to_ns;
	storm->upcalls += upcalls;
	storm->misses += counters[OVS_MISSES];
	storm->lookups += counters[OVS_LOOKUPS];
	storm->peak = MAX(storm->peak, upcalls * NS_PER_S / (to_ns - from_ns));
	tell_storm(ovs, step, false);
}

void
ovs_storm_end(struct ovs *ovs, const struct step *step)
{
	if (ovs->main.storm.start_ns)
		tell_storm(ovs, step, true);
	ovs->main.storm = (struct ovs_storm) { 0 };
}
