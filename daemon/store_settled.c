/* SPDX-License-Identifier: MIT
 *
 * store_settled.c -- answers that are kept because the windows they came from are not
 * (settle.h), and which migrations and requests have all of theirs. */
#include "daemon/store_internal.h"

#include <errno.h>
#include <stdlib.h>

void
store_settle(struct store *store, struct store_settling *settling)
{
	store->settling = settling;
}

struct store_settling *
store_settling(const struct store *store)
{
	return store->settling;
}

json_t *
store_settled(struct store *store, const char *question)
{
	static const char sql[] = "SELECT doc FROM settled WHERE question = ?1";
	sqlite3_stmt *stmt = store_query(store, sql, "t", question);
	json_t *answer = NULL;

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		answer = store_column_json(stmt, 0);
	store_done(store, stmt, NULL, "read what was settled");
	return answer;
}

int
store_put_settled(struct store *store, const char *question, const json_t *answer,
		  struct error *error)
{
	static const char sql[] =
		"INSERT INTO settled (question, keep_ns, doc) VALUES (?1, ?2, ?3) ON CONFLICT (question)"
		" DO UPDATE SET keep_ns = max(keep_ns, excluded.keep_ns)";
	/* As it would be given: its members in their order. */
	char *doc = answer ? json_dumps(answer, JSON_COMPACT | JSON_ENCODE_ANY) : xstrdup("null");
	int r;

	if (!doc)
		return error_set(error, ENOMEM, "an answer can't be written as JSON");
	r = store_run(store, error, "settle an answer", sql, "tut", question,
		      store->settling ? store->settling->keep_ns : 0, doc);
	free(doc);
	return MIN(r, 0);
}

int
store_put_settled_owner(struct store *store, const char *topic, const char *id, uint64_t end_ns,
			struct error *error)
{
	static const char sql[] = "INSERT INTO settled_owner VALUES (?1, ?2, ?3)"
				  " ON CONFLICT DO UPDATE SET end_ns = excluded.end_ns";
	int r = store_run(store, error, "note it as settled", sql, "ttu", topic, id, end_ns);

	return MIN(r, 0);
}

int
store_unsettle(struct store *store, const char *topic, const char *id, struct error *error)
{
	static const char sql[] = "DELETE FROM settled_owner WHERE (topic, id) = (?1, ?2)";
	int r = store_run(store, error, "note it as not settled", sql, "tt", topic, id);

	return MIN(r, 0);
}

bool
store_fine_windows(struct store *store, uint64_t *ret_oldest_ns, uint64_t *ret_newest_ns)
{
	static const char sql[] = "SELECT (SELECT min(end_ns) FROM window WHERE level = 0),"
				  " (SELECT max(end_ns) FROM window WHERE level = 0)";
	sqlite3_stmt *stmt = store_query(store, sql, "");
	bool found = stmt && sqlite3_step(stmt) == SQLITE_ROW &&
		     sqlite3_column_type(stmt, 0) != SQLITE_NULL;

	if (found) {
		*ret_oldest_ns = (uint64_t) sqlite3_column_int64(stmt, 0);
		*ret_newest_ns = (uint64_t) sqlite3_column_int64(stmt, 1);
	}
	store_done(store, stmt, NULL, "read windows");
	return found;
}

json_t *
store_unsettled(struct store *store, uint64_t from_ns, uint64_t before_ns, unsigned limit,
		struct error *error)
{
	/* Queries, and what was over in no time, are not worth it. */
	static const char sql[] =
		"SELECT topic, id, start_ns, end_ns FROM (SELECT 'migration' AS topic, id, start_ns,"
		" end_ns FROM migration WHERE coalesce(end_ns, ?1) >= ?1 AND start_ns < ?2"
		" AND coalesce(end_ns, 0) < ?2 UNION ALL SELECT 'flow', id, start_ns, end_ns FROM request"
		" WHERE start_ns BETWEEN ?1 - 3600000000000 AND ?2 AND end_ns BETWEEN ?1 AND ?2"
		" AND kind <> 'api.get' AND (end_ns - start_ns >= 1000000000 OR status <> 'ok')) u"
		" WHERE NOT EXISTS (SELECT 1 FROM settled_owner o WHERE (o.topic, o.id) = (u.topic, u.id))"
		" ORDER BY start_ns, id LIMIT ?3";
	static const char *const names[] = { "topic", "id", "start_ns", "end_ns" };
	sqlite3_stmt *stmt = store_query(store, sql, "uui", from_ns, before_ns, (int64_t) limit);
	json_t *list = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		json_t *one = json_object();

		for (int i = 0; i < (int) ARRAY_SIZE(names); i++)
			json_object_set_new(one, names[i], i < 2 ? store_column_text(stmt, i) :
					    store_column_integer(stmt, i));
		json_array_append_new(list, one);
	}
	if (!store_done(store, stmt, error, "look for what is to be settled"))
		return list;
	json_decref(list);
	return NULL;
}
