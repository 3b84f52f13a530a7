/* SPDX-License-Identifier: MIT
 *
 * compare.c -- two requests or two migrations side by side (parts.h): which of their
 * parts make the difference, step by step, and what else differs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock_apply.h"
#include "daemon/compare_private.h"
#include "daemon/expand.h"
#include "daemon/flow.h"
#include "daemon/members.h"
#include "lib/clock.h"
#include "lib/util.h"

enum {
	MAX_TOLD = 3,                /* Parts in the sentence. */
	TOLD_PERCENT = 5,            /* Of the difference; less is not told. */
};

static bool
is_same(const char *a, const char *b)
{
	return a && b ? streq(a, b) : a == b;
}

/* -- Finding them --------------------------------------------------------------------- */

static int
take_flow(struct compared *ret, struct store *store, const char *id, struct error *error)
{
	const char *migration;

	ret->record = store_flow_show(store, id, error);
	if (!ret->record)
		return error->code > 0 ? -error->code : -EIO;
	ret->topic = "flow";
	ret->parts = flow_parts_of(store, text_of(ret->record, "id"));
	migration = text_of(ret->record, "migration");
	ret->migration = migration ? store_migration(store, migration) : NULL;
	clock_add_migration(store, ret->migration);
	return 0;
}

static int
take_migration(struct compared *ret, struct store *store, const char *id, struct error *error)
{
	ret->record = store_migration_show(store, id, error);
	if (!ret->record)
		return error->code > 0 ? -error->code : -EIO;
	ret->topic = "migration";
	migration_expand(store, ret->record);
	ret->parts = parts_of_migration(ret->record);
	ret->migration = json_incref(ret->record);
	return 0;
}

/* The name of a VM is its newest migration. */
static int
take(struct compared *ret, struct store *store, const char *id, struct error *error)
{
	struct error first = { 0 }, second = { 0 };
	int r = take_migration(ret, store, id, &first);

	if (r == -ENOENT)
		r = take_flow(ret, store, id, &second);
	if (r == -ENOENT)
		return error_set(error, ENOENT, "no request and no migration is known by \"%s\"", id);
	if (r < 0)
		error_set(error, -r, "%s", second.text[0] ? second.text : first.text);
	return r;
}

static void
compared_done(struct compared *one)
{
	json_decref(one->record);
	json_decref(one->migration);
	json_decref(one->parts);
	*one = (struct compared) { 0 };
}

/* Of a request and a migration, the request's migration is meant. */
static int
make_alike(struct compared *one, const struct compared *other, struct store *store,
	   struct error *error)
{
	_cleanup_(freep) char *id = NULL;

	if (!compared_is_flow(one) || compared_is_flow(other))
		return 0;
	if (!one->migration)
		return error_set(error, EINVAL, "%s is a request without a live migration, %s a migration: "
				 "give two of one sort", text_of(one->record, "id"),
				 text_of(other->record, "id"));
	id = xstrdup(text_of(one->migration, "id"));
	compared_done(one);
	return take_migration(one, store, id, error);
}

/* -- Parts --------------------------------------------------------------------------------- */

static json_t *
part_of(const json_t *parts, const json_t *like)
{
	json_t *part;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) parts, i, part)
		if (is_same(text_of(part, "what"), text_of(like, "what")) &&
		    is_same(text_of(part, "service"), text_of(like, "service")))
			return part;
	return NULL;
}

static void
add_part(json_t *list, const json_t *like, const json_t *a, const json_t *b, int64_t whole)
{
	const int64_t ns = (int64_t) number_of(a, "ns") - (int64_t) number_of(b, "ns");

	json_array_append_new(list, json_pack(
		"{s:O, s:O, s:O, s:O?, s:O?, s:I, s:I, s:I, s:o}", "what", json_object_get(like, "what"),
		"layer", json_object_get(like, "layer"), "service", json_object_get(like, "service"),
		"host_a", json_object_get(a, "host"), "host_b", json_object_get(b, "host"), "a_ns",
		(json_int_t) number_of(a, "ns"), "b_ns", (json_int_t) number_of(b, "ns"),
		"difference_ns", (json_int_t) ns, "percent", whole ?
		json_real((double) (int64_t) (1000.0 * (double) ns / (double) whole) / 10) : json_null()));
}

static int64_t
absolute(int64_t ns)
{
	return ns < 0 ? -ns : ns;
}

/* What differs most comes first. */
static int
by_difference(const void *a_, const void *b_)
{
	const json_t *a = *(json_t *const *) a_, *b = *(json_t *const *) b_;
	const int64_t x = absolute(json_integer_value(json_object_get(a, "difference_ns")));
	const int64_t y = absolute(json_integer_value(json_object_get(b, "difference_ns")));

	return x != y ? (x > y ? -1 : 1) : strcmp(text_of(a, "what") ? text_of(a, "what") : "",
						  text_of(b, "what") ? text_of(b, "what") : "");
}

static json_t *
sorted(json_t *list)
{
	const size_t n = json_array_size(list);
	json_t **items = xcalloc(n + 1, sizeof *items), *ordered = json_array();

	for (size_t i = 0; i < n; i++)
		items[i] = json_array_get(list, i);
	qsort(items, n, sizeof *items, by_difference);
	for (size_t i = 0; i < n; i++)
		json_array_append(ordered, items[i]);
	free(items);
	json_decref(list);
	return ordered;
}

static json_t *
parts_of_both(const json_t *a, const json_t *b, int64_t whole)
{
	json_t *list = json_array(), *part;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) a, i, part)
		add_part(list, part, part, part_of(b, part), whole);
	json_array_foreach((json_t *) (uintptr_t) b, i, part)
		if (!part_of(a, part))
			add_part(list, part, NULL, part, whole);
	return sorted(list);
}

/* -- The sentence ----------------------------------------------------------------------------- */

static void
add_duration(int64_t ns, struct buf *out)
{
	char text[48];

	buf_add_string(out, format_duration((uint64_t) absolute(ns), text, sizeof text));
}

static const char *
host_of(const json_t *part)
{
	const char *a = text_of(part, "host_a"), *b = text_of(part, "host_b");

	return number_of(part, "a_ns") >= number_of(part, "b_ns") ? a : b;
}

/* Parts that go the way of the whole; 'against': those that go the other way. */
static void
tell_parts(const json_t *parts, int64_t whole, bool against, struct buf *out)
{
	unsigned told = 0;
	json_t *part;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) parts, i, part) {
		const int64_t ns = json_integer_value(json_object_get(part, "difference_ns"));

		if (((ns > 0) == (whole > 0)) == against || told == MAX_TOLD ||
		    absolute(ns) < absolute(whole) / 100 * TOLD_PERCENT || absolute(ns) < (int64_t) NS_PER_MS)
			continue;
		buf_add_string(out, told++ ? ", " : against ? "; against it " : ": ");
		add_duration(ns, out);
		buf_add_string(out, told == 1 && !against ? " of it" : told == 1 ? " less" : "");
		buf_add_string(out, is_same(text_of(part, "what"), "unexplained") ? " " : " in ");
		part_write_name(part, host_of(part), out);
	}
}

static json_t *
text_json(const struct compared *a, const struct compared *b, const json_t *parts)
{
	const int64_t whole = (int64_t) number_of(a->record, "total_ns") -
			      (int64_t) number_of(b->record, "total_ns");
	_cleanup_(buf_done) struct buf text = { 0 };

	if (!a->parts || !b->parts) {
		buf_printf(&text, "%s has not ended: durations can't be compared yet", a->parts ? "B" :
			   "A");
		return store_string(text.data);
	}
	if (!is_same(text_of(a->record, "status"), text_of(b->record, "status")))
		buf_printf(&text, "A is %s, B %s. ", text_of(a->record, "status"),
			   text_of(b->record, "status"));
	if (absolute(whole) < (int64_t) NS_PER_MS) {
		buf_add_string(&text, "A and B took the same time");
	} else {
		buf_add_string(&text, "A took ");
		add_duration(whole, &text);
		buf_printf(&text, " %s than B", whole > 0 ? "longer" : "less");
		tell_parts(parts, whole, false, &text);
		tell_parts(parts, whole, true, &text);
	}
	compared_tell(a, b, &text);
	return store_string(text.data);
}

/* -- All ---------------------------------------------------------------------------------------- */

static json_t *
side_json(const struct compared *one)
{
	static const char *const members[] = { "id", "status", "start_ns", "end_ns", "total_ns", "vm",
					       "source", "destination", "host", "reason", "error" };
	json_t *side = json_object(), *value;

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		value = json_object_get(one->record, members[i]);
		json_object_set(side, members[i], value ? value : json_null());
	}
	value = json_object_get(one->record, compared_is_flow(one) ? "kind" : "mode");
	json_object_set(side, "kind", value ? value : json_null());
	value = json_object_get(one->migration, "total_bytes");
	json_object_set(side, "memory_bytes", value ? value : json_null());
	return side;
}

static json_t *
both_json(const struct compared *a, const struct compared *b)
{
	const int64_t whole = (int64_t) number_of(a->record, "total_ns") -
			      (int64_t) number_of(b->record, "total_ns");
	json_t *parts = parts_of_both(a->parts, b->parts, a->parts && b->parts ? whole : 0);

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:n}", "topic", a->topic, "text",
			 text_json(a, b, parts), "difference_ns", a->parts && b->parts ?
			 json_integer(whole) : json_null(), "a", side_json(a), "b", side_json(b),
			 "parts", parts, "figures", compared_figures(a, b), "steps", compared_steps(a, b),
			 "peers");
}

static json_t *
or_null(json_t *value)
{
	return value ? value : json_null();
}

static json_t *
with_peers(struct store *store, const struct compared *a)
{
	json_t *peers = peers_of(store, a->topic, a->record, a->parts);
	const struct compared none = { .topic = a->topic };
	json_t *text = peers ? json_incref(json_object_get(peers, "text")) :
		       json_string("A has not ended: durations can't be compared yet");

	return json_pack("{s:s, s:o, s:n, s:o, s:n, s:o, s:o, s:[], s:o}", "topic", a->topic, "text", text,
			 "difference_ns", "a", side_json(a), "b", "parts",
			 parts_of_both(a->parts, NULL, 0), "figures", compared_figures(a, &none), "steps",
			 "peers", or_null(peers));
}

json_t *
compare(struct store *store, const char *a, const char *b, struct error *error)
{
	struct compared one = { 0 }, other = { 0 };
	json_t *answer = NULL;
	int r = take(&one, store, a, error);

	if (r >= 0 && b)
		r = take(&other, store, b, error);
	if (r >= 0 && b)
		r = make_alike(&one, &other, store, error);
	if (r >= 0 && b)
		r = make_alike(&other, &one, store, error);
	if (r >= 0)
		answer = b ? both_json(&one, &other) : with_peers(store, &one);
	compared_done(&one);
	compared_done(&other);
	return answer;
}
