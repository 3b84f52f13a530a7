/* SPDX-License-Identifier: MIT
 *
 * store_find.c -- what an operator's id or name stands for: of a request, a VM,
 * a port, a volume, a migration; a name, a MAC, a tap (proto/schemas/find.json). */
#include "daemon/store_internal.h"

#include <errno.h>
#include <string.h>

#include "daemon/flow.h"

enum {
	DEFAULT_LIMIT = 100,
	LEAST_BEGINNING = 4,         /* Characters of an id that stand for the whole. */
};

/* Each gives topic, id, name and what matched. */
static const char *const things[] = {
	"SELECT topic, id, name, 'id' FROM thing WHERE id = ?1",
	"SELECT topic, id, name, 'name' FROM thing WHERE name = ?1",
	"SELECT t.topic, t.id, ?1, 'name' FROM request q JOIN subject s ON s.request = q.id"
	" JOIN thing t ON t.id = s.value AND q.kind = t.topic || '.create'"
	" WHERE json_extract(q.doc, '$.resource.name') = ?1 AND t.name IS NULL",
	"SELECT topic, id, name, 'mac' FROM thing WHERE mac = lower(?1)",
	"SELECT topic, id, name, 'tap' FROM thing WHERE tap = ?1",
	"SELECT topic, id, name, 'instance_name' FROM thing WHERE topic = 'vm'"
	" AND json_extract(doc, '$.instance_name') = ?1",
	"SELECT 'migration', id, vm_name, 'id' FROM migration WHERE id = ?1",
	"SELECT 'migration', id, vm_name, 'side' FROM migration WHERE ?1 IN (source_id,"
	" destination_id)",
};

static int
add_things(struct store *store, const char *id, uint64_t limit, json_t *found, struct error *error)
{
	static const char *const names[] = { "topic", "id", "name", "by" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(things) && !r; i++) {
		sqlite3_stmt *stmt = store_query(store, things[i], "t", id);

		while (stmt && sqlite3_step(stmt) == SQLITE_ROW &&
		       json_array_size(found) < limit) {
			json_t *thing = json_object();

			for (int k = 0; k < (int) ARRAY_SIZE(names); k++)
				json_object_set_new(thing, names[k], store_column_text(stmt, k));
			json_array_append_new(found, thing);
		}
		r = store_done(store, stmt, error, "look for things");
	}
	return r;
}

/* -- Requests ------------------------------------------------------------- */

static void
add_flow(struct store *store, const char *id, json_t *ids, json_t *flows)
{
	json_t *flow = id && !json_object_get(ids, id) ? store_item(store, "flow", id) : NULL;

	if (!flow)
		return;
	json_object_set_new(ids, id, json_true());
	json_array_append_new(flows, flow);
}

/* All that name it: requests in whose name somebody worked, and those that
 * facts of Nova's migrations and the like lead to. */
static void
add_named(struct store *store, const char *id, uint64_t limit, json_t *ids, json_t *flows)
{
	json_t *facts = store_facts_naming(store, id, NULL), *fact;
	char root[FACT_KEY_SIZE];
	size_t i;

	if (!flow_root(store, id, root))
		add_flow(store, root, ids, flows);
	json_array_foreach(facts, i, fact) {
		const char *request = json_string_value(json_object_get(
			json_object_get(fact, "attributes"), "request_id"));

		if (json_array_size(flows) < limit && request && !flow_root(store, request, root))
			add_flow(store, root, ids, flows);
	}
	json_decref(facts);
}

static void
add_about(struct store *store, const char *id, uint64_t limit, json_t *ids, json_t *flows)
{
	json_t *about = store_requests_of(store, id, 0, INT64_MAX, NULL), *flow;
	size_t i;

	json_array_foreach(about, i, flow)
		if (json_array_size(flows) < limit)
			add_flow(store, json_string_value(json_object_get(flow, "id")), ids,
				 flows);
	json_decref(about);
}

/* Requests for a thing of that name or id that has no table of its own. */
static void
add_resources(struct store *store, const char *id, uint64_t limit, json_t *ids, json_t *flows)
{
	static const char sql[] =
		"SELECT id FROM request WHERE json_extract(doc, '$.resource.id') = ?1"
		" OR json_extract(doc, '$.resource.name') = ?1 ORDER BY start_ns, id LIMIT ?2";
	sqlite3_stmt *stmt = store_query(store, sql, "tu", id, limit);
	json_t *list = json_array(), *one;
	size_t i;

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(list, store_column_text(stmt, 0));
	store_done(store, stmt, NULL, "look for requests");
	json_array_foreach(list, i, one)
		add_flow(store, json_string_value(one), ids, flows);
	json_decref(list);
}

/* All that is known of exactly that id or name. */
static int
add_exactly(struct store *store, const char *id, uint64_t max, json_t *found, json_t *ids,
	    json_t *flows, struct error *error)
{
	json_t *thing;
	size_t i;
	int r = add_things(store, id, max, found, error);

	if (!r)
		add_named(store, id, max, ids, flows);
	json_array_foreach(found, i, thing) {
		const char *topic = json_string_value(json_object_get(thing, "topic"));
		const char *of = json_string_value(json_object_get(thing, "id"));
		json_t *request = !r && topic && streq(topic, "migration") ?
			store_request_of_migration(store, of) : NULL;

		if (!r && topic && of && !streq(topic, "migration"))
			add_about(store, of, max, ids, flows);
		add_flow(store, json_string_value(request), ids, flows);
		json_decref(request);
	}
	if (!r) {
		add_about(store, id, max, ids, flows);
		add_resources(store, id, max, ids, flows);
	}
	return r;
}

/* Full ids of what begins so, be it with or without the "req-" of requests: as tables
 * show them.  None if that is too short to mean one. */
static json_t *
beginning_with(struct store *store, const char *id, uint64_t limit, struct error *error)
{
	static const char sql[] =
		"SELECT id FROM thing WHERE topic IN ('vm', 'port', 'volume') AND id BETWEEN ?1"
		" AND ?1 || char(127)"
		" UNION SELECT id FROM migration WHERE id BETWEEN ?1 AND ?1 || char(127)"
		" UNION SELECT value FROM ref WHERE (value BETWEEN ?1 AND ?1 || char(127) OR value"
		" BETWEEN 'req-' || ?1 AND 'req-' || ?1 || char(127)) ORDER BY 1 LIMIT ?2";
	const char *told = starts_with(id, "req-") ? id + 4 : id;
	json_t *list = json_array();
	sqlite3_stmt *stmt;

	if (strlen(told) < LEAST_BEGINNING)
		return list;
	stmt = store_query(store, sql, "tu", id, limit);
	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(list, store_column_text(stmt, 0));
	if (store_done(store, stmt, error, "look for ids")) {
		json_decref(list);
		return NULL;
	}
	return list;
}

json_t *
store_find(struct store *store, const char *id, unsigned limit, struct error *error)
{
	uint64_t max = limit ? limit : DEFAULT_LIMIT;
	json_t *found = json_array(), *flows = json_array(), *ids = json_object(), *full, *one;
	int r = *id ? add_exactly(store, id, max, found, ids, flows, error) : 0;
	size_t i;

	full = r || json_array_size(found) || json_array_size(flows) ? json_array() :
	       beginning_with(store, id, max, error);
	r = full ? r : -EIO;
	json_array_foreach(full, i, one)
		if (!r)
			r = add_exactly(store, json_string_value(one), max, found, ids, flows,
					error);
	json_decref(full);
	json_decref(ids);
	if (!r)
		return json_pack("{s:o, s:o, s:o}", "id", store_string(id), "things", found,
				 "flows", flows);
	json_decref(found);
	json_decref(flows);
	return NULL;
}
