/* SPDX-License-Identifier: MIT
 *
 * store_recover.c -- what a start needs to go on where the last run stopped
 * (positions, flows, horizons), and what retention forgets. */
#include "daemon/store_internal.h"

#include "daemon/settle.h"

#include <string.h>

/* -- Checkpoint ----------------------------------------------------------- */

int
store_put_position(struct store *store, const char *stream_key,
		   const struct ctf_position *position, struct error *error)
{
	static const char sql[] = "INSERT OR REPLACE INTO position VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
	static const char forget[] = "DELETE FROM position WHERE stream = ?1";
	int r;

	if (!position->valid)
		r = store_run(store, error, "keep a position", forget, "t", stream_key);
	else
		r = store_run(store, error, "keep a position", sql, "tiiiii", stream_key,
			      (int64_t) position->packet_begin_raw_ns,
			      (int64_t) position->packet_seq, (int64_t) position->events_done,
			      (int64_t) position->last_raw_ns, (int64_t) position->discarded);
	return MIN(r, 0);
}

int
store_put_flow(struct store *store, const char *host, const char *analyzer, const char *key,
	       const void *blob, size_t size, struct error *error)
{
	static const char sql[] = "INSERT OR REPLACE INTO flow VALUES (?1, ?2, ?3, ?4)";
	static const char forget[] = "DELETE FROM flow WHERE (host, analyzer, key) = (?1, ?2, ?3)";
	int r;

	if (!blob)
		r = store_run(store, error, "forget a flow", forget, "ttt", host, analyzer, key);
	else
		r = store_run(store, error, "keep a flow", sql, "tttb", host, analyzer, key, blob,
			      size);
	return MIN(r, 0);
}

int
store_put_horizon(struct store *store, const char *host, uint64_t t_ns, struct error *error)
{
	static const char sql[] = "INSERT OR REPLACE INTO horizon VALUES (?1, ?2)";
	int r = store_run(store, error, "keep a horizon", sql, "tu", host, t_ns);

	return MIN(r, 0);
}

bool
store_position(struct store *store, const char *stream_key, struct ctf_position *ret)
{
	static const char sql[] =
		"SELECT packet_begin, packet_seq, events_done, last_raw, discarded"
		" FROM position WHERE stream = ?1";
	sqlite3_stmt *stmt = store_query(store, sql, "t", stream_key);
	bool found = stmt && sqlite3_step(stmt) == SQLITE_ROW;

	if (found)
		*ret = (struct ctf_position) {
			.packet_begin_raw_ns = (uint64_t) sqlite3_column_int64(stmt, 0),
			.packet_seq = (uint64_t) sqlite3_column_int64(stmt, 1),
			.events_done = (uint64_t) sqlite3_column_int64(stmt, 2),
			.last_raw_ns = (uint64_t) sqlite3_column_int64(stmt, 3),
			.discarded = (uint64_t) sqlite3_column_int64(stmt, 4),
			.valid = true,
		};
	store_done(store, stmt, NULL, "read a position");
	return found;
}

uint64_t
store_horizon(struct store *store, const char *host)
{
	static const char sql[] = "SELECT t_ns FROM horizon WHERE host = ?1";
	sqlite3_stmt *stmt = store_query(store, sql, "t", host);
	int64_t t_ns = 0;

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		t_ns = sqlite3_column_int64(stmt, 0);
	store_done(store, stmt, NULL, "read a horizon");
	return (uint64_t) MAX(t_ns, 0);
}

int
store_flows(struct store *store,
	    void (*flow)(void *context, const char *host, const char *analyzer, const char *key,
			 const void *blob, size_t size),
	    void *context, struct error *error)
{
	static const char sql[] = "SELECT host, analyzer, key, blob FROM flow ORDER BY 1, 2, 3";
	sqlite3_stmt *stmt = store_query(store, sql, "");

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		flow(context, store_column_string(stmt, 0), store_column_string(stmt, 1),
		     store_column_string(stmt, 2), sqlite3_column_blob(stmt, 3),
		     (size_t) sqlite3_column_bytes(stmt, 3));
	return store_done(store, stmt, error, "read the flows");
}

/* -- Retention ------------------------------------------------------------ */

enum { RETAIN_BATCH = 500 };

/* Each removes at most ?2 things that ended before ?1.  A migration goes as a
 * whole, once both of its sides are closed, so that no half of it is left to
 * be taken for a migration of its own. */
static const char *const retain_steps[] = {
	"CREATE TEMP TABLE IF NOT EXISTS old (id TEXT PRIMARY KEY, a TEXT, b TEXT)",
	"DELETE FROM old",
	"INSERT INTO old SELECT m.id, m.source_id, m.destination_id FROM migration m"
	" WHERE m.end_ns < ?1 AND NOT EXISTS (SELECT 1 FROM fact f"
	" WHERE f.id IN (m.source_id, m.destination_id) AND (f.end_ns IS NULL OR f.end_ns >= ?1))"
	" LIMIT ?2",
	"DELETE FROM migration WHERE id IN (SELECT id FROM old)",
	"DELETE FROM sample WHERE parent IN (SELECT a FROM old UNION SELECT b FROM old)",
	"DELETE FROM fact WHERE parent IN (SELECT a FROM old UNION SELECT b FROM old)",
	"DELETE FROM fact WHERE id IN (SELECT a FROM old UNION SELECT b FROM old)",
	"DELETE FROM alert WHERE id IN (SELECT id FROM alert WHERE end_ns < ?1 LIMIT ?2)",
	"DELETE FROM alert_hit WHERE (rule, subject, t_ns, id) IN (SELECT rule, subject, t_ns, id"
	" FROM alert_hit WHERE t_ns < ?1 LIMIT ?2)",
	"DELETE FROM silence WHERE end_ns < ?1 AND ?2",
	"DELETE FROM delivery WHERE seq IN (SELECT seq FROM delivery WHERE queued_ns < ?1 LIMIT ?2)",
	/* Requests; what is known of VMs that are gone, of ports and volumes that
	 * nobody asks for any more, of processes that were not heard of since. */
	"DELETE FROM request WHERE id IN (SELECT id FROM request"
	" WHERE coalesce(end_ns, core_ns) < ?1 LIMIT ?2)",
	"DELETE FROM subject WHERE request NOT IN (SELECT id FROM request)",
	"DELETE FROM thing WHERE (topic, id) IN (SELECT topic, id FROM thing t"
	" WHERE ((gone_ns < ?1 OR (topic <> 'vm' AND (vm IS NULL OR vm NOT IN (SELECT id FROM thing"
	" WHERE topic = 'vm')))) AND NOT EXISTS (SELECT 1 FROM subject s WHERE s.value = t.id))"
	" OR NOT EXISTS (SELECT 1 FROM ref r WHERE r.value = t.id) LIMIT ?2)",
	"DELETE FROM fact WHERE id IN (SELECT id FROM fact WHERE kind IN ('vm', 'port', 'volume')"
	" AND type = 2 AND NOT EXISTS (SELECT 1 FROM thing t WHERE t.topic = fact.kind"
	" AND t.id = fact.key) LIMIT ?2 + 0 * ?1)",
	"DELETE FROM fact WHERE id IN (SELECT id FROM fact WHERE kind IN ('vm.port', 'vm.volume',"
	" 'vm.host') AND NOT EXISTS (SELECT 1 FROM thing t WHERE t.topic = 'vm'"
	" AND t.id = substr(fact.key, 1, instr(fact.key, '/') - 1)) LIMIT ?2 + 0 * ?1)",
	"DELETE FROM fact WHERE id IN (SELECT id FROM fact WHERE kind = 'service'"
	" AND json_extract(attributes, '$.last_ns') < ?1 LIMIT ?2)",
	/* Other facts, and things (type 2) once they are known to be gone; but not
	 * of requests that go on, nor what is told for all times (from 0 on) and not gone, nor
	 * attachments that hold. */
	"DELETE FROM fact WHERE id IN (SELECT id FROM fact f"
	" WHERE kind NOT IN ('migration.source', 'migration.destination') AND (start_ns > 0 OR end_ns > 0)"
	" AND (CASE WHEN end_ns IS NULL AND type IN (3, 4) AND kind <> 'vm.volume' THEN start_ns"
	" ELSE end_ns END) < ?1"
	" AND NOT EXISTS (SELECT 1 FROM fact p WHERE p.id = f.parent) AND NOT EXISTS"
	" (SELECT 1 FROM ref r JOIN request q ON q.id = r.value WHERE r.fact = f.id) LIMIT ?2)",
	"DELETE FROM sample WHERE id IN (SELECT id FROM sample s WHERE t_ns < ?1"
	" AND NOT EXISTS (SELECT 1 FROM fact p WHERE p.id = s.parent) LIMIT ?2)",
	"DELETE FROM window WHERE id IN (SELECT id FROM window WHERE level IN (0, 1, 2)"
	" AND end_ns < ?3 LIMIT ?2 + 0 * ?1)",
	"DELETE FROM clock_slot WHERE (a, b, start_ns) IN (SELECT a, b, start_ns FROM clock_slot"
	" WHERE start_ns < ?1 LIMIT ?2)",
	"DELETE FROM settled WHERE id IN (SELECT id FROM settled WHERE keep_ns < ?1 LIMIT ?2)",
	"INSERT INTO forgotten SELECT max(seq) FROM change WHERE (topic = 'migration'"
	" AND id NOT IN (SELECT id FROM migration)) OR (topic = 'alert' AND id NOT IN"
	" (SELECT id FROM alert)) OR (topic = 'flow' AND id NOT IN (SELECT id FROM request))"
	" OR (topic IN ('vm', 'port', 'volume') AND NOT EXISTS (SELECT 1 FROM thing t"
	" WHERE t.topic = change.topic AND t.id = change.id)) HAVING max(seq) IS NOT NULL",
	"DELETE FROM forgotten WHERE seq < (SELECT max(seq) FROM forgotten)",
	"DELETE FROM change WHERE seq <= (SELECT max(seq) FROM forgotten) AND ((topic = 'migration'"
	" AND id NOT IN (SELECT id FROM migration)) OR (topic = 'alert' AND id NOT IN"
	" (SELECT id FROM alert)) OR (topic = 'flow' AND id NOT IN (SELECT id FROM request))"
	" OR (topic IN ('vm', 'port', 'volume') AND NOT EXISTS (SELECT 1 FROM thing t"
	" WHERE t.topic = change.topic AND t.id = change.id)))",
};

static int
retain_batch(struct store *store, uint64_t t_ns, uint64_t windows_ns, bool *ret_more,
	     struct error *error)
{
	sqlite3_stmt *stmt;
	int r = store_begin(store, error);

	*ret_more = false;
	for (size_t i = 0; i < ARRAY_SIZE(retain_steps) && !r; i++) {
		const char *sql = retain_steps[i];

		/* The temporary table has to exist before what uses it is compiled. */
		stmt = store_query(store, sql, strstr(sql, "?3") ? "uiu" : strstr(sql, "?2") ? "ui" : "",
				   t_ns, (int64_t) RETAIN_BATCH, windows_ns);
		if (stmt)
			while (sqlite3_step(stmt) == SQLITE_ROW)
				;
		r = store_done(store, stmt, error, "forget what is old");
		if (!r && strstr(sql, "?2") && sqlite3_changes(store->db) == RETAIN_BATCH)
			*ret_more = true;
	}
	if (!r)
		return store_commit(store, error);
	store_rollback(store);
	return r;
}

int
store_retain(struct store *store, uint64_t t_ns, uint64_t windows_ns, struct error *error)
{
	uint64_t thin_ns;
	bool more;
	int r, unsettled = settle_windows(store, windows_ns, &thin_ns, error), unthinned = 0;

	r = MIN(unsettled, 0);
	windows_ns = MIN(windows_ns, thin_ns);
	do
		r = r < 0 ? r : retain_batch(store, t_ns, windows_ns, &more, error);
	while (!r && more);
	if (!r)
		r = store_clock_age(store, error);
	if (!r)
		unthinned = r = store_thin_some(store, window_kinds, thin_ns, error);
	if (r >= 0)
		r = store_exec(store, "PRAGMA incremental_vacuum", error, "give back space");
	return r < 0 ? r : unsettled > 0 || unthinned > 0;
}
