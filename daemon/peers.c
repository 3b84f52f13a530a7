/* SPDX-License-Identifier: MIT
 *
 * peers.c -- how a migration or request stands among others of its kind (parts.h). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/parts.h"
#include "daemon/members.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/util.h"

enum {
	MIN_PEERS = 8,               /* Fewer say nothing. */
	MAX_PEERS = 1000,            /* The newest. */
	MAX_KEYS = 256,              /* Different parts of them all. */
	MAX_REASONS = 5,
	REASON_PERCENT = 5,          /* Of what it differs; less is no reason. */
};
#define PEERS_BACK_NS (30 * 86400 * NS_PER_S)

/* One part, as each of the peers had it. */
struct column {
	const char *what, *service;  /* Borrowed from 'shown'. */
	json_t *shown;               /* The part of the one that is looked at, or of a peer. */
	uint64_t own_ns, median_ns;
	uint64_t *ns;                /* Of those that had it. */
	size_t n;
};

struct peers {
	uint64_t *totals;
	size_t n;
	struct column columns[MAX_KEYS];
	size_t n_columns;
	uint64_t own_ns, median_ns, p95_ns;
};

/* -- Who is a peer ----------------------------------------------------------------- */

/* Doubles of bytes; 0: unknown. */
static uint64_t
size_class(uint64_t bytes)
{
	uint64_t class = 0;

	for (; bytes; bytes >>= 1)
		class++;
	return class;
}

static struct store_peer
peer_of(const char *topic, const json_t *record, const json_t *parts)
{
	const bool is_flow = streq(topic, "flow");
	const char *kind = text_of(record, is_flow ? "kind" : "mode");

	return (struct store_peer) {
		.kind = kind ? kind : "", .parts = parts,
		.size = is_flow ? 0 : size_class(number_of(record, "total_bytes")),
		.start_ns = number_of(record, "start_ns"), .total_ns = number_of(record, "total_ns"),
	};
}

int
peers_keep(struct store *store, const char *topic, const char *id, const json_t *record,
	   const json_t *parts, struct error *error)
{
	const char *status = text_of(record, "status");
	const bool ended_well = status && (streq(status, "ok") || streq(status, "completed"));
	const struct store_peer peer = peer_of(topic, record, parts);

	return store_put_peer(store, topic, id, parts && ended_well ? &peer : NULL, error);
}

/* -- Reading ------------------------------------------------------------------------- */

static bool
is_same(const char *a, const char *b)
{
	return a && b ? streq(a, b) : a == b;
}

static struct column *
column_of(struct peers *peers, json_t *part)
{
	const char *what = text_of(part, "what"), *service = text_of(part, "service");
	struct column *column;
	size_t i = 0;

	while (i < peers->n_columns && (!is_same(peers->columns[i].what, what) ||
					!is_same(peers->columns[i].service, service)))
		i++;
	if (i == MAX_KEYS || !what)
		return NULL;
	column = &peers->columns[i];
	if (i == peers->n_columns) {
		peers->n_columns++;
		*column = (struct column) { .what = what, .service = service,
					    .shown = json_incref(part),
					    .ns = xcalloc(MAX_PEERS, sizeof *column->ns) };
	}
	return column;
}

static void
take_peer(void *context, const struct store_peer *peer)
{
	struct peers *peers = context;
	json_t *part;
	size_t i;

	if (peers->n == MAX_PEERS)
		return;
	peers->totals[peers->n++] = peer->total_ns;
	json_array_foreach((json_t *) (uintptr_t) peer->parts, i, part) {
		struct column *column = column_of(peers, part);

		if (column && column->n < peers->n)
			column->ns[column->n++] = number_of(part, "ns");
	}
}

static int
compare_ns(const void *a_, const void *b_)
{
	const uint64_t *a = a_, *b = b_;

	return *a < *b ? -1 : *a > *b;
}

/* Of sorted ones, with so many zeros before them. */
static uint64_t
quantile(const uint64_t *ns, size_t n, size_t zeros, unsigned percent)
{
	const size_t all = n + zeros, at = all ? (all - 1) * percent / 100 : 0;

	return at < zeros || !all ? 0 : ns[at - zeros];
}

static void
sum_up(struct peers *peers)
{
	qsort(peers->totals, peers->n, sizeof *peers->totals, compare_ns);
	peers->median_ns = quantile(peers->totals, peers->n, 0, 50);
	peers->p95_ns = quantile(peers->totals, peers->n, 0, 95);
	for (size_t i = 0; i < peers->n_columns; i++) {
		struct column *column = &peers->columns[i];

		qsort(column->ns, column->n, sizeof *column->ns, compare_ns);
		column->median_ns = quantile(column->ns, column->n, peers->n - column->n, 50);
	}
}

static void
peers_done(struct peers *peers)
{
	for (size_t i = 0; i < peers->n_columns; i++) {
		json_decref(peers->columns[i].shown);
		free(peers->columns[i].ns);
	}
	free(peers->totals);
	free(peers);
}

static struct peers *
read_peers(struct store *store, const char *topic, const json_t *record, const json_t *parts,
	   uint64_t since_ns)
{
	struct peers *peers = xcalloc(1, sizeof *peers);
	const struct store_peer like = peer_of(topic, record, parts);
	const char *id = text_of(record, "id");
	json_t *part;
	size_t i;

	peers->totals = xcalloc(MAX_PEERS, sizeof *peers->totals);
	peers->own_ns = like.total_ns;
	json_array_foreach((json_t *) (uintptr_t) parts, i, part) {
		struct column *column = column_of(peers, part);

		if (column)
			column->own_ns = number_of(part, "ns");
	}
	store_peers(store, topic, &like, id ? id : "", since_ns, MAX_PEERS, take_peer, peers, NULL);
	sum_up(peers);
	return peers;
}

/* -- Telling --------------------------------------------------------------------------- */

static int64_t
difference_of(const struct column *column)
{
	return (int64_t) column->own_ns - (int64_t) column->median_ns;
}

static int
by_difference(const void *a_, const void *b_)
{
	const struct column *const *a = a_, *const *b = b_;
	const int64_t x = difference_of(*a), y = difference_of(*b);

	return x != y ? (x > y ? -1 : 1) : strcmp((*a)->what, (*b)->what);
}

/* What made it slower, or faster, than the median of its peers, the most first. */
static json_t *
reasons_of(struct peers *peers)
{
	const int64_t whole = (int64_t) peers->own_ns - (int64_t) peers->median_ns;
	struct column *order[MAX_KEYS] = { NULL };
	json_t *reasons = json_array();

	for (size_t i = 0; i < peers->n_columns; i++)
		order[i] = &peers->columns[i];
	qsort(order, peers->n_columns, sizeof *order, by_difference);
	for (size_t i = 0; i < peers->n_columns && json_array_size(reasons) < MAX_REASONS; i++) {
		const struct column *c = order[whole >= 0 ? i : peers->n_columns - 1 - i];
		const int64_t more = difference_of(c);

		if (!whole || (more > 0) != (whole > 0) || !more ||
		    more / whole * 100 + more % whole * 100 / whole < REASON_PERCENT)
			break;
		json_array_append_new(reasons, json_pack(
			"{s:O, s:O, s:O, s:O?, s:I, s:I, s:I}", "what", json_object_get(c->shown, "what"),
			"layer", json_object_get(c->shown, "layer"),
			"service", json_object_get(c->shown, "service"), "host",
			c->own_ns ? json_object_get(c->shown, "host") : NULL, "ns",
			(json_int_t) c->own_ns, "median_ns", (json_int_t) c->median_ns,
			"difference_ns", (json_int_t) more));
	}
	return reasons;
}

void
part_write_name(const json_t *part, const char *host, struct buf *out)
{
	const char *what = text_of(part, "what"), *service = text_of(part, "service");

	buf_add_string(out, what ? what : "?");
	if (service && (!what || !streq(service, what)))
		buf_printf(out, " (%s%s%s)", service, host ? " on " : "", host ? host : "");
	else if (host)
		buf_printf(out, " on %s", host);
}

static void
add_duration(uint64_t ns, struct buf *out)
{
	char text[48];

	buf_add_string(out, format_duration(ns, text, sizeof text));
}

/* "slower than 95 % of 240 server.create requests: scheduler (nova-scheduler on
 * controller) took 4.1 s (median 300 ms)". */
static json_t *
text_json(const struct peers *peers, const struct store_peer *like, const char *topic,
	  unsigned faster, const json_t *reasons)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *noun = streq(topic, "flow") ? "requests" : "migrations of that size";
	json_t *reason;
	size_t i;

	if (peers->n < MIN_PEERS) {
		buf_printf(&text, "%zu other%s ended well: too few to compare with (%d are needed)",
			   peers->n, peers->n == 1 ? "" : "s", MIN_PEERS);
		return store_string(text.data);
	}
	buf_printf(&text, "%s than %u %% of %zu %s %s", faster >= 50 ? "slower" : "faster",
		   faster >= 50 ? faster : 100 - faster, peers->n, like->kind, noun);
	json_array_foreach((json_t *) (uintptr_t) reasons, i, reason) {
		if (i == 2)
			break;
		buf_add_string(&text, i ? ", " : ": ");
		part_write_name(reason, text_of(reason, "host"), &text);
		buf_add_string(&text, " took ");
		add_duration(number_of(reason, "ns"), &text);
		buf_add_string(&text, " (median ");
		add_duration(number_of(reason, "median_ns"), &text);
		buf_add_char(&text, ')');
	}
	return store_string(text.data);
}

static json_t *
size_json(uint64_t class)
{
	if (!class || class > 62)
		return json_null();
	return json_pack("{s:I, s:I}", "from_bytes", (json_int_t) 1 << (class - 1), "to_bytes",
			 (json_int_t) 1 << class);
}

json_t *
peers_of(struct store *store, const char *topic, const json_t *record, const json_t *parts)
{
	const struct store_peer like = peer_of(topic, record, parts);
	const uint64_t since_ns = like.start_ns - MIN(like.start_ns, PEERS_BACK_NS);
	struct peers *peers;
	size_t faster = 0;
	unsigned percent;
	json_t *reasons, *answer;
	bool enough;

	if (!parts)
		return NULL;
	peers = read_peers(store, topic, record, parts, since_ns);
	while (faster < peers->n && peers->totals[faster] < like.total_ns)
		faster++;
	percent = peers->n ? (unsigned) (faster * 100 / peers->n) : 0;
	enough = peers->n >= MIN_PEERS;
	reasons = enough ? reasons_of(peers) : json_array();
	answer = json_pack("{s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:O, s:o}", "kind", like.kind, "size",
			   size_json(like.size), "since_ns", (json_int_t) since_ns, "n",
			   (json_int_t) peers->n, "faster_percent", enough ? json_integer(percent) :
			   json_null(), "median_ns", enough ? json_integer((json_int_t) peers->median_ns) :
			   json_null(), "p95_ns", enough ? json_integer((json_int_t) peers->p95_ns) :
			   json_null(), "total_ns", json_integer((json_int_t) like.total_ns), "because",
			   reasons, "text", text_json(peers, &like, topic, percent, reasons));
	json_decref(reasons);
	peers_done(peers);
	return answer;
}
