/* SPDX-License-Identifier: MIT
 *
 * store_peers.c -- what migrations and requests are compared by with others of their
 * kind (parts.h): a row of each that ended well. */
#include "daemon/store_internal.h"

#include <errno.h>
#include <stdlib.h>

int
store_put_peer(struct store *store, const char *topic, const char *id, const struct store_peer *peer,
	       struct error *error)
{
	static const char forget[] = "DELETE FROM peer WHERE (topic, id) = (?1, ?2)";
	static const char sql[] =
		"INSERT INTO peer (topic, id, kind, size, start_ns, total_ns, parts)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (topic, id) DO UPDATE SET"
		" kind = excluded.kind, size = excluded.size, start_ns = excluded.start_ns,"
		" total_ns = excluded.total_ns, parts = excluded.parts"
		" WHERE (kind, size, start_ns, total_ns, parts) IS NOT"
		" (excluded.kind, excluded.size, excluded.start_ns, excluded.total_ns, excluded.parts)";
	char *parts;
	int r;

	if (!peer) {
		r = store_run(store, error, "forget a peer", forget, "tt", topic, id);
		return MIN(r, 0);
	}
	parts = store_text(peer->parts);
	r = store_run(store, error, "keep a peer", sql, "tttuuut", topic, id, peer->kind, peer->size,
		      peer->start_ns, peer->total_ns, parts);
	free(parts);
	return MIN(r, 0);
}

int
store_peers(struct store *store, const char *topic, const struct store_peer *like, const char *but,
	    uint64_t since_ns, unsigned limit,
	    void (*give)(void *context, const struct store_peer *peer), void *context,
	    struct error *error)
{
	static const char sql[] =
		"SELECT id, start_ns, total_ns, parts FROM peer WHERE topic = ?1 AND kind = ?2"
		" AND size = ?3 AND start_ns >= ?4 AND id <> ?5 ORDER BY start_ns DESC, id LIMIT ?6";
	sqlite3_stmt *stmt = store_query(store, sql, "ttuutu", topic, like->kind, like->size, since_ns,
					 but, (uint64_t) limit);

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		json_t *parts = store_column_json(stmt, 3);
		const struct store_peer peer = {
			.kind = like->kind, .size = like->size,
			.start_ns = (uint64_t) sqlite3_column_int64(stmt, 1),
			.total_ns = (uint64_t) sqlite3_column_int64(stmt, 2), .parts = parts,
		};

		give(context, &peer);
		json_decref(parts);
	}
	return store_done(store, stmt, error, "read peers");
}
