/* SPDX-License-Identifier: MIT
 *
 * compare.c -- two requests or two migrations side by side (parts.h): which of their
 * parts make the difference, step by step, and what else differs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/expand.h"
#include "daemon/flow.h"
#include "daemon/parts.h"
#include "lib/clock.h"
#include "lib/util.h"

enum {
	MAX_STEPS = 400,
	MAX_SPANS = 2000,
	MAX_TOLD = 3,                /* Parts in the sentence. */
	TOLD_PERCENT = 5,            /* Of the difference; less is not told. */
	PAGE_BYTES = 4096,           /* As QEMU counts dirty memory on x86 and ARM. */
};

struct compared {
	const char *topic;
	json_t *record;              /* Expanded. */
	json_t *migration;           /* Itself, or that of a flow, or NULL. */
	json_t *parts;
};

static uint64_t
number_of(const json_t *object, const char *name)
{
	const json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 ? (uint64_t) value : 0;
}

static const char *
text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static bool
is_same(const char *a, const char *b)
{
	return a && b ? streq(a, b) : a == b;
}

/* -- Finding them --------------------------------------------------------------------- */

static bool
is_flow(const struct compared *one)
{
	return is_same(one->topic, "flow");
}

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

	if (!is_flow(one) || is_flow(other))
		return 0;
	if (!one->migration)
		return error_set(error, EINVAL, "%s is a request without a live migration, %s a migration: "
				 "give two of one sort", text_of(one->record, "id"),
				 text_of(other->record, "id"));
	id = xstrdup(text_of(one->migration, "id"));
	compared_done(one);
	return take_migration(one, store, id, error);
}

/* -- Figures ---------------------------------------------------------------------------- */

static json_t *
member(const struct compared *one, const char *name)
{
	json_t *value = json_object_get(one->migration, name);

	return json_is_number(value) ? json_incref(value) : NULL;
}

static json_t *
flow_member(const struct compared *one, const char *name)
{
	json_t *value = is_flow(one) ? json_object_get(one->record, name) : NULL;

	return json_is_number(value) ? json_incref(value) : NULL;
}

static json_t *
size_of(const struct compared *one, const char *name)
{
	const json_t *list = json_object_get(is_flow(one) && streq(name, "spans") ? one->record :
					     one->migration, name);

	return json_is_array(list) && json_array_size(list) ?
	       json_integer((json_int_t) json_array_size(list)) : NULL;
}

static uint64_t
sent_by(const json_t *migration)
{
	const json_t *rounds = json_object_get(migration, "rounds");
	uint64_t sent = number_of(migration, "sent_bytes"), sum = 0;
	json_t *one;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) rounds, i, one)
		sum += number_of(one, "sent_bytes");
	return MAX(sent, sum);
}

static json_t *
sent_of(const struct compared *one, const char *name)
{
	const uint64_t sent = sent_by(one->migration);

	return sent ? json_integer((json_int_t) MIN(sent, (uint64_t) INT64_MAX)) : NULL;
}

static json_t *
per_second(uint64_t bytes, uint64_t ns)
{
	return bytes && ns ? json_integer((json_int_t) ((double) bytes * 1e9 / (double) ns)) : NULL;
}

/* Of the time in which there was something to send. */
static json_t *
bandwidth_of(const struct compared *one, const char *name)
{
	json_t *stage;
	uint64_t ns = 0;
	size_t i;

	json_array_foreach(json_object_get(one->migration, "stages"), i, stage) {
		const uint64_t begin = number_of(stage, "start_ns"), end = number_of(stage, "end_ns");

		if (!is_same(text_of(stage, "name"), "setup") && end > begin)
			ns += end - begin;
	}
	return per_second(sent_by(one->migration), ns);
}

static json_t *
dirty_rate_of(const struct compared *one, const char *name)
{
	uint64_t pages = 0, ns = 0;
	json_t *round;
	size_t i;

	json_array_foreach(json_object_get(one->migration, "rounds"), i, round) {
		const uint64_t begin = number_of(round, "start_ns"), end = number_of(round, "end_ns");

		if (end <= begin)
			continue;
		pages += number_of(round, "dirty_pages");
		ns += end - begin;
	}
	return per_second(pages * PAGE_BYTES, ns);
}

static const struct {
	const char *name, *unit;
	json_t *(*value)(const struct compared *one, const char *member);
	const char *member;
	const char *more, *less;     /* For people, where it explains a difference; or NULL. */
} figures[] = {
	{ "api", "ns", flow_member, "api_ns", NULL, NULL },
	{ "spans", "", size_of, "spans", NULL, NULL },
	{ "memory", "bytes", member, "total_bytes", "has more memory", "has less memory" },
	{ "sent", "bytes", sent_of, NULL, "sent more", "sent less" },
	{ "bandwidth", "bytes/s", bandwidth_of, NULL, "sent faster", "sent more slowly" },
	{ "dirtied", "bytes/s", dirty_rate_of, NULL, "was written to faster",
	  "was written to more slowly" },
	{ "rounds", "", size_of, "rounds", NULL, NULL },
	{ "throttled", "percent", member, "throttle_percent", NULL, NULL },
	{ "downtime limit", "ns", member, "downtime_limit_ns", NULL, NULL },
	{ "downtime", "ns", member, "downtime_ns", NULL, NULL },
	{ "blackout", "ns", member, "blackout_ns", NULL, NULL },
	{ "network blackout", "ns", member, "network_blackout_ns", NULL, NULL },
};

static json_t *
or_null(json_t *value)
{
	return value ? value : json_null();
}

static json_t *
figures_of(const struct compared *a, const struct compared *b)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		json_t *of_a = figures[i].value(a, figures[i].member);
		json_t *of_b = figures[i].value(b, figures[i].member);

		if (of_a || of_b)
			json_array_append_new(list, json_pack(
				"{s:s, s:s, s:O, s:O}", "name", figures[i].name, "unit",
				figures[i].unit, "a", of_a ? of_a : json_null(), "b",
				of_b ? of_b : json_null()));
		json_decref(of_a);
		json_decref(of_b);
	}
	return list;
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

/* -- Steps --------------------------------------------------------------------------------- */

struct step {
	char *key;                   /* What it does, without ids. */
	const json_t *span;
	const char *name, *service, *host;
	unsigned n;                  /* How many of that key were before. */
	bool taken;
};

/* Whether a part of a name is an id: eight and more hexadecimal digits, with a digit. */
static bool
is_id(const char *text, size_t n)
{
	return n >= 8 && strspn(text, "0123456789abcdefABCDEF-") >= n && strcspn(text, "0123456789") < n;
}

/* The name with "*" for ids, and without the host that a message goes to. */
static char *
key_of(const char *service, const char *name)
{
	char *key = xasprintf("%s|%s", service ? service : "", name), *to = strchr(key, '|') + 1;
	const char *dot = strchr(name, '.');
	const bool message = starts_with(name, "call ") || starts_with(name, "cast ") ||
			     starts_with(name, "serve ");

	for (const char *from = name; *from && !(message && from == dot); ) {
		const size_t n = strcspn(from, "/");

		if (is_id(from, n)) {
			*to++ = '*';
			from += n;
		}
		do
			*to++ = *from;
		while (*from && *from++ != '/' && *from && !(message && from == dot));
	}
	*to = '\0';
	return key;
}

static size_t
add_steps(struct step *steps, size_t n, const json_t *list, const char *of)
{
	json_t *span;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) list, i, span) {
		const char *name = text_of(span, "name"), *service = text_of(span, "service");
		char number[32];

		if (!name) {
			snprintf(number, sizeof number, "round %lld",
				 (long long) json_integer_value(json_object_get(span, "n")));
			name = number;
		}
		if (n == MAX_SPANS)
			break;
		steps[n] = (struct step) { .key = key_of(service, name), .span = span, .host =
			text_of(span, "host") ? text_of(span, "host") : of, .service = service };
		steps[n].name = strchr(steps[n].key, '|') + 1;
		for (size_t k = 0; k < n; k++)
			steps[n].n += streq(steps[k].key, steps[n].key);
		n++;
	}
	return n;
}

static size_t
steps_of(const struct compared *one, struct step *steps)
{
	const char *source = text_of(one->record, "source");
	size_t n;

	if (is_flow(one))
		return add_steps(steps, 0, json_object_get(one->record, "spans"), NULL);
	n = add_steps(steps, 0, json_object_get(one->record, "stages"), source);
	return add_steps(steps, n, json_object_get(one->record, "rounds"), source);
}

static json_t *
took_json(const struct step *step, const struct compared *of)
{
	const uint64_t begin = number_of(step ? step->span : NULL, "start_ns");
	const uint64_t end = number_of(step ? step->span : NULL, "end_ns");
	const uint64_t from = number_of(of->record, "start_ns");

	if (!step)
		return json_null();
	return json_pack("{s:o, s:I, s:o}", "host", step->host ? store_string(step->host) : json_null(),
			 "after_ns", (json_int_t) (begin - MIN(begin, from)), "ns",
			 end ? json_integer((json_int_t) (end - MIN(end, begin))) : json_null());
}

static void
add_pair(json_t *list, const struct step *step, const struct step *a, const struct step *b,
	 const struct compared *of_a, const struct compared *of_b)
{
	if (json_array_size(list) < MAX_STEPS)
		json_array_append_new(list, json_pack(
			"{s:o, s:o, s:o, s:o}", "name", store_string(step->name), "service", step->service ?
			store_string(step->service) : json_null(), "a", took_json(a, of_a), "b",
			took_json(b, of_b)));
}

/* The n-th of one name is compared with the n-th of that name. */
static json_t *
steps_of_both(const struct compared *a, const struct compared *b)
{
	struct step *of_a = xcalloc(MAX_SPANS, sizeof *of_a), *of_b = xcalloc(MAX_SPANS, sizeof *of_b);
	const size_t n_a = steps_of(a, of_a), n_b = steps_of(b, of_b);
	json_t *list = json_array();

	for (size_t i = 0; i < n_a; i++) {
		struct step *found = NULL;

		for (size_t k = 0; k < n_b && !found; k++)
			if (of_b[k].n == of_a[i].n && streq(of_b[k].key, of_a[i].key))
				found = &of_b[k];
		if (found)
			found->taken = true;
		add_pair(list, &of_a[i], &of_a[i], found, a, b);
	}
	for (size_t k = 0; k < n_b; k++)
		if (!of_b[k].taken)
			add_pair(list, &of_b[k], NULL, &of_b[k], a, b);
	for (size_t i = 0; i < MAX_SPANS; i++) {
		free(of_a[i].key);
		free(of_b[i].key);
	}
	free(of_a);
	free(of_b);
	return list;
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

/* Figures that differ by more than a quarter. */
static void
tell_figures(const struct compared *a, const struct compared *b, struct buf *out)
{
	const char *separator = ". A ";

	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		json_t *of_a = figures[i].value(a, figures[i].member);
		json_t *of_b = figures[i].value(b, figures[i].member);
		const double x = json_number_value(of_a), y = json_number_value(of_b);

		json_decref(of_a);
		json_decref(of_b);
		if (!figures[i].more || x <= 0 || y <= 0 || (x / y < 1.25 && y / x < 1.25))
			continue;
		buf_printf(out, "%s%s (%s %.2g)", separator, x > y ? figures[i].more : figures[i].less,
			   "times", x / y);
		separator = ", ";
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
	tell_figures(a, b, &text);
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
	value = json_object_get(one->record, is_flow(one) ? "kind" : "mode");
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
			 "parts", parts, "figures", figures_of(a, b), "steps", steps_of_both(a, b),
			 "peers");
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
			 parts_of_both(a->parts, NULL, 0), "figures", figures_of(a, &none), "steps",
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
