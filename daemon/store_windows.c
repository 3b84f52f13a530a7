/* SPDX-License-Identifier: MIT
 *
 * store_windows.c -- windows of counters: kept, given for a span, and joined
 * into longer ones when they are old. */
#include "daemon/store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/clock.h"

int
store_put_window(struct store *store, const struct fact *fact, struct error *error)
{
	static const char sql[] =
		"INSERT INTO window (host, kind, key, start_ns, end_ns, level, blob)"
		" VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6) ON CONFLICT (host, kind, key, start_ns)"
		" DO UPDATE SET end_ns = excluded.end_ns, level = 0, blob = excluded.blob"
		" WHERE (end_ns, blob) IS NOT (excluded.end_ns, excluded.blob)";

	return store_run(store, error, "keep a window", sql, "tttuub", fact->host, fact->kind,
			 fact->key, fact->start_ns, fact->end_ns, fact->blob, fact->blob_size);
}

int
store_windows(struct store *store, const char *host, const char *kind, const char *key,
	      uint64_t from_ns, uint64_t to_ns,
	      bool (*window)(void *context, const char *host, const char *key,
			     const struct fact_window *window),
	      void *context, struct error *error)
{
	/* Windows of silence can be long: it is the end that tells. */
	static const char sql[] =
		"SELECT host, key, start_ns, end_ns, blob FROM window"
		" WHERE host = ?1 AND kind = ?2 AND (?3 IS NULL OR key = ?3)"
		" AND start_ns < ?5 AND end_ns > ?4 ORDER BY host, key, start_ns";
	static const char any[] =
		"SELECT host, key, start_ns, end_ns, blob FROM window"
		" WHERE kind = ?2 AND (?1 IS NULL OR host = ?1) AND (?3 IS NULL OR key = ?3)"
		" AND start_ns < ?5 AND end_ns > ?4 ORDER BY host, key, start_ns";
	sqlite3_stmt *stmt = store_query(store, host ? sql : any, "tttuu", host, kind, key, from_ns,
					 to_ns);
	bool more = true;

	while (stmt && more && sqlite3_step(stmt) == SQLITE_ROW) {
		const struct fact_window found = {
			.start_ns = (uint64_t) sqlite3_column_int64(stmt, 2),
			.end_ns = (uint64_t) sqlite3_column_int64(stmt, 3),
			.blob = sqlite3_column_blob(stmt, 4),
			.size = (size_t) sqlite3_column_bytes(stmt, 4),
		};

		more = window(context, store_column_string(stmt, 0), store_column_string(stmt, 1),
			      &found);
	}
	return store_done(store, stmt, error, "read windows");
}

bool
store_windows_span(struct store *store, const char *host, const char *kind, uint64_t *ret_first_ns,
		   uint64_t *ret_last_ns)
{
	static const char sql[] = "SELECT min(start_ns), max(end_ns) FROM window"
				  " WHERE (?2 IS NULL OR kind = ?2) AND (?1 IS NULL OR host = ?1)";
	sqlite3_stmt *stmt = store_query(store, sql, "tt", host, kind);
	bool found = stmt && sqlite3_step(stmt) == SQLITE_ROW &&
		     sqlite3_column_type(stmt, 0) != SQLITE_NULL;

	if (found) {
		*ret_first_ns = (uint64_t) sqlite3_column_int64(stmt, 0);
		*ret_last_ns = (uint64_t) sqlite3_column_int64(stmt, 1);
	}
	store_done(store, stmt, NULL, "read windows");
	return found;
}

int
store_window_before(struct store *store, const char *host, const char *kind, uint64_t t_ns,
		    struct fact_window *ret, struct error *error)
{
	static const char sql[] = "SELECT start_ns, end_ns FROM window WHERE host = ?1 AND kind = ?2"
				  " AND key = '-' AND start_ns < ?3 ORDER BY start_ns DESC LIMIT 1";
	sqlite3_stmt *stmt = store_query(store, sql, "ttu", host, kind, t_ns);
	int found = stmt && sqlite3_step(stmt) == SQLITE_ROW;

	if (found)
		*ret = (struct fact_window) {
			.start_ns = (uint64_t) sqlite3_column_int64(stmt, 0),
			.end_ns = (uint64_t) sqlite3_column_int64(stmt, 1),
		};
	return store_done(store, stmt, error, "read windows") < 0 ? -EIO : found;
}

int
store_window_follows(struct store *store, const char *host, const char *kind, uint64_t t_ns,
		     struct error *error)
{
	static const char sql[] = "SELECT 1 FROM window WHERE host = ?1 AND kind = ?2 AND key = '-'"
				  " AND start_ns >= ?3 LIMIT 1";
	sqlite3_stmt *stmt = store_query(store, sql, "ttu", host, kind, t_ns);
	int found = stmt && sqlite3_step(stmt) == SQLITE_ROW;

	return store_done(store, stmt, error, "read windows") < 0 ? -EIO : found;
}

int
store_each_window(struct store *store, const char *kind,
		  bool (*window)(void *context, const char *host, const char *kind,
				 const struct fact_window *window),
		  void *context, struct error *error)
{
	static const char sql[] = "SELECT host, start_ns, end_ns FROM window WHERE kind = ?1 ORDER BY id";
	sqlite3_stmt *stmt = store_query(store, sql, "t", kind);
	bool more = true;

	while (stmt && more && sqlite3_step(stmt) == SQLITE_ROW) {
		const struct fact_window found = {
			.start_ns = (uint64_t) sqlite3_column_int64(stmt, 1),
			.end_ns = (uint64_t) sqlite3_column_int64(stmt, 2),
		};

		more = window(context, store_column_string(stmt, 0), kind, &found);
	}
	return store_done(store, stmt, error, "read windows");
}

/* -- Thinning ------------------------------------------------------------- */

/* Windows of less than 'span_ns' are joined 'after_ns' behind the newest of
 * their host, kind and key: by trace time, so that reading what is old thins nothing. */
static const struct {
	uint64_t after_ns, span_ns;
} levels[] = {
	{ 3600 * NS_PER_S, NS_PER_S },
	{ 86400 * NS_PER_S, 10 * NS_PER_S },
};

enum { THIN_GROUPS = 100, MAX_GROUP = 1000 };
/* Of store_thin_some(), so that what comes in does not wait for long. */
#define THIN_TIME_NS (3 * NS_PER_S)

/* The windows that become one. */
struct group {
	char *host, *key;
	struct fact_window windows[MAX_GROUP];
	int64_t ids[MAX_GROUP];
	size_t n;
};

static void
group_clear(struct group *group)
{
	for (size_t i = 0; i < group->n; i++)
		free((void *) (uintptr_t) group->windows[i].blob);
	group->n = 0;
	free(group->host);
	free(group->key);
	group->host = group->key = NULL;
}

static void
group_add(struct group *group, sqlite3_stmt *stmt)
{
	const size_t size = (size_t) sqlite3_column_bytes(stmt, 5);
	char *blob = xmalloc(size + 1);

	if (!group->n) {
		group->host = xstrdup(store_column_string(stmt, 1));
		group->key = xstrdup(store_column_string(stmt, 2));
	}
	if (size)
		memcpy(blob, sqlite3_column_blob(stmt, 5), size);
	group->ids[group->n] = sqlite3_column_int64(stmt, 0);
	group->windows[group->n++] = (struct fact_window) {
		.start_ns = (uint64_t) sqlite3_column_int64(stmt, 3),
		.end_ns = (uint64_t) sqlite3_column_int64(stmt, 4),
		.blob = blob, .size = size,
	};
}

/* The oldest group of a kind that is to be joined to a window of 'level'. */
static int
read_group(struct store *store, const char *kind, unsigned level, uint64_t before_ns,
	   struct group *group, struct error *error)
{
	static const char sql[] =
		"SELECT w.id, w.host, w.key, w.start_ns, w.end_ns, w.blob FROM window w,"
		" (SELECT host, key, start_ns / ?3 AS at FROM window o WHERE level = ?2 AND kind = ?1"
		" AND end_ns < (SELECT max(start_ns) FROM window n WHERE (n.host, n.kind, n.key) ="
		" (o.host, o.kind, o.key)) - ?4 AND end_ns <= ?6"
		" ORDER BY end_ns LIMIT 1) g"
		" WHERE w.host = g.host AND w.kind = ?1 AND w.key = g.key AND w.level = ?2"
		" AND w.start_ns >= g.at * ?3 AND w.start_ns < (g.at + 1) * ?3"
		" AND w.end_ns <= ?6 ORDER BY w.start_ns LIMIT ?5";
	sqlite3_stmt *stmt = store_query(store, sql, "tiuuiu", kind, (int64_t) level,
					 levels[level].span_ns, levels[level].after_ns,
					 (int64_t) MAX_GROUP, before_ns);

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		group_add(group, stmt);
	return store_done(store, stmt, error, "read windows");
}

static int
set_window(struct store *store, int64_t id, unsigned level, uint64_t end_ns, const struct buf *blob,
	   struct error *error)
{
	static const char sql[] = "UPDATE window SET level = ?2, end_ns = ?3, blob = ?4 WHERE id = ?1";

	return MIN(store_run(store, error, "join windows", sql, "iiub", id, (int64_t) level, end_ns,
			     blob->data, blob->size), 0);
}

/* Keeps each of them, as of the next level. */
static int
raise_windows(struct store *store, const struct group *group, unsigned level, struct error *error)
{
	static const char sql[] = "UPDATE window SET level = ?2 WHERE id = ?1";
	int r = 0;

	for (size_t i = 0; i < group->n && r >= 0; i++)
		r = store_run(store, error, "join windows", sql, "ii", group->ids[i], (int64_t) level);
	return MIN(r, 0);
}

static int
join_group(struct store *store, const struct window_kind *kind, const struct group *group,
	   unsigned level, struct error *error)
{
	static const char forget[] = "DELETE FROM window WHERE id = ?1";
	_cleanup_(buf_done) struct buf blob = { 0 };
	uint64_t end_ns = 0;
	int r = 0;

	if (group->n == 1 || kind->merge(group->windows, group->n, &blob) < 0)
		return raise_windows(store, group, level, error);
	for (size_t i = 0; i < group->n && r >= 0; i++) {
		end_ns = MAX(end_ns, group->windows[i].end_ns);
		if (i)
			r = store_run(store, error, "join windows", forget, "i", group->ids[i]);
	}
	return r < 0 ? r : set_window(store, group->ids[0], level, end_ns, &blob, error);
}

static int
thin_batch(struct store *store, const struct window_kind *kind, unsigned level, uint64_t before_ns,
	   bool *ret_more, struct error *error)
{
	struct group *group = xcalloc(1, sizeof *group);
	int r = store_begin(store, error);

	*ret_more = true;
	for (int i = 0; i < THIN_GROUPS && *ret_more && r >= 0; i++) {
		r = read_group(store, kind->kind, level, before_ns, group, error);
		*ret_more = group->n > 0;
		if (r >= 0 && group->n)
			r = join_group(store, kind, group, level + 1, error);
		group_clear(group);
	}
	free(group);
	if (r >= 0)
		return store_commit(store, error);
	store_rollback(store);
	return r;
}

static int
thin(struct store *store, const struct window_kind *const *kinds, uint64_t before_ns,
     uint64_t until_ns, struct error *error)
{
	int r = 0;

	for (; *kinds && r >= 0; kinds++)
		for (unsigned level = 0; level < ARRAY_SIZE(levels) && r >= 0; level++) {
			bool more = true;

			while (more && r >= 0) {
				if (clock_mono_ns() >= until_ns)
					return 1;
				r = thin_batch(store, *kinds, level, before_ns, &more, error);
			}
		}
	return r;
}

int
store_thin(struct store *store, const struct window_kind *const *kinds, struct error *error)
{
	return thin(store, kinds, UINT64_MAX, UINT64_MAX, error);
}

int
store_thin_some(struct store *store, const struct window_kind *const *kinds, uint64_t before_ns,
		struct error *error)
{
	return thin(store, kinds, before_ns, clock_mono_ns() + THIN_TIME_NS, error);
}
