/* SPDX-License-Identifier: MIT
 *
 * store_alerts.c -- what waits to be delivered, silences, and the hits of rules
 * that count. */
#include "daemon/store_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/clock.h"

/* -- Delivery ------------------------------------------------------------- */

static int
drop_oldest(struct store *store, const char *receiver, uint64_t max, struct error *error)
{
	static const char sql[] =
		"DELETE FROM delivery WHERE NOT done AND receiver = ?1 AND seq <= (SELECT seq"
		" FROM delivery WHERE NOT done AND receiver = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)";
	static const char count[] =
		"INSERT INTO counter VALUES ('delivery', 'dropped_' || ?1, ?2)"
		" ON CONFLICT DO UPDATE SET value = value + excluded.value";
	int r = store_run(store, error, "shorten a queue", sql, "tu", receiver, max);

	if (r > 0)
		r = store_run(store, error, "count what was dropped", count, "ti", receiver,
			      (int64_t) r);
	return MIN(r, 0);
}

int
store_queue(struct store *store, const char *receiver, const char *id, const json_t *doc,
	    uint64_t max, struct error *error)
{
	static const char sql[] = "INSERT INTO delivery (receiver, id, doc, queued_ns, done)"
				  " VALUES (?1, ?2, ?3, ?4, 0)";
	char *text = store_text(doc);
	int r = store_run(store, error, "queue a delivery", sql, "tttu", receiver, id,
			  text ? text : "null", clock_wall_ns());

	free(text);
	return r < 0 ? r : drop_oldest(store, receiver, max, error);
}

bool
store_is_queued(struct store *store, const char *receiver, const char *id)
{
	static const char waits[] = "SELECT 1 FROM delivery WHERE NOT done AND receiver = ?1 AND id = ?2";
	static const char done[] = "SELECT 1 FROM delivery WHERE done AND receiver = ?1 AND id = ?2";
	bool found = false;

	for (unsigned i = 0; i < 2 && !found; i++) {
		sqlite3_stmt *stmt = store_query(store, i ? waits : done, "tt", receiver, id);

		found = stmt && sqlite3_step(stmt) == SQLITE_ROW;
		store_done(store, stmt, NULL, "look for a delivery");
	}
	return found;
}

json_t *
store_queued(struct store *store, const char *receiver, uint64_t after, unsigned limit,
	     struct error *error)
{
	static const char sql[] = "SELECT seq, id, doc, queued_ns FROM delivery WHERE NOT done"
				  " AND receiver = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
	sqlite3_stmt *stmt = store_query(store, sql, "tui", receiver, after, (int64_t) limit);
	json_t *list = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o}", "seq",
						      store_column_integer(stmt, 0), "id",
						      store_column_text(stmt, 1), "doc",
						      store_column_json(stmt, 2), "queued_ns",
						      store_column_integer(stmt, 3)));
	if (!store_done(store, stmt, error, "read what is to be delivered"))
		return list;
	json_decref(list);
	return NULL;
}

int
store_unqueue(struct store *store, uint64_t seq, bool keep, struct error *error)
{
	static const char forget[] = "DELETE FROM delivery WHERE seq = ?1";
	static const char mark[] = "UPDATE delivery SET done = 1, doc = 'null' WHERE seq = ?1";
	int r = keep ? store_run(store, error, "note a delivery", mark, "u", seq) :
		store_run(store, error, "note a delivery", forget, "u", seq);

	return MIN(r, 0);
}

json_t *
store_kept(struct store *store, const char *receiver, unsigned limit, struct error *error)
{
	static const char sql[] = "SELECT id, seq FROM delivery WHERE done AND receiver = ?1"
				  " ORDER BY seq LIMIT ?2";
	sqlite3_stmt *stmt = store_query(store, sql, "ti", receiver, (int64_t) limit);
	json_t *kept = json_object();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_object_set_new(kept, store_column_string(stmt, 0), store_column_integer(stmt, 1));
	if (!store_done(store, stmt, error, "read what was delivered"))
		return kept;
	json_decref(kept);
	return NULL;
}

/* -- Silences ------------------------------------------------------------- */

int
store_put_silence(struct store *store, const char *id, const json_t *silence, struct error *error)
{
	static const char forget[] = "DELETE FROM silence WHERE id = ?1";
	static const char sql[] = "INSERT OR REPLACE INTO silence VALUES (?1, ?2, ?3)";
	json_int_t end_ns = json_integer_value(json_object_get(silence, "end_ns"));
	char *text;
	int r;

	if (!silence) {
		r = store_run(store, error, "forget a silence", forget, "t", id);
	} else {
		text = store_text(silence);
		r = store_run(store, error, "keep a silence", sql, "tit", id, (int64_t) end_ns, text);
		free(text);
	}
	return MIN(r, 0);
}

json_t *
store_silences(struct store *store, uint64_t now_ns, struct error *error)
{
	static const char sql[] = "SELECT doc FROM silence WHERE end_ns > ?1 ORDER BY end_ns, id LIMIT 1000";
	sqlite3_stmt *stmt = store_query(store, sql, "u", now_ns);
	json_t *list = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(list, store_column_json(stmt, 0));
	if (!store_done(store, stmt, error, "read the silences"))
		return list;
	json_decref(list);
	return NULL;
}

/* -- Hits ----------------------------------------------------------------- */

int
store_put_hit(struct store *store, const char *rule, const char *subject, uint64_t t_ns,
	      const char *id, struct error *error)
{
	static const char sql[] = "INSERT INTO alert_hit VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
	int r = store_run(store, error, "count for a rule", sql, "ttut", rule, subject, t_ns, id);

	return MIN(r, 0);
}

json_t *
store_drop_hits(struct store *store, const char *id, struct error *error)
{
	static const char find[] = "SELECT rule, subject, t_ns FROM alert_hit WHERE id = ?1";
	static const char forget[] = "DELETE FROM alert_hit WHERE id = ?1";
	sqlite3_stmt *stmt = store_query(store, find, "t", id);
	json_t *list = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "rule",
						      store_column_text(stmt, 0), "subject",
						      store_column_text(stmt, 1), "t_ns",
						      store_column_integer(stmt, 2)));
	if (!store_done(store, stmt, error, "read what a rule counted") &&
	    (!json_array_size(list) ||
	     store_run(store, error, "forget what a rule counted", forget, "t", id) >= 0))
		return list;
	json_decref(list);
	return NULL;
}

json_t *
store_hits(struct store *store, const char *rule, const char *subject, uint64_t from_ns,
	   uint64_t to_ns, unsigned limit, struct error *error)
{
	static const char sql[] = "SELECT t_ns FROM alert_hit WHERE rule = ?1 AND subject = ?2"
				  " AND t_ns BETWEEN ?3 AND ?4 ORDER BY t_ns LIMIT ?5";
	sqlite3_stmt *stmt = store_query(store, sql, "ttuui", rule, subject, from_ns, to_ns,
					 (int64_t) limit);
	json_t *list = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(list, store_column_integer(stmt, 0));
	if (!store_done(store, stmt, error, "read what a rule counted"))
		return list;
	json_decref(list);
	return NULL;
}

static uint64_t
first_time(struct store *store, sqlite3_stmt *stmt)
{
	uint64_t t_ns = 0;

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		t_ns = (uint64_t) sqlite3_column_int64(stmt, 0);
	store_done(store, stmt, NULL, "read what a rule counted");
	return t_ns;
}

uint64_t
store_hit_before(struct store *store, const char *rule, const char *subject, uint64_t t_ns)
{
	static const char sql[] = "SELECT t_ns FROM alert_hit WHERE rule = ?1 AND subject = ?2"
				  " AND t_ns < ?3 ORDER BY t_ns DESC LIMIT 1";

	return first_time(store, store_query(store, sql, "ttu", rule, subject, t_ns));
}

uint64_t
store_hit_after(struct store *store, const char *rule, const char *subject, uint64_t t_ns)
{
	static const char sql[] = "SELECT t_ns FROM alert_hit WHERE rule = ?1 AND subject = ?2"
				  " AND t_ns > ?3 ORDER BY t_ns LIMIT 1";

	return first_time(store, store_query(store, sql, "ttu", rule, subject, t_ns));
}

/* -- Alerts --------------------------------------------------------------- */

int
store_drop_alerts(struct store *store, const char *rule, const char *subject, uint64_t from_ns,
		  uint64_t to_ns, const json_t *ids, struct error *error)
{
	static const char sql[] = "SELECT id FROM alert WHERE rule = ?1 AND subject = ?2"
				  " AND start_ns BETWEEN ?3 AND ?4";
	sqlite3_stmt *stmt = store_query(store, sql, "ttuu", rule, subject, from_ns, to_ns);
	json_t *gone = json_array(), *id;
	size_t i;
	int r;

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		if (!json_object_get(ids, store_column_string(stmt, 0)))
			json_array_append_new(gone, store_column_text(stmt, 0));
	r = store_done(store, stmt, error, "read alerts");
	json_array_foreach(gone, i, id)
		if (!r)
			r = store_put_alert(store, json_string_value(id), NULL, error);
	json_decref(gone);
	return r;
}

json_t *
store_alerts_recent(struct store *store, uint64_t since_ns, struct error *error)
{
	static const char sql[] =
		"SELECT doc, seen_ns FROM alert WHERE (end_ns IS NULL OR end_ns > ?1)"
		" AND coalesce(due_ns, 0) <= ?2 ORDER BY start_ns, id LIMIT 10000";
	uint64_t now_ns = clock_wall_ns();
	sqlite3_stmt *stmt = store_query(store, sql, "uu", since_ns, now_ns);
	json_t *list = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(list, store_alert_json(stmt, 0, 1, now_ns));
	if (!store_done(store, stmt, error, "read alerts"))
		return list;
	json_decref(list);
	return NULL;
}

int
store_forget_alerts(struct store *store, struct error *error)
{
	return store_exec(store, "DELETE FROM alert; DELETE FROM alert_hit;", error, "forget the alerts");
}

/* -- Judging anew --------------------------------------------------------- */

static int
give_row(sqlite3_stmt *stmt, int (*give)(void *context, const struct fact *fact, struct error *error),
	 void *context, struct error *error)
{
	struct fact fact = {
		.type = (enum fact_type) sqlite3_column_int(stmt, 0),
		.host = store_column_string(stmt, 1),
		.start_ns = (uint64_t) sqlite3_column_int64(stmt, 4),
		.end_ns = (uint64_t) sqlite3_column_int64(stmt, 5),
		.attributes = store_column_json(stmt, 7),
	};
	_cleanup_(freep) char *kind = xstrdup(store_column_string(stmt, 2));
	_cleanup_(freep) char *status = xstrdup(store_column_string(stmt, 6));
	int r;

	fact.kind = kind;
	fact.status = *status ? status : NULL;
	snprintf(fact.key, sizeof fact.key, "%s", store_column_string(stmt, 3));
	r = give(context, &fact, error);
	json_decref(fact.attributes);
	return r;
}

int
store_each_fact(struct store *store,
		int (*give)(void *context, const struct fact *fact, struct error *error),
		void *context, struct error *error)
{
	static const char facts[] = "SELECT type, host, kind, key, start_ns, end_ns, status, attributes"
				    " FROM fact ORDER BY start_ns, id";
	sqlite3_stmt *stmt = store_query(store, facts, "");
	int r = 0, done;

	while (stmt && !r && sqlite3_step(stmt) == SQLITE_ROW)
		r = give_row(stmt, give, context, error);
	done = store_done(store, stmt, error, "read the facts");
	return r ? r : done;
}

int
store_copy(const char *path, const char *to, struct error *error)
{
	struct store *store;
	sqlite3_backup *backup = NULL;
	sqlite3 *copy = NULL;
	int r = store_open(path, STORE_READ, &store, error), code;

	if (r)
		return r;
	code = sqlite3_open_v2(to, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (code == SQLITE_OK)
		backup = sqlite3_backup_init(copy, "main", store->db, "main");
	if (backup)
		sqlite3_backup_step(backup, -1);
	code = backup ? sqlite3_backup_finish(backup) : SQLITE_CANTOPEN;
	if (code != SQLITE_OK)
		r = error_set(error, EIO, "%s: cannot be copied to %s: %s", path, to, sqlite3_errstr(code));
	sqlite3_close(copy);
	store_close(store);
	return r;
}
