/* SPDX-License-Identifier: MIT
 *
 * store.c -- opens the store, brings its schema up to date, and holds the
 * helpers around SQLite that the other store files use. */
#include "daemon/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"

#define APPLICATION_ID 0x43545244   /* "CTRD" */
enum { BUSY_TIMEOUT_MS = 5000 };

/* Step n brings a store from version n to n + 1; never changed once released. */
static const char *const migrations[] = {
	/* Facts.  Samples are apart: there are many, and only ever read by parent.
	 * 'at_ns' is set for sides of a migration: when they met. */
	"CREATE TABLE fact (id TEXT PRIMARY KEY, type INTEGER NOT NULL, host TEXT NOT NULL,"
	" kind TEXT NOT NULL, key TEXT NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER,"
	" status TEXT, parent TEXT, attributes TEXT, at_ns INTEGER) STRICT, WITHOUT ROWID;"
	"CREATE INDEX fact_end ON fact (kind, coalesce(end_ns, 9223372036854775807), start_ns);"
	"CREATE INDEX fact_key ON fact (host, kind, key, start_ns);"
	"CREATE INDEX fact_parent ON fact (parent) WHERE parent IS NOT NULL;"
	"CREATE INDEX fact_at ON fact (at_ns) WHERE at_ns IS NOT NULL;"
	"CREATE TABLE sample (id TEXT PRIMARY KEY, host TEXT NOT NULL, kind TEXT NOT NULL,"
	" key TEXT NOT NULL, t_ns INTEGER NOT NULL, parent TEXT, attributes TEXT)"
	" STRICT, WITHOUT ROWID;"
	"CREATE INDEX sample_parent ON sample (parent, kind, t_ns);"
	"CREATE TABLE host (host TEXT NOT NULL, role TEXT NOT NULL, PRIMARY KEY (host, role))"
	" STRICT, WITHOUT ROWID;"
	/* Joined records, alerts: a JSON document, and columns to find it by. */
	"CREATE TABLE migration (id TEXT PRIMARY KEY, source_id TEXT, destination_id TEXT,"
	" source TEXT, destination TEXT, status TEXT NOT NULL, start_ns INTEGER NOT NULL,"
	" end_ns INTEGER, vm_uuid TEXT, vm_name TEXT, loose INTEGER NOT NULL, doc TEXT NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE INDEX migration_start ON migration (start_ns);"
	"CREATE INDEX migration_status ON migration (status, start_ns);"
	"CREATE INDEX migration_source ON migration (source_id);"
	"CREATE INDEX migration_destination ON migration (destination_id);"
	"CREATE INDEX migration_vm ON migration (vm_uuid, start_ns);"
	"CREATE INDEX migration_loose ON migration (start_ns) WHERE loose;"
	"CREATE TABLE alert (id TEXT PRIMARY KEY, rule TEXT NOT NULL, severity TEXT NOT NULL,"
	" subject TEXT, start_ns INTEGER NOT NULL, end_ns INTEGER, seen_ns INTEGER NOT NULL,"
	" due_ns INTEGER, live INTEGER NOT NULL, told INTEGER NOT NULL, doc TEXT NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE INDEX alert_start ON alert (start_ns);"
	"CREATE INDEX alert_subject ON alert (subject);"
	"CREATE INDEX alert_live ON alert (id) WHERE live AND end_ns IS NULL;"
	"CREATE INDEX alert_untold ON alert (told) WHERE told < 2;"
	/* The daemon's own state. */
	"CREATE TABLE source (host TEXT NOT NULL, relayd TEXT NOT NULL, session TEXT NOT NULL,"
	" state TEXT NOT NULL, text TEXT, events INTEGER NOT NULL, lost_events INTEGER NOT NULL,"
	" late_events INTEGER NOT NULL, last_event_ns INTEGER, lag_ns INTEGER NOT NULL,"
	" seen_ns INTEGER NOT NULL, PRIMARY KEY (host, relayd, session)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE counter (scope TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL,"
	" PRIMARY KEY (scope, name)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE position (stream TEXT PRIMARY KEY, packet_begin INTEGER NOT NULL,"
	" packet_seq INTEGER NOT NULL, events_done INTEGER NOT NULL, last_raw INTEGER NOT NULL,"
	" discarded INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE flow (host TEXT NOT NULL, analyzer TEXT NOT NULL, key TEXT NOT NULL,"
	" blob BLOB NOT NULL, PRIMARY KEY (host, analyzer, key)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE horizon (host TEXT PRIMARY KEY, t_ns INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	/* What changed last, each thing once; 'first' is the number of its first
	 * change.  'forgotten' is the highest number that retention removed. */
	"CREATE TABLE change (seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL,"
	" id TEXT NOT NULL, first INTEGER NOT NULL, at_ns INTEGER NOT NULL, UNIQUE (topic, id))"
	" STRICT;"
	"CREATE TABLE forgotten (seq INTEGER NOT NULL) STRICT;"
	"INSERT INTO forgotten VALUES (0);",
	/* Windows of many objects' counters; 'level': 0 as told, n: thinned so often. */
	"CREATE TABLE window (id INTEGER PRIMARY KEY, host TEXT NOT NULL, kind TEXT NOT NULL,"
	" key TEXT NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,"
	" level INTEGER NOT NULL, blob BLOB NOT NULL, UNIQUE (host, kind, key, start_ns)) STRICT;"
	"CREATE INDEX window_level ON window (level, end_ns);",
	/* Requests.  'ref' finds facts by what they name: request ids, uuids,
	 * message ids.  'request' are flows that were joined: 'core_ns' is where what
	 * surely belongs to it ends, NULL while it goes on; 'subject' finds them by the
	 * VM, port or volume they are about.  'thing' are VMs, ports, volumes. */
	"CREATE TABLE ref (value TEXT NOT NULL, kind TEXT NOT NULL, t_ns INTEGER NOT NULL,"
	" fact TEXT NOT NULL, PRIMARY KEY (value, kind, t_ns, fact)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX ref_fact ON ref (fact);"
	"CREATE TRIGGER fact_gone AFTER DELETE ON fact BEGIN DELETE FROM ref WHERE fact = OLD.id;"
	" END;"
	"CREATE TABLE request (id TEXT PRIMARY KEY, kind TEXT NOT NULL, status TEXT NOT NULL,"
	" start_ns INTEGER NOT NULL, end_ns INTEGER, core_ns INTEGER, vm_uuid TEXT,"
	" volume TEXT, port TEXT, migration TEXT, behalf TEXT, doc TEXT NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE INDEX request_start ON request (start_ns);"
	"CREATE INDEX request_status ON request (status, start_ns);"
	"CREATE INDEX request_vm ON request (vm_uuid, start_ns) WHERE vm_uuid IS NOT NULL;"
	"CREATE INDEX request_migration ON request (migration) WHERE migration IS NOT NULL;"
	"CREATE INDEX request_behalf ON request (behalf) WHERE behalf IS NOT NULL;"
	"CREATE TABLE subject (value TEXT NOT NULL, start_ns INTEGER NOT NULL,"
	" request TEXT NOT NULL, PRIMARY KEY (value, start_ns, request)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX subject_request ON subject (request);"
	"CREATE TABLE thing (topic TEXT NOT NULL, id TEXT NOT NULL, name TEXT, host TEXT, vm TEXT,"
	" state TEXT, mac TEXT, tap TEXT, gone_ns INTEGER, doc TEXT NOT NULL,"
	" PRIMARY KEY (topic, id)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX thing_id ON thing (id);"
	"CREATE INDEX thing_name ON thing (name) WHERE name IS NOT NULL;"
	"CREATE INDEX thing_vm ON thing (vm, topic) WHERE vm IS NOT NULL;"
	"CREATE INDEX sample_kind ON sample (kind, t_ns);",
	/* What is to be delivered, silences, and what counting rules counted. */
	"CREATE TABLE delivery (seq INTEGER PRIMARY KEY AUTOINCREMENT, receiver TEXT NOT NULL,"
	" id TEXT NOT NULL, doc TEXT NOT NULL, queued_ns INTEGER NOT NULL, done INTEGER NOT NULL) STRICT;"
	"CREATE INDEX delivery_waiting ON delivery (receiver, seq) WHERE NOT done;"
	"CREATE INDEX delivery_id ON delivery (id) WHERE done;"
	"CREATE TABLE silence (id TEXT PRIMARY KEY, end_ns INTEGER NOT NULL, doc TEXT NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE alert_hit (rule TEXT NOT NULL, subject TEXT NOT NULL, t_ns INTEGER NOT NULL,"
	" id TEXT NOT NULL, PRIMARY KEY (rule, subject, t_ns, id)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX alert_hit_id ON alert_hit (id);"
	"CREATE INDEX alert_rule ON alert (rule, subject, start_ns);",
	/* Answers that are kept when their windows are not, until records that ended at
	 * 'keep_ns' are removed, and whose are all kept; figures to compare peers by. */
	"CREATE TABLE settled (id INTEGER PRIMARY KEY, question TEXT NOT NULL UNIQUE,"
	" keep_ns INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;"
	"CREATE INDEX settled_keep ON settled (keep_ns);"
	"CREATE TABLE settled_owner (topic TEXT NOT NULL, id TEXT NOT NULL, end_ns INTEGER NOT NULL,"
	" PRIMARY KEY (topic, id)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE peer (n INTEGER PRIMARY KEY, topic TEXT NOT NULL, id TEXT NOT NULL,"
	" kind TEXT NOT NULL, size INTEGER NOT NULL, start_ns INTEGER NOT NULL,"
	" total_ns INTEGER NOT NULL, parts TEXT NOT NULL, UNIQUE (topic, id)) STRICT;"
	"CREATE INDEX peer_kind ON peer (topic, kind, size, start_ns);"
	"CREATE TRIGGER migration_gone AFTER DELETE ON migration BEGIN"
	" DELETE FROM peer WHERE topic = 'migration' AND id = OLD.id;"
	" DELETE FROM settled_owner WHERE topic = 'migration' AND id = OLD.id; END;"
	"CREATE TRIGGER request_gone AFTER DELETE ON request BEGIN"
	" DELETE FROM peer WHERE topic = 'flow' AND id = OLD.id;"
	" DELETE FROM settled_owner WHERE topic = 'flow' AND id = OLD.id; END;"
	/* Segments that wait for the other end, and what pairs say of two clocks. */
	"CREATE TABLE clock_waiting (hash INTEGER NOT NULL, received INTEGER NOT NULL,"
	" host TEXT NOT NULL, t_ns INTEGER NOT NULL, PRIMARY KEY (hash, received, host))"
	" STRICT, WITHOUT ROWID;"
	"CREATE INDEX clock_waiting_age ON clock_waiting (host, t_ns);"
	"CREATE TABLE clock_slot (a TEXT NOT NULL, b TEXT NOT NULL, start_ns INTEGER NOT NULL,"
	" level INTEGER NOT NULL, width INTEGER NOT NULL, above BLOB NOT NULL, below BLOB NOT NULL,"
	" PRIMARY KEY (a, b, start_ns)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX clock_slot_start ON clock_slot (start_ns);"
	"CREATE INDEX clock_slot_young ON clock_slot (start_ns) WHERE level = 0;",
};
#define SCHEMA_VERSION ((int) ARRAY_SIZE(migrations))

/* -- Errors --------------------------------------------------------------- */

static const struct {
	int sqlite, code;
	const char *advice;
} failures[] = {
	{ SQLITE_FULL,     ENOSPC,  "free some space on its file system" },
	{ SQLITE_READONLY, EROFS,   "make the file and its folder writable" },
	{ SQLITE_CORRUPT,  EBADMSG, "move it away and start anew, or restore a copy" },
	{ SQLITE_NOTADB,   EBADMSG, "give the path of a store, or of a new file" },
	{ SQLITE_BUSY,     EBUSY,   "another process holds it for too long" },
	{ SQLITE_LOCKED,   EBUSY,   "another connection holds it" },
	{ SQLITE_PERM,     EACCES,  "check its permissions" },
	{ SQLITE_AUTH,     EACCES,  "check its permissions" },
	{ SQLITE_CANTOPEN, ENOENT,  "check that the file and its folder exist and may be read" },
	{ SQLITE_NOMEM,    ENOMEM,  "memory is gone" },
	{ SQLITE_TOOBIG,   E2BIG,   "a value is too large" },
	{ SQLITE_IOERR,    EIO,     "check the disk and the kernel's log" },
};

int
store_fail(struct store *store, struct error *error, const char *what)
{
	int sqlite = store->db ? sqlite3_errcode(store->db) : SQLITE_NOMEM;
	const char *why = store->db ? sqlite3_errmsg(store->db) : "out of memory";

	for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
		if (failures[i].sqlite == (sqlite & 0xff))
			return error_set(error, failures[i].code, "%s: cannot %s: %s: %s",
					 store->path, what, why, failures[i].advice);
	return error_set(error, EIO, "%s: cannot %s: %s", store->path, what, why);
}

int
store_damaged(struct store *store, struct error *error, const char *what)
{
	return error_set(error, EBADMSG, "%s: %s is damaged: move the file away and start anew, "
			 "or restore a copy", store->path, what);
}

/* -- Statements ----------------------------------------------------------- */

static sqlite3_stmt *
cached(struct store *store, const char *sql)
{
	struct statement *statement;

	for (unsigned i = 0; i < store->n_cached; i++)
		if (store->cache[i].sql == sql)
			return store->cache[i].stmt;
	if (store->n_cached == ARRAY_SIZE(store->cache))
		return NULL;
	statement = &store->cache[store->n_cached];
	if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement->stmt,
			       NULL) != SQLITE_OK)
		return NULL;
	statement->sql = sql;
	store->n_cached++;
	return statement->stmt;
}

/* 'lifetime': SQLITE_STATIC if texts and blobs stay until store_done(), else
 * SQLITE_TRANSIENT. */
static void
bind_arguments(sqlite3_stmt *stmt, const char *format, va_list args,
	       sqlite3_destructor_type lifetime)
{
	for (int i = 1; *format; format++, i++) {
		if (*format == 't') {
			const char *text = va_arg(args, const char *);

			sqlite3_bind_text(stmt, i, text, -1, lifetime);
		} else if (*format == 'i') {
			sqlite3_bind_int64(stmt, i, va_arg(args, int64_t));
		} else if (*format == 'b') {
			const void *bytes = va_arg(args, const void *);
			size_t size = va_arg(args, size_t);

			sqlite3_bind_blob64(stmt, i, bytes ? bytes : "", size, lifetime);
		} else {
			uint64_t value = va_arg(args, uint64_t);

			if (*format == 'z' && !value)
				sqlite3_bind_null(stmt, i);
			else
				sqlite3_bind_int64(stmt, i,
						   (int64_t) MIN(value, (uint64_t) INT64_MAX));
		}
	}
}

sqlite3_stmt *
store_query(struct store *store, const char *sql, const char *format, ...)
{
	sqlite3_stmt *stmt = cached(store, sql);
	va_list args;

	if (!stmt)
		return NULL;
	va_start(args, format);
	bind_arguments(stmt, format, args, SQLITE_TRANSIENT);
	va_end(args);
	return stmt;
}

int
store_done(struct store *store, sqlite3_stmt *stmt, struct error *error, const char *what)
{
	int code = stmt ? sqlite3_reset(stmt) : SQLITE_ERROR;

	if (stmt)
		sqlite3_clear_bindings(stmt);
	return code == SQLITE_OK ? 0 : store_fail(store, error, what);
}

int
store_run(struct store *store, struct error *error, const char *what, const char *sql,
	  const char *format, ...)
{
	sqlite3_stmt *stmt = cached(store, sql);
	va_list args;
	int code;

	if (!stmt)
		return store_fail(store, error, what);
	va_start(args, format);
	bind_arguments(stmt, format, args, SQLITE_STATIC);
	va_end(args);
	do
		code = sqlite3_step(stmt);
	while (code == SQLITE_ROW);
	code = store_done(store, stmt, error, what);
	return code ? code : sqlite3_changes(store->db);
}

int
store_exec(struct store *store, const char *sql, struct error *error, const char *what)
{
	if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return store_fail(store, error, what);
	return 0;
}

/* -- Values --------------------------------------------------------------- */

const char *
store_column_string(sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *) sqlite3_column_text(stmt, column);

	return text ? text : "";
}

json_t *
store_column_json(sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *) sqlite3_column_text(stmt, column);
	json_t *json;

	if (!text)
		return json_null();
	json = json_loads(text, JSON_DECODE_ANY, NULL);
	return json ? json : json_null();
}

json_t *
store_string(const char *text)
{
	struct buf quoted = { 0 };
	json_t *json = json_string(text);

	if (json)
		return json;
	/* Names come from traces: they need not be UTF-8. */
	buf_add_json_string(&quoted, text, strlen(text));
	json = json_loads(quoted.data, JSON_DECODE_ANY, NULL);
	buf_done(&quoted);
	return json ? json : json_string("");
}

json_t *
store_column_text(sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *) sqlite3_column_text(stmt, column);

	return text ? store_string(text) : json_null();
}

json_t *
store_column_integer(sqlite3_stmt *stmt, int column)
{
	if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
		return json_null();
	return json_integer(sqlite3_column_int64(stmt, column));
}

/* -- Opening -------------------------------------------------------------- */

static int
pragma_integer(struct store *store, const char *sql, int *ret, struct error *error)
{
	sqlite3_stmt *stmt;
	int code;

	if (sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return store_fail(store, error, "read it");
	code = sqlite3_step(stmt);
	if (code == SQLITE_ROW)
		*ret = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return code == SQLITE_ROW ? 0 : store_fail(store, error, "read it");
}

/* Whose file it is, before anything is written to it. */
static int
check_identity(struct store *store, int *ret_version, struct error *error)
{
	int application = 0, version = 0, tables = 0, r;

	r = pragma_integer(store, "SELECT count(*) FROM sqlite_schema", &tables, error);
	if (!r)
		r = pragma_integer(store, "PRAGMA application_id", &application, error);
	if (!r)
		r = pragma_integer(store, "PRAGMA user_version", &version, error);
	if (r)
		return r;
	if (application != APPLICATION_ID && (tables || application || version))
		return error_set(error, EINVAL, "%s: is a database of another program: "
				 "give the path of a store, or of a new file", store->path);
	if (version > SCHEMA_VERSION)
		return error_set(
			error, EPROTO,
			"%s: was written by a newer version (schema %d, this "
			"program knows up to %d): upgrade this program, or use another file",
			store->path, version, SCHEMA_VERSION);
	if (version < 0)
		return store_damaged(store, error, "its version");
	if (store->mode == STORE_READ && version < SCHEMA_VERSION)
		return error_set(error, EPROTO, "%s: %s (schema %d, this program reads %d): %s",
				 store->path,
				 version ? "is of an older version" : "is no store yet", version,
				 SCHEMA_VERSION, "let cloudtraced open it once");
	*ret_version = version;
	return 0;
}

static int
migrate(struct store *store, int version, struct error *error)
{
	char stamp[96];
	int r = 0;

	for (; version < SCHEMA_VERSION && !r; version++) {
		snprintf(stamp, sizeof stamp,
			 "PRAGMA application_id = %d; PRAGMA user_version = %d;", APPLICATION_ID,
			 version + 1);
		r = store_exec(store, "BEGIN IMMEDIATE", error, "migrate it");
		if (!r)
			r = store_exec(store, migrations[version], error, "migrate it");
		if (!r)
			r = store_exec(store, stamp, error, "migrate it");
		if (!r)
			r = store_exec(store, "COMMIT", error, "migrate it");
	}
	if (r)
		store_rollback(store);
	return r;
}

/* Two writers would undo each other's positions.  The lock is a file of its
 * own: closing any descriptor of the database would drop SQLite's locks. */
static int
take_lock(struct store *store, struct error *error)
{
	struct stat st;

	store->lock_path = xasprintf("%s-lock", store->path);
	for (;;) {
		store->lock_fd = open(store->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		if (store->lock_fd < 0)
			return error_set(error, errno, "%s: cannot be made: %s", store->lock_path,
					 strerror(errno));
		if (flock(store->lock_fd, LOCK_EX | LOCK_NB)) {
			close(store->lock_fd);
			store->lock_fd = -1;
			return error_set(error, EBUSY,
					 "%s: another cloudtraced writes it: stop that "
					 "one, or use another file",
					 store->path);
		}
		/* A leaving writer may have removed the file that we locked. */
		if (!fstat(store->lock_fd, &st) && st.st_nlink)
			return 0;
		close(store->lock_fd);
	}
}

static int
open_writer(struct store *store, struct error *error)
{
	int version, r;

	r = take_lock(store, error);
	if (r)
		return r;
	if (sqlite3_open_v2(store->path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
			    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL) != SQLITE_OK)
		return store_fail(store, error, "open it");
	sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
	r = check_identity(store, &version, error);
	if (r)
		return r;
	if (!version)
		r = store_exec(store, "PRAGMA auto_vacuum = INCREMENTAL", error, "make it");
	if (!r)
		r = store_exec(store, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
			       "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
			       "PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16384;"
			       "PRAGMA wal_autocheckpoint = 4096;", error, "write to it");
	if (!r)
		r = migrate(store, version, error);
	return r;
}

/* Percent-encodes what has a meaning in a URI (sqlite.org/uri.html). */
static char *
file_uri(const char *path, const char *query)
{
	size_t n = strlen(path);
	char *uri = xmalloc(3 * n + strlen(query) + 8), *to = uri;

	to += sprintf(to, "file:%s", *path == '/' ? "//" : "");
	for (; *path; path++)
		if (strchr("%?#", *path))
			to += sprintf(to, "%%%02X", (unsigned char) *path);
		else
			*to++ = *path;
	strcpy(to, query);
	return uri;
}

static int
try_reader(struct store *store, const char *query, struct error *error)
{
	char *uri = file_uri(store->path, query);
	int code, version;

	code = sqlite3_open_v2(uri, &store->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI |
			       SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	free(uri);
	if (code != SQLITE_OK)
		return store_fail(store, error, "open it");
	sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
	sqlite3_exec(store->db, "PRAGMA trusted_schema = OFF; PRAGMA query_only = ON;", NULL, NULL,
		     NULL);
	return check_identity(store, &version, error);
}

static int
open_reader(struct store *store, struct error *error)
{
	struct error first = { 0 };
	char *wal = xasprintf("%s-wal", store->path);
	struct stat st;
	int r = try_reader(store, "", &first);

	/* In a folder that we can't write, SQLite can't make the shared memory
	 * that a WAL needs.  Without a WAL nobody writes: the file stands still. */
	if (r && r != -EPROTO && r != -EINVAL && r != -EBADMSG && !access(store->path, R_OK) &&
	    (stat(wal, &st) || !st.st_size)) {
		sqlite3_close_v2(store->db);
		store->db = NULL;
		r = try_reader(store, "?immutable=1", error);
	} else if (r) {
		error_set(error, first.code, "%s", first.text);
	}
	free(wal);
	return r;
}

int
store_open(const char *path, enum store_mode mode, struct store **ret, struct error *error)
{
	struct store *store = xcalloc(1, sizeof *store);
	int r;

	store->path = xstrdup(path);
	store->mode = mode;
	store->lock_fd = -1;
	r = mode == STORE_WRITE ? open_writer(store, error) : open_reader(store, error);
	if (r) {
		store_close(store);
		return r;
	}
	*ret = store;
	return 0;
}

void
store_close(struct store *store)
{
	if (!store)
		return;
	store_rollback(store);
	for (unsigned i = 0; i < store->n_cached; i++)
		sqlite3_finalize(store->cache[i].stmt);
	sqlite3_close_v2(store->db);
	if (store->lock_fd >= 0) {
		unlink(store->lock_path);
		close(store->lock_fd);
	}
	free(store->lock_path);
	free(store->path);
	free(store);
}

/* -- Transactions --------------------------------------------------------- */

void
store_keep_span(struct store *store, const char *id, json_t *attributes)
{
	struct kept_span *kept;

	HASH_FIND_STR(store->kept, id, kept);
	if (!kept && attributes && !sqlite3_get_autocommit(store->db) &&
	    HASH_COUNT(store->kept) < STORE_MAX_KEPT) {
		kept = xcalloc(1, sizeof *kept);
		memcpy(kept->id, id, sizeof kept->id);
		HASH_ADD_STR(store->kept, id, kept);
	}
	if (!kept)
		return;
	json_decref(kept->attributes);
	kept->attributes = json_incref(attributes);
}

json_t *
store_kept_span(const struct store *store, const char *id)
{
	struct kept_span *kept;

	HASH_FIND_STR(store->kept, id, kept);
	return kept ? json_incref(kept->attributes) : NULL;
}

static void
forget_kept(struct store *store)
{
	struct kept_span *kept, *next;

	HASH_ITER(hh, store->kept, kept, next) {
		HASH_DEL(store->kept, kept);
		json_decref(kept->attributes);
		free(kept);
	}
	free(store->kept_host);
	free(store->told_service);
	store->kept_host = store->told_service = NULL;
}

int
store_begin(struct store *store, struct error *error)
{
	if (store->mode == STORE_READ)
		return store_exec(store, "BEGIN", error, "begin to read");
	return store_exec(store, "BEGIN IMMEDIATE", error, "begin to write");
}

int
store_commit(struct store *store, struct error *error)
{
	int r = store_exec(store, "COMMIT", error, "commit");

	if (r)
		store_rollback(store);
	forget_kept(store);
	return r;
}

void
store_rollback(struct store *store)
{
	if (store->db && !sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	forget_kept(store);
}
