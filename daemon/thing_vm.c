/* SPDX-License-Identifier: MIT
 *
 * thing_vm.c -- VMs: their states, host, ports and volumes. */
#include "daemon/thing_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/util.h"

/* -- States --------------------------------------------------------------- */

/* "2026-11-23T01:19:01Z" as ns since 1970. */
static json_t *
iso_json(const char *text)
{
	struct tm tm = { 0 };
	const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	time_t seconds = end && (!*end || streq(end, "Z")) ? timegm(&tm) : 0;

	return thing_ns_json(seconds > 0 ? (uint64_t) seconds * NS_PER_S : 0);
}

/* Nova keeps power states as numbers, and tells them by these names. */
static const char *
power_name(const char *number)
{
	static const char *const names[] = {
		[0] = "pending", [1] = "running", [3] = "paused", [4] = "shutdown",
		[6] = "crashed", [7] = "suspended",
	};
	uint64_t n;

	return !parse_u64(number, &n) && n < ARRAY_SIZE(names) && names[n] ? names[n] : number;
}

static json_t *
state_json(const char *what, const json_t *value)
{
	const char *text = json_string_value(value);
	char digits[24];

	if (json_is_integer(value)) {
		snprintf(digits, sizeof digits, "%lld", (long long) json_integer_value(value));
		text = digits;
	}
	if (!text || !*text || streq(text, "None"))
		return json_null();
	return flow_text_json(streq(what, "power_state") ? power_name(text) : text);
}

static int
compare_changes(const void *a_, const void *b_)
{
	const json_t *a = *(json_t *const *) a_, *b = *(json_t *const *) b_;
	uint64_t a_ns = flow_number(a, "start_ns"), b_ns = flow_number(b, "start_ns");
	uint64_t a_seq = flow_number(thing_said(a), "seq");
	uint64_t b_seq = flow_number(thing_said(b), "seq");
	const char *a_id = known_text_of(a, "id"), *b_id = known_text_of(b, "id");

	if (a_ns != b_ns)
		return a_ns < b_ns ? -1 : 1;
	if (a_seq != b_seq)
		return a_seq < b_seq ? -1 : 1;
	return strcmp(a_id ? a_id : "", b_id ? b_id : "");
}

/* Whether it is where that change leads already: each controller knows but the changes that
 * it told itself, and may tell of one that another told before. */
static bool
is_told(json_t *now, const char *what, const json_t *to)
{
	json_t *state = state_json(what, to), *before = json_object_get(now, what);
	bool told = before && json_equal(before, state);

	json_object_set_new(now, what, state);
	return told;
}

/* The changes of a VM in their order; of very many the newest. */
json_t *
thing_vm_history(struct store *store, const char *uuid, struct error *error)
{
	json_t *facts = thing_facts(store, uuid, "vm.change", error), *history = json_array();
	size_t n = json_array_size(facts), first = n > THING_MAX_HISTORY ? n - THING_MAX_HISTORY : 0;
	json_t **sorted = xcalloc(n + 1, sizeof *sorted), *now = json_object();

	for (size_t i = 0; i < n; i++)
		sorted[i] = json_array_get(facts, i);
	qsort(sorted, n, sizeof *sorted, compare_changes);
	for (size_t i = first; i < n; i++) {
		const json_t *said = thing_said(sorted[i]), *to = json_object_get(said, "to");
		const char *what = known_text_of(said, "what");
		const char *host = known_text_of(said, "host");

		if (what && is_told(now, what, to))
			continue;
		json_array_append_new(history, json_pack(
			"{s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "t_ns",
			(json_int_t) flow_number(sorted[i], "start_ns"), "what",
			flow_text_json(what ? what : "?"), "from",
			state_json(what ? what : "", json_object_get(said, "from")), "to",
			state_json(what ? what : "", to), "request_id",
			flow_text_json(known_text_of(said, "request_id")), "host",
			flow_text_json(host ? host : known_text_of(sorted[i], "host")), "service",
			flow_text_json(known_text_of(said, "service"))));
	}
	free(sorted);
	json_decref(now);
	json_decref(facts);
	return history;
}

/* What it changed to last; NULL if it never did. */
static json_t *
last_of(const json_t *history, const char *what)
{
	for (size_t i = json_array_size(history); i-- > 0; ) {
		const json_t *change = json_array_get(history, i);

		if (streq(json_string_value(json_object_get(change, "what")), what))
			return json_object_get(change, "to");
	}
	return NULL;
}

static void
set_states(json_t *vm, const json_t *history, const json_t *entity)
{
	static const char *const names[] = { "vm_state", "task_state", "power_state" };
	const json_t *last = json_array_get(history, json_array_size(history) - 1);
	const char *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		json_t *value = last_of(history, names[i]);

		json_object_set_new(vm, names[i], value ? json_incref(value) :
				    state_json(names[i], json_object_get(entity, names[i])));
	}
	state = known_text_of(vm, "vm_state");
	json_object_set_new(vm, "deleted", json_boolean(state && streq(state, "deleted")));
	json_object_set_new(vm, "changed_ns", last ? json_incref(json_object_get(last, "t_ns")) :
			    json_null());
}

/* -- The VM --------------------------------------------------------------- */

/* Its newest QEMU process, if there is one: on the host where it is known to
 * be, else anywhere. */
static const json_t *
process_of(const json_t *processes, const char *host)
{
	const json_t *found = NULL;
	json_t *one;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) processes, i, one) {
		const char *at = known_text_of(one, "host");
		const char *status = known_text_of(one, "status");
		bool gone = flow_number(one, "end_ns") || (status && streq(status, "gone"));

		if (!gone && (!host || !at || streq(at, host)))
			found = one;
	}
	return found;
}

/* Ports or volumes that a VM has, or had once it is 'gone', each with what is
 * known of it. */
static json_t *
parts_of(struct store *store, const char *uuid, bool gone, const char *kind, const char *topic,
	 const char *const *members, struct error *error)
{
	json_t *links = thing_links(store, uuid, kind, topic, error), *parts = json_array(), *of_one;
	const char *id;

	json_object_foreach(links, id, of_one) {
		json_t *said, *part, *entity;
		uint64_t unused = 0;

		entity = thing_entity(store, id, topic, &unused, error);
		if (!gone && (thing_is_over(thing_newest(of_one)) ||
			      thing_is_free(known_text_of(entity, "status")))) {
			json_decref(entity);
			continue;
		}
		said = thing_merged(of_one);
		json_object_update(entity, said);
		if (!gone && streq(topic, "volume"))
			thing_set_in_use(entity);
		thing_tidy(entity);
		part = json_pack("{s:o}", "id", flow_text_json(id));
		for (size_t i = 0; members[i]; i += 2)
			copy_member(part, members[i], entity, members[i + 1]);
		json_array_append_new(parts, part);
		json_decref(said);
		json_decref(entity);
	}
	json_decref(links);
	return parts;
}

static json_t *
host_of(struct store *store, const char *uuid, const json_t *history, const json_t *entity,
	const json_t *processes, struct error *error)
{
	json_t *changed = last_of(history, "host"), *links, *host = NULL;

	if (changed)
		return json_incref(changed);
	links = thing_in_order(thing_facts(store, uuid, "vm.host", error));
	if (json_array_size(links))
		host = flow_text_json(thing_other(thing_newest(links), "host"));
	else if (known_text_of(entity, "host"))
		host = flow_text_json(known_text_of(entity, "host"));
	else
		host = flow_text_json(known_text_of(process_of(processes, NULL), "host"));
	json_decref(links);
	return host;
}

/* The pid of a process is the key of its fact. */
static json_t *
pid_json(const json_t *process)
{
	const char *key = known_text_of(process, "key");
	uint64_t pid;

	return key && !parse_u64(key, &pid) && pid <= INT32_MAX ? json_integer((json_int_t) pid) :
								  json_null();
}

static json_t *
name_of(const json_t *entity, const json_t *process)
{
	const char *name = known_text_of(entity, "display_name");

	if (!name)
		name = known_text_of(entity, "name");
	return flow_text_json(name ? name : known_text_of(thing_said(process), "name"));
}

json_t *
thing_vm(struct store *store, const char *uuid, struct error *error)
{
	static const char *const port_members[] = {
		"mac", "mac", "tap", "tap", "network", "network", "ips", "ips", "status", "status",
		"vif_type", "vif_type", NULL,
	};
	static const char *const volume_members[] = {
		"name", "name", "attachment", "attachment", "device", "device", "path", "path",
		"size_gib", "size_gib", "status", "status", NULL,
	};
	static const char *const same[] = { "flavor", "memory_mib", "vcpus", "image", "user",
					    "project" };
	uint64_t told_ns = 0;
	json_t *entity = thing_entity(store, uuid, "vm", &told_ns, error);
	json_t *history = thing_vm_history(store, uuid, error);
	json_t *processes = thing_facts(store, uuid, "qemu.process", error), *vm = NULL;
	const json_t *process;
	const char *host, *instance_name;
	bool gone;

	if (json_object_size(entity) || json_array_size(history) || json_array_size(processes)) {
		vm = json_pack("{s:o, s:o}", "uuid", flow_text_json(uuid), "host",
			       host_of(store, uuid, history, entity, processes, error));
		host = known_text_of(vm, "host");
		process = process_of(processes, host);
		json_object_set_new(vm, "name", name_of(entity, process ? process :
							thing_newest(processes)));
		instance_name = known_text_of(entity, "instance_name");
		json_object_set_new(vm, "instance_name", flow_text_json(instance_name));
		set_states(vm, history, entity);
		gone = json_is_true(json_object_get(vm, "deleted"));
		json_object_set_new(vm, "pid", pid_json(process));
		for (size_t i = 0; i < ARRAY_SIZE(same); i++)
			copy_member(vm, same[i], entity, same[i]);
		json_object_set_new(vm, "created_ns", iso_json(known_text_of(entity, "created")));
		json_object_set_new(vm, "ports", parts_of(store, uuid, gone, "vm.port", "port",
							  port_members, error));
		json_object_set_new(vm, "volumes", parts_of(store, uuid, gone, "vm.volume", "volume",
							    volume_members, error));
	}
	json_decref(entity);
	json_decref(history);
	json_decref(processes);
	return vm;
}
