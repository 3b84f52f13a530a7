/* SPDX-License-Identifier: MIT */
#include "tests/fake_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/why.h"
#include "lib/util.h"

struct store {
	char *path;
	json_t *root;
	json_t *changes;   /* Array of changes, oldest first. */
	json_int_t cursor;
};

/* The one that is open. */
static struct store *the_store;

static const struct {
	const char *topic, *list, *id;
} topics[] = {
	{ "migration", "migrations", "id" },
	{ "alert", "alerts", "id" },
	{ "node", "nodes", "host" },
	{ "flow", "flows", "id" },
	{ "vm", "vms", "uuid" },
	{ "service", "services", "id" },
	{ "volume", "volumes", "id" },
	{ "port", "ports", "id" },
};

static json_t *
find(const json_t *list, const char *member, const char *id)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		const char *value = json_string_value(json_object_get(item, member));

		if (value && streq(value, id))
			return item;
	}
	return NULL;
}

static void
add_change(struct store *store, const char *topic, const char *id, json_t *item)
{
	char cursor[24];

	snprintf(cursor, sizeof cursor, "%lld", (long long) ++store->cursor);
	json_array_append_new(store->changes, json_pack(
		"{s:s, s:s, s:s, s:s, s:O?}", "cursor", cursor, "topic", topic, "id", id, "op",
		item ? "update" : "delete", "item", item));
}

static void
note_changes(struct store *store, const json_t *before)
{
	for (unsigned t = 0; t < ARRAY_SIZE(topics); t++) {
		const json_t *old = json_object_get(before, topics[t].list), *new;
		json_t *item;
		size_t i;

		new = json_object_get(store->root, topics[t].list);
		json_array_foreach(new, i, item) {
			const char *id = json_string_value(json_object_get(item, topics[t].id));

			if (!json_equal(item, find(old, topics[t].id, id)))
				add_change(store, topics[t].topic, id, item);
		}
		json_array_foreach(old, i, item) {
			const char *id = json_string_value(json_object_get(item, topics[t].id));

			if (!find(new, topics[t].id, id))
				add_change(store, topics[t].topic, id, NULL);
		}
	}
}

bool
fake_store_reload(void)
{
	json_t *root = json_load_file(the_store->path, 0, NULL), *before = the_store->root;

	if (!root)
		return false;
	the_store->root = root;
	note_changes(the_store, before);
	json_decref(before);
	return true;
}

const json_t *
fake_store_root(const struct store *store)
{
	return store->root;
}

int
store_open(const char *path, enum store_mode mode, struct store **ret, struct error *error)
{
	struct store *store;
	json_error_t at;
	json_t *root = json_load_file(path, 0, &at);

	if (!root)
		return error_set(error, ENOENT, "%s: %s", path, at.text);
	store = xcalloc(1, sizeof *store);
	store->path = xstrdup(path);
	store->root = root;
	store->changes = json_array();
	store->cursor = 100;
	*ret = the_store = store;
	return 0;
}

int
store_begin(struct store *store, struct error *error)
{
	return 0;
}

void
store_rollback(struct store *store)
{
}

void
store_close(struct store *store)
{
	if (!store)
		return;
	free(store->path);
	json_decref(store->root);
	json_decref(store->changes);
	free(store);
}

static bool
has(const json_t *item, const char *member, const char *want)
{
	const char *value = json_string_value(json_object_get(item, member));

	return !want || (value && streq(value, want));
}

static bool
has_vm(const json_t *item, const char *want)
{
	const json_t *vm = json_object_get(item, "vm");

	return !want || has(vm, "uuid", want) || has(vm, "name", want);
}

static bool
in_time(const json_t *item, const struct store_filter *filter)
{
	uint64_t start = (uint64_t) json_integer_value(json_object_get(item, "start_ns"));
	uint64_t end = (uint64_t) json_integer_value(json_object_get(item, "end_ns"));

	return (!filter->until_ns || start <= filter->until_ns) &&
	       (!filter->since_ns || !end || end >= filter->since_ns);
}

static json_t *
list(struct store *store, const char *name, const struct store_filter *filter)
{
	json_t *all = json_object_get(store->root, name), *ret = json_array(), *item;
	size_t i, limit = filter->limit ? filter->limit : 1000;

	json_array_foreach(all, i, item) {
		if (has(item, "status", filter->status) && has_vm(item, filter->vm) &&
		    (has(item, "source", filter->host) || has(item, "destination", filter->host)) &&
		    has(item, "severity", filter->severity) && has(item, "state", filter->state) &&
		    has(item, "rule", filter->rule) && in_time(item, filter) &&
		    json_array_size(ret) < limit)
			json_array_append_new(ret, json_deep_copy(item));
	}
	return ret;
}

json_t *
store_migration_list(struct store *store, const struct store_filter *filter, struct error *error)
{
	json_t *ret = list(store, "migrations", filter), *item;
	size_t i;

	json_array_foreach(ret, i, item) {
		json_object_del(item, "samples");
	}
	return ret;
}

json_t *
store_migration_show(struct store *store, const char *id, struct error *error)
{
	json_t *all = json_object_get(store->root, "migrations"), *item, *found = NULL;
	size_t i;

	json_array_foreach(all, i, item) {
		if (!starts_with(json_string_value(json_object_get(item, "id")), id) &&
		    !has_vm(item, id))
			continue;
		if (found) {
			error_set(error, ENOTUNIQ, "more than one migration is called \"%s\"", id);
			return NULL;
		}
		found = item;
	}
	if (!found)
		error_set(error, ENOENT, "no migration is called \"%s\"", id);
	return json_deep_copy(found);
}

json_t *
store_migration(struct store *store, const char *id)
{
	return json_incref(find(json_object_get(store->root, "migrations"), "id", id));
}

json_t *
store_alert_list(struct store *store, const struct store_filter *filter, struct error *error)
{
	return list(store, "alerts", filter);
}

json_t *
store_alert_show(struct store *store, const char *id, struct error *error)
{
	json_t *alert = find(json_object_get(store->root, "alerts"), "id", id);

	if (!alert)
		error_set(error, ENOENT, "no alert has the id \"%s\"", id);
	return json_deep_copy(alert);
}

json_t *
why_alert(struct store *store, const json_t *alert)
{
	return NULL;
}

json_t *
why_answer(struct store *store, const char *id, struct error *error)
{
	json_t *why = find(json_object_get(store->root, "why"), "id", id);

	if (!why)
		error_set(error, ENOENT, "no request or migration is known by \"%s\"", id);
	return json_deep_copy(why);
}

json_t *
store_silences(struct store *store, uint64_t now_ns, struct error *error)
{
	json_t *silences = json_object_get(store->root, "silences");

	return silences ? json_deep_copy(silences) : json_array();
}

/* -- Requests and what they are about -------------------------------------- */

static const char *
text_of(const json_t *item, const char *member)
{
	return json_string_value(json_object_get(item, member));
}

/* "server.*" or the whole. */
static bool
has_kind(const json_t *item, const char *want)
{
	const char *kind = text_of(item, "kind");
	size_t length = want ? strlen(want) : 0;

	if (length && want[length - 1] == '*')
		return kind && !strncmp(kind, want, length - 1);
	return has(item, "kind", want);
}

static bool
is_slow(const json_t *item, uint64_t slow_ns)
{
	return (uint64_t) json_integer_value(json_object_get(item, "total_ns")) >= slow_ns;
}

static void
drop(json_t *list, const char *const *members)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		for (const char *const *member = members; *member; member++)
			json_object_del(item, *member);
	}
}

json_t *
store_flow_list(struct store *store, const struct store_filter *filter, struct error *error)
{
	static const char *const parts[] = { "spans", "budget", "dropped_spans", NULL };
	json_t *all = json_object_get(store->root, "flows"), *ret = json_array(), *item;
	size_t i, limit = filter->limit ? filter->limit : 1000;

	json_array_foreach(all, i, item) {
		if (has(item, "status", filter->status) && has_vm(item, filter->vm) &&
		    has_kind(item, filter->kind) && has(item, "request_id", filter->request) &&
		    has(item, "volume", filter->volume) && has(item, "port", filter->port) &&
		    is_slow(item, filter->slow_ns) && in_time(item, filter) &&
		    json_array_size(ret) < limit)
			json_array_append_new(ret, json_deep_copy(item));
	}
	drop(ret, parts);
	return ret;
}

/* The one whose 'member' begins with 'id', or that has this name. */
static json_t *
only(const json_t *all, const char *what, const char *member, const char *id, struct error *error)
{
	json_t *item, *found = NULL;
	size_t i;

	json_array_foreach(all, i, item) {
		if (!starts_with(text_of(item, member), id) && !(has(item, "name", id)))
			continue;
		if (found) {
			error_set(error, ENOTUNIQ, "more than one %s is called \"%s\"", what, id);
			return NULL;
		}
		found = item;
	}
	if (!found)
		error_set(error, ENOENT, "no %s is called \"%s\"", what, id);
	return json_deep_copy(found);
}

json_t *
store_flow_show(struct store *store, const char *id, struct error *error)
{
	return only(json_object_get(store->root, "flows"), "flow", "id", id, error);
}

static const json_t *
things(const struct store *store, const char *topic, const char **ret_member)
{
	for (unsigned t = 0; t < ARRAY_SIZE(topics); t++)
		if (streq(topics[t].topic, topic)) {
			*ret_member = topics[t].id;
			return json_object_get(store->root, topics[t].list);
		}
	return NULL;
}

json_t *
store_thing_list(struct store *store, const char *topic, const struct store_filter *filter,
		 struct error *error)
{
	static const char *const parts[] = { "history", "steps", "flows", NULL };
	json_t *ret = json_array(), *item;
	const char *member;
	size_t i;

	json_array_foreach((json_t *) things(store, topic, &member), i, item) {
		if (has(item, "host", filter->host) && has(item, "vm_state", filter->state) &&
		    has_vm(item, filter->vm))
			json_array_append_new(ret, json_deep_copy(item));
	}
	drop(ret, parts);
	return ret;
}

json_t *
store_thing_show(struct store *store, const char *topic, const char *id, struct error *error)
{
	const char *member = "id";
	const json_t *all = things(store, topic, &member);

	return only(all, topic, member, id, error);
}

json_t *
store_service_list(struct store *store, const struct store_filter *filter, struct error *error)
{
	json_t *ret = json_array(), *item, *operation;
	size_t i, j;

	json_array_foreach(json_object_get(store->root, "services"), i, item) {
		if (!has(item, "host", filter->host) || !has(item, "service", filter->service))
			continue;
		item = json_deep_copy(item);
		json_object_del(json_object_get(item, "rpc"), "histogram");
		json_array_foreach(json_object_get(item, "operations"), j, operation) {
			json_object_del(operation, "histogram");
		}
		json_array_append_new(ret, item);
	}
	return ret;
}

json_t *
store_service_show(struct store *store, const char *id, const struct store_filter *filter,
		   struct error *error)
{
	return only(json_object_get(store->root, "services"), "service", "id", id, error);
}

json_t *
store_find(struct store *store, const char *id, unsigned limit, struct error *error)
{
	json_t *found = json_array(), *flows = json_array(), *item;
	size_t i;

	for (unsigned t = 0; t < ARRAY_SIZE(topics); t++)
		json_array_foreach(json_object_get(store->root, topics[t].list), i, item) {
			const char *its = text_of(item, topics[t].id), *name = text_of(item, "name");

			if (streq(topics[t].topic, "flow")) {
				if (starts_with(its, id) || has_vm(item, id))
					json_array_append_new(flows, json_deep_copy(item));
			} else if (starts_with(its, id) || (name && streq(name, id))) {
				json_array_append_new(found, json_pack(
					"{s:s, s:s, s:s?, s:s}", "topic", topics[t].topic, "id", its,
					"name", name, "by", starts_with(its, id) ? "id" : "name"));
			}
		}
	for (i = 0; i < json_array_size(flows); i++)
		json_object_del(json_array_get(flows, i), "spans");
	return json_pack("{s:s, s:o, s:o}", "id", id, "things", found, "flows", flows);
}

json_t *
store_node_list(struct store *store, struct error *error)
{
	json_t *nodes = json_object_get(store->root, "nodes");

	return nodes ? json_deep_copy(nodes) : json_array();
}

json_t *
store_summary(struct store *store, struct error *error)
{
	json_t *counters = json_object_get(store->root, "counters");

	return json_pack("{s:{}, s:{}, s:{}, s:o, s:{s:s, s:i, s:i}}", "nodes", "migrations",
			 "alerts", "counters",
			 counters ? json_deep_copy(counters) : json_object(), "store", "path",
			 "fake", "bytes", 4096, "version", 1);
}

json_t *
store_changes(struct store *store, const char *topic, const char *since, unsigned limit,
	      struct error *error)
{
	json_int_t from = since ? atoll(since) : store->cursor, upto = store->cursor;
	json_int_t kept = json_integer_value(json_object_get(store->root, "kept_from"));
	json_t *items = json_array(), *change;
	bool found = from >= kept && from <= store->cursor;
	char cursor[24];
	size_t i;

	json_array_foreach(store->changes, i, change) {
		json_int_t at = atoll(json_string_value(json_object_get(change, "cursor")));

		if (!found || at <= from || !has(change, "topic", topic))
			continue;
		json_array_append_new(items, json_deep_copy(change));
		if (json_array_size(items) == limit) {
			upto = at;
			break;
		}
	}
	snprintf(cursor, sizeof cursor, "%lld", (long long) upto);
	return json_pack("{s:s, s:b, s:o}", "cursor", cursor, "found", found, "items", items);
}
