/* SPDX-License-Identifier: MIT
 *
 * os_things.c -- ports, volumes and what belongs together, from whichever line
 * tells of it: each host's view is told as a whole, and again when it changed. */
#include <string.h>
#include <xxhash.h>

#include "analyzers/openstack.h"
#include "lib/util.h"

enum { KNOWN = FLOW_IDLE + 1, GONE, N_STATES };

static const struct state states[] = {
	[FLOW_IDLE] = { .name = "unknown" },
	[KNOWN]     = { .name = "known", .ended = true },
	[GONE]      = { .name = "gone", .final = true },
};

/* What each kind of thing is made of. */
struct thing {
	enum log_event event;
	enum fact_type type;
	const char *kind;
	enum log_field id, other;   /* A link has two. */
	enum log_field fields[24];  /* Ended by F_NONE. */
};

static const struct thing things[] = {
	{ LOG_PORT, FACT_ENTITY, "port", F_PORT, F_NONE,
	  { F_PORT, F_RESOURCE_NAME, F_MAC, F_TAP, F_INSTANCE, F_HOST, F_NETWORK, F_IPS, F_STATUS,
	    F_VIF_TYPE, F_DEVICE_OWNER } },
	{ LOG_VOLUME, FACT_ENTITY, "volume", F_VOLUME, F_NONE,
	  { F_VOLUME, F_RESOURCE_NAME, F_SIZE_GIB, F_VOLUME_TYPE, F_STATUS, F_BACKEND, F_ATTACHMENT,
	    F_INSTANCE, F_DEVICE, F_FILE, F_CONNECTION, F_SNAPSHOT, F_IMAGE } },
	{ LOG_VM_PORT, FACT_LINK, "vm.port", F_INSTANCE, F_PORT,
	  { F_INSTANCE, F_PORT, F_MAC, F_TAP, F_NETWORK, F_IPS } },
	{ LOG_VM_VOLUME, FACT_LINK, "vm.volume", F_INSTANCE, F_VOLUME,
	  { F_INSTANCE, F_VOLUME, F_ATTACHMENT, F_DEVICE, F_FILE } },
	{ LOG_MIGRATION, FACT_LINK, "nova.migration", F_MIGRATION, F_NONE,
	  { F_MIGRATION, F_INSTANCE, F_REQUEST_ID, F_SOURCE, F_DESTINATION, F_MIGRATION_TYPE,
	    F_STATUS } },
};

static const struct thing *
thing_of(unsigned event)
{
	for (size_t i = 0; i < ARRAY_SIZE(things); i++)
		if (things[i].event == (enum log_event) event)
			return &things[i];
	return NULL;
}

/* Of a field that the line's record may have too. */
static struct text
field_of(const struct line *line, enum log_field field)
{
	const struct text text = line_field(line, field);

	if (text.size)
		return text;
	if (field == F_INSTANCE)
		return record_text(line->record, RECORD_INSTANCE);
	if (field == F_REQUEST_ID && !(line->flags & RID_WRONG))
		return line->request;
	return text;
}

static size_t
add_key(char name[NAME_SIZE], const struct thing *thing, const struct line *line)
{
	const struct text id = field_of(line, thing->id);
	const struct text other = thing->other ? field_of(line, thing->other) : (struct text) { "", 0 };
	size_t size;

	if (!id.size || (thing->other && !other.size))
		return 0;
	size = name_add(name, 0, &id);
	if (thing->other) {
		size = name_add_string(name, size, "/");
		size = name_add(name, size, &other);
	}
	return size;
}

static size_t
identify(char name[NAME_SIZE], unsigned event, const void *values)
{
	const struct thing *thing = thing_of(event);
	const struct line *line = values;
	struct text id;
	size_t size;

	if (!thing) {          /* The addresses of an instance. */
		id = line_field(line, F_INSTANCE);
		if (!id.size || line_field(line, F_ADDRESSES).size < 4)
			return 0;
		size = name_add_string(name, 0, "addresses ");
		return name_add(name, size, &id);
	}
	size = add_key(name, thing, line);
	if (!size)
		return 0;
	size = name_add_string(name, size, " ");
	return name_add_string(name, size, thing->kind);
}

/* Whether the line tells that it is no more. */
static bool
is_end(const struct flow *flow, const struct step *step)
{
	const struct text *name = &((const struct line *) step->values)->name;

	(void) flow;
	return text_is(name, "port.delete") || text_is(name, "instance.volume_detach");
}

static void
tell(struct flow *flow, const struct step *step, enum log_event event)
{
	struct subject *subject = CONTAINER_OF(flow, struct subject, flow);
	const struct thing *thing = thing_of(event);
	const struct line *line = step->values;
	struct fact fact = { .type = thing->type, .kind = thing->kind };
	char name[NAME_SIZE];
	const struct text key = { name, add_key(name, thing, line) };
	bool news = is_end(flow, step);

	text_copy(subject->key, sizeof subject->key, &key);
	for (size_t i = 0; thing->fields[i]; i++) {
		const enum log_field field = thing->fields[i];

		news |= notes_set(&subject->notes, field == F_RESOURCE_NAME ? F_NAME : field,
				  field_of(line, field));
	}
	if (!news)
		return;
	if (is_end(flow, step))
		fact.end_ns = step->t_ns;
	if (event == LOG_VM_VOLUME)
		fact.start_ns = flow->start_ns;     /* Attached again is another attachment. */
	fact.attributes = notes_json(&subject->notes, false);
	json_object_set_new(fact.attributes, "t_ns", json_integer((json_int_t) step->t_ns));
	step_tell(step, flow, &fact);
}

#define TELL(NAME, EVENT) \
	static void NAME(struct flow *flow, const struct step *step) { tell(flow, step, EVENT); }
TELL(tell_port, LOG_PORT)
TELL(tell_volume, LOG_VOLUME)
TELL(tell_vm_port, LOG_VM_PORT)
TELL(tell_vm_volume, LOG_VM_VOLUME)
TELL(tell_migration, LOG_MIGRATION)
#undef TELL

/* -- Addresses in an instance's notification ---------------------------------- */

static json_t *
text_at(struct record *record, const struct json_value *object, const char *name)
{
	const struct json_value value = json_at(object, name);
	const struct text text = scratch_text(record->scratch, &value);

	return text_json(&text);
}

static void
tell_address(struct flow *flow, const struct step *step, const struct text *instance,
	     struct json_value address)
{
	struct record *record = ((const struct line *) step->values)->record;
	const struct json_value data = json_at(&address, "nova_object.data");
	const struct text *event = &((const struct line *) step->values)->name;
	struct fact fact = { .type = FACT_LINK, .kind = "vm.port" };
	json_t *port;

	if (text_is(event, "instance.delete.start"))
		fact.end_ns = step->t_ns;

	if (data.kind)
		address = data;
	port = text_at(record, &address, "port_uuid");
	if (!json_is_string(port)) {
		json_decref(port);
		return;
	}
	snprintf(fact.key, sizeof fact.key, "%.*s/%.40s", (int) MIN(instance->size, (size_t) 40),
		 instance->s, json_string_value(port));
	fact.attributes = json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:I}", "instance",
				    text_json(instance), "port", port, "mac",
				    text_at(record, &address, "mac"), "tap",
				    text_at(record, &address, "device_name"), "ips",
				    text_at(record, &address, "address"), "source", "notification",
				    "t_ns", (json_int_t) step->t_ns);
	step_tell(step, flow, &fact);
}

static void
tell_addresses(struct flow *flow, const struct step *step)
{
	struct subject *subject = CONTAINER_OF(flow, struct subject, flow);
	const struct text instance = line_field(step->values, F_INSTANCE);
	const struct text text = line_field(step->values, F_ADDRESSES);
	const uint64_t hash = XXH64(text.s, text.size, 0);
	const struct json_value list = json_parse(text.s, text.size);
	struct json_walk walk = json_begin(&list);
	struct json_value address;

	text_copy(subject->key, sizeof subject->key, &instance);
	if (subject->extra == hash &&
	    !text_is(&((const struct line *) step->values)->name, "instance.delete.start"))
		return;
	subject->extra = hash;
	while (json_next(&walk, &address))
		tell_address(flow, step, &instance, address);
}

#define ANY (IN(FLOW_IDLE) | IN(KNOWN))
static void
tell_port_deleted(struct flow *flow, const struct step *step)
{
	struct line *line = (struct line *) (uintptr_t) step->values;

	line->fields[F_STATUS] = (struct text) { "deleted", 7 };
	tell(flow, step, LOG_PORT);
}

static const struct rule rules[] = {
	{ .on = "neutron:port", .in = ANY, .to = GONE, .act = tell_port_deleted,
	  .when = is_end },
	{ .on = "neutron:port", .in = ANY, .to = KNOWN, .act = tell_port },
	{ .on = "cinder:volume", .in = ANY, .to = KNOWN, .act = tell_volume },
	{ .on = "vm:port", .in = ANY, .to = KNOWN, .act = tell_vm_port },
	{ .on = "vm:volume", .in = ANY, .to = GONE, .act = tell_vm_volume, .when = is_end },
	{ .on = "vm:volume", .in = IN(FLOW_IDLE), .to = KNOWN, .act = tell_vm_volume,
	  .begins = true },
	{ .on = "vm:volume", .in = IN(KNOWN), .to = KNOWN, .act = tell_vm_volume },
	{ .on = "nova:migration", .in = ANY, .to = KNOWN, .act = tell_migration },
	{ .on = "nova:instance", .in = ANY, .to = KNOWN, .act = tell_addresses },
	{ 0 }
};

const struct analyzer os_things_analyzer = {
	.name = "things",
	.summary = "Ports, volumes, and which instance has them",
	.version = 1,
	.roles = ROLE_COMPUTE | ROLE_NETWORK | ROLE_STORAGE | ROLE_CONTROLLER,
	.decoder = &log_decoder,
	.identify = identify,
	.fact_key = subject_key,
	.keep = 8192,
	.max_flows = 16384,
	.flow_size = sizeof(struct subject),
	.states = states,
	.n_states = N_STATES,
	.gone = GONE,
	.rules = rules,
	.used = subject_used,
	.check = subject_check,
};
