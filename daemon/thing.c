/* SPDX-License-Identifier: MIT */
#include "daemon/thing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/flow_private.h"
#include "daemon/volume.h"
#include "lib/util.h"

enum { MAX_HISTORY = 2000, MAX_FLOWS = 1000 };

static const char *
text_member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && *text ? text : NULL;
}

static json_t *
text_json(const char *text)
{
	return text ? store_string(text) : json_null();
}

static json_t *
ns_json(uint64_t ns)
{
	return ns ? json_integer((json_int_t) ns) : json_null();
}

/* "2026-11-23T01:19:01Z" as ns since 1970. */
static json_t *
iso_json(const char *text)
{
	struct tm tm = { 0 };
	const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	time_t seconds = end && (!*end || streq(end, "Z")) ? timegm(&tm) : 0;

	return ns_json(seconds > 0 ? (uint64_t) seconds * NS_PER_S : 0);
}

static const json_t *
attributes_of(const json_t *fact)
{
	return json_object_get(fact, "attributes");
}

/* -- What the services say of it ------------------------------------------ */

static json_t *
facts_of(struct store *store, const char *id, const char *kind, struct error *error)
{
	return store_facts_naming_in(store, id, kind, 0, INT64_MAX, error);
}

/* Things and links are told again as they change; when is one of their members. */
static uint64_t
link_ns(const json_t *link)
{
	uint64_t t_ns = flow_number(attributes_of(link), "t_ns");

	return t_ns ? t_ns : flow_number(link, "start_ns");
}

static int
compare_links(const void *a_, const void *b_)
{
	const json_t *a = *(json_t *const *) a_, *b = *(json_t *const *) b_;
	const char *a_id = text_member(a, "id"), *b_id = text_member(b, "id");

	if (link_ns(a) != link_ns(b))
		return link_ns(a) < link_ns(b) ? -1 : 1;
	return strcmp(a_id ? a_id : "", b_id ? b_id : "");
}

/* In the order in which they were told; takes over the array. */
static json_t *
in_order(json_t *links)
{
	size_t n = json_array_size(links);
	json_t **sorted = xcalloc(n + 1, sizeof *sorted), *ordered = json_array();

	for (size_t i = 0; i < n; i++)
		sorted[i] = json_array_get(links, i);
	qsort(sorted, n, sizeof *sorted, compare_links);
	for (size_t i = 0; i < n; i++)
		json_array_append(ordered, sorted[i]);
	free(sorted);
	json_decref(links);
	return ordered;
}

/* All members that the entities of this id have; of those that differ the
 * newest.  'ret_ns': when it was told of last. */
static json_t *
entity_of(struct store *store, const char *id, const char *kind, uint64_t *ret_ns,
	  struct error *error)
{
	json_t *facts = in_order(facts_of(store, id, kind, error)), *all = json_object();
	json_t *fact, *value;
	const char *name;
	size_t i;

	json_array_foreach(facts, i, fact) {
		const char *key = text_member(fact, "key");

		if (!key || !streq(key, id))
			continue;
		*ret_ns = MAX(*ret_ns, link_ns(fact));
		json_object_foreach((json_t *) (uintptr_t) attributes_of(fact), name, value)
			if (!json_is_null(value))
				json_object_set(all, name, value);
	}
	json_decref(facts);
	if (streq(kind, "volume") && json_object_size(all))
		volume_told(store, id, all, error);
	return all;
}

/* The id of the other thing of a link: named, or behind the slash of its key. */
static const char *
other_of(const json_t *link, const char *name)
{
	const char *id = text_member(attributes_of(link), name);
	const char *key = text_member(link, "key"), *slash = key ? strchr(key, '/') : NULL;

	return id ? id : slash ? slash + 1 : NULL;
}

static const char *
instance_of(const json_t *link, char buffer[FACT_KEY_SIZE])
{
	const char *id = text_member(attributes_of(link), "instance");
	const char *key = text_member(link, "key");

	if (id || !key)
		return id;
	snprintf(buffer, FACT_KEY_SIZE, "%.*s", (int) strcspn(key, "/"), key);
	return buffer;
}

static bool
is_over(const json_t *link)
{
	const char *status = text_member(link, "status");
	const char *told = text_member(attributes_of(link), "status");

	return flow_number(link, "end_ns") || (status && streq(status, "gone")) ||
	       (told && flow_matches("detached deleted gone unbound", told));
}

/* The newest link of this kind to each other thing, by its id. */
static json_t *
links_of(struct store *store, const char *id, const char *kind, const char *name,
	 struct error *error)
{
	json_t *facts = in_order(facts_of(store, id, kind, error)), *fact;
	json_t *links = json_object(), *all;
	const char *other;
	size_t i;

	json_array_foreach(facts, i, fact) {
		char buffer[FACT_KEY_SIZE];

		other = streq(name, "instance") ? instance_of(fact, buffer) : other_of(fact, name);
		if (!other)
			continue;
		all = json_object_get(links, other);
		if (!all) {
			all = json_array();
			json_object_set_new(links, other, all);
		}
		json_array_append(all, fact);
	}
	json_decref(facts);
	return links;
}

/* What the links of one pair say together: the newest of each member. */
static json_t *
merged(const json_t *links)
{
	json_t *all = json_object(), *link, *value;
	const char *name;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) links, i, link)
		json_object_foreach((json_t *) (uintptr_t) attributes_of(link), name, value)
			if (!json_is_null(value))
				json_object_set(all, name, value);
	return all;
}

static const json_t *
newest(const json_t *links)
{
	return json_array_get(links, json_array_size(links) - 1);
}

static void
copy(json_t *to, const char *name, const json_t *from, const char *member)
{
	json_t *value = json_object_get(from, member);

	json_object_set(to, name, value ? value : json_null());
}

/* -- States of VMs -------------------------------------------------------- */

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
	return text_json(streq(what, "power_state") ? power_name(text) : text);
}

static int
compare_changes(const void *a_, const void *b_)
{
	const json_t *a = *(json_t *const *) a_, *b = *(json_t *const *) b_;
	uint64_t a_ns = flow_number(a, "start_ns"), b_ns = flow_number(b, "start_ns");
	uint64_t a_seq = flow_number(attributes_of(a), "seq");
	uint64_t b_seq = flow_number(attributes_of(b), "seq");
	const char *a_id = text_member(a, "id"), *b_id = text_member(b, "id");

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
	const json_t *before = json_object_get(now, what);
	bool told = before && json_equal(before, to);

	json_object_set(now, what, (json_t *) (uintptr_t) to);
	return told;
}

/* The changes of a VM in their order; of very many the newest. */
static json_t *
history_of(struct store *store, const char *uuid, struct error *error)
{
	json_t *facts = facts_of(store, uuid, "vm.change", error), *history = json_array();
	size_t n = json_array_size(facts), first = n > MAX_HISTORY ? n - MAX_HISTORY : 0;
	json_t **sorted = xcalloc(n + 1, sizeof *sorted), *now = json_object();

	for (size_t i = 0; i < n; i++)
		sorted[i] = json_array_get(facts, i);
	qsort(sorted, n, sizeof *sorted, compare_changes);
	for (size_t i = first; i < n; i++) {
		const json_t *said = attributes_of(sorted[i]), *to = json_object_get(said, "to");
		const char *what = text_member(said, "what");
		const char *host = text_member(said, "host");

		if (what && to && is_told(now, what, to))
			continue;
		json_array_append_new(history, json_pack(
			"{s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "t_ns",
			(json_int_t) flow_number(sorted[i], "start_ns"), "what",
			text_json(what ? what : "?"), "from",
			state_json(what ? what : "", json_object_get(said, "from")), "to",
			state_json(what ? what : "", to), "request_id",
			text_json(text_member(said, "request_id")), "host",
			text_json(host ? host : text_member(sorted[i], "host")), "service",
			text_json(text_member(said, "service"))));
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
	state = text_member(vm, "vm_state");
	json_object_set_new(vm, "deleted", json_boolean(state && streq(state, "deleted")));
	json_object_set_new(vm, "changed_ns", last ? json_incref(json_object_get(last, "t_ns")) :
			    json_null());
}

/* Whether a port or volume of this status is nobody's.  What Cinder said of a volume may
 * be from before it was attached: there the link counts. */
static bool
is_free(const char *status)
{
	return status && flow_matches("deleted deleting", status);
}

/* Cinder does not log that a volume is in use; the VM that has it tells. */
static void
set_in_use(json_t *volume)
{
	const char *status = text_member(volume, "status");

	if (!status || flow_matches("available creating reserved attaching", status))
		json_object_set_new(volume, "status", json_string("in-use"));
}

/* One form for what logs say in several: addresses as an array, an attachment
 * by one name. */
static void
tidy(json_t *part)
{
	const char *ips = text_member(part, "ips");
	json_t *attachment = json_object_get(part, "attachment_id"), *list;

	if (attachment && !json_object_get(part, "attachment"))
		json_object_set(part, "attachment", attachment);
	if (!ips)
		return;
	list = json_array();
	for (ips += strspn(ips, ", "); *ips; ips += strspn(ips, ", ")) {
		size_t n = strcspn(ips, ", ");

		json_array_append_new(list, json_stringn(ips, n));
		ips += n;
	}
	json_object_set_new(part, "ips", list);
}

/* -- VMs ------------------------------------------------------------------ */

/* Its newest QEMU process, if there is one: on the host where it is known to
 * be, else anywhere. */
static const json_t *
process_of(const json_t *processes, const char *host)
{
	const json_t *found = NULL;
	json_t *one;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) processes, i, one) {
		const char *at = text_member(one, "host");
		const char *status = text_member(one, "status");
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
	json_t *links = links_of(store, uuid, kind, topic, error), *parts = json_array(), *of_one;
	const char *id;

	json_object_foreach(links, id, of_one) {
		json_t *said, *part, *entity;
		uint64_t unused = 0;

		entity = entity_of(store, id, topic, &unused, error);
		if (!gone && (is_over(newest(of_one)) || is_free(text_member(entity, "status")))) {
			json_decref(entity);
			continue;
		}
		said = merged(of_one);
		json_object_update(entity, said);
		if (!gone && streq(topic, "volume"))
			set_in_use(entity);
		tidy(entity);
		part = json_pack("{s:o}", "id", text_json(id));
		for (size_t i = 0; members[i]; i += 2)
			copy(part, members[i], entity, members[i + 1]);
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
	links = in_order(facts_of(store, uuid, "vm.host", error));
	if (json_array_size(links))
		host = text_json(other_of(newest(links), "host"));
	else if (text_member(entity, "host"))
		host = text_json(text_member(entity, "host"));
	else
		host = text_json(text_member(process_of(processes, NULL), "host"));
	json_decref(links);
	return host;
}

/* The pid of a process is the key of its fact. */
static json_t *
pid_json(const json_t *process)
{
	const char *key = text_member(process, "key");
	uint64_t pid;

	return key && !parse_u64(key, &pid) && pid <= INT32_MAX ? json_integer((json_int_t) pid) :
								  json_null();
}

static json_t *
name_of(const json_t *entity, const json_t *process)
{
	const char *name = text_member(entity, "display_name");

	if (!name)
		name = text_member(entity, "name");
	return text_json(name ? name : text_member(attributes_of(process), "name"));
}

static json_t *
vm_of(struct store *store, const char *uuid, struct error *error)
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
	json_t *entity = entity_of(store, uuid, "vm", &told_ns, error);
	json_t *history = history_of(store, uuid, error);
	json_t *processes = facts_of(store, uuid, "qemu.process", error), *vm = NULL;
	const json_t *process;
	const char *host, *instance_name;
	bool gone;

	if (json_object_size(entity) || json_array_size(history) || json_array_size(processes)) {
		vm = json_pack("{s:o, s:o}", "uuid", text_json(uuid), "host",
			       host_of(store, uuid, history, entity, processes, error));
		host = text_member(vm, "host");
		process = process_of(processes, host);
		json_object_set_new(vm, "name", name_of(entity, process ? process :
							newest(processes)));
		instance_name = text_member(entity, "instance_name");
		json_object_set_new(vm, "instance_name", text_json(instance_name));
		set_states(vm, history, entity);
		gone = json_is_true(json_object_get(vm, "deleted"));
		json_object_set_new(vm, "pid", pid_json(process));
		for (size_t i = 0; i < ARRAY_SIZE(same); i++)
			copy(vm, same[i], entity, same[i]);
		json_object_set_new(vm, "created_ns", iso_json(text_member(entity, "created")));
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

/* -- Ports and volumes ---------------------------------------------------- */

static json_t *
vm_json(const char *uuid)
{
	return uuid ? json_pack("{s:o, s:n}", "uuid", text_json(uuid), "name") : json_null();
}

/* When the VM was deleted; 0: it was not. */
static uint64_t
vm_deleted_ns(struct store *store, const char *uuid, struct error *error)
{
	json_t *changes = facts_of(store, uuid, "vm.change", error), *change;
	uint64_t t_ns = 0;
	size_t i;

	json_array_foreach(changes, i, change) {
		const char *what = text_member(attributes_of(change), "what");
		const char *to = text_member(attributes_of(change), "to");

		if (what && to && streq(what, "vm_state") && streq(to, "deleted"))
			t_ns = flow_number(change, "start_ns");
	}
	json_decref(changes);
	return t_ns;
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
		if (!holder.link || link_ns(newest(of_one)) >= link_ns(holder.link)) {
			holder.uuid = uuid;
			holder.link = newest(of_one);
		}
	if (!holder.link)
		return holder;
	holder.said = merged(json_object_get(links, holder.uuid));
	if (is_over(holder.link))
		holder.until_ns = MAX(flow_number(holder.link, "end_ns"), link_ns(holder.link));
	else
		holder.until_ns = vm_deleted_ns(store, holder.uuid, error);
	return holder;
}

static json_t *
part_of(struct store *store, const char *id, const char *topic, const char *kind,
	const char *const *members, struct error *error)
{
	uint64_t told_ns = 0;
	json_t *entity = entity_of(store, id, topic, &told_ns, error), *part = NULL;
	json_t *links = links_of(store, id, kind, "instance", error);
	struct holder holder = holder_of(store, links, error);
	const char *uuid = !holder.link ? text_member(entity, "instance") :
			   holder.until_ns ? NULL : holder.uuid;

	if (json_object_size(entity) || holder.link) {
		if (holder.said)
			json_object_update_missing(entity, holder.said);
		if (is_free(text_member(entity, "status")))
			uuid = NULL;
		if (uuid && streq(topic, "volume"))
			set_in_use(entity);
		if (holder.link && !text_member(entity, "host"))
			copy(entity, "host", holder.link, "host");
		tidy(entity);
		part = json_pack("{s:o, s:o}", "id", text_json(id), "vm", vm_json(uuid));
		for (size_t i = 0; members[i]; i += 2)
			copy(part, members[i], entity, members[i + 1]);
		if (streq(topic, "volume"))
			json_object_set_new(part, "detached_ns", ns_json(holder.until_ns));
		if (holder.link)
			told_ns = MAX(told_ns, link_ns(holder.link));
		told_ns = MAX(told_ns, holder.until_ns);
		json_object_set_new(part, "changed_ns", ns_json(told_ns));
	}
	json_decref(holder.said);
	json_decref(links);
	json_decref(entity);
	return part;
}

static json_t *
thing_of(struct store *store, const char *topic, const char *id, struct error *error)
{
	static const char *const port[] = {
		"name", "name", "mac", "mac", "tap", "tap", "host", "host", "network", "network",
		"ips", "ips", "status", "status", "vif_type", "vif_type", "device_owner",
		"device_owner", "user", "user", "project", "project", NULL,
	};
	static const char *const volume[] = {
		"name", "name", "status", "status", "size_gib", "size_gib", "volume_type",
		"volume_type", "backend", "backend", "attachment", "attachment", "device", "device",
		"path", "path", "host", "host", "connection", "connection", "user", "user",
		"project", "project", NULL,
	};

	if (streq(topic, "vm"))
		return vm_of(store, id, error);
	if (streq(topic, "port"))
		return part_of(store, id, topic, "vm.port", port, error);
	return part_of(store, id, topic, "vm.volume", volume, error);
}

int
things_settle(struct store *store, const json_t *things, struct error *error)
{
	struct error own = { 0 };
	const char *id;
	json_t *topic;
	int r = 0;

	if (!error)
		error = &own;
	json_object_foreach((json_t *) (uintptr_t) things, id, topic) {
		json_t *thing = thing_of(store, json_string_value(topic), id, error);

		r = error->code ? -error->code :
			store_put_thing(store, json_string_value(topic), id, thing, error);
		json_decref(thing);
		if (r < 0)
			return r;
	}
	return 0;
}

/* -- What lists leave out ------------------------------------------------- */

static json_t *
flows_of(struct store *store, const char *id)
{
	json_t *flows = store_requests_of(store, id, 0, INT64_MAX, NULL);
	size_t n = json_array_size(flows), extra = n > MAX_FLOWS ? n - MAX_FLOWS : 0, i;
	json_t *flow;

	while (extra--)
		json_array_remove(flows, 0);
	json_array_foreach(flows, i, flow)
		json_object_del(flow, "core_ns");
	return flows ? flows : json_array();
}

static json_t *
steps_of(struct store *store, const char *id)
{
	json_t *facts = facts_of(store, id, "neutron.step", NULL), *steps = json_array(), *fact;
	size_t n = json_array_size(facts), i;

	json_array_foreach(facts, i, fact) {
		const json_t *said = attributes_of(fact);
		const char *name = text_member(said, "name");
		json_t *detail = json_object_get(said, "detail");

		if (i + MAX_HISTORY < n)
			continue;
		json_array_append_new(steps, json_pack(
			"{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:O}", "t_ns",
			(json_int_t) flow_number(fact, "start_ns"), "end_ns",
			ns_json(flow_number(fact, "end_ns")), "what", text_json(name ? name : "?"),
			"host", text_json(text_member(fact, "host")), "service",
			text_json(text_member(said, "service")), "status",
			text_json(text_member(fact, "status")), "request_id",
			text_json(text_member(said, "request_id")), "detail",
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
		const char *other = instance_of(later, buffer);

		if (other && streq(other, uuid))
			return flow_number(later, "start_ns");
	}
	return end_ns ? end_ns : vm_deleted_ns(store, uuid, NULL);
}

/* The newest is the one that the volume itself tells of. */
static json_t *
attachments_of(struct store *store, const char *id, const json_t *volume)
{
	static const char *const members[] = {
		"attachment", "attachment_id", "device", "device", "path", "path",
	};
	json_t *facts = in_order(facts_of(store, id, "vm.volume", NULL)), *list = json_array();
	json_t *fact;
	size_t i;

	json_array_foreach(facts, i, fact) {
		char buffer[FACT_KEY_SIZE];
		const char *uuid = instance_of(fact, buffer);
		json_t *one;

		if (!uuid)
			continue;
		one = json_pack("{s:o, s:o, s:o}", "vm", vm_json(uuid), "start_ns",
				ns_json(flow_number(fact, "start_ns")), "end_ns",
				ns_json(detached_ns(store, facts, i, uuid)));
		for (size_t k = 0; k < ARRAY_SIZE(members); k += 2) {
			copy(one, members[k], attributes_of(fact), members[k + 1]);
			if (i + 1 == json_array_size(facts) &&
			    json_is_null(json_object_get(one, members[k])))
				copy(one, members[k], volume, members[k]);
		}
		copy(one, "host", fact, "host");
		json_array_append_new(list, one);
	}
	json_decref(facts);
	return list;
}

void
thing_expand(struct store *store, const char *topic, json_t *thing)
{
	bool is_vm = streq(topic, "vm");
	const char *id = text_member(thing, is_vm ? "uuid" : "id");

	if (!id)
		return;
	if (is_vm)
		json_object_set_new(thing, "history", history_of(store, id, NULL));
	else if (streq(topic, "port"))
		json_object_set_new(thing, "steps", steps_of(store, id));
	else
		json_object_set_new(thing, "attachments", attachments_of(store, id, thing));
	json_object_set_new(thing, "flows", flows_of(store, id));
}
