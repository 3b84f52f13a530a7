/* SPDX-License-Identifier: MIT */
#include "daemon/kernel_answers.h"
#include "tests/fake_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* What the windows of kernels say: as the file has it under "kernel". */
static json_t *
kernel_member(struct store *store, const char *name, struct error *error)
{
	json_t *found = json_object_get(json_object_get(store->root, "kernel"), name);

	if (!found)
		error_set(error, ENOENT, "nothing is known of the kernel");
	return json_deep_copy(found);
}

json_t *
kernel_threads(struct store *store, const struct kernel_filter *filter, struct error *error)
{
	return kernel_member(store, "threads", error);
}

json_t *
kernel_disks(struct store *store, const struct kernel_filter *filter, struct error *error)
{
	return kernel_member(store, "disks", error);
}

json_t *
kernel_network(struct store *store, const struct kernel_filter *filter, struct error *error)
{
	return kernel_member(store, "network", error);
}

json_t *
kernel_node(struct store *store, const struct kernel_filter *filter, struct error *error)
{
	return kernel_member(store, "node", error);
}

json_t *
kernel_top(struct store *store, const struct kernel_filter *filter, struct error *error)
{
	return kernel_member(store, "top", error);
}

json_t *
kernel_volume_chain(struct store *store, const char *volume, const struct kernel_filter *filter,
		    struct error *error)
{
	return kernel_member(store, "chain", error);
}

void
kernel_add_migration(struct store *store, json_t *migration)
{
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
