/* SPDX-License-Identifier: MIT
 *
 * store_write.c -- puts facts, joined records, alerts, sources and counters
 * into the store.  Writing what is there already changes nothing, and makes no
 * change for watchers: replaying is harmless. */
#include "daemon/store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"

/* -- Changes -------------------------------------------------------------- */

int
store_changed(struct store *store, const char *topic, const char *id, struct error *error)
{
	static const char find[] = "SELECT first FROM change WHERE topic = ?1 AND id = ?2";
	static const char forget[] = "DELETE FROM change WHERE topic = ?1 AND id = ?2";
	static const char note[] =
		"INSERT INTO change (topic, id, first, at_ns) VALUES (?1, ?2, ?3, ?4)";
	static const char number[] =
		"UPDATE change SET first = seq WHERE seq = last_insert_rowid()";
	sqlite3_stmt *stmt = store_query(store, find, "tt", topic, id);
	int64_t first = 0;
	int r;

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		first = sqlite3_column_int64(stmt, 0);
	r = store_done(store, stmt, error, "note a change");
	if (r)
		return r;
	r = first ? store_run(store, error, "note a change", forget, "tt", topic, id) : 0;
	if (r >= 0)
		r = store_run(store, error, "note a change", note, "ttiu", topic, id, first,
			      clock_wall_ns());
	if (r >= 0 && !first)
		r = store_run(store, error, "note a change", number, "");
	return MIN(r, 0);
}

/* -- Facts ---------------------------------------------------------------- */

/* Which facts tell what a node is for. */
static const struct {
	const char *prefix, *role;
} roles[] = {
	{ "qemu.", "compute" },
	{ "migration.", "compute" },
};

static int
put_host(struct store *store, const struct fact *fact, struct error *error)
{
	static const char sql[] = "INSERT INTO host VALUES (?1, ?2) ON CONFLICT DO NOTHING";
	const char *role = "";
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (starts_with(fact->kind, roles[i].prefix))
			role = roles[i].role;
	if (store->kept_host && streq(store->kept_host, fact->host) && store->kept_role == role)
		return 0;
	r = store_run(store, error, "keep a node", sql, "tt", fact->host, role);
	if (r >= 0 && !sqlite3_get_autocommit(store->db)) {
		free(store->kept_host);
		store->kept_host = xstrdup(fact->host);
		store->kept_role = role;
	}
	return r > 0 ? store_changed(store, "node", fact->host, error) : r;
}

static int
retract(struct store *store, const char *id, struct error *error)
{
	static const char fact[] = "DELETE FROM fact WHERE id = ?1";
	static const char samples[] = "DELETE FROM sample WHERE parent = ?1";
	int r = store_run(store, error, "retract a fact", fact, "t", id);
	int s = r < 0 ? r : store_run(store, error, "retract a fact", samples, "t", id);

	return s < 0 ? s : r;
}

static int
put_sample(struct store *store, const char *id, const struct fact *fact, const char *attributes,
	   struct error *error)
{
	static const char sql[] =
		"INSERT INTO sample VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE"
		" SET parent = excluded.parent, attributes = excluded.attributes"
		" WHERE (parent, attributes) IS NOT (excluded.parent, excluded.attributes)";

	return store_run(store, error, "keep a sample", sql, "ttttutt", id, fact->host, fact->kind,
			 fact->key, fact->start_ns, *fact->parent ? fact->parent : NULL,
			 attributes);
}

static uint64_t
time_member(const json_t *object, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 ? (uint64_t) value : 0;
}

/* For sides of a migration: when they connected, else when they began. */
static uint64_t
met_at(const struct fact *fact)
{
	uint64_t at_ns = time_member(fact->attributes, "connect_ns");

	if (fact->type != FACT_SPAN || (!streq(fact->kind, "migration.source") &&
					!streq(fact->kind, "migration.destination")))
		return 0;
	return at_ns ? at_ns : MAX(fact->start_ns, (uint64_t) 1);
}

static int
put_fact(struct store *store, const char *id, const struct fact *fact, const char *attributes,
	 struct error *error)
{
	/* A closed span stays closed when its beginning is told again, by a replay
	 * from the horizon; only what was given up as lost may come back. */
	static const char sql[] =
		"INSERT INTO fact VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
		" ?11) ON CONFLICT (id) DO UPDATE SET end_ns = excluded.end_ns,"
		" status = excluded.status, parent = excluded.parent,"
		" attributes = excluded.attributes, at_ns = excluded.at_ns"
		" WHERE (end_ns IS NULL OR excluded.end_ns IS NOT NULL OR status IS 'lost')"
		" AND (end_ns, status, parent, attributes) IS NOT"
		" (excluded.end_ns, excluded.status, excluded.parent, excluded.attributes)";

	return store_run(store, error, "keep a fact", sql,
			 "titttuztttz", id,
			 (int64_t) fact->type, fact->host, fact->kind, fact->key, fact->start_ns,
			 fact->end_ns, fact->status, *fact->parent ? fact->parent : NULL,
			 attributes, met_at(fact));
}

/* A service is told of by its windows; once for each, by that of all it did. */
static int
service_changed(struct store *store, const struct fact *fact, struct error *error)
{
	const char *name = json_string_value(json_object_get(fact->attributes, "service"));
	char id[256];

	if (!name)
		return 0;
	snprintf(id, sizeof id, "%.90s@%.160s", name, fact->host);
	if (store->told_service && streq(store->told_service, id))
		return 0;
	if (!sqlite3_get_autocommit(store->db)) {
		free(store->told_service);
		store->told_service = xstrdup(id);
	}
	return store_changed(store, "service", id, error);
}

int
store_put_fact(struct store *store, const struct fact *fact, struct error *error)
{
	char id[FACT_ID_SIZE], *attributes;
	struct fact span = *fact;
	int r;

	if (fact->type == FACT_RETRACT)
		span.type = FACT_SPAN;
	fact_id(&span, id);
	if (fact->type == FACT_RETRACT) {
		store_keep_span(store, id, NULL);
		return MIN(retract(store, id, error), 1);
	}
	attributes = store_text(fact->attributes);
	if (fact->type == FACT_WINDOW && streq(fact->kind, "sync"))
		r = store_put_sync(store, fact, error);
	else if (fact->type == FACT_WINDOW)
		r = store_put_window(store, fact, error);
	else if (fact->type == FACT_SAMPLE)
		r = put_sample(store, id, fact, attributes, error);
	else
		r = put_fact(store, id, fact, attributes, error);
	free(attributes);
	if (r > 0 && fact->type == FACT_SAMPLE && streq(fact->kind, "service.window"))
		r = service_changed(store, fact, error) < 0 ? -EIO : 1;
	if (r > 0 && fact->type != FACT_SAMPLE && fact->type != FACT_WINDOW)
		store_keep_span(store, id, fact->type == FACT_SPAN ? fact->attributes : NULL);
	if (r > 0 && fact->type != FACT_SAMPLE)
		r = store_put_refs(store, id, fact, error) < 0 ? -EIO : 1;
	if (r > 0 && fact->type != FACT_SAMPLE)
		r = put_host(store, fact, error) < 0 ? -EIO : 1;
	return MIN(r, 1);
}

/* -- Records -------------------------------------------------------------- */

static const char *
text_member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

int
store_put_migration(struct store *store, const char *id, const json_t *migration,
		    struct error *error)
{
	static const char forget[] = "DELETE FROM migration WHERE id = ?1";
	static const char sql[] =
		"INSERT INTO migration VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
		" ON CONFLICT (id) DO UPDATE SET source_id = excluded.source_id,"
		" destination_id = excluded.destination_id, source = excluded.source,"
		" destination = excluded.destination, status = excluded.status,"
		" start_ns = excluded.start_ns, end_ns = excluded.end_ns,"
		" vm_uuid = excluded.vm_uuid, vm_name = excluded.vm_name, loose = excluded.loose,"
		" doc = excluded.doc WHERE doc IS NOT excluded.doc";
	const json_t *vm = json_object_get(migration, "vm");
	const json_t *evidence = json_object_get(migration, "evidence");
	const char *status = text_member(migration, "status");
	const char *joined = text_member(evidence, "joined_by");
	char *doc;
	int r;

	if (!migration) {
		r = store_run(store, error, "forget a migration", forget, "t", id);
	} else {
		doc = store_text(migration);
		r = store_run(store, error, "keep a migration", sql,
			      "ttttttuzttit", id, text_member(migration, "source_id"),
			      text_member(migration, "destination_id"),
			      text_member(migration, "source"),
			      text_member(migration, "destination"), status ? status : "lost",
			      time_member(migration, "start_ns"), time_member(migration, "end_ns"),
			      text_member(vm, "uuid"), text_member(vm, "name"),
			      (int64_t) (!joined || strstr(joined, "duration")), doc);
		free(doc);
	}
	if (r > 0) {
		r = store_changed(store, "migration", id, error);
		if (!r && migration)
			r = store_unsettle(store, "migration", id, error);
	}
	return MIN(r, 0);
}

int
store_put_alert(struct store *store, const char *id, const json_t *alert, struct error *error)
{
	static const char forget[] = "DELETE FROM alert WHERE id = ?1";
	/* An alert that ended after it was told to have begun is told once more. */
	static const char sql[] =
		"INSERT INTO alert VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10)"
		" ON CONFLICT (id) DO UPDATE SET severity = excluded.severity,"
		" subject = excluded.subject, start_ns = excluded.start_ns,"
		" end_ns = excluded.end_ns, due_ns = CASE WHEN excluded.due_ns IS NULL THEN NULL"
		" ELSE coalesce(due_ns, excluded.due_ns) END,"
		" told = CASE WHEN told = 2 AND excluded.end_ns IS NULL THEN 0 ELSE told END,"
		" doc = excluded.doc WHERE doc IS NOT excluded.doc"
		" OR (due_ns IS NULL) IS NOT (excluded.due_ns IS NULL)";
	json_t *copy;
	char *doc;
	int r;

	if (!alert) {
		r = store_run(store, error, "forget an alert", forget, "t", id);
	} else {
		copy = json_copy((json_t *) (uintptr_t) alert);
		json_object_del(copy, "due_ns");
		json_object_del(copy, "live");
		doc = store_text(copy);
		json_decref(copy);
		r = store_run(store, error, "keep an alert", sql, "ttttuzuzit", id,
			      text_member(alert, "rule"), text_member(alert, "severity"),
			      text_member(alert, "subject"), time_member(alert, "start_ns"),
			      time_member(alert, "end_ns"), clock_wall_ns(),
			      time_member(alert, "due_ns"),
			      (int64_t) json_is_true(json_object_get(alert, "live")), doc);
		free(doc);
	}
	if (r > 0)
		r = store_changed(store, "alert", id, error);
	return MIN(r, 0);
}

/* -- Sources and counters ------------------------------------------------- */

/* Whether watchers care: not for figures that always move. */
static bool
source_differs(struct store *store, const struct store_source *source)
{
	static const char sql[] =
		"SELECT 1 FROM source WHERE (host, relayd, session) = (?1, ?2, ?3)"
		" AND (state, text, lost_events) IS (?4, ?5, ?6)";
	sqlite3_stmt *stmt = store_query(store, sql, "tttttu", source->host, source->relayd,
					 source->session, source->state, source->text,
					 source->lost_events);
	bool same = stmt && sqlite3_step(stmt) == SQLITE_ROW;

	store_done(store, stmt, NULL, "read a source");
	return !same;
}

int
store_put_source(struct store *store, const struct store_source *source, struct error *error)
{
	static const char sql[] =
		"INSERT INTO source VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
		" ON CONFLICT DO UPDATE SET state = excluded.state, text = excluded.text,"
		" events = excluded.events, lost_events = excluded.lost_events,"
		" late_events = excluded.late_events, last_event_ns = excluded.last_event_ns,"
		" lag_ns = excluded.lag_ns, seen_ns = excluded.seen_ns";
	bool differs = source_differs(store, source);
	int r = store_run(store, error, "keep a source", sql, "tttttuuuzuu", source->host,
			  source->relayd, source->session, source->state, source->text,
			  source->events, source->lost_events, source->late_events,
			  source->last_event_ns, source->lag_ns, source->seen_ns);

	if (r >= 0 && differs)
		r = store_changed(store, "node", source->host, error);
	return MIN(r, 0);
}

int
store_put_counter(struct store *store, const char *scope, const char *name, uint64_t value,
		  struct error *error)
{
	static const char sql[] = "INSERT INTO counter VALUES (?1, ?2, ?3)"
				  " ON CONFLICT DO UPDATE SET value = excluded.value"
				  " WHERE value IS NOT excluded.value";
	int r = store_run(store, error, "keep a counter", sql, "ttu", scope, name, value);

	return MIN(r, 0);
}
