/* SPDX-License-Identifier: MIT
 *
 * store_network.c -- facts as the network's views and joins need them. */
#include <inttypes.h>
#include <stdio.h>

#include "daemon/store_internal.h"

#include "lib/clock.h"

enum { DEFAULT_LIMIT = 1000 };

#define COLUMNS "f.id, f.host, f.kind, f.key, f.start_ns, f.end_ns, f.status, f.attributes"

static json_t *
facts_json(struct store *store, sqlite3_stmt *stmt, struct error *error)
{
	static const char *const names[] = { "id", "host", "kind", "key", "start_ns", "end_ns",
					     "status", "attributes" };
	json_t *facts = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		json_t *fact = json_object();

		for (int i = 0; i < (int) ARRAY_SIZE(names); i++)
			json_object_set_new(fact, names[i], i == 4 || i == 5 ?
					    store_column_integer(stmt, i) : i == 7 ?
					    store_column_json(stmt, i) : store_column_text(stmt, i));
		json_array_append_new(facts, fact);
	}
	if (store_done(store, stmt, error, "read facts of the network")) {
		json_decref(facts);
		return NULL;
	}
	return facts;
}

json_t *
store_facts_of_kind(struct store *store, const char *kind, const char *host, uint64_t from_ns,
		    uint64_t to_ns, unsigned limit, struct error *error)
{
	static const char sql[] =
		"SELECT " COLUMNS " FROM fact f WHERE kind = ?1 AND (?2 IS NULL OR host = ?2)"
		" AND start_ns <= ?4 AND max(start_ns, coalesce(end_ns, start_ns)) >= ?3"
		" ORDER BY start_ns DESC, id LIMIT ?5";
	static const char of_host[] =
		"SELECT " COLUMNS " FROM fact f WHERE host = ?2 AND kind = ?1"
		" AND start_ns <= ?4 AND max(start_ns, coalesce(end_ns, start_ns)) >= ?3"
		" ORDER BY start_ns DESC, id LIMIT ?5";

	return facts_json(store, store_query(store, host ? of_host : sql, "ttuuu", kind, host,
					     from_ns, to_ns ? to_ns : (uint64_t) INT64_MAX,
					     (uint64_t) (limit ? limit : DEFAULT_LIMIT)), error);
}

json_t *
store_addresses(struct store *store, const char *host, const char *address, struct error *error)
{
	static const char of_host[] =
		"SELECT " COLUMNS " FROM fact f WHERE host = ?1 AND kind = 'net.address' AND key = ?2"
		" ORDER BY start_ns DESC, id LIMIT 100";
	static const char any[] =
		"SELECT " COLUMNS " FROM fact f WHERE kind = 'net.address' AND (key = ?1 OR EXISTS"
		" (SELECT 1 FROM json_each(attributes, '$.ips') WHERE value = ?1))"
		" ORDER BY start_ns DESC, id LIMIT 1000";

	if (host)
		return facts_json(store, store_query(store, of_host, "tt", host, address), error);
	return facts_json(store, store_query(store, any, "t", address), error);
}

uint64_t
store_addresses_at_port(struct store *store, const char *host, uint64_t port_no, uint64_t ifindex)
{
	static const char sql[] =
		"SELECT count(DISTINCT key) FROM fact WHERE host = ?1 AND kind = 'net.address'"
		" AND json_extract(attributes, '$.port_no') = ?2"
		" AND coalesce(json_extract(attributes, '$.ifindex'), 0) = ?3";
	sqlite3_stmt *stmt = store_query(store, sql, "tuu", host, port_no, ifindex);
	uint64_t count = 0;

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		count = (uint64_t) sqlite3_column_int64(stmt, 0);
	store_done(store, stmt, NULL, "count addresses");
	return count;
}

json_t *
store_addresses_of_process(struct store *store, const char *host, uint64_t pid,
			   struct error *error)
{
	static const char sql[] =
		"SELECT " COLUMNS " FROM fact f WHERE host = ?1 AND kind = 'net.address'"
		" AND json_extract(attributes, '$.pid') = ?2 ORDER BY start_ns DESC, id LIMIT 100";

	return facts_json(store, store_query(store, sql, "tu", host, pid), error);
}

json_t *
store_parts_of_process(struct store *store, const char *host, const char *kind, const char *pid,
		       struct error *error)
{
	/* Keys are "PID/NUMBER"; '0' follows '/'. */
	static const char sql[] =
		"SELECT " COLUMNS " FROM fact f WHERE host = ?1 AND kind = ?2"
		" AND key >= ?3 || '/' AND key < ?3 || '0' ORDER BY start_ns DESC, id LIMIT 100";

	return facts_json(store, store_query(store, sql, "ttt", host, kind, pid), error);
}

json_t *
store_marks_of_process(struct store *store, const char *host, const char *kind, uint64_t pid,
		       uint64_t from_ns, uint64_t to_ns, struct error *error)
{
	static const char sql[] =
		"SELECT " COLUMNS " FROM fact f WHERE host = ?1 AND kind = ?2"
		" AND key >= ?3 || '/' AND key < ?3 || '0' AND start_ns BETWEEN ?4 AND ?5"
		" ORDER BY start_ns, id LIMIT 1000";
	char key[24];

	snprintf(key, sizeof key, "%" PRIu64, pid);
	return facts_json(store, store_query(store, sql, "tttuu", host, kind, key, from_ns, to_ns),
			  error);
}

json_t *
store_sides_near(struct store *store, const char *host, uint64_t t_ns, uint64_t before_ns,
		 uint64_t after_ns, struct error *error)
{
	static const char sql[] =
		"SELECT " COLUMNS " FROM fact f WHERE host = ?1"
		" AND kind IN ('migration.source', 'migration.destination') AND type = 0"
		" AND start_ns <= ?2 AND coalesce(end_ns, 9223372036854775807) >= ?3"
		" ORDER BY start_ns, id";

	return facts_json(store, store_query(store, sql, "tuu", host, t_ns + before_ns,
					     t_ns - MIN(t_ns, after_ns)), error);
}
