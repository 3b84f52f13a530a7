/* SPDX-License-Identifier: MIT
 *
 * join_migration.c -- brings the records of migrations up to date with the
 * facts (join.h).
 *
 * Two passes.  The first joins by time: a source and a destination belong
 * together within JOIN_NEAR_NS, so what a touched side can change is the chain
 * of sides around it in which each is within that of the next; such a chain is
 * followed for MAX_CHAIN_NS at most.  The second joins what the first left by
 * duration or uuid, for clocks that disagree: among all sides without a
 * partner within JOIN_SKEW_NS of each other.  It runs only when such a side
 * began, ended or learnt who it is.  What that can change is looked for up to
 * REACH away, with all that has a say in it loaded: elimination over longer
 * chains than that is not followed. */
#include "daemon/join.h"
#include "daemon/parts.h"

#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

#define MAX_CHAIN_NS (600 * NS_PER_S)
#define REACH (2 * JOIN_SKEW_NS)

struct join {
	struct store *store;
	const struct join_touch *touched;
	size_t n_touched;
	join_written_fn *written;
	void *context;
	struct error *error;
	struct side_set *near;       /* One for each window. */
	size_t n_near;
	/* What the first pass leaves to the second: */
	json_t *loose;               /* Spans of touched sides without a partner. */
	json_t *taken;               /* Ids of sides that have one now, as members. */
	bool second;                 /* Whether it has to run. */
	uint64_t from_ns, to_ns;     /* Over which time. */
};

struct window {
	uint64_t from_ns, to_ns;
};

static uint64_t
minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static const char *
text_member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* -- First pass ----------------------------------------------------------- */

static int
compare_windows(const void *a_, const void *b_)
{
	const struct window *a = a_, *b = b_;

	return a->from_ns < b->from_ns ? -1 : a->from_ns > b->from_ns;
}

/* Where something was touched, merged where it overlaps.  To be freed. */
static struct window *
windows_of(const struct join *join, size_t *ret_n)
{
	struct window *windows = xcalloc(2 * join->n_touched + 1, sizeof *windows);
	size_t n = 0, merged = 0;

	for (size_t i = 0; i < join->n_touched; i++) {
		const uint64_t times[] = { join->touched[i].start_ns, join->touched[i].at_ns };

		for (size_t k = 0; k < ARRAY_SIZE(times); k++)
			windows[n++] = (struct window) { minus(times[k], JOIN_NEAR_NS),
							 times[k] + JOIN_NEAR_NS };
	}
	qsort(windows, n, sizeof *windows, compare_windows);
	for (size_t i = 1; i < n; i++) {
		if (windows[i].from_ns <= windows[merged].to_ns)
			windows[merged].to_ns = MAX(windows[merged].to_ns, windows[i].to_ns);
		else
			windows[++merged] = windows[i];
	}
	*ret_n = n ? merged + 1 : 0;
	return windows;
}

/* Loads the sides around one window, as far as the chains from it reach, and
 * joins them.  Those whose record may change come out marked. */
static int
load_window(struct join *join, const struct window *window, struct side_set *set)
{
	uint64_t margin = 2 * JOIN_NEAR_NS, from_ns, to_ns;
	json_t *spans;

	for (;; margin *= 4) {
		spans = store_sides(join->store, minus(window->from_ns, margin),
				    window->to_ns + margin, join->error);
		if (!spans)
			return -join->error->code;
		side_set_done(set);
		side_set_add(set, join->store, spans);
		json_decref(spans);
		side_set_sort(set);
		for (size_t i = 0; i < set->n; i++)
			set->sides[i].affected = set->sides[i].at_ns >= window->from_ns &&
						 set->sides[i].at_ns <= window->to_ns;
		join_spread(set, &from_ns, &to_ns);
		if (margin >= MAX_CHAIN_NS ||
		    (from_ns >= minus(window->from_ns, margin) + JOIN_NEAR_NS &&
		     to_ns <= window->to_ns + margin - JOIN_NEAR_NS) || from_ns > to_ns)
			break;
	}
	join_pairs(set, false);
	return 0;
}

/* -- Records -------------------------------------------------------------- */

static int
keep_peer(struct join *join, const char *id, const json_t *record)
{
	json_t *parts = parts_of_migration(record);
	int r = peers_keep(join->store, "migration", id, record, parts, join->error);

	json_decref(parts);
	return r;
}

static int
write_record(struct join *join, const char *id, json_t *record)
{
	int r;

	/* Who asked for it is known from the request (flow.c). */
	if (record)
		json_object_set_new(record, "request_id",
				    store_request_of_migration(join->store, id));
	r = store_put_migration(join->store, id, record, join->error);
	if (!r && record)
		r = keep_peer(join, id, record);
	return r ? r : join->written(join->context, id, record, join->error);
}

/* Writes the record of a side and its partner, and forgets the one that the
 * destination had as long as it was alone. */
static int
write_side(struct join *join, const struct side *side)
{
	const struct side *source = side->is_source ? side : side->partner;
	const struct side *destination = side->is_source ? side->partner : side;
	json_t *record = join_record(source, destination), *alone;
	int r = join_network(join->store, record, source, destination, join->error);

	if (!r)
		r = write_record(join, source ? source->id : destination->id, record);
	json_decref(record);
	alone = !r && source && destination ? store_migration(join->store, destination->id) : NULL;
	if (alone)
		r = write_record(join, destination->id, NULL);
	json_decref(alone);
	return r;
}

/* -- Second pass ---------------------------------------------------------- */

static const struct join_touch *
touch_of(const struct join *join, const char *id)
{
	for (size_t i = 0; i < join->n_touched; i++)
		if (streq(join->touched[i].id, id))
			return &join->touched[i];
	return NULL;
}

/* Whether the second pass has to think about this side; if not, a partner that
 * it gave before is kept. */
static bool
needs_second_pass(struct join *join, const struct side *side)
{
	const struct join_touch *touch = touch_of(join, side->id);
	int loose = store_is_loose(join->store, side->id);

	if (side->partner)
		return loose > 0;
	return loose <= 0 || side->end_ns || (touch && touch->identity);
}

/* A side that the second pass looked at before and that only made progress: its
 * record is made anew with the same partner, if any. */
static int
write_as_it_was(struct join *join, json_t *span)
{
	json_t *record = store_migration_of_side(join->store, text_member(span, "id"));
	bool is_source = streq(text_member(span, "kind"), "migration.source");
	const char *partner = text_member(record, is_source ? "destination_id" : "source_id");
	json_t *spans = json_array(), *other = partner ? store_span(join->store, partner) : NULL;
	struct side_set pair = { 0 };
	int r;

	json_array_append(spans, span);
	if (other)
		json_array_append_new(spans, other);
	side_set_add(&pair, join->store, spans);
	side_set_sort(&pair);
	join_pairs(&pair, true);
	r = write_side(join, side_set_find(&pair, text_member(span, "id")));
	side_set_done(&pair);
	json_decref(spans);
	json_decref(record);
	return r;
}

/* All that have no partner, around what was touched: those that did change are
 * marked as affected. */
static int
load_loose(struct join *join, struct side_set *set)
{
	json_t *spans = store_loose_sides(join->store, minus(join->from_ns, 2 * REACH),
					  join->to_ns + 2 * REACH, join->error);
	json_t *others = json_array(), *span;
	size_t i;

	if (!spans) {
		json_decref(others);
		return -join->error->code;
	}
	side_set_add(set, join->store, join->loose);
	for (i = 0; i < set->n; i++) {
		set->sides[i].affected = true;
		json_object_set_new(join->taken, set->sides[i].id, json_true());
	}
	json_array_foreach(spans, i, span) {
		const char *id = text_member(span, "id");

		if (id && !json_object_get(join->taken, id))
			json_array_append(others, span);
	}
	side_set_add(set, join->store, others);
	json_decref(others);
	json_decref(spans);
	side_set_sort(set);
	return 0;
}

static int
second_pass(struct join *join)
{
	struct side_set far = { 0 };
	int r = load_loose(join, &far);

	if (!r)
		join_pairs(&far, true);
	for (size_t i = 0; i < far.n && !r; i++) {
		const struct side *side = &far.sides[i];
		const char *before = text_member(side->span, "partner");
		const char *now = side->partner ? side->partner->id : NULL;
		bool same = before && now ? streq(before, now) : !before && !now;
		bool in_reach = side->at_ns >= minus(join->from_ns, REACH) &&
				side->at_ns <= join->to_ns + REACH;

		if (side->affected || (!same && in_reach))
			r = write_side(join, side);
	}
	side_set_done(&far);
	return r;
}

/* -- All ------------------------------------------------------------------ */

static int
join_window(struct join *join, const struct window *window)
{
	struct side_set *near = &join->near[join->n_near++];
	int r = load_window(join, window, near);

	for (size_t i = 0; i < near->n && !r; i++) {
		struct side *side = &near->sides[i];

		if (!side->affected)
			continue;
		join->second |= needs_second_pass(join, side);
		if (side->partner)
			json_object_set_new(join->taken, side->id, json_true());
		else
			json_array_append(join->loose, side->span);
	}
	join->from_ns = MIN(join->from_ns, window->from_ns);
	join->to_ns = MAX(join->to_ns, window->to_ns);
	return r;
}

/* Writes all records.  The second pass comes first: the records as they were
 * tell it who else was without a partner. */
static int
finish(struct join *join)
{
	int r = join->second ? second_pass(join) : 0;
	json_t *span;
	size_t i;

	json_array_foreach(join->loose, i, span)
		if (!r && !join->second)
			r = write_as_it_was(join, span);
	for (size_t k = 0; k < join->n_near; k++) {
		for (i = 0; i < join->near[k].n && !r; i++) {
			const struct side *side = &join->near[k].sides[i];

			if (side->affected && side->partner &&
			    (side->is_source || !side->partner->affected))
				r = write_side(join, side);
		}
	}
	return r;
}

static void
touch_span(struct join_touch *touch, const json_t *span)
{
	const json_t *attributes = json_object_get(span, "attributes");
	uint64_t at_ns = side_time(attributes, "connect_ns");

	touch->start_ns = touch->at_ns = side_time(span, "start_ns");
	if (at_ns)
		touch->at_ns = at_ns;
}

/* A side that is no more: its record goes, and its partner is touched, too. */
static int
forget_gone(struct join *join, const char *id, struct join_touch *partner)
{
	json_t *record = store_migration_of_side(join->store, id), *span = NULL;
	const char *record_id = text_member(record, "id"), *other;
	int r;

	if (!record_id) {
		json_decref(record);
		return 0;
	}
	other = text_member(record, "source_id");
	if (!other || streq(other, id))
		other = text_member(record, "destination_id");
	r = write_record(join, record_id, NULL);
	if (!r && other && !streq(other, id))
		span = store_span(join->store, other);
	if (span) {
		snprintf(partner->id, sizeof partner->id, "%s", other);
		partner->identity = true;
		touch_span(partner, span);
		json_decref(span);
	}
	json_decref(record);
	return r;
}

/* Puts the times of what was touched in, and forgets what is gone. */
static int
look_up(struct join *join, struct join_touch *touched, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		json_t *span;

		/* A fact of the side itself said where it is. */
		if (touched[i].start_ns && !touched[i].identity)
			continue;
		span = store_span(join->store, touched[i].id);
		if (span)
			touch_span(&touched[i], span);
		else
			r = forget_gone(join, touched[i].id, &touched[join->n_touched]);
		if (*touched[join->n_touched].id)
			join->n_touched++;
		json_decref(span);
	}
	return r;
}

int
join_migrations(struct store *store, const struct join_touch *touched, size_t n_touched,
		join_written_fn *written, void *context, struct error *error)
{
	struct error own = { 0 };
	struct join_touch *all = xcalloc(2 * n_touched + 1, sizeof *all);
	struct join join = { .store = store,
			     .touched = all,
			     .n_touched = n_touched,
			     .written = written,
			     .context = context,
			     .error = error ? error : &own };
	struct window *windows;
	size_t n;
	int r;

	join.loose = json_array();
	join.taken = json_object();
	join.from_ns = UINT64_MAX;
	if (n_touched)
		memcpy(all, touched, n_touched * sizeof *all);
	r = look_up(&join, all, n_touched);
	windows = windows_of(&join, &n);
	join.near = xcalloc(n + 1, sizeof *join.near);
	for (size_t i = 0; i < n && !r; i++)
		r = join_window(&join, &windows[i]);
	if (!r)
		r = finish(&join);
	while (join.n_near)
		side_set_done(&join.near[--join.n_near]);
	free(join.near);
	json_decref(join.loose);
	json_decref(join.taken);
	free(windows);
	free(all);
	return r;
}
