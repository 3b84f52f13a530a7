/* SPDX-License-Identifier: MIT */
#include "daemon/touch.h"

#include <errno.h>
#include <string.h>

#include "daemon/flow_private.h"
#include "daemon/members.h"
#include "daemon/volume.h"
#include "lib/util.h"

static void
add_request(struct touch *touch, const char *id)
{
	if (!id || !*id)
		return;
	if (!touch->requests)
		touch->requests = json_object();
	json_object_set_new(touch->requests, id, json_true());
}

static void
add_thing(struct touch *touch, const char *topic, const char *id)
{
	if (!id || !*id || strlen(id) >= FACT_KEY_SIZE)
		return;
	if (!touch->things)
		touch->things = json_object();
	json_object_set_new(touch->things, id, json_string(topic));
}

/* -- Requests ------------------------------------------------------------- */

/* Flows about a subject at that time. */
static int
add_flows_about(struct touch *touch, struct store *store, const char *subject, uint64_t from_ns,
		uint64_t to_ns, struct error *error)
{
	json_t *flows, *flow;
	size_t i;

	if (!subject)
		return 0;
	flows = store_requests_of(store, subject, from_ns - MIN(from_ns, FLOW_GRACE_NS), to_ns,
				  error);
	if (!flows)
		return -EIO;
	json_array_foreach(flows, i, flow)
		add_request(touch, known_text_of(flow, "id"));
	json_decref(flows);
	return 0;
}

/* A message also belongs to the request that its other end works under. */
static int
add_other_end(struct touch *touch, struct store *store, const struct fact *fact,
	      struct error *error)
{
	json_t *ends = store_facts_naming(store, fact->key, error), *end;
	size_t i;

	if (!ends)
		return -EIO;
	json_array_foreach(ends, i, end)
		add_request(touch, known_text_of(json_object_get(end, "attributes"), "request_id"));
	json_decref(ends);
	return 0;
}

/* What may go to a request by the VM, port or volume it names alone. */
static bool
may_be_loose(const struct fact *fact)
{
	size_t length = strlen(fact->kind);

	if (streq(fact->kind, "api.request"))
		return known_text_of(fact->attributes, "path") != NULL;
	return streq(fact->kind, "log.error") || streq(fact->kind, "vm.change") ||
	       (length > 5 && streq(fact->kind + length - 5, ".step"));
}

static int
touch_requests(struct touch *touch, struct store *store, const struct fact *fact,
	       struct error *error)
{
	static const char *const subjects[] = { "instance", "port", "volume", "resource_id" };
	bool link = streq(fact->kind, "vm.port");
	uint64_t from_ns = link ? flow_number(fact->attributes, "t_ns") : fact->start_ns;
	int r = 0;

	add_request(touch, known_text_of(fact->attributes, "request_id"));
	add_request(touch, known_text_of(fact->attributes, "global_request_id"));
	if (streq(fact->kind, "api.request") || streq(fact->kind, "request.child"))
		add_request(touch, fact->key);
	if (starts_with(fact->kind, "rpc."))
		r = add_other_end(touch, store, fact, error);
	for (size_t i = 0; i < ARRAY_SIZE(subjects) && !r && (link || may_be_loose(fact)); i++)
		r = add_flows_about(touch, store, known_text_of(fact->attributes, subjects[i]),
				    from_ns, link ? INT64_MAX : fact->start_ns, error);
	return r;
}

/* -- Things --------------------------------------------------------------- */

/* Kinds that say something of a thing, and where they name it. */
static const struct {
	const char *kind, *topic, *member;   /* NULL: its key. */
} sources[] = {
	{ "vm", "vm", NULL },
	{ "vm.change", "vm", "instance" },
	{ "vm.host", "vm", "instance" },
	{ "vm.port", "vm", "instance" },
	{ "vm.port", "port", "port" },
	{ "vm.volume", "vm", "instance" },
	{ "vm.volume", "volume", "volume" },
	{ "port", "port", NULL },
	{ "volume", "volume", NULL },
	{ "qemu.process", "vm", "uuid" },
	{ "qemu.disk", "volume", "volume_id" },
	{ "qemu.nic", "port", "port_id" },
};

/* A link also names both in its key: INSTANCE/OTHER. */
static const char *
named_in(const struct fact *fact, const char *member, char buffer[FACT_KEY_SIZE])
{
	const char *id = member ? known_text_of(fact->attributes, member) : fact->key;
	const char *slash = strchr(fact->key, '/');

	if (id || !slash || starts_with(fact->kind, "qemu."))
		return id;
	if (streq(member, "instance"))
		snprintf(buffer, FACT_KEY_SIZE, "%.*s", (int) (slash - fact->key), fact->key);
	else
		snprintf(buffer, FACT_KEY_SIZE, "%s", slash + 1);
	return buffer;
}

/* The things at the other end of links of a kind: VMs that have a port or volume, or what a
 * VM has. */
static int
add_linked(struct touch *touch, struct store *store, const char *id, const char *link,
	   const char *topic, struct error *error)
{
	json_t *links = store_facts_naming_in(store, id, link, 0, INT64_MAX, error), *one;
	size_t i;

	if (!links)
		return -EIO;
	json_array_foreach(links, i, one) {
		const char *key = known_text_of(one, "key"), *slash = key ? strchr(key, '/') : NULL;
		char instance[FACT_KEY_SIZE];

		if (!slash)
			continue;
		snprintf(instance, sizeof instance, "%.*s", (int) (slash - key), key);
		add_thing(touch, topic, streq(topic, "vm") ? instance : slash + 1);
	}
	json_decref(links);
	return 0;
}

/* VMs that have a port or volume show what is known of that; one that is deleted has
 * them no more. */
static int
touch_linked(struct touch *touch, struct store *store, const struct fact *fact, struct error *error)
{
	const char *instance = known_text_of(fact->attributes, "instance");
	const char *to = known_text_of(fact->attributes, "to");
	int r = 0;

	if (streq(fact->kind, "port"))
		r = add_linked(touch, store, fact->key, "vm.port", "vm", error);
	if (streq(fact->kind, "volume"))
		r = add_linked(touch, store, fact->key, "vm.volume", "vm", error);
	if (!streq(fact->kind, "vm.change") || !instance || !to || !streq(to, "deleted"))
		return r;
	r = add_linked(touch, store, instance, "vm.port", "port", error);
	return r ? r : add_linked(touch, store, instance, "vm.volume", "volume", error);
}

/* Volumes of which Cinder tells by their request alone, and the VMs that have them. */
static int
touch_volumes(struct touch *touch, struct store *store, const struct fact *fact,
	      struct error *error)
{
	json_t *volumes, *unused;
	const char *id;
	int r = 0;

	if (!volume_is_told_by(fact))
		return 0;
	volumes = volumes_of_request(store, known_text_of(fact->attributes, "request_id"), error);
	json_object_foreach(volumes, id, unused) {
		add_thing(touch, "volume", id);
		if (!r)
			r = add_linked(touch, store, id, "vm.volume", "vm", error);
	}
	json_decref(volumes);
	return r ? r : error && error->code ? -EIO : 0;
}

int
touch_fact(struct touch *touch, struct store *store, const struct fact *fact, struct error *error)
{
	char buffer[FACT_KEY_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		if (streq(fact->kind, sources[i].kind))
			add_thing(touch, sources[i].topic,
				  named_in(fact, sources[i].member, buffer));
	if (touch_linked(touch, store, fact, error) || touch_volumes(touch, store, fact, error))
		return -EIO;
	return touch_requests(touch, store, fact, error);
}

int
touch_migration(struct touch *touch, struct store *store, const char *id,
		const json_t *record, struct error *error)
{
	json_t *request = store_request_of_migration(store, id);
	const char *uuid = known_text_of(json_object_get(record, "vm"), "uuid");
	uint64_t start_ns = flow_number(record, "start_ns"), end_ns = flow_number(record, "end_ns");

	add_request(touch, json_string_value(request));
	json_decref(request);
	return add_flows_about(touch, store, uuid, start_ns, end_ns ? end_ns : INT64_MAX, error);
}

void
touch_done(struct touch *touch)
{
	json_decref(touch->requests);
	json_decref(touch->things);
	*touch = (struct touch) { 0 };
}
