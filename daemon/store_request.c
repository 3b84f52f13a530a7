/* SPDX-License-Identifier: MIT
 *
 * store_request.c -- the joined records above the hypervisor: requests, VMs,
 * ports and volumes.  What is kept is what lists show; the rest (spans, budget,
 * histories) follows from the facts and is made when somebody asks. */
#include "daemon/store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/flow.h"
#include "daemon/thing.h"
#include "lib/buf.h"

enum { DEFAULT_LIMIT = 1000, MAX_CANDIDATES = 8 };

static const struct store_filter no_filter;

static const char *
text_member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static uint64_t
time_member(const json_t *object, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 ? (uint64_t) value : 0;
}

/* -- Requests ------------------------------------------------------------- */

static int
forget_request(struct store *store, const char *id, struct error *error)
{
	static const char sql[] = "DELETE FROM request WHERE id = ?1";
	static const char subjects[] = "DELETE FROM subject WHERE request = ?1";
	int r = store_run(store, error, "forget a request", sql, "t", id);

	if (r <= 0)
		return r;
	r = store_run(store, error, "forget a request", subjects, "t", id);
	if (r >= 0)
		r = store_changed(store, "flow", id, error);
	return r < 0 ? r : 1;
}

/* Whether what others are joined by is as it was. */
static bool
is_same_core(struct store *store, const char *id, const json_t *flow, uint64_t core_ns,
	     const json_t *subjects)
{
	static const char sql[] =
		"SELECT coalesce(core_ns, 0) = ?2 AND start_ns = ?3 AND kind = ?4,"
		" (SELECT count(*) FROM subject WHERE request = ?1) FROM request WHERE id = ?1";
	static const char has[] = "SELECT 1 FROM subject WHERE (value, start_ns, request)"
				  " = (?1, ?2, ?3)";
	uint64_t start_ns = time_member(flow, "start_ns");
	sqlite3_stmt *stmt = store_query(store, sql, "tuut", id, core_ns, start_ns,
					 text_member(flow, "kind"));
	size_t n = json_array_size(subjects);
	bool same = stmt && sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_int(stmt, 0) &&
		    (size_t) sqlite3_column_int64(stmt, 1) == n;

	store_done(store, stmt, NULL, "read a request");
	for (size_t i = 0; i < n && same; i++) {
		stmt = store_query(store, has, "tut",
				   json_string_value(json_array_get(subjects, i)), start_ns, id);
		same = stmt && sqlite3_step(stmt) == SQLITE_ROW;
		store_done(store, stmt, NULL, "read a request");
	}
	return same;
}

static int
put_subjects(struct store *store, const char *id, uint64_t start_ns, const json_t *subjects,
	     struct error *error)
{
	static const char forget[] = "DELETE FROM subject WHERE request = ?1";
	static const char sql[] = "INSERT OR IGNORE INTO subject VALUES (?1, ?2, ?3)";
	int r = store_run(store, error, "keep a request", forget, "t", id);

	for (size_t i = 0; i < json_array_size(subjects) && r >= 0; i++)
		r = store_run(store, error, "keep a request", sql, "tut",
			      json_string_value(json_array_get(subjects, i)), start_ns, id);
	return MIN(r, 0);
}

int
store_put_request(struct store *store, const char *id, const json_t *flow, uint64_t core_ns,
		  const char *behalf, const json_t *subjects, struct error *error)
{
	static const char sql[] =
		"INSERT INTO request VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
		" ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, status = excluded.status,"
		" start_ns = excluded.start_ns, end_ns = excluded.end_ns,"
		" core_ns = excluded.core_ns, vm_uuid = excluded.vm_uuid,"
		" volume = excluded.volume, port = excluded.port,"
		" migration = excluded.migration, behalf = excluded.behalf, doc = excluded.doc"
		" WHERE (doc, core_ns, behalf) IS NOT"
		" (excluded.doc, excluded.core_ns, excluded.behalf)";
	const json_t *vm = json_object_get(flow, "vm");
	const char *kind = text_member(flow, "kind"), *status = text_member(flow, "status");
	bool same;
	char *doc;
	int r;

	if (!flow)
		return forget_request(store, id, error);
	same = is_same_core(store, id, flow, core_ns, subjects);
	doc = store_text(flow);
	r = store_run(store, error, "keep a request", sql, "tttuzztttttt",
		      id, kind ? kind : "", status ? status : "lost",
		      time_member(flow, "start_ns"), time_member(flow, "end_ns"), core_ns,
		      text_member(vm, "uuid"), text_member(flow, "volume"),
		      text_member(flow, "port"), text_member(flow, "migration"),
		      behalf && *behalf ? behalf : NULL, doc);
	free(doc);
	if (r > 0) {
		r = store_changed(store, "flow", id, error);
		if (!r)
			r = store_unsettle(store, "flow", id, error);
	}
	if (r >= 0 && !same)
		r = put_subjects(store, id, time_member(flow, "start_ns"), subjects, error);
	return r < 0 ? r : !same;
}

static json_t *
one_document(struct store *store, sqlite3_stmt *stmt, const char *what)
{
	json_t *document = NULL;

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		document = store_column_json(stmt, 0);
	store_done(store, stmt, NULL, what);
	return document;
}

json_t *
store_request(struct store *store, const char *id)
{
	static const char sql[] = "SELECT doc FROM request WHERE id = ?1";

	return one_document(store, store_query(store, sql, "t", id), "read a request");
}

json_t *
store_requests_of(struct store *store, const char *subject, uint64_t from_ns, uint64_t to_ns,
		  struct error *error)
{
	static const char sql[] =
		"SELECT q.id, q.kind, q.status, q.start_ns, q.end_ns, q.core_ns FROM subject s"
		" CROSS JOIN request q ON q.id = s.request WHERE s.value = ?1 AND s.start_ns <= ?3"
		" AND coalesce(q.core_ns, 9223372036854775807) >= ?2 ORDER BY s.start_ns, q.id";
	static const char *const names[] = { "id", "kind", "status", "start_ns", "end_ns",
					     "core_ns" };
	sqlite3_stmt *stmt = store_query(store, sql, "tuu", subject, from_ns, to_ns);
	json_t *list = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		json_t *one = json_object();

		for (int i = 0; i < (int) ARRAY_SIZE(names); i++)
			json_object_set_new(one, names[i], i < 3 ? store_column_text(stmt, i) :
					    store_column_integer(stmt, i));
		json_array_append_new(list, one);
	}
	if (store_done(store, stmt, error, "read requests")) {
		json_decref(list);
		return NULL;
	}
	return list;
}

bool
store_is_request_known(struct store *store, const char *request)
{
	static const char sql[] =
		"SELECT 1 FROM ref r CROSS JOIN fact f ON f.id = r.fact WHERE r.value = ?1"
		" AND (f.key = ?1 OR json_extract(f.attributes, '$.request_id') = ?1)"
		" AND (r.kind NOT IN ('request.child', '=request.child')"
		" OR json_extract(f.attributes, '$.by') IS NULL)"
		" LIMIT 1";
	sqlite3_stmt *stmt = store_query(store, sql, "t", request);
	bool known = stmt && sqlite3_step(stmt) == SQLITE_ROW;

	store_done(store, stmt, NULL, "look for a request");
	return known;
}

static json_t *
texts(struct store *store, sqlite3_stmt *stmt, struct error *error)
{
	json_t *list = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(list, store_column_text(stmt, 0));
	if (store_done(store, stmt, error, "read requests")) {
		json_decref(list);
		return NULL;
	}
	return list;
}

json_t *
store_requests_on_behalf(struct store *store, const char *request, struct error *error)
{
	static const char sql[] = "SELECT id FROM request WHERE behalf = ?1 ORDER BY id";

	return texts(store, store_query(store, sql, "t", request), error);
}

json_t *
store_subjects_of(struct store *store, const char *request, struct error *error)
{
	static const char sql[] = "SELECT value FROM subject WHERE request = ?1 ORDER BY value";

	return texts(store, store_query(store, sql, "t", request), error);
}

json_t *
store_request_of_migration(struct store *store, const char *migration)
{
	static const char sql[] = "SELECT id FROM request WHERE migration = ?1 ORDER BY start_ns,"
				  " id LIMIT 1";
	sqlite3_stmt *stmt = store_query(store, sql, "t", migration);
	json_t *id = NULL;

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		id = store_column_text(stmt, 0);
	store_done(store, stmt, NULL, "read a request");
	return id ? id : json_null();
}

static json_t *
documents(struct store *store, sqlite3_stmt *stmt, struct error *error, const char *what)
{
	json_t *list = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(list, store_column_json(stmt, 0));
	if (store_done(store, stmt, error, what)) {
		json_decref(list);
		return NULL;
	}
	return list;
}

json_t *
store_migrations_of_vm(struct store *store, const char *uuid, uint64_t from_ns, uint64_t to_ns,
		       struct error *error)
{
	static const char sql[] =
		"SELECT doc FROM migration WHERE vm_uuid = ?1 AND start_ns <= ?3"
		" AND coalesce(end_ns, 9223372036854775807) >= ?2 ORDER BY start_ns, id";

	return documents(store, store_query(store, sql, "tuu", uuid, from_ns, to_ns), error,
			 "read migrations");
}

/* -- VMs, ports, volumes -------------------------------------------------- */

int
store_put_thing(struct store *store, const char *topic, const char *id, const json_t *thing,
		struct error *error)
{
	static const char forget[] = "DELETE FROM thing WHERE (topic, id) = (?1, ?2)";
	static const char sql[] =
		"INSERT INTO thing VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
		" ON CONFLICT (topic, id) DO UPDATE SET name = excluded.name,"
		" host = excluded.host, vm = excluded.vm, state = excluded.state,"
		" mac = excluded.mac, tap = excluded.tap, gone_ns = excluded.gone_ns,"
		" doc = excluded.doc WHERE doc IS NOT excluded.doc";
	bool is_vm = streq(topic, "vm"), gone;
	const char *state = text_member(thing, is_vm ? "vm_state" : "status");
	char *doc;
	int r;

	if (!thing) {
		r = store_run(store, error, "forget a thing", forget, "tt", topic, id);
	} else {
		gone = json_is_true(json_object_get(thing, "deleted"));
		doc = store_text(thing);
		r = store_run(store, error, "keep a thing", sql, "ttttttttzt", topic, id,
			      text_member(thing, "name"), text_member(thing, "host"), is_vm ? id :
			      text_member(json_object_get(thing, "vm"), "uuid"), state,
			      text_member(thing, "mac"), text_member(thing, "tap"),
			      gone ? time_member(thing, "changed_ns") : (uint64_t) 0, doc);
		free(doc);
	}
	if (r > 0)
		r = store_changed(store, topic, id, error) < 0 ? -EIO : 1;
	return MIN(r, 1);
}

json_t *
store_thing(struct store *store, const char *topic, const char *id)
{
	static const char sql[] = "SELECT doc FROM thing WHERE (topic, id) = (?1, ?2)";

	return one_document(store, store_query(store, sql, "tt", topic, id), "read a thing");
}

/* -- Answers -------------------------------------------------------------- */

/* Names of VMs get known at any time: they are put in by those who answer. */
static json_t *
with_name(struct store *store, json_t *record)
{
	static const char sql[] = "SELECT name FROM thing WHERE topic = 'vm' AND id = ?1";
	json_t *vm = json_object_get(record, "vm");
	const char *uuid = text_member(vm, "uuid");
	sqlite3_stmt *stmt = uuid ? store_query(store, sql, "t", uuid) : NULL;

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_object_set_new(vm, "name", store_column_text(stmt, 0));
	if (stmt)
		store_done(store, stmt, NULL, "read a name");
	return record;
}

/* Ports and volumes have the name that was asked for, if no log tells it. */
static json_t *
with_asked_name(struct store *store, const char *topic, json_t *thing)
{
	static const char sql[] =
		"SELECT json_extract(q.doc, '$.resource.name') FROM subject s CROSS JOIN request q"
		" ON q.id = s.request WHERE s.value = ?1 AND q.kind = ?2 || '.create'"
		" ORDER BY s.start_ns, q.id LIMIT 1";
	const char *id = text_member(thing, "id");
	sqlite3_stmt *stmt;

	if (streq(topic, "vm") || !id || text_member(thing, "name"))
		return thing;
	stmt = store_query(store, sql, "tt", id, topic);
	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_object_set_new(thing, "name", store_column_text(stmt, 0));
	if (stmt)
		store_done(store, stmt, NULL, "read a name");
	return thing;
}

static json_t *
with_names(struct store *store, json_t *records)
{
	json_t *record;
	size_t i;

	json_array_foreach(records, i, record)
		with_name(store, record);
	return records;
}

json_t *
store_flow_item(struct store *store, const char *id)
{
	return with_name(store, store_request(store, id));
}

json_t *
store_flow_list(struct store *store, const struct store_filter *filter, struct error *error)
{
	static const char sql[] =
		"SELECT doc FROM request WHERE (?1 IS NULL OR coalesce(end_ns, ?1) >= ?1)"
		" AND (?2 IS NULL OR start_ns <= ?2) AND (?3 IS NULL OR status = ?3)"
		" AND (?4 IS NULL OR kind = ?4 OR (substr(?4, -1) = '*'"
		" AND substr(kind, 1, length(?4) - 1) = substr(?4, 1, length(?4) - 1)))"
		" AND (?5 IS NULL OR id IN (SELECT request FROM subject WHERE value = ?5"
		" OR value IN (SELECT id FROM thing WHERE topic = 'vm' AND name = ?5)))"
		" AND (?6 IS NULL OR id IN (SELECT request FROM subject WHERE value = ?6))"
		" AND (?7 IS NULL OR id IN (SELECT request FROM subject WHERE value = ?7))"
		" AND (?8 IS NULL OR id = ?8)"
		" AND (?9 IS NULL OR coalesce(end_ns, (SELECT max(coalesce(end_ns, start_ns))"
		" FROM request)) - start_ns >= ?9) ORDER BY start_ns DESC, id LIMIT ?10";
	const struct store_filter *f = filter ? filter : &no_filter;
	char root[FACT_KEY_SIZE];
	const char *request = f->request;

	if (request && !flow_root(store, request, root))
		request = root;
	return with_names(store, documents(store, store_query(
		store, sql, "zzttttttzu", f->since_ns, f->until_ns, f->status, f->kind, f->vm,
		f->volume, f->port, request, f->slow_ns,
		(uint64_t) (f->limit ? f->limit : DEFAULT_LIMIT)), error, "list the requests"));
}

/* The one document that begins with 'id', if there is just one.  'what' is for
 * people. */
static int
by_beginning(struct store *store, sqlite3_stmt *stmt, const char *id, const char *what,
	     json_t **ret, struct error *error)
{
	_cleanup_(buf_done) struct buf names = { 0 };
	json_t *found = NULL;
	unsigned n = 0;
	int r;

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		if (!n)
			found = store_column_json(stmt, 1);
		buf_printf(&names, "%s%s", n ? ", " : "", store_column_string(stmt, 0));
		if (++n == MAX_CANDIDATES)
			break;
	}
	r = store_done(store, stmt, error, "look for it");
	if (!r && n > 1)
		r = error_set(error, ENOTUNIQ, "\"%s\" is the beginning of several %ss: %s%s", id,
			      what, names.data, n == MAX_CANDIDATES ? "..." : "");
	if (r)
		json_decref(found);
	else
		*ret = found;
	return r;
}

json_t *
store_flow_show(struct store *store, const char *id, struct error *error)
{
	static const char sql[] = "SELECT id, doc FROM request WHERE id BETWEEN ?1 AND ?1 ||"
				  " char(127) OR id BETWEEN 'req-' || ?1 AND 'req-' || ?1 ||"
				  " char(127) ORDER BY start_ns DESC, id";
	json_t *flow = *id ? store_request(store, id) : NULL;
	char root[FACT_KEY_SIZE];

	if (!flow && *id && !flow_root(store, id, root))
		flow = store_request(store, root);
	if (!flow && *id && by_beginning(store, store_query(store, sql, "t", id), id, "request",
					 &flow, error))
		return NULL;
	if (!json_is_object(flow)) {
		json_decref(flow);
		error_set(error, ENOENT, "no request is known by \"%s\"", id);
		return NULL;
	}
	flow_expand(store, with_name(store, flow));
	return flow;
}

json_t *
store_thing_list(struct store *store, const char *topic, const struct store_filter *filter,
		 struct error *error)
{
	static const char sql[] =
		"SELECT doc FROM thing WHERE topic = ?1 AND (?2 IS NULL OR host = ?2)"
		" AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR vm = ?4"
		" OR vm IN (SELECT id FROM thing WHERE topic = 'vm' AND name = ?4))"
		" ORDER BY name IS NULL, name, id LIMIT ?5";
	const struct store_filter *f = filter ? filter : &no_filter;
	uint64_t limit = f->limit ? f->limit : DEFAULT_LIMIT;
	json_t *things = documents(store, store_query(store, sql, "ttttu", topic, f->host, f->state,
						      f->vm, limit), error, "list them"), *thing;
	size_t i;

	json_array_foreach(things, i, thing)
		with_asked_name(store, topic, thing);
	return with_names(store, things);
}

/* Of several of one name the newest, as far as is known. */
static json_t *
thing_by_name(struct store *store, const char *topic, const char *name)
{
	static const char sql[] =
		"SELECT doc FROM thing WHERE topic = ?1 AND (name = ?2 OR id IN (SELECT s.value"
		" FROM request q JOIN subject s ON s.request = q.id WHERE q.kind = ?1 || '.create'"
		" AND json_extract(q.doc, '$.resource.name') = ?2)) ORDER BY gone_ns IS NOT NULL,"
		" gone_ns DESC, coalesce(json_extract(doc, '$.changed_ns'), 0) DESC, id LIMIT 1";

	return one_document(store, store_query(store, sql, "tt", topic, name), "read a thing");
}

json_t *
store_thing_show(struct store *store, const char *topic, const char *id, struct error *error)
{
	static const char sql[] = "SELECT id, doc FROM thing WHERE topic = ?1 AND id BETWEEN ?2"
				  " AND ?2 || char(127) ORDER BY id";
	json_t *thing = *id ? store_thing(store, topic, id) : NULL;

	if (!thing && *id)
		thing = thing_by_name(store, topic, id);
	if (!thing && *id && by_beginning(store, store_query(store, sql, "tt", topic, id), id,
					  topic, &thing, error))
		return NULL;
	if (!json_is_object(thing)) {
		json_decref(thing);
		error_set(error, ENOENT, "no %s is known by \"%s\"", topic, id);
		return NULL;
	}
	thing_expand(store, topic, with_name(store, with_asked_name(store, topic, thing)));
	return thing;
}
