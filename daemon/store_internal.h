/* SPDX-License-Identifier: MIT
 *
 * store_internal.h -- what the files of the store share: the handle, cached
 * statements, binding and reading of rows.
 *
 *   store.c           open, schema, transactions, these helpers
 *   store_json.c      JSON as text
 *   store_write.c     facts, records, alerts, sources, counters; changes
 *   store_recover.c   positions, flows, horizons; retention
 *   store_network.c   facts of the network
 *   store_clock.c     segments that were matched, and what they say of clocks
 *   store_windows.c   windows, and how they are thinned with age
 *   store_settled.c   answers that outlive their windows
 *   store_peers.c     figures to compare migrations and requests by
 *   store_facts.c     facts as the hub reads them
 *   store_ref.c       facts by what they name
 *   store_request.c   requests, VMs, volumes, ports: records and answers
 *   store_service.c   services: figures over a time
 *   store_find.c      whatever has an id or name
 *   store_answers.c   what clients ask for
 *   store_changes.c   cursors for watchers
 *   store_dump.c      the text to compare stores by */
#ifndef DAEMON_STORE_INTERNAL_H
#define DAEMON_STORE_INTERNAL_H

#include <sqlite3.h>
#include <uthash.h>

#include "daemon/store.h"
#include "lib/util.h"

enum { STORE_MAX_STATEMENTS = 192, STORE_MAX_KEPT = 16384 };

struct statement {
	const char *sql;            /* Identity: the address of a string constant. */
	sqlite3_stmt *stmt;
};

/* Attributes of a span that was put or read in the transaction that is open: most
 * are read more than once, to join them and to show them. */
struct kept_span {
	char id[FACT_ID_SIZE];
	json_t *attributes;         /* NULL: they are to be read. */
	UT_hash_handle hh;
};

struct store {
	sqlite3 *db;
	char *path;
	enum store_mode mode;
	int lock_fd;                /* Of the one writer; -1 for readers. */
	char *lock_path;
	struct statement cache[STORE_MAX_STATEMENTS];
	unsigned n_cached;
	struct store_settling *settling; /* NULL: not at the moment. */
	/* Of the open transaction: */
	struct kept_span *kept;
	char *kept_host;            /* Host of the last fact: its node is there... */
	const char *kept_role;      /* with this role. */
	char *told_service;         /* Watchers were told of it last. */
	uint64_t clock_waiting;     /* Rows of that table, if known. */
	bool clock_waiting_known;
};

/* Turns SQLite's last error into 'error': "PATH: cannot WHAT: why: what to do".
 * Returns its negative errno. */
int store_fail(struct store *store, struct error *error, const char *what);
int store_damaged(struct store *store, struct error *error, const char *what);

/* A cached statement with its arguments bound, to be stepped and then reset
 * by store_done(); NULL on failure.  'sql' must be a constant string.  Formats:
 * t text or NULL, i int64, u uint64 (capped at 2^63-1), z the same with 0 as
 * NULL, b pointer and size_t. */
sqlite3_stmt *store_query(struct store *store, const char *sql, const char *format, ...);
/* Ends a query.  Returns 0, or the negative errno of the last step. */
int store_done(struct store *store, sqlite3_stmt *stmt, struct error *error, const char *what);
/* Runs a statement without rows.  Returns the number of changed rows or a
 * negative errno. */
int store_run(struct store *store, struct error *error, const char *what, const char *sql,
	      const char *format, ...);
/* Takes a reference of what a span's attributes are now (NULL: not known), unless
 * that are too many, and gives one of them or NULL. */
void store_keep_span(struct store *store, const char *id, json_t *attributes);
json_t *store_kept_span(const struct store *store, const char *id);
/* Runs a constant text of SQL. */
int store_exec(struct store *store, const char *sql, struct error *error, const char *what);

/* Columns as JSON: null for NULL, parsed text, plain text, integer. */
json_t *store_column_json(sqlite3_stmt *stmt, int column);
json_t *store_column_text(sqlite3_stmt *stmt, int column);
json_t *store_column_integer(sqlite3_stmt *stmt, int column);
/* The text as the statement has it, until its next step; "" for NULL. */
const char *store_column_string(sqlite3_stmt *stmt, int column);

/* Keeps or replaces a window.  Returns the number of changed rows. */
int store_put_window(struct store *store, const struct fact *fact, struct error *error);
/* Matches what a window of the kind "sync" tells, instead of keeping it. */
int store_put_sync(struct store *store, const struct fact *fact, struct error *error);
/* Forgets segments that waited for too long, joins what is old.  Transactions of its own. */
int store_clock_age(struct store *store, struct error *error);
/* A fact's row in the form of store_spans(), its columns SPAN_COLUMNS of a fact
 * 'f'; all of them, ending the query. */
#define SPAN_COLUMNS "f.id, f.host, f.kind, f.key, f.start_ns, f.end_ns, f.status, f.parent," \
		     " f.attributes"
json_t *store_span_json(struct store *store, sqlite3_stmt *stmt);
json_t *store_spans_json(struct store *store, sqlite3_stmt *stmt, struct error *error);
/* Keeps what a fact can be found by; it goes with the fact. */
int store_put_refs(struct store *store, const char *id, const struct fact *fact,
		   struct error *error);

/* What it asks of windows may have changed: its answers are to be settled anew. */
int store_unsettle(struct store *store, const char *topic, const char *id, struct error *error);
/* Joins windows as store_thin(), but none that ends after 'before_ns', and for a
 * while only.  Returns 1 when that left some, 0, or a negative errno. */
int store_thin_some(struct store *store, const struct window_kind *const *kinds,
		    uint64_t before_ns, struct error *error);
/* Notes that the thing changed, for watchers. */
int store_changed(struct store *store, const char *topic, const char *id, struct error *error);
/* JSON as it is kept: compact, keys in order.  To be freed. */
char *store_text(const json_t *json);
/* Answers of one thing, by topic ("migration", "alert", "node"); NULL if gone. */
json_t *store_item(struct store *store, const char *topic, const char *id);
/* A flow as lists show it, or NULL. */
json_t *store_flow_item(struct store *store, const char *id);
/* An alert from its row (doc, seen_ns) at the wall time now. */
json_t *store_alert_json(sqlite3_stmt *stmt, int doc_column, int seen_column, uint64_t now_ns);

#endif /* store_internal.h */
