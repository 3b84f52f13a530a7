/* SPDX-License-Identifier: MIT
 *
 * store_changes.c -- what changed after a cursor, for watchers (serve.c).  A
 * cursor is the number of a change; each thing has but its last one. */
#include "daemon/store_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { DEFAULT_LIMIT = 1000 };

static int
bounds(struct store *store, uint64_t *ret_first, uint64_t *ret_last, struct error *error)
{
	static const char sql[] =
		"SELECT (SELECT max(seq) FROM forgotten),"
		" coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'change'), 0)";
	sqlite3_stmt *stmt = store_query(store, sql, "");

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		*ret_first = (uint64_t) sqlite3_column_int64(stmt, 0);
		*ret_last = (uint64_t) sqlite3_column_int64(stmt, 1);
	}
	return store_done(store, stmt, error, "read changes");
}

static json_t *
change_json(struct store *store, sqlite3_stmt *stmt, uint64_t since, const char *cursor)
{
	const char *topic = store_column_string(stmt, 1), *id = store_column_string(stmt, 2);
	bool is_new = (uint64_t) sqlite3_column_int64(stmt, 3) > since;
	json_t *item = store_item(store, topic, id);

	return json_pack("{s:s, s:s, s:o, s:s, s:o}", "cursor", cursor, "topic", topic, "id",
			 store_string(id), "op", !item ? "delete" : is_new ? "insert" : "update",
			 "item", item ? item : json_null());
}

json_t *
store_changes(struct store *store, const char *topic, const char *since, unsigned limit,
	      struct error *error)
{
	static const char sql[] = "SELECT seq, topic, id, first FROM change WHERE seq > ?1"
				  " AND (?2 IS NULL OR topic = ?2) ORDER BY seq LIMIT ?3";
	uint64_t from = 0, first = 0, last = 0, n = 0;
	uint64_t max = limit ? limit : DEFAULT_LIMIT;
	json_t *items = json_array();
	char cursor[24];
	sqlite3_stmt *stmt;
	bool found;

	if (since && parse_u64(since, &from)) {
		error_set(error, EINVAL, "\"%.40s\" is no cursor", since);
		json_decref(items);
		return NULL;
	}
	if (bounds(store, &first, &last, error)) {
		json_decref(items);
		return NULL;
	}
	found = !since || (from >= first && from <= last);
	snprintf(cursor, sizeof cursor, "%llu", (unsigned long long) last);
	stmt = since && found ? store_query(store, sql, "utu", from, topic, max) : NULL;
	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		snprintf(cursor, sizeof cursor, "%lld", (long long) sqlite3_column_int64(stmt, 0));
		json_array_append_new(items, change_json(store, stmt, from, cursor));
		n++;
	}
	if (stmt && store_done(store, stmt, error, "read changes")) {
		json_decref(items);
		return NULL;
	}
	/* All was given: the next question may start behind other topics' changes. */
	if (n < max)
		snprintf(cursor, sizeof cursor, "%llu", (unsigned long long) last);
	return json_pack("{s:s, s:b, s:o}", "cursor", cursor, "found", (int) found, "items", items);
}
