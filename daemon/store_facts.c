/* SPDX-License-Identifier: MIT
 *
 * store_facts.c -- facts and records as the hub reads them back to join. */
#include "daemon/store_internal.h"

#include <string.h>

static json_t *
attributes_json(struct store *store, sqlite3_stmt *stmt)
{
	const char *id = store_column_string(stmt, 0);
	json_t *attributes = store_kept_span(store, id);

	if (!attributes) {
		attributes = store_column_json(stmt, 8);
		store_keep_span(store, id, attributes);
	}
	return attributes;
}

json_t *
store_span_json(struct store *store, sqlite3_stmt *stmt)
{
	static const char *const names[] = { "id", "host", "kind", "key", "start_ns", "end_ns",
					     "status", "parent", "attributes", "partner" };
	json_t *span = json_object();

	for (int i = 0; i < sqlite3_column_count(stmt) && i < (int) ARRAY_SIZE(names); i++)
		json_object_set_new(span, names[i], i == 4 || i == 5 ?
				    store_column_integer(stmt, i) : i == 8 ?
				    attributes_json(store, stmt) : store_column_text(stmt, i));
	return span;
}

json_t *
store_spans_json(struct store *store, sqlite3_stmt *stmt, struct error *error)
{
	json_t *spans = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(spans, store_span_json(store, stmt));
	if (store_done(store, stmt, error, "read facts")) {
		json_decref(spans);
		return NULL;
	}
	return spans;
}

json_t *
store_spans(struct store *store, const char *kind, const char *kind2, uint64_t from_ns,
	    uint64_t to_ns, struct error *error)
{
	static const char sql[] =
		"SELECT " SPAN_COLUMNS " FROM fact f WHERE kind IN (?1, ?2) AND type = 0"
		" AND coalesce(end_ns, 9223372036854775807) >= ?3 AND start_ns <= ?4"
		" ORDER BY start_ns, id";

	return store_spans_json(store, store_query(store, sql, "ttuu", kind, kind2, from_ns, to_ns),
			  error);
}

json_t *
store_sides(struct store *store, uint64_t from_ns, uint64_t to_ns, struct error *error)
{
	static const char sql[] =
		"SELECT " SPAN_COLUMNS " FROM fact f WHERE at_ns BETWEEN ?1 AND ?2"
		" ORDER BY start_ns, id";

	return store_spans_json(store, store_query(store, sql, "uu", from_ns, to_ns), error);
}

json_t *
store_spans_of_key(struct store *store, const char *kind, const char *host, const char *key,
		   struct error *error)
{
	static const char sql[] =
		"SELECT " SPAN_COLUMNS " FROM fact f WHERE (host, kind, key) = (?1, ?2, ?3)"
		" AND type = 0 ORDER BY start_ns, id";

	return store_spans_json(store, store_query(store, sql, "ttt", host, kind, key), error);
}

json_t *
store_loose_sides(struct store *store, uint64_t from_ns, uint64_t to_ns, struct error *error)
{
	/* A record begins with its source, which a clock that is off by up to a
	 * day can put far from its destination. */
	static const char sql[] =
		"SELECT DISTINCT " SPAN_COLUMNS ", CASE f.id WHEN m.source_id THEN m.destination_id"
		" ELSE m.source_id END FROM migration m JOIN fact f"
		" ON f.id IN (m.source_id, m.destination_id) WHERE m.loose"
		" AND m.start_ns BETWEEN ?1 - 86400000000000 AND ?2 + 86400000000000"
		" AND coalesce(f.end_ns, 9223372036854775807) >= ?1 AND f.start_ns <= ?2"
		" ORDER BY f.start_ns, f.id";

	return store_spans_json(store, store_query(store, sql, "uu", from_ns, to_ns), error);
}

json_t *
store_span(struct store *store, const char *id)
{
	static const char sql[] = "SELECT " SPAN_COLUMNS " FROM fact f WHERE id = ?1 AND type = 0";
	sqlite3_stmt *stmt = store_query(store, sql, "t", id);
	json_t *span = NULL;

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		span = store_span_json(store, stmt);
	store_done(store, stmt, NULL, "read a fact");
	return span;
}

json_t *
store_entity(struct store *store, const char *host, const char *kind, const char *key,
	     uint64_t until_ns)
{
	static const char sql[] =
		"SELECT attributes FROM fact WHERE (host, kind, key) = (?1, ?2, ?3) AND type = 2"
		" ORDER BY start_ns > ?4, CASE WHEN start_ns > ?4 THEN start_ns ELSE -start_ns END,"
		" id LIMIT 1";
	sqlite3_stmt *stmt = store_query(store, sql, "tttu", host, kind, key,
					 until_ns ? until_ns : (uint64_t) INT64_MAX);
	json_t *attributes = NULL;

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		attributes = store_column_json(stmt, 0);
	store_done(store, stmt, NULL, "read an entity");
	return attributes;
}

json_t *
store_things(struct store *store, enum fact_type type, const char *host, const char *kind,
	     struct error *error)
{
	static const char sql[] =
		"SELECT host, key, max(start_ns), attributes FROM fact WHERE kind = ?1 AND type = ?2"
		" AND (?3 IS NULL OR host = ?3) GROUP BY host, key ORDER BY host, key";
	sqlite3_stmt *stmt = store_query(store, sql, "tit", kind, (int64_t) type, host);
	json_t *list = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		json_t *thing = store_column_json(stmt, 3);

		if (!json_is_object(thing)) {
			json_decref(thing);
			thing = json_object();
		}
		json_object_set_new(thing, "host", store_column_text(stmt, 0));
		json_object_set_new(thing, "key", store_column_text(stmt, 1));
		json_object_set_new(thing, "start_ns", store_column_integer(stmt, 2));
		json_array_append_new(list, thing);
	}
	if (store_done(store, stmt, error, "read what is known")) {
		json_decref(list);
		return NULL;
	}
	return list;
}

static json_t *
first_document(struct store *store, sqlite3_stmt *stmt)
{
	json_t *document = NULL;

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		document = store_column_json(stmt, 0);
	store_done(store, stmt, NULL, "read a migration");
	return document;
}

json_t *
store_migration(struct store *store, const char *id)
{
	static const char sql[] = "SELECT doc FROM migration WHERE id = ?1";

	return first_document(store, store_query(store, sql, "t", id));
}

json_t *
store_migration_of_side(struct store *store, const char *side_id)
{
	static const char sql[] =
		"SELECT doc FROM migration WHERE source_id = ?1 UNION ALL"
		" SELECT doc FROM migration WHERE destination_id = ?1 LIMIT 1";

	return first_document(store, store_query(store, sql, "t", side_id));
}

int
store_is_loose(struct store *store, const char *side_id)
{
	static const char sql[] =
		"SELECT loose FROM migration WHERE source_id = ?1 UNION ALL"
		" SELECT loose FROM migration WHERE destination_id = ?1 LIMIT 1";
	sqlite3_stmt *stmt = store_query(store, sql, "t", side_id);
	int loose = -1;

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		loose = sqlite3_column_int(stmt, 0) != 0;
	store_done(store, stmt, NULL, "read a migration");
	return loose;
}

static json_t *
ids_json(struct store *store, sqlite3_stmt *stmt, struct error *error)
{
	json_t *ids = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(ids, store_column_text(stmt, 0));
	if (store_done(store, stmt, error, "read what runs")) {
		json_decref(ids);
		return NULL;
	}
	return ids;
}

json_t *
store_migrations_running(struct store *store, const char *host, struct error *error)
{
	static const char sql[] = "SELECT id FROM migration WHERE status = 'running'"
				  " AND ?1 IN (source, destination) ORDER BY id";

	return ids_json(store, store_query(store, sql, "t", host), error);
}

json_t *
store_children(struct store *store, const char *id, struct error *error)
{
	static const char sql[] =
		"SELECT " SPAN_COLUMNS " FROM fact f WHERE parent = ?1 AND type = 0"
		" ORDER BY start_ns, id";

	return store_spans_json(store, store_query(store, sql, "t", id), error);
}

json_t *
store_alert(struct store *store, const char *id)
{
	static const char sql[] = "SELECT doc FROM alert WHERE id = ?1";

	return first_document(store, store_query(store, sql, "t", id));
}

static json_t *
documents(struct store *store, sqlite3_stmt *stmt, struct error *error)
{
	json_t *list = json_array();

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(list, store_column_json(stmt, 0));
	if (store_done(store, stmt, error, "read alerts")) {
		json_decref(list);
		return NULL;
	}
	return list;
}

json_t *
store_alerts_of(struct store *store, const char *subject, struct error *error)
{
	static const char sql[] = "SELECT doc FROM alert WHERE subject = ?1 ORDER BY id";

	return documents(store, store_query(store, sql, "t", subject), error);
}

json_t *
store_alerts_live(struct store *store, const char *host, struct error *error)
{
	static const char sql[] = "SELECT doc FROM alert WHERE live AND end_ns IS NULL"
				  " AND json_extract(doc, '$.host') = ?1 ORDER BY id";

	return documents(store, store_query(store, sql, "t", host), error);
}
