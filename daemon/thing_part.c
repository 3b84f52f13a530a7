/* SPDX-License-Identifier: MIT
 *
 * thing_part.c -- ports and volumes: who has them, and had them. */
#include "daemon/thing_private.h"

#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

static json_t *
vm_json(const char *uuid)
{
	return uuid ? json_pack("{s:o, s:n}", "uuid", flow_text_json(uuid), "name") : json_null();
}

/* When the VM was deleted; 0: it was not. */
static uint64_t
vm_deleted_ns(struct store *store, const char *uuid, struct error *error)
{
	json_t *changes = thing_facts(store, uuid, "vm.change", error), *change;
	uint64_t t_ns = 0;
	size_t i;

	json_array_foreach(changes, i, change) {
		const char *what = known_text_of(thing_said(change), "what");
		const char *to = known_text_of(thing_said(change), "to");

		if (what && to && streq(what, "vm_state") && streq(to, "deleted"))
			t_ns = flow_number(change, "start_ns");
	}
	json_decref(changes);
	return t_ns;
}

/* What a node tells of the disks and cards of its QEMU processes, in the words of the
 * services. */
static const struct node_part {
	const char *topic, *kind;
	const char *members[6];      /* Ours, the node's, ... */
} node_parts[] = {
	{ "volume", "qemu.disk", { "path", "path" } },
	{ "port", "qemu.nic", { "mac", "mac", "tap", "ifname" } },
};

static const struct node_part *
node_part_of(const char *topic)
{
	for (size_t i = 0; i < ARRAY_SIZE(node_parts); i++)
		if (streq(node_parts[i].topic, topic))
			return &node_parts[i];
	return NULL;
}

/* The process of a disk or card, whose key is PID/INDEX, says which VM that is. */
static json_t *
vm_of_process(struct store *store, const json_t *part)
{
	const char *host = known_text_of(part, "host"), *key = known_text_of(part, "key");
	char pid[FACT_KEY_SIZE];
	json_t *process, *uuid;

	snprintf(pid, sizeof pid, "%.*s", key ? (int) strcspn(key, "/") : 0, key ? key : "");
	process = store_entity(store, host ? host : "", "qemu.process", pid, 0);
	uuid = json_incref(json_object_get(process, "uuid"));
	json_decref(process);
	return uuid ? uuid : json_null();
}

/* Adds what nodes know where no service told of it: the services may not be traced. */
static void
add_told_by_nodes(struct store *store, const char *id, const char *topic, json_t *entity,
		  struct error *error)
{
	const struct node_part *node = node_part_of(topic);
	json_t *facts = thing_facts(store, id, node->kind, error), *fact, *told = json_object();
	size_t i;

	json_array_foreach(facts, i, fact) {
		bool gone = json_is_true(json_object_get(thing_said(fact), "gone"));

		if (gone && json_object_size(told))
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(node->members) && node->members[k]; k += 2)
			copy_member(told, node->members[k], thing_said(fact), node->members[k + 1]);
		copy_member(told, "host", fact, "host");
		json_object_set_new(told, "instance", gone ? json_null() :
				    vm_of_process(store, fact));
	}
	json_object_update_missing(entity, told);
	json_decref(told);
	json_decref(facts);
}

/* Its newest attachment, or binding. */
struct holder {
	const char *uuid;            /* Of the VM. */
	const json_t *link;          /* The newest; NULL: there was none. */
	json_t *said;                /* What the links to that VM say together, or NULL. */
	uint64_t until_ns;           /* When it ended, by the VM's end too; 0: it holds. */
};

static struct holder
holder_of(struct store *store, const json_t *links, struct error *error)
{
	struct holder holder = { 0 };
	const char *uuid;
	json_t *of_one;

	json_object_foreach((json_t *) (uintptr_t) links, uuid, of_one)
		if (!holder.link || thing_link_ns(thing_newest(of_one)) >= thing_link_ns(holder.link)) {
			holder.uuid = uuid;
			holder.link = thing_newest(of_one);
		}
	if (!holder.link)
		return holder;
	holder.said = thing_merged(json_object_get(links, holder.uuid));
	if (thing_is_over(holder.link))
		holder.until_ns = MAX(flow_number(holder.link, "end_ns"), thing_link_ns(holder.link));
	else
		holder.until_ns = vm_deleted_ns(store, holder.uuid, error);
	return holder;
}

static json_t *
part_of(struct store *store, const char *id, const char *topic, const char *kind,
	const char *const *members, struct error *error)
{
	uint64_t told_ns = 0;
	json_t *entity = thing_entity(store, id, topic, &told_ns, error), *part = NULL;
	json_t *links = thing_links(store, id, kind, "instance", error);
	struct holder holder = holder_of(store, links, error);
	const char *uuid;

	if (!holder.link)
		add_told_by_nodes(store, id, topic, entity, error);
	uuid = !holder.link ? known_text_of(entity, "instance") :
	       holder.until_ns ? NULL : holder.uuid;

	if (json_object_size(entity) || holder.link) {
		if (holder.said)
			json_object_update_missing(entity, holder.said);
		if (thing_is_free(known_text_of(entity, "status")))
			uuid = NULL;
		if (uuid && streq(topic, "volume"))
			thing_set_in_use(entity);
		if (holder.link && !known_text_of(entity, "host"))
			copy_member(entity, "host", holder.link, "host");
		thing_tidy(entity);
		part = json_pack("{s:o, s:o}", "id", flow_text_json(id), "vm", vm_json(uuid));
		for (size_t i = 0; members[i]; i += 2)
			copy_member(part, members[i], entity, members[i + 1]);
		if (streq(topic, "volume"))
			json_object_set_new(part, "detached_ns", thing_ns_json(holder.until_ns));
		if (holder.link)
			told_ns = MAX(told_ns, thing_link_ns(holder.link));
		told_ns = MAX(told_ns, holder.until_ns);
		json_object_set_new(part, "changed_ns", thing_ns_json(told_ns));
	}
	json_decref(holder.said);
	json_decref(links);
	json_decref(entity);
	return part;
}

json_t *
thing_port(struct store *store, const char *id, struct error *error)
{
	static const char *const members[] = {
		"name", "name", "mac", "mac", "tap", "tap", "host", "host", "network", "network",
		"ips", "ips", "status", "status", "vif_type", "vif_type", "device_owner",
		"device_owner", "user", "user", "project", "project", NULL,
	};

	return part_of(store, id, "port", "vm.port", members, error);
}

json_t *
thing_volume(struct store *store, const char *id, struct error *error)
{
	static const char *const members[] = {
		"name", "name", "status", "status", "size_gib", "size_gib", "volume_type",
		"volume_type", "backend", "backend", "attachment", "attachment", "device", "device",
		"path", "path", "host", "host", "connection", "connection", "user", "user",
		"project", "project", NULL,
	};

	return part_of(store, id, "volume", "vm.volume", members, error);
}

/* -- What lists leave out ------------------------------------------------- */

json_t *
thing_port_steps(struct store *store, const char *id)
{
	json_t *facts = thing_facts(store, id, "neutron.step", NULL), *steps = json_array(), *fact;
	size_t n = json_array_size(facts), i;

	json_array_foreach(facts, i, fact) {
		const json_t *said = thing_said(fact);
		const char *name = known_text_of(said, "name");
		json_t *detail = json_object_get(said, "detail");

		if (i + THING_MAX_HISTORY < n)
			continue;
		json_array_append_new(steps, json_pack(
			"{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:O}", "t_ns",
			(json_int_t) flow_number(fact, "start_ns"), "end_ns",
			thing_ns_json(flow_number(fact, "end_ns")), "what", flow_text_json(name ? name : "?"),
			"host", flow_text_json(known_text_of(fact, "host")), "service",
			flow_text_json(known_text_of(said, "service")), "status",
			flow_text_json(known_text_of(fact, "status")), "request_id",
			flow_text_json(known_text_of(said, "request_id")), "detail",
			detail ? detail : json_null()));
	}
	json_decref(facts);
	return steps;
}

/* Each host tells of an attachment: that to the same VM somewhere else ends where it goes
 * on, and all end with the VM. */
static uint64_t
detached_ns(struct store *store, const json_t *links, size_t n, const char *uuid)
{
	const uint64_t end_ns = flow_number(json_array_get(links, n), "end_ns");
	char buffer[FACT_KEY_SIZE];

	for (size_t i = n + 1; i < json_array_size(links) && !end_ns; i++) {
		const json_t *later = json_array_get(links, i);
		const char *other = thing_instance(later, buffer);

		if (other && streq(other, uuid))
			return flow_number(later, "start_ns");
	}
	return end_ns ? end_ns : vm_deleted_ns(store, uuid, NULL);
}

/* The newest is the one that the volume itself tells of. */
json_t *
thing_volume_attachments(struct store *store, const char *id, const json_t *volume)
{
	static const char *const members[] = {
		"attachment", "attachment_id", "device", "device", "path", "path",
	};
	json_t *facts = thing_in_order(thing_facts(store, id, "vm.volume", NULL)), *list = json_array();
	json_t *fact;
	size_t i;

	json_array_foreach(facts, i, fact) {
		char buffer[FACT_KEY_SIZE];
		const char *uuid = thing_instance(fact, buffer);
		json_t *one;

		if (!uuid)
			continue;
		one = json_pack("{s:o, s:o, s:o}", "vm", vm_json(uuid), "start_ns",
				thing_ns_json(flow_number(fact, "start_ns")), "end_ns",
				thing_ns_json(detached_ns(store, facts, i, uuid)));
		for (size_t k = 0; k < ARRAY_SIZE(members); k += 2) {
			copy_member(one, members[k], thing_said(fact), members[k + 1]);
			if (i + 1 == json_array_size(facts) &&
			    json_is_null(json_object_get(one, members[k])))
				copy_member(one, members[k], volume, members[k]);
		}
		copy_member(one, "host", fact, "host");
		json_array_append_new(list, one);
	}
	json_decref(facts);
	return list;
}
