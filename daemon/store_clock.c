/* SPDX-License-Identifier: MIT
 *
 * store_clock.c -- segments that hosts sent or received, matched as they come, and
 * what the pairs say of two clocks: a hull of each kind (clock_hull.h) for each pair of
 * hosts and 10 s. */
#include "daemon/store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "analyzers/kernel_sync.h"
#include "daemon/clock_hull.h"
#include "lib/buf.h"
#include "lib/clock.h"

/* Of the slots that are filled, and of those that old ones are joined to. */
#define SLOT_NS (10 * NS_PER_S)
#define OLD_SLOT_NS (60 * NS_PER_S)
#define OLD_NS (3600 * NS_PER_S)
/* Traces of one boot differ by less; nothing boots twice in it. */
#define SAME_BOOT_NS (10 * NS_PER_MS)
/* What is further apart was read from clocks that were set meanwhile. */
#define MAX_EPOCHS_APART_NS INT64_C(86400000000000)
/* So long segments wait for the other end, by their own host's time. */
#define WAIT_NS (600 * NS_PER_S)

enum { MAX_WAITING = 1000000, MAX_PARTNERS = 8, JOIN_BATCH = 500 };

/* What a window adds to a slot of a pair. */
struct slot {
	char *a, *b;
	uint64_t start_ns;
	struct clock_hull above, below;
	struct slot *next;
};

struct taking {
	struct store *store;
	const char *host;
	struct slot *slots;
	uint64_t left_out;
	struct error *error;
	int r;
};

/* -- Slots ------------------------------------------------------------------ */

static struct slot *
slot_get(struct taking *taking, const char *a, const char *b, uint64_t start_ns)
{
	struct slot *slot;

	LL_FOREACH(taking->slots, slot)
		if (slot->start_ns == start_ns && streq(slot->a, a) && streq(slot->b, b))
			return slot;
	slot = xcalloc(1, sizeof *slot);
	slot->a = xstrdup(a);
	slot->b = xstrdup(b);
	slot->start_ns = start_ns;
	LL_PREPEND(taking->slots, slot);
	return slot;
}

static void
slot_free(struct slot *slot)
{
	clock_hull_done(&slot->above);
	clock_hull_done(&slot->below);
	free(slot->a);
	free(slot->b);
	free(slot);
}

/* The hulls of a row's columns; those that are damaged are taken for none. */
static void
read_hulls(sqlite3_stmt *stmt, int column, struct clock_hull *above, struct clock_hull *below)
{
	struct clock_hull *const hulls[] = { above, below };

	for (int i = 0; i < 2; i++) {
		const void *blob = sqlite3_column_blob(stmt, column + i);
		const int size = sqlite3_column_bytes(stmt, column + i);

		if (blob && clock_hull_read(hulls[i], blob, (size_t) size) != size)
			clock_hull_done(hulls[i]);
	}
}

/* The room between the tightest points, as if clocks did not drift: what one pair's
 * error is against another's.  None when a kind is missing. */
static int64_t
width_of(const struct slot *slot)
{
	int64_t above = INT64_MAX, below = INT64_MAX, width;

	for (uint32_t i = 0; i < slot->above.n; i++)
		above = MIN(above, slot->above.points[i].y);
	for (uint32_t i = 0; i < slot->below.n; i++)
		below = MIN(below, slot->below.points[i].y);
	if (!slot->above.n || !slot->below.n || __builtin_add_overflow(above, below, &width))
		return INT64_MAX;
	return width;
}

static int
write_slot(struct store *store, const struct slot *slot, int64_t level, struct error *error)
{
	static const char sql[] =
		"INSERT INTO clock_slot VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (a, b, start_ns)"
		" DO UPDATE SET level = max(level, excluded.level), width = excluded.width,"
		" above = excluded.above, below = excluded.below";
	_cleanup_(buf_done) struct buf above = { 0 }, below = { 0 };

	clock_hull_write(&slot->above, &above);
	clock_hull_write(&slot->below, &below);
	return MIN(store_run(store, error, "keep a clock's points", sql, "ttuiibb", slot->a, slot->b,
			     slot->start_ns, level, width_of(slot), above.data, above.size, below.data,
			     below.size), 0);
}

static int
add_kept(struct store *store, struct slot *slot, struct error *error)
{
	static const char sql[] = "SELECT above, below FROM clock_slot"
				  " WHERE (a, b, start_ns) = (?1, ?2, ?3)";
	sqlite3_stmt *stmt = store_query(store, sql, "ttu", slot->a, slot->b, slot->start_ns);

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		read_hulls(stmt, 0, &slot->above, &slot->below);
	return store_done(store, stmt, error, "read a clock's points");
}

/* -- Matching --------------------------------------------------------------- */

/* A segment that 'host' received or sent at t_ns, and the other host at other_ns. */
static void
add_match(struct taking *taking, const char *other, bool received, uint64_t t_ns, uint64_t other_ns)
{
	const bool first = strcmp(taking->host, other) < 0;
	const uint64_t x = first ? t_ns : other_ns, there = first ? other_ns : t_ns;
	const bool from_a = first != received;
	struct slot *slot = slot_get(taking, first ? taking->host : other, first ? other : taking->host,
				     x / SLOT_NS * SLOT_NS);
	const int64_t ahead = (int64_t) there - (int64_t) x;

	if (from_a)
		clock_hull_add(&slot->above, (int64_t) x, ahead);
	else
		clock_hull_add(&slot->below, (int64_t) x, -ahead);
}

static void
match(struct taking *taking, uint64_t hash, uint64_t t_ns, bool received)
{
	static const char sql[] =
		"SELECT host, t_ns FROM clock_waiting WHERE hash = ?1 AND received = ?2 LIMIT ?3";
	sqlite3_stmt *stmt = store_query(taking->store, sql, "iii", (int64_t) hash, (int64_t) !received,
					 (int64_t) MAX_PARTNERS);

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		const char *other = store_column_string(stmt, 0);

		if (!streq(other, taking->host))
			add_match(taking, other, received, t_ns, (uint64_t) sqlite3_column_int64(stmt, 1));
	}
	taking->r = store_done(taking->store, stmt, taking->error, "match segments");
}

static bool
is_full(struct store *store)
{
	static const char sql[] = "SELECT count(*) FROM clock_waiting";
	sqlite3_stmt *stmt;

	if (!store->clock_waiting_known) {
		stmt = store_query(store, sql, "");
		if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
			store->clock_waiting = (uint64_t) sqlite3_column_int64(stmt, 0);
		store_done(store, stmt, NULL, "count segments");
		store->clock_waiting_known = true;
	}
	return store->clock_waiting >= MAX_WAITING;
}

static void
take(void *context, uint64_t hash, uint64_t t_ns, bool received)
{
	/* Of copies the first one counts: sent or received no later than it says. */
	static const char sql[] = "INSERT INTO clock_waiting VALUES (?1, ?2, ?3, ?4)"
				  " ON CONFLICT DO NOTHING";
	struct taking *taking = context;
	int r;

	if (taking->r || t_ns > INT64_MAX)
		return;
	if (is_full(taking->store)) {
		taking->left_out++;
		return;
	}
	r = store_run(taking->store, taking->error, "keep a segment", sql, "iitu", (int64_t) hash,
		      (int64_t) received, taking->host, t_ns);
	if (r > 0) {
		taking->store->clock_waiting++;
		match(taking, hash, t_ns, received);
	} else {
		taking->r = r;
	}
}

static int
add_counter(struct store *store, const char *name, uint64_t value, struct error *error)
{
	static const char sql[] = "INSERT INTO counter VALUES ('clock', ?1, ?2)"
				  " ON CONFLICT DO UPDATE SET value = value + excluded.value";

	return value ? MIN(store_run(store, error, "keep a counter", sql, "tu", name, value), 0) : 0;
}

int
store_put_sync(struct store *store, const struct fact *fact, struct error *error)
{
	const struct fact_window window = { fact->start_ns, fact->end_ns, fact->blob,
					    fact->blob_size };
	struct taking taking = { .store = store, .host = fact->host, .error = error };
	struct slot *slot, *next;

	/* What is damaged was not told by us: the rest of it is left. */
	sync_each(&window, take, &taking);
	LL_FOREACH_SAFE(taking.slots, slot, next) {
		if (!taking.r)
			taking.r = add_kept(store, slot, error);
		if (!taking.r)
			taking.r = write_slot(store, slot, 0, error);
		slot_free(slot);
	}
	if (!taking.r)
		taking.r = add_counter(store, "left_out", taking.left_out, error);
	return taking.r;
}

/* -- Answers ---------------------------------------------------------------- */

int
store_clock_slots(struct store *store, const char *a, const char *b, uint64_t t_ns, uint64_t within_ns,
		  void (*give)(void *context, const struct clock_hull *above,
			       const struct clock_hull *below),
		  void *context, struct error *error)
{
	/* Nearest first, as the start of a slot goes. */
	static const char sql[] =
		"SELECT above, below FROM clock_slot WHERE a = ?1 AND b = ?2 AND start_ns > ?3"
		" AND start_ns <= ?4 ORDER BY abs(start_ns + ?6 - ?5), start_ns LIMIT ?7";
	const uint64_t before_ns = within_ns + OLD_SLOT_NS;
	sqlite3_stmt *stmt = store_query(store, sql, "ttuuuui", a, b, t_ns - MIN(t_ns, before_ns),
					 t_ns + within_ns, t_ns, (uint64_t) SLOT_NS / 2,
					 (int64_t) STORE_MAX_CLOCK_SLOTS);

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		struct clock_hull above = { 0 }, below = { 0 };

		read_hulls(stmt, 0, &above, &below);
		give(context, &above, &below);
		clock_hull_done(&above);
		clock_hull_done(&below);
	}
	return store_done(store, stmt, error, "read a clock's points");
}

int
store_clock_messages(struct store *store, const char *a, const char *b, uint64_t t_ns,
		     uint64_t within_ns, void (*give)(void *context, const struct store_message *message),
		     void *context, struct error *error)
{
	/* A message that was given to two may have been answered by either. */
	static const char sql[] =
		"SELECT c.host = ?1, c.start_ns, s.start_ns, CASE WHEN c.status = 'ok' AND s.status = 'ok'"
		" AND json_extract(c.attributes, '$.what') = 'call' AND 1 = (SELECT count(*) FROM ref r"
		" JOIN fact o ON o.id = r.fact WHERE r.value = c.key AND o.kind = 'rpc.served')"
		" THEN s.end_ns END, c.end_ns FROM fact c JOIN fact s ON s.host ="
		" CASE c.host WHEN ?1 THEN ?2 ELSE ?1 END AND s.kind = 'rpc.served' AND s.key = c.key"
		" WHERE c.kind = 'rpc.call' AND c.host IN (?1, ?2)"
		" AND coalesce(c.end_ns, 9223372036854775807) BETWEEN ?3 AND ?4 LIMIT ?5";
	sqlite3_stmt *stmt = store_query(store, sql, "ttuui", a, b, t_ns - MIN(t_ns, within_ns),
					 t_ns + within_ns, (int64_t) STORE_MAX_CLOCK_MESSAGES);

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		const struct store_message message = {
			.from_a = sqlite3_column_int(stmt, 0) != 0,
			.sent_ns = (uint64_t) sqlite3_column_int64(stmt, 1),
			.received_ns = (uint64_t) sqlite3_column_int64(stmt, 2),
			.replied_ns = (uint64_t) sqlite3_column_int64(stmt, 3),
			.answered_ns = (uint64_t) sqlite3_column_int64(stmt, 4),
		};

		give(context, &message);
	}
	return store_done(store, stmt, error, "read messages");
}

int
store_clock_pairs(struct store *store, uint64_t from_ns, uint64_t to_ns,
		  void (*give)(void *context, const char *a, const char *b, int64_t width_ns),
		  void *context, struct error *error)
{
	static const char sql[] =
		"SELECT a, b, min(width) FROM clock_slot WHERE start_ns > ?1 AND start_ns <= ?2"
		" GROUP BY a, b ORDER BY a, b LIMIT ?3";
	sqlite3_stmt *stmt = store_query(store, sql, "uui", from_ns - MIN(from_ns, OLD_SLOT_NS), to_ns,
					 (int64_t) STORE_MAX_CLOCK_PAIRS);

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		give(context, store_column_string(stmt, 0), store_column_string(stmt, 1),
		     sqlite3_column_int64(stmt, 2));
	return store_done(store, stmt, error, "read pairs of clocks");
}

bool
store_clock_epochs(struct store *store, const char *host, uint64_t t_ns, int64_t *ret_least_ns,
		   int64_t *ret_most_ns)
{
	/* Those of the boot that began last before t_ns. */
	static const char sql[] =
		"WITH boot AS (SELECT max(start_ns) AS at FROM fact WHERE host = ?1 AND kind = 'clock'"
		" AND start_ns <= ?2) SELECT key = 'kernel', min(start_ns), max(start_ns) FROM fact, boot"
		" WHERE host = ?1 AND kind = 'clock' AND start_ns BETWEEN at - ?3 AND at GROUP BY 1";
	sqlite3_stmt *stmt = store_query(store, sql, "tuu", host, t_ns, SAME_BOOT_NS);
	int64_t least[2] = { 0 }, most[2] = { 0 };
	bool known[2] = { false, false };

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		const int kernel = sqlite3_column_int(stmt, 0) != 0;

		known[kernel] = true;
		least[kernel] = sqlite3_column_int64(stmt, 1);
		most[kernel] = sqlite3_column_int64(stmt, 2);
	}
	if (store_done(store, stmt, NULL, "read the epochs") || !known[0] || !known[1])
		return false;
	/* Both lie in SAME_BOOT_NS. */
	*ret_least_ns = least[0] - most[1];
	*ret_most_ns = most[0] - least[1];
	return true;
}

/* The epochs of a host's last boot before t_ns, and the clock's uuid; to be freed, or NULL. */
static char *
clock_of(struct store *store, const char *host, uint64_t t_ns, int64_t *ret_least, int64_t *ret_most)
{
	static const char sql[] =
		"WITH boot AS (SELECT max(start_ns) AS at FROM fact WHERE host = ?1 AND kind = 'clock'"
		" AND start_ns <= ?2) SELECT min(start_ns), max(start_ns),"
		" min(json_extract(attributes, '$.uuid')) FROM fact, boot"
		" WHERE host = ?1 AND kind = 'clock' AND start_ns BETWEEN at - ?3 AND at";
	sqlite3_stmt *stmt = store_query(store, sql, "tuu", host, t_ns, SAME_BOOT_NS);
	char *uuid = NULL;

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 2) == SQLITE_TEXT) {
		*ret_least = sqlite3_column_int64(stmt, 0);
		*ret_most = sqlite3_column_int64(stmt, 1);
		uuid = xstrdup(store_column_string(stmt, 2));
	}
	store_done(store, stmt, NULL, "read the epochs");
	return uuid;
}

bool
store_clock_same(struct store *store, const char *a, const char *b, uint64_t t_ns,
		 int64_t *ret_least_ns, int64_t *ret_most_ns)
{
	int64_t least[2] = { 0 }, most[2] = { 0 };
	_cleanup_(freep) char *first = clock_of(store, a, t_ns, &least[0], &most[0]);
	_cleanup_(freep) char *second = clock_of(store, b, t_ns, &least[1], &most[1]);

	if (!first || !second || !streq(first, second))
		return false;
	return !__builtin_sub_overflow(least[1], most[0], ret_least_ns) &&
		!__builtin_sub_overflow(most[1], least[0], ret_most_ns) &&
		*ret_least_ns > -MAX_EPOCHS_APART_NS && *ret_most_ns < MAX_EPOCHS_APART_NS;
}

int
store_clock_newest(struct store *store, uint64_t *ret_ns)
{
	static const char sql[] = "SELECT start_ns FROM clock_slot WHERE width < ?1"
				  " ORDER BY start_ns DESC LIMIT 1";
	sqlite3_stmt *stmt = store_query(store, sql, "i", (int64_t) INT64_MAX);
	int r = -ENOENT;

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		*ret_ns = (uint64_t) sqlite3_column_int64(stmt, 0) + SLOT_NS / 2;
		r = 0;
	}
	store_done(store, stmt, NULL, "look for clocks");
	return r;
}

/* -- Age --------------------------------------------------------------------- */

/* The oldest slots of a pair that become one; 1, or 0: there are none. */
static int
read_old(struct store *store, struct slot *slot, struct error *error)
{
	static const char sql[] =
		"SELECT o.a, o.b, o.start_ns, o.above, o.below FROM clock_slot o, (SELECT a, b,"
		" start_ns / ?1 AS at FROM clock_slot s WHERE level = 0 AND start_ns < (SELECT max(start_ns)"
		" FROM clock_slot n WHERE n.a = s.a AND n.b = s.b) - ?2 ORDER BY start_ns LIMIT 1) g"
		" WHERE o.a = g.a AND o.b = g.b AND o.start_ns >= g.at * ?1 AND o.start_ns < (g.at + 1) * ?1";
	sqlite3_stmt *stmt = store_query(store, sql, "uu", OLD_SLOT_NS, OLD_NS);

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		if (!slot->a) {
			slot->a = xstrdup(store_column_string(stmt, 0));
			slot->b = xstrdup(store_column_string(stmt, 1));
			slot->start_ns = (uint64_t) sqlite3_column_int64(stmt, 2) / OLD_SLOT_NS *
				OLD_SLOT_NS;
		}
		read_hulls(stmt, 3, &slot->above, &slot->below);
	}
	return store_done(store, stmt, error, "read a clock's points");
}

static int
join_old(struct store *store, bool *ret_more, struct error *error)
{
	static const char forget[] = "DELETE FROM clock_slot WHERE a = ?1 AND b = ?2"
				     " AND start_ns >= ?3 AND start_ns < ?4";
	struct slot *slot = xcalloc(1, sizeof *slot);
	int r = read_old(store, slot, error);

	*ret_more = slot->a != NULL;
	if (!r && slot->a)
		r = MIN(store_run(store, error, "join a clock's points", forget, "ttuu", slot->a, slot->b,
				  slot->start_ns, slot->start_ns + OLD_SLOT_NS), 0);
	if (!r && slot->a)
		r = write_slot(store, slot, 1, error);
	slot_free(slot);
	return r;
}

int
store_clock_age(struct store *store, struct error *error)
{
	static const char forget[] =
		"DELETE FROM clock_waiting WHERE (hash, received, host) IN (SELECT hash, received, host"
		" FROM clock_waiting w WHERE t_ns < (SELECT max(t_ns) FROM clock_waiting n"
		" WHERE n.host = w.host) - ?1 LIMIT ?2)";
	bool more = true;
	int r = 0, gone = 0;

	do {
		r = store_begin(store, error);
		if (!r)
			gone = r = store_run(store, error, "forget segments", forget, "ui", WAIT_NS,
					     (int64_t) JOIN_BATCH);
		for (int i = 0; r >= 0 && more && i < JOIN_BATCH; i++)
			r = join_old(store, &more, error);
		if (r >= 0)
			r = store_commit(store, error);
		else
			store_rollback(store);
	} while (r >= 0 && (gone == JOIN_BATCH || more));
	store->clock_waiting_known = false;
	if (r >= 0 && !is_full(store))
		r = store_put_counter(store, "clock", "waiting", store->clock_waiting, error);
	return MIN(r, 0);
}
