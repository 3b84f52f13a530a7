/* SPDX-License-Identifier: MIT
 *
 * notification.c -- oslo.messaging's notifications, as its log driver writes
 * them.  Operations come as pairs: EVENT.start and EVENT.end (or .error); other
 * services' consumers take them from the bus, we from the log. */
#include <string.h>

#include "analyzers/openstack.h"
#include "lib/util.h"

enum family { NOVA, NEUTRON, CINDER, N_FAMILIES };

/* First derived event of a family's steps; the others follow it. */
static const enum log_event first_event[N_FAMILIES] = {
	[NOVA] = LOG_NOVA_BEGIN, [NEUTRON] = LOG_NEUTRON_BEGIN, [CINDER] = LOG_CINDER_BEGIN,
};
enum { BEGIN, END, FAIL, TOOK };

/* Members of a payload by their names in Nova's versioned and unversioned
 * notifications, Neutron's and Cinder's. */
struct taken {
	const char *name;
	enum log_field field;
};
enum { MAX_TAKEN = 32 };

static const struct taken of_instance[] = {
	{ "uuid", F_INSTANCE }, { "instance_uuid", F_INSTANCE }, { "instance_id", F_INSTANCE },
	{ "display_name", F_DISPLAY_NAME }, { "instance_name", F_INSTANCE_NAME },
	{ "host", F_HOST }, { "node", F_NODE }, { "tenant_id", F_PROJECT }, { "user_id", F_USER },
	{ "image_uuid", F_IMAGE }, { "image_ref_url", F_IMAGE }, { "created_at", F_CREATED },
	{ "state", F_STATE }, { "task_state", F_TASK_STATE }, { "power_state", F_POWER_STATE },
	{ "old_state", F_OLD_STATE }, { "old_task_state", F_OLD_TASK_STATE },
	{ "new_task_state", F_TASK_STATE }, { "instance_type", F_FLAVOR },
	{ "memory_mb", F_MEMORY_MIB }, { "vcpus", F_VCPUS }, { "ip_addresses", F_ADDRESSES },
	{ "block_devices", F_BLOCK_DEVICES }, { "volume_id", F_VOLUME },
	{ "exception", F_EXCEPTION }, { "exception_message", F_MESSAGE },
	{ "reason", F_FAULT }, { "fault", F_FAULT }, { "function_name", F_FUNCTION },
};
static const struct taken of_volume[] = {
	{ "volume_id", F_VOLUME }, { "display_name", F_RESOURCE_NAME }, { "size", F_SIZE_GIB },
	{ "volume_type", F_VOLUME_TYPE }, { "status", F_STATUS }, { "host", F_BACKEND },
	{ "snapshot_id", F_SNAPSHOT }, { "tenant_id", F_PROJECT }, { "user_id", F_USER },
	{ "created_at", F_CREATED },
};
static const struct taken of_network[] = {
	{ "id", F_RESOURCE_ID }, { "name", F_RESOURCE_NAME }, { "network_id", F_NETWORK },
	{ "mac_address", F_MAC }, { "status", F_STATUS }, { "device_id", F_DEVICE_ID },
	{ "device_owner", F_DEVICE_OWNER }, { "binding:host_id", F_HOST }, { "host", F_HOST },
	{ "binding:vif_type", F_VIF_TYPE }, { "vif_type", F_VIF_TYPE }, { "fixed_ips", F_ADDRESSES },
	{ "port_id", F_PORT }, { "subnet_id", F_SUBNET }, { "router_id", F_ROUTER },
};

static void
take_members(struct line *line, const struct json_value *object, const struct taken *taken, size_t n)
{
	struct json_walk walk = json_begin(object);
	struct json_value name, value;

	if (object->kind != JSON_MEMBERS)
		return;
	while (json_next_member(&walk, &name, &value))
		for (size_t i = 0; i < n; i++)
			if (strlen(taken[i].name) == name.size &&
			    !memcmp(taken[i].name, name.s, name.size)) {
				const struct text text =
					scratch_text(line->record->scratch, &value);

				if (text.size && !line->fields[taken[i].field].size)
					line->fields[taken[i].field] = text;
			}
}

/* The data of a versioned object, or the object itself. */
static struct json_value
data_of(const struct json_value *object)
{
	const struct json_value data = json_at(object, "nova_object.data");

	return data.kind ? data : *object;
}

static struct json_value
inner(const struct json_value *object, const char *name)
{
	const struct json_value value = json_at(object, name);

	return data_of(&value);
}

static void
set_text(struct line *line, enum log_field field, const struct json_value *object, const char *name)
{
	const struct json_value value = json_at(object, name);
	const struct text text = scratch_text(line->record->scratch, &value);

	if (value.kind == JSON_TEXT || value.kind == JSON_NUMBER)
		line->fields[field] = text;
}

static void
take_nova(struct line *line, const struct json_value *payload)
{
	const struct json_value data = data_of(payload);
	const struct json_value flavor = inner(&data, "flavor");
	const struct json_value update = inner(&data, "state_update");
	struct json_value fault = inner(&data, "fault");

	if (fault.kind != JSON_MEMBERS)
		fault = inner(&data, "reason");
	if (update.kind == JSON_MEMBERS) {
		/* An update's states are those of its change, absent where null. */
		set_text(line, F_STATE, &update, "state");
		set_text(line, F_OLD_STATE, &update, "old_state");
		set_text(line, F_TASK_STATE, &update, "new_task_state");
		set_text(line, F_OLD_TASK_STATE, &update, "old_task_state");
	}
	if (flavor.kind == JSON_MEMBERS) {
		set_text(line, F_FLAVOR, &flavor, "name");
		set_text(line, F_MEMORY_MIB, &flavor, "memory_mb");
		set_text(line, F_VCPUS, &flavor, "vcpus");
	}
	if (fault.kind == JSON_MEMBERS) {
		set_text(line, F_EXCEPTION, &fault, "exception");
		set_text(line, F_MESSAGE, &fault, "exception_message");
	}
	take_members(line, &data, of_instance, ARRAY_SIZE(of_instance));
}

/* The addresses of a list of fixed ips, with commas. */
static struct text
addresses(struct scratch *scratch, const struct text *fixed_ips)
{
	const struct json_value list = json_parse(fixed_ips->s, fixed_ips->size);
	struct json_walk walk = json_begin(&list);
	struct json_value element;
	const size_t start = scratch->used;

	while (json_next(&walk, &element)) {
		const struct json_value ip = json_at(&element, "ip_address");

		if (ip.kind != JSON_TEXT || ip.escaped || ip.size + 1 > SCRATCH_SIZE - scratch->used)
			continue;
		if (scratch->used > start)
			scratch->bytes[scratch->used++] = ',';
		memcpy(scratch->bytes + scratch->used, ip.s, ip.size);
		scratch->used += ip.size;
	}
	return (struct text) { scratch->bytes + start, scratch->used - start };
}

/* Neutron's payloads hold the thing under its own name, and its id there or
 * beside it. */
static void
take_neutron(struct line *line, const struct json_value *payload, const struct text *thing)
{
	char name[64];
	struct json_value object;

	text_copy(name, sizeof name, thing);
	object = json_at(payload, name);
	if (object.kind != JSON_MEMBERS && text_is(thing, "router"))
		object = json_at(payload, "router_interface");
	take_members(line, &object, of_network, ARRAY_SIZE(of_network));
	if (!line->fields[F_RESOURCE_ID].size) {
		set_text(line, F_RESOURCE_ID, payload, "id");
		strncat(name, "_id", sizeof name - strlen(name) - 1);
		if (!line->fields[F_RESOURCE_ID].size)
			set_text(line, F_RESOURCE_ID, payload, name);
	}
	line->fields[F_IPS] = addresses(line->record->scratch, &line->fields[F_ADDRESSES]);
	line->fields[F_RESOURCE_TYPE] = *thing;
	line->subject = F_RESOURCE_ID;
	if (text_is(thing, "port") && line->fields[F_RESOURCE_ID].size) {
		line->fields[F_PORT] = line->fields[F_RESOURCE_ID];
		if (text_begins(&line->fields[F_DEVICE_OWNER], "compute:"))
			line->fields[F_INSTANCE] = line->fields[F_DEVICE_ID];
	} else if (text_is(thing, "network")) {
		line->fields[F_NETWORK] = line->fields[F_RESOURCE_ID];
	} else if (text_is(thing, "router")) {
		line->fields[F_ROUTER] = line->fields[F_RESOURCE_ID];
	} else if (text_is(thing, "subnet")) {
		line->fields[F_SUBNET] = line->fields[F_RESOURCE_ID];
	} else if (text_is(thing, "floatingip")) {
		line->fields[F_FLOATINGIP] = line->fields[F_RESOURCE_ID];
	}
}

static int
family_of(const struct text *service, const struct text *event)
{
	static const char *const neutron[] = { "port.", "network.", "subnet.", "router.", "binding.",
		"floatingip.", "security_group", "subnetpool.", "trunk.", "agent.", "address_" };
	static const char *const cinder[] = { "volume.", "snapshot.", "backup.", "group.",
		"consistencygroup.", "cgsnapshot.", "group_snapshot.", "volume_type." };
	static const char *const nova[] = { "instance.", "compute.", "compute_task.", "scheduler.",
		"conductor.", "server_group.", "aggregate.", "keypair.", "flavor.", "libvirt." };

	if (text_begins(service, "neutron"))
		return NEUTRON;
	if (text_begins(service, "cinder"))
		return CINDER;
	if (text_begins(service, "nova"))
		return NOVA;
	for (size_t i = 0; i < ARRAY_SIZE(neutron); i++)
		if (text_begins(event, neutron[i]))
			return NEUTRON;
	for (size_t i = 0; i < ARRAY_SIZE(cinder); i++)
		if (text_begins(event, cinder[i]))
			return CINDER;
	for (size_t i = 0; i < ARRAY_SIZE(nova); i++)
		if (text_begins(event, nova[i]))
			return NOVA;
	return -1;
}

/* Unversioned names of Nova's operations, where more differs than "compute.". */
static const struct {
	const char *unversioned, *versioned;
} renamed[] = {
	{ "instance.live_migration.pre", "instance.live_migration_pre" },
	{ "instance.live_migration._post", "instance.live_migration_post" },
	{ "instance.live.migration.force.complete", "instance.live_migration_force_complete" },
	{ "instance.live.migration.abort", "instance.live_migration_abort" },
	{ "instance.live_migration._rollback", "instance.live_migration_rollback" },
	{ "instance.live_migration.rollback.dest", "instance.live_migration_rollback_dest" },
	{ "instance.live_migration.post.dest", "instance.live_migration_post_dest" },
	{ "instance.post.live.migration.dest", "instance.live_migration_post_dest" },
	{ "instance.finish_resize", "instance.resize_finish" },
	{ "instance.resize.prep", "instance.resize_prep" },
	{ "instance.resize.confirm", "instance.resize_confirm" },
	{ "instance.resize.revert", "instance.resize_revert" },
	{ "instance.volume.attach", "instance.volume_attach" },
	{ "instance.volume.detach", "instance.volume_detach" },
};

static struct text
text_of(const char *string)
{
	return (struct text) { string, strlen(string) };
}

/* Name of the operation, without what says whether it begins or ends. */
static struct text
operation_of(struct text event, size_t without)
{
	event.size -= without;
	if (text_begins(&event, "compute.instance.")) {
		event.s += strlen("compute.");
		event.size -= strlen("compute.");
	}
	for (size_t i = 0; i < ARRAY_SIZE(renamed); i++)
		if (text_is(&event, renamed[i].unversioned))
			return text_of(renamed[i].versioned);
	return event;
}

static struct json_value
payload_of(struct record *record, struct json_value *notification)
{
	*notification = record->members[RECORD_NOTIFICATION];
	if (notification->kind != JSON_MEMBERS) {
		/* As a text of JSON in the message. */
		const struct text message = record_text(record, RECORD_MESSAGE);

		*notification = json_parse(message.s, message.size);
	}
	return json_at(notification, "payload");
}

static bool
ends_with(const struct text *text, const char *suffix)
{
	const size_t n = strlen(suffix);

	return text->size > n && !memcmp(text->s + text->size - n, suffix, n);
}

/* Neutron under a web server logs no end of a request: what it changed says when
 * that was done.  Where it does log it, these lines come in between. */
static const struct {
	const char *event, *operation;
} requests[] = {
	{ "router.interface.create", "router.add-interface" },
	{ "router.interface.delete", "router.remove-interface" },
	{ "binding.create", "port-binding.create" },
	{ "binding.update", "port-binding.update" },
	{ "binding.delete", "port-binding.delete" },
	{ "security_group.create", "security-group.create" },
	{ "security_group.update", "security-group.update" },
	{ "security_group.delete", "security-group.delete" },
	{ "security_group_rule.create", "security-group-rule.create" },
	{ "security_group_rule.delete", "security-group-rule.delete" },
};

static void
give_request(const struct line *line, unsigned step, line_fn *give, void *context)
{
	static const enum log_field kept[] = { F_RESOURCE_ID, F_RESOURCE_NAME, F_RESOURCE_TYPE };
	struct line request = *line;

	memset(request.fields, 0, sizeof request.fields);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		request.fields[kept[i]] = line->fields[kept[i]];
	request.fields[F_OPERATION] = line->name;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (text_is(&line->name, requests[i].event))
			request.fields[F_OPERATION] = text_of(requests[i].operation);
	request.fields[F_METHOD] = text_of(ends_with(&line->name, ".create") ? "POST" :
					   ends_with(&line->name, ".delete") ? "DELETE" : "PUT");
	give(context, step == BEGIN ? LOG_API_BEGIN : LOG_API_ANSWER, &request);
}

/* Operations of an instance whose end is not told when they fail: what an
 * exception leaves open of its request has failed. */
static void
fail_open(struct line *line, line_fn *give, void *context)
{
	static const char *const operations[] = {
		"instance.volume_attach", "instance.volume_detach", "instance.volume_swap",
		"instance.interface_attach", "instance.interface_detach", "instance.reboot",
		"instance.rebuild", "instance.rescue", "instance.unrescue", "instance.pause",
		"instance.unpause", "instance.suspend", "instance.resume", "instance.power_on",
		"instance.power_off", "instance.resize", "instance.resize_prep",
		"instance.resize_finish", "instance.resize_confirm", "instance.resize_revert",
		"instance.shelve", "instance.shelve_offload", "instance.unshelve",
		"instance.snapshot", "instance.evacuate", "instance.live_migration_pre",
		"instance.live_migration_post", "instance.live_migration_post_dest",
		"instance.live_migration_abort", "instance.live_migration_force_complete",
	};

	line->flags |= IF_OPEN;
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		line->name = text_of(operations[i]);
		give(context, LOG_NOVA_FAIL, line);
	}
	line->flags &= ~(unsigned) IF_OPEN;
	line->name = text_of("compute.exception");
}

bool
notification_match(struct record *record, struct line *line, line_fn *give, void *context)
{
	static const struct {
		const char *suffix;
		unsigned step;
	} ends[] = { { ".start", BEGIN }, { ".end", END }, { ".error", FAIL } };
	struct json_value notification, payload = payload_of(record, &notification);
	const struct json_value type = json_at(&notification, "event_type");
	const struct text event = scratch_text(record->scratch, &type);
	const struct text service = record_text(record, RECORD_SERVICE);
	const int family = family_of(&service, &event);
	struct text thing = { event.s, 0 };
	size_t without = 0;
	unsigned step = TOOK;

	memset(line->fields, 0, sizeof line->fields);
	line->pattern = NULL;
	line->flags = RID_OK | BY_REQUEST;
	line->subject = F_NONE;
	if (family < 0 || !event.size)
		return event.size != 0;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (ends_with(&event, ends[i].suffix)) {
			without = strlen(ends[i].suffix);
			step = ends[i].step;
		}
	while (thing.size < event.size && event.s[thing.size] != '.')
		thing.size++;
	if (family == NEUTRON) {
		take_neutron(line, &payload, &thing);
	} else if (family == CINDER) {
		take_members(line, &payload, of_volume, ARRAY_SIZE(of_volume));
		line->subject = line->fields[F_SNAPSHOT].size ? F_SNAPSHOT : F_VOLUME;
	} else {
		take_nova(line, &payload);
	}
	line->name = operation_of(event, 0);
	if (family == NOVA && line->fields[F_INSTANCE].size && text_begins(&line->name, "instance."))
		give(context, LOG_INSTANCE, line);
	line->name = operation_of(event, without);
	if (family == NEUTRON && step != FAIL && line->request.size)
		give_request(line, step, give, context);
	/* What is being made has no id yet. */
	if (family != NOVA && ends_with(&line->name, ".create"))
		line->subject = F_REQUEST_ID;
	if (family == NEUTRON && step != BEGIN && line->fields[F_PORT].size &&
	    text_is(&thing, "port"))
		give(context, LOG_PORT, line);
	if (family == CINDER && line->fields[F_VOLUME].size)
		give(context, LOG_VOLUME, line);
	if (family == NOVA && step == END && line->fields[F_VOLUME].size &&
	    (text_is(&line->name, "instance.volume_attach") ||
	     text_is(&line->name, "instance.volume_detach")))
		give(context, LOG_VM_VOLUME, line);
	if (family == NOVA && (text_is(&event, "compute.exception") || step == FAIL))
		give(context, LOG_CAUSE, line);
	if (text_is(&event, "compute.exception"))
		fail_open(line, give, context);
	if (text_is(&line->name, "instance.update") || text_is(&line->name, "instance.exists") ||
	    text_is(&event, "compute.exception"))
		return true;
	/* One request may make several instances. */
	if (text_is(&line->name, "instance.create") || text_is(&line->name, "instance.shutdown"))
		line->flags |= BY_SUBJECT;
	give(context, first_event[family] + step, line);
	return true;
}
