/* SPDX-License-Identifier: MIT
 *
 * store_answers.c -- what clients ask for: lists, one thing, figures. */
#include "daemon/store_internal.h"

#include <errno.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/clock.h"

enum {
	DEFAULT_LIMIT = 1000,
	MAX_SAMPLES = 2000,      /* Of a curve in one answer; more are thinned out. */
	MAX_CANDIDATES = 8,      /* Named when a prefix is not unique. */
};

static const struct store_filter no_filter;

static json_t *
answer_or_null(struct store *store, json_t *answer, sqlite3_stmt *stmt, struct error *error,
	       const char *what)
{
	if (store_done(store, stmt, error, what)) {
		json_decref(answer);
		return NULL;
	}
	return answer;
}

/* -- Migrations ----------------------------------------------------------- */

json_t *
store_migration_list(struct store *store, const struct store_filter *filter, struct error *error)
{
	static const char sql[] =
		"SELECT doc FROM migration WHERE (?1 IS NULL OR coalesce(end_ns, ?1) >= ?1)"
		" AND (?2 IS NULL OR start_ns <= ?2) AND (?3 IS NULL OR status = ?3)"
		" AND (?4 IS NULL OR ?4 IN (source, destination))"
		" AND (?5 IS NULL OR ?5 IN (vm_uuid, vm_name))"
		" ORDER BY start_ns DESC, id LIMIT ?6";
	const struct store_filter *f = filter ? filter : &no_filter;
	sqlite3_stmt *stmt = store_query(store, sql, "zztttu", f->since_ns, f->until_ns, f->status,
					 f->host, f->vm,
					 (uint64_t) (f->limit ? f->limit : DEFAULT_LIMIT));
	json_t *list = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(list, store_column_json(stmt, 0));
	return answer_or_null(store, list, stmt, error, "list the migrations");
}

/* The curve of pending memory, thinned to MAX_SAMPLES points. */
static json_t *
samples_json(struct store *store, const char *side_id)
{
	static const char count[] = "SELECT count(*) FROM sample WHERE parent = ?1"
				    " AND kind = 'migration.pending'";
	static const char sql[] = "SELECT t_ns, attributes FROM sample WHERE parent = ?1"
				  " AND kind = 'migration.pending' ORDER BY t_ns, id";
	static const char *const names[] = { "remaining_bytes", "dirty_pages", "sent_bytes" };
	json_t *samples = json_array();
	int64_t n = 0, i = 0, step;
	sqlite3_stmt *stmt = store_query(store, count, "t", side_id);

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		n = sqlite3_column_int64(stmt, 0);
	store_done(store, stmt, NULL, "read samples");
	step = n / MAX_SAMPLES + 1;
	stmt = store_query(store, sql, "t", side_id);
	for (; stmt && sqlite3_step(stmt) == SQLITE_ROW; i++) {
		json_t *point, *attributes;

		if (i % step && i != n - 1)
			continue;
		point = json_array();
		attributes = store_column_json(stmt, 1);
		json_array_append_new(point, store_column_integer(stmt, 0));
		for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
			json_t *value = json_object_get(attributes, names[k]);

			json_array_append(point, json_is_number(value) ? value : json_null());
		}
		json_array_append_new(samples, point);
		json_decref(attributes);
	}
	store_done(store, stmt, NULL, "read samples");
	return samples;
}

/* The one record that 'sql' finds.  -ENOTUNIQ with the candidates when there
 * are several and 'unique' is asked for. */
static int
find_one(struct store *store, const char *sql, const char *id, bool unique, json_t **ret,
	 struct error *error)
{
	sqlite3_stmt *stmt = store_query(store, sql, "t", id);
	_cleanup_(buf_done) struct buf names = { 0 };
	json_t *found = NULL;
	unsigned n = 0;
	int r;

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		if (!n)
			found = store_column_json(stmt, 1);
		buf_printf(&names, "%s%s", n ? ", " : "", store_column_string(stmt, 0));
		if (++n == MAX_CANDIDATES || !unique)
			break;
	}
	r = store_done(store, stmt, error, "look for a migration");
	if (!r && n > 1)
		r = error_set(error, ENOTUNIQ,
			      "\"%s\" is the beginning of several migrations: %s%s", id, names.data,
			      n == MAX_CANDIDATES ? "..." : "");
	if (r) {
		json_decref(found);
		return r;
	}
	*ret = found;
	return 0;
}

json_t *
store_migration_show(struct store *store, const char *id, struct error *error)
{
	static const struct {
		bool unique;
		const char *sql;
	} ways[] = {
		{ true, "SELECT id, doc FROM migration WHERE id = ?1" },
		{ true,
		  "SELECT id, doc FROM migration WHERE source_id = ?1 OR destination_id = ?1" },
		{ true,
		  "SELECT id, doc FROM migration WHERE id BETWEEN ?1 AND ?1 || char(127)"
		  " OR source_id BETWEEN ?1 AND ?1 || char(127)"
		  " OR destination_id BETWEEN ?1 AND ?1 || char(127) ORDER BY start_ns DESC, id" },
		{ false, "SELECT id, doc FROM migration WHERE vm_uuid = ?1"
			 " ORDER BY start_ns DESC, id" },
		{ false, "SELECT id, doc FROM migration WHERE vm_name = ?1"
			 " ORDER BY start_ns DESC, id" },
	};
	json_t *migration = NULL;
	const char *side;

	for (size_t i = 0; i < ARRAY_SIZE(ways) && !migration && *id; i++)
		if (find_one(store, ways[i].sql, id, ways[i].unique, &migration, error))
			return NULL;
	if (!json_is_object(migration)) {
		json_decref(migration);
		error_set(error, ENOENT, "no migration is known by \"%s\"", id);
		return NULL;
	}
	side = json_string_value(json_object_get(migration, "source_id"));
	if (!side)
		side = json_string_value(json_object_get(migration, "destination_id"));
	json_object_set_new(migration, "samples", samples_json(store, side ? side : ""));
	return migration;
}

/* -- Alerts --------------------------------------------------------------- */

json_t *
store_alert_json(sqlite3_stmt *stmt, int doc_column, int seen_column, uint64_t now_ns)
{
	json_t *alert = store_column_json(stmt, doc_column);
	json_t *end = json_object_get(alert, "end_ns");
	bool over = json_is_integer(end) && (uint64_t) json_integer_value(end) <= now_ns;

	json_object_set_new(alert, "state", json_string(over ? "resolved" : "firing"));
	json_object_set_new(alert, "seen_ns", store_column_integer(stmt, seen_column));
	return alert;
}

json_t *
store_alert_list(struct store *store, const struct store_filter *filter, struct error *error)
{
	static const char sql[] =
		"SELECT doc, seen_ns FROM alert WHERE (?1 IS NULL OR coalesce(end_ns, ?1) >= ?1)"
		" AND (?2 IS NULL OR start_ns <= ?2) AND (?3 IS NULL OR severity = ?3)"
		" AND (?4 IS NULL OR rule = ?4) AND coalesce(due_ns, 0) <= ?5"
		" AND (?6 IS NULL OR ?6 = CASE WHEN end_ns <= ?5 THEN 'resolved' ELSE 'firing' END)"
		" AND (?8 IS NULL OR ?8 = json_extract(doc, '$.host') OR EXISTS (SELECT 1"
		" FROM migration m WHERE m.id = subject AND ?8 IN (m.source, m.destination)))"
		" AND (?9 IS NULL OR EXISTS (SELECT 1 FROM migration m WHERE m.id = subject"
		" AND ?9 IN (m.vm_uuid, m.vm_name)))"
		" ORDER BY start_ns DESC, id LIMIT ?7";
	const struct store_filter *f = filter ? filter : &no_filter;
	uint64_t now_ns = clock_wall_ns();
	sqlite3_stmt *stmt = store_query(store, sql, "zzttututt", f->since_ns, f->until_ns,
					 f->severity, f->rule, now_ns, f->state,
					 (uint64_t) (f->limit ? f->limit : DEFAULT_LIMIT), f->host,
					 f->vm);
	json_t *list = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(list, store_alert_json(stmt, 0, 1, now_ns));
	return answer_or_null(store, list, stmt, error, "list the alerts");
}

json_t *
store_alert_show(struct store *store, const char *id, struct error *error)
{
	static const char sql[] = "SELECT doc, seen_ns FROM alert WHERE id = ?1"
				  " AND coalesce(due_ns, 0) <= ?2";
	const uint64_t now_ns = clock_wall_ns();
	sqlite3_stmt *stmt = store_query(store, sql, "tu", id, now_ns);
	json_t *alert = NULL;

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		alert = store_alert_json(stmt, 0, 1, now_ns);
	if (store_done(store, stmt, error, "read an alert")) {
		json_decref(alert);
		return NULL;
	}
	if (!alert)
		error_set(error, ENOENT, "no alert has the id \"%s\"", id);
	return alert;
}

int
store_alerts_untold(struct store *store, uint64_t now_ns,
		    void (*alert)(void *context, const json_t *alert), void *context,
		    struct error *error)
{
	static const char find[] =
		"SELECT doc, seen_ns FROM alert WHERE told < 2 AND coalesce(due_ns, 0) <= ?1"
		" AND (told = 0 OR end_ns <= ?1) ORDER BY start_ns, id";
	static const char told[] = "UPDATE alert SET told = ?2 WHERE id = ?1";
	sqlite3_stmt *stmt = store_query(store, find, "u", now_ns);
	json_t *list = json_array(), *one;
	size_t i;
	int r;

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(list, store_alert_json(stmt, 0, 1, now_ns));
	r = store_done(store, stmt, error, "look for new alerts");
	json_array_foreach(list, i, one) {
		const char *id = json_string_value(json_object_get(one, "id"));
		const char *state = json_string_value(json_object_get(one, "state"));
		bool over = streq(state, "resolved");

		if (r || !id)
			break;
		r = store_run(store, error, "note an alert as told", told, "ti", id,
			      (int64_t) (over ? 2 : 1));
		/* The end comes by the clock alone, too: watchers have to hear of it. */
		if (r >= 0)
			r = store_changed(store, "alert", id, error);
		if (!r && alert)
			alert(context, one);
	}
	json_decref(list);
	return r;
}

/* -- Nodes ---------------------------------------------------------------- */

static json_t *
node_sources(struct store *store, const char *host)
{
	static const char sql[] =
		"SELECT relayd, session, state, text, events, lost_events, late_events,"
		" last_event_ns, lag_ns, seen_ns FROM source WHERE host = ?1"
		" ORDER BY relayd, session";
	static const char *const names[] = {
		"relayd", "session", "state", "text", "events", "lost_events", "late_events",
		"last_event_ns", "lag_ns", "seen_ns",
	};
	sqlite3_stmt *stmt = store_query(store, sql, "t", host);
	json_t *sources = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		json_t *source = json_object();

		for (int i = 0; i < (int) ARRAY_SIZE(names); i++)
			json_object_set_new(source, names[i], i < 4 ? store_column_text(stmt, i) :
					    store_column_integer(stmt, i));
		json_array_append_new(sources, source);
	}
	store_done(store, stmt, NULL, "read the sources");
	return sources;
}

static json_t *
node_json(struct store *store, const char *host)
{
	static const char sql[] = "SELECT role FROM host WHERE host = ?1 AND role <> ''"
				  " ORDER BY role";
	sqlite3_stmt *stmt = store_query(store, sql, "t", host);
	json_t *names = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(names, store_column_text(stmt, 0));
	store_done(store, stmt, NULL, "read the roles");
	return json_pack("{s:o, s:o, s:o, s:{s:n, s:n, s:n, s:n}}", "host", store_string(host),
			 "roles", names, "sources", node_sources(store, host), "clock", "reference",
			 "offset_ns", "error_ns", "drift_ppm");
}

json_t *
store_node(struct store *store, const char *host)
{
	return node_json(store, host);
}

json_t *
store_node_list(struct store *store, struct error *error)
{
	static const char sql[] = "SELECT host FROM host UNION SELECT host FROM source ORDER BY 1";
	sqlite3_stmt *stmt = store_query(store, sql, "");
	json_t *list = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(list, node_json(store, store_column_string(stmt, 0)));
	return answer_or_null(store, list, stmt, error, "list the nodes");
}

bool
store_is_host(struct store *store, const char *host)
{
	static const char sql[] = "SELECT 1 FROM host WHERE host = ?1 UNION ALL"
				  " SELECT 1 FROM source WHERE host = ?1";
	sqlite3_stmt *stmt = store_query(store, sql, "t", host);
	const bool found = stmt && sqlite3_step(stmt) == SQLITE_ROW;

	store_done(store, stmt, NULL, "look for a node");
	return found;
}

uint64_t
store_newest_ns(struct store *store)
{
	static const char sql[] = "SELECT coalesce((SELECT max(last_event_ns) FROM source),"
				  " (SELECT max(start_ns) FROM request),"
				  " (SELECT max(start_ns) FROM migration), 0)";
	sqlite3_stmt *stmt = store_query(store, sql, "");
	uint64_t newest_ns = 0;

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		newest_ns = (uint64_t) sqlite3_column_int64(stmt, 0);
	store_done(store, stmt, NULL, "read the time");
	return newest_ns;
}

json_t *
store_item(struct store *store, const char *topic, const char *id)
{
	static const char sql[] = "SELECT doc, seen_ns FROM alert WHERE id = ?1"
				  " AND coalesce(due_ns, 0) <= ?2";
	static const char known[] = "SELECT 1 FROM host WHERE host = ?1 UNION ALL"
				    " SELECT 1 FROM source WHERE host = ?1";
	uint64_t now_ns = clock_wall_ns();
	json_t *item = NULL;
	sqlite3_stmt *stmt;
	bool found;

	if (streq(topic, "migration"))
		return store_migration(store, id);
	if (streq(topic, "flow"))
		return store_flow_item(store, id);
	if (streq(topic, "vm"))
		return store_thing(store, topic, id);
	if (streq(topic, "service"))
		return store_service_show(store, id, &no_filter, NULL);
	stmt = streq(topic, "alert") ? store_query(store, sql, "tu", id, now_ns) :
				       store_query(store, known, "t", id);
	found = stmt && sqlite3_step(stmt) == SQLITE_ROW;
	if (found && streq(topic, "alert"))
		item = store_alert_json(stmt, 0, 1, now_ns);
	store_done(store, stmt, NULL, "read an item");
	return found && streq(topic, "node") ? node_json(store, id) : item;
}

/* -- Figures -------------------------------------------------------------- */

/* {"NAME": count}, from rows of name and count. */
static json_t *
counts_json(struct store *store, const char *sql, uint64_t now_ns)
{
	sqlite3_stmt *stmt = store_query(store, sql, "u", now_ns);
	json_t *counts = json_object();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_object_set_new(counts, store_column_string(stmt, 0),
				    store_column_integer(stmt, 1));
	store_done(store, stmt, NULL, "count");
	return counts;
}

static json_t *
counters_json(struct store *store)
{
	static const char sql[] = "SELECT scope, name, value FROM counter ORDER BY scope, name";
	sqlite3_stmt *stmt = store_query(store, sql, "");
	json_t *counters = json_object(), *scope;

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		scope = json_object_get(counters, store_column_string(stmt, 0));
		if (!scope) {
			json_object_set_new(counters, store_column_string(stmt, 0), json_object());
			scope = json_object_get(counters, store_column_string(stmt, 0));
		}
		json_object_set_new(scope, store_column_string(stmt, 1),
				    store_column_integer(stmt, 2));
	}
	store_done(store, stmt, NULL, "read the counters");
	return counters;
}

static json_t *
file_json(struct store *store)
{
	static const char sql[] = "SELECT page_count * page_size, (SELECT user_version FROM"
				  " pragma_user_version) FROM pragma_page_count, pragma_page_size";
	sqlite3_stmt *stmt = store_query(store, sql, "");
	json_t *file = json_object();

	json_object_set_new(file, "path", store_string(store->path));
	if (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		json_object_set_new(file, "bytes", store_column_integer(stmt, 0));
		json_object_set_new(file, "version", store_column_integer(stmt, 1));
	}
	store_done(store, stmt, NULL, "read its size");
	return file;
}

json_t *
store_summary(struct store *store, struct error *error)
{
	/* A node is as well as the worst of its sources; a session that was ended
	 * says nothing against it. */
	static const char nodes[] =
		"WITH rank (state, n) AS (VALUES ('gone', 0), ('live', 1), ('busy', 2),"
		" ('behind', 3), ('silent', 4), ('lost', 5)),"
		" worst (host, n) AS (SELECT h.host, max(coalesce(n, -1))"
		" FROM (SELECT host FROM host UNION SELECT host FROM source) h LEFT JOIN source s"
		" USING (host) LEFT JOIN rank r ON r.state = s.state GROUP BY h.host)"
		" SELECT coalesce(r.state, 'none'), count(*) FROM worst LEFT JOIN rank r USING (n)"
		" GROUP BY 1";
	static const char statuses[] = "SELECT status, count(*) FROM migration GROUP BY status";
	static const char alerts[] =
		"SELECT CASE WHEN end_ns <= ?1 THEN 'resolved' ELSE severity END, count(*)"
		" FROM alert WHERE coalesce(due_ns, 0) <= ?1 GROUP BY 1";
	uint64_t now_ns = clock_wall_ns();

	if (store_exec(store, "SELECT 1 FROM migration LIMIT 1", error, "read it"))
		return NULL;
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "nodes", counts_json(store, nodes, now_ns),
			 "migrations", counts_json(store, statuses, now_ns), "alerts",
			 counts_json(store, alerts, now_ns), "counters", counters_json(store),
			 "store", file_json(store));
}
