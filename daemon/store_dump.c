/* SPDX-License-Identifier: MIT
 *
 * store_dump.c -- prints what follows from the trace alone, so that two stores
 * can be compared: read live or from disk, by either reader, killed or not. */
#include "daemon/store_internal.h"

#include <errno.h>

/* Each row is one line: the name, then its columns. */
static const struct {
	const char *name, *sql;
} sections[] = {
	{ "fact", "SELECT id, type, host, kind, key, start_ns, end_ns, status, parent, attributes"
		  " FROM fact ORDER BY host, kind, key, start_ns, id" },
	{ "sample", "SELECT id, host, kind, key, t_ns, parent, attributes FROM sample"
		    " ORDER BY host, kind, key, t_ns, id" },
	{ "window", "SELECT host, kind, key, start_ns, end_ns, hex(blob) FROM window"
		    " ORDER BY host, kind, key, start_ns" },
	{ "migration", "SELECT id, doc FROM migration ORDER BY start_ns, id" },
	{ "request", "SELECT id, core_ns, behalf, doc, (SELECT group_concat(value) FROM"
		     " (SELECT value FROM subject WHERE request = id ORDER BY value))"
		     " FROM request ORDER BY start_ns, id" },
	{ "thing", "SELECT topic, id, doc FROM thing ORDER BY topic, id" },
	{ "clock", "SELECT a, b, start_ns, hex(above), hex(below) FROM clock_slot"
		   " ORDER BY a, b, start_ns" },
	{ "alert", "SELECT id, doc FROM alert WHERE NOT live ORDER BY start_ns, id" },
};

int
store_dump(struct store *store, FILE *file, struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		sqlite3_stmt *stmt = store_query(store, sections[i].sql, "");
		int n = stmt ? sqlite3_column_count(stmt) : 0, r;

		while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
			fputs(sections[i].name, file);
			for (int k = 0; k < n; k++)
				fprintf(file, "\t%s", store_column_string(stmt, k));
			fputc('\n', file);
		}
		r = store_done(store, stmt, error, "dump it");
		if (r)
			return r;
	}
	if (fflush(file) || ferror(file))
		return error_set(error, EIO, "the dump cannot be written: is the disk full?");
	return 0;
}
