/* SPDX-License-Identifier: MIT
 *
 * os_vm.c -- instances by Nova's notifications: what is known of each, and each
 * change of its states and of its host, in the order told. */
#include <string.h>

#include "analyzers/openstack.h"
#include "lib/util.h"

enum { KNOWN = FLOW_IDLE + 1, GONE, N_STATES };

static const struct state states[] = {
	[FLOW_IDLE] = { .name = "unknown" },
	[KNOWN]     = { .name = "known", .ended = true },
	[GONE]      = { .name = "gone", .final = true },
};

static size_t
identify(char name[NAME_SIZE], unsigned event, const void *values)
{
	const struct text id = line_field(values, F_INSTANCE);

	(void) event;
	return name_add(name, 0, &id);
}

static bool
same(const struct text *a, const struct text *b)
{
	return a->size == b->size && (!a->size || !memcmp(a->s, b->s, a->size));
}

/* One change; 'seq' counts those of one notification. */
static void
tell_change(struct subject *vm, const struct step *step, const char *what, const struct text *from,
	    const struct text *to, unsigned seq)
{
	const struct line *line = step->values;
	struct fact fact = { .type = FACT_MARK, .kind = "vm.change" };
	const struct text host = line_field(line, F_HOST), service = line_service(line);

	/* No two changes of an instance are at the same time. */
	fact.start_ns = MAX(step->t_ns + seq, vm->extra + 1);
	vm->extra = fact.start_ns;
	snprintf(fact.key, sizeof fact.key, "%.40s/%s", vm->key, what);
	fact.attributes = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:i}", "instance", vm->key,
				    "what", what, "from", text_json(from), "to",
				    text_json(to), "request_id", text_json(&line->request), "host",
				    text_json(&host), "service", text_json(&service), "seq",
				    (int) seq);
	step_tell(step, &vm->flow, &fact);
}

static bool
is_update(const struct flow *flow, const struct step *step)
{
	const struct line *line = step->values;

	(void) flow;
	return text_is(&line->name, "instance.update");
}

/* Updates tell of the host each time: where none is given the instance is on none, be it
 * shelved, or not built there after all.  One that is deleted keeps its last. */
static bool
has_left(const struct step *step)
{
	const struct line *line = step->values;
	const struct text host = line_field(line, F_HOST), state = line_field(line, F_STATE);

	return is_update(NULL, step) && !host.size && state.size && !text_is(&state, "deleted");
}

static bool
is_deleted(const struct flow *flow, const struct step *step)
{
	const struct line *line = step->values;

	(void) flow;
	return text_is(&line->name, "instance.delete.end");
}

/* What an instance is: everything but what the line itself is. */
static const enum log_field of_instance[] = {
	F_NAME, F_INSTANCE_NAME, F_HOST, F_NODE, F_FLAVOR, F_MEMORY_MIB, F_VCPUS, F_PROJECT, F_USER,
	F_IMAGE, F_CREATED, F_STATE, F_TASK_STATE, F_POWER_STATE,
};

static void
tell_entity(struct subject *vm, const struct step *step)
{
	const struct line *line = step->values;
	struct fact fact = { .type = FACT_ENTITY, .kind = "vm" };
	bool news = false;

	for (size_t i = 0; i < ARRAY_SIZE(of_instance); i++) {
		const enum log_field field = of_instance[i];
		const struct text text = field == F_NAME ? line_field(line, F_DISPLAY_NAME)
			: line_field(line, field);

		/* No task is told by its absence. */
		if ((field == F_TASK_STATE && !text.size) || (field == F_HOST && has_left(step)))
			news |= notes_clear(&vm->notes, field);
		news |= notes_set(&vm->notes, field, text);
	}
	if (!news && !is_deleted(&vm->flow, step))
		return;
	if (is_deleted(&vm->flow, step))
		fact.end_ns = step->t_ns;
	fact.attributes = notes_json(&vm->notes, false);
	json_object_set_new(fact.attributes, "instance", json_string(vm->key));
	step_tell(step, &vm->flow, &fact);
}

/* Where the instance is now. */
static void
tell_host(struct subject *vm, const struct step *step)
{
	struct text host = line_field(step->values, F_HOST);
	const struct text before = notes_get(&vm->notes, F_HOST);
	struct fact fact = { .type = FACT_LINK, .kind = "vm.host" };

	if (!host.size)
		host = before;

	if (is_deleted(&vm->flow, step))
		fact.end_ns = step->t_ns;
	else if (same(&host, &before))
		return;
	if (!host.size)
		return;
	snprintf(fact.key, sizeof fact.key, "%.37s/%.*s", vm->key, (int) MIN(host.size, (size_t) 56),
		 host.s);
	fact.attributes = json_pack("{s:s, s:o, s:I, s:s}", "instance", vm->key, "host",
				    text_json(&host), "t_ns", (json_int_t) step->t_ns, "source",
				    "notification");
	step_tell(step, &vm->flow, &fact);
}

static void
see(struct flow *flow, const struct step *step)
{
	struct subject *vm = CONTAINER_OF(flow, struct subject, flow);
	const struct text id = line_field(step->values, F_INSTANCE);

	text_copy(vm->key, sizeof vm->key, &id);
	tell_host(vm, step);
	tell_entity(vm, step);
}

static void
change(struct flow *flow, const struct step *step)
{
	struct subject *vm = CONTAINER_OF(flow, struct subject, flow);
	const struct line *line = step->values;
	const struct text id = line_field(line, F_INSTANCE), none = { "", 0 };
	const struct text state = line_field(line, F_STATE), old = line_field(line, F_OLD_STATE);
	const struct text task = line_field(line, F_TASK_STATE);
	const struct text old_task = line_field(line, F_OLD_TASK_STATE);
	const struct text power = line_field(line, F_POWER_STATE), host = line_field(line, F_HOST);
	const bool first = !vm->notes.size;
	const bool made = first && text_is(&state, "building") && text_is(&task, "scheduling");
	const struct text known = made ? none : first ? old : notes_get(&vm->notes, F_STATE);
	const struct text known_task = made ? none : first ? old_task
		: notes_get(&vm->notes, F_TASK_STATE);
	unsigned seq = 0;

	text_copy(vm->key, sizeof vm->key, &id);
	/* A notification that was written late holds the new state as the old one, and
	 * two processes may tell of one change: what was told before counts. */
	if (!same(&state, &known))
		tell_change(vm, step, "vm_state", same(&state, &old) ? &known : &old, &state,
			    seq++);
	if (!same(&task, &known_task))
		tell_change(vm, step, "task_state", same(&task, &old_task) ? &known_task : &old_task,
			    &task, seq++);
	if (power.size) {
		const struct text before = notes_get(&vm->notes, F_POWER_STATE);

		if ((made || before.size) && !same(&power, &before))
			tell_change(vm, step, "power_state", &before, &power, seq++);
	}
	if (host.size || has_left(step)) {
		const struct text before = notes_get(&vm->notes, F_HOST);

		if (!first && !same(&host, &before))
			tell_change(vm, step, "host", &before, &host, seq++);
	}
	tell_host(vm, step);
	tell_entity(vm, step);
}

#define INSTANCE "nova:instance"

static const struct rule rules[] = {
	{ .on = INSTANCE, .in = IN(FLOW_IDLE) | IN(KNOWN), .to = KNOWN, .act = change,
	  .when = is_update },
	{ .on = INSTANCE, .in = IN(FLOW_IDLE) | IN(KNOWN), .to = GONE, .act = see,
	  .when = is_deleted },
	{ .on = INSTANCE, .in = IN(FLOW_IDLE) | IN(KNOWN), .to = KNOWN, .act = see },
	{ 0 }
};

const struct analyzer os_vm_analyzer = {
	.name = "vm",
	.summary = "Instances: what they are, their states, where they are",
	.version = 1,
	.roles = ROLE_COMPUTE | ROLE_CONTROLLER,
	.decoder = &log_decoder,
	.identify = identify,
	.keep = 4096,
	.max_flows = 8192,
	.flow_size = sizeof(struct subject),
	.states = states,
	.n_states = N_STATES,
	.gone = GONE,
	.rules = rules,
	.fact_key = subject_key,
	.used = subject_used,
	.check = subject_check,
};
