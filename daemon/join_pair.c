/* SPDX-License-Identifier: MIT
 *
 * join_pair.c -- which source belongs to which destination (join.h).
 *
 * Identity decides where it is known (the VM's uuid, the port); time only
 * between candidates that identity leaves.  Two are joined when each is the
 * other's clearly best candidate; what that leaves is tried again, so that
 * elimination helps.  A wrong join is worse than a missing one: where two
 * candidates are about as good, none is taken until more is known. */
#include "daemon/join.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/util.h"

/* Candidates that differ by less than this are as good as each other. */
#define CLEAR_NS (10 * NS_PER_MS)
enum { CLEAR_FACTOR = 3 };
/* Two completed sides of one migration last about as long as each other: a
 * destination has to drain its buffers, longer on a loaded node. */
#define DRAIN_NS (5 * NS_PER_S)
/* Where the clocks disagree durations have to agree better, and be long enough
 * for that to mean something. */
#define DURATION_TOLERANCE_NS (250 * NS_PER_MS)
#define DURATION_LEAST_NS (200 * NS_PER_MS)
#define SMALL_SKEW_NS (10 * NS_PER_S)

const char *const side_status_names[] = {
	[SIDE_RUNNING] = "running", [SIDE_COMPLETED] = "completed", [SIDE_FAILED] = "failed",
	[SIDE_CANCELLED] = "cancelled", [SIDE_LOST] = "lost",
};

/* -- Addresses ------------------------------------------------------------ */

static void
set_tcp(struct address *address, const char *host, size_t host_size, const char *port)
{
	static const char *const loopbacks[] = { "localhost", "127.0.0.1", "::1", "[::1]" };
	char digits[8];
	uint64_t value;

	snprintf(digits, sizeof digits, "%.*s", (int) strspn(port, "0123456789"), port);
	if (parse_u64(digits, &value) || !value || value > UINT16_MAX)
		return;
	address->kind = ADDRESS_TCP;
	address->port = (unsigned) value;
	if (host_size > 2 && *host == '[' && host[host_size - 1] == ']')
		snprintf(address->host, sizeof address->host, "%.*s", (int) host_size - 2, host + 1);
	else
		snprintf(address->host, sizeof address->host, "%.*s", (int) host_size, host);
	for (size_t i = 0; i < ARRAY_SIZE(loopbacks); i++)
		if (strlen(loopbacks[i]) == host_size && !strncmp(loopbacks[i], host, host_size))
			address->loopback = true;
}

static void
set_unix(struct address *address, const char *path)
{
	address->kind = ADDRESS_UNIX;
	address->loopback = true;
	snprintf(address->path, sizeof address->path, "%.*s", (int) strcspn(path, ","), path);
}

/* QAPI's MigrationAddress, as it is or in a list of channels. */
static void
parse_channel(const json_t *json, struct address *ret, int depth)
{
	const char *type, *port, *path, *host;
	const json_t *inner;

	if (json_is_array(json))
		json = json_array_get(json, 0);
	inner = json_object_get(json, "addr");
	if (inner && depth < 4) {
		parse_channel(inner, ret, depth + 1);
		return;
	}
	type = json_string_value(json_object_get(json, "transport"));
	if (type && streq(type, "file"))
		ret->kind = ADDRESS_FILE;
	type = json_string_value(json_object_get(json, "type"));
	port = json_string_value(json_object_get(json, "port"));
	path = json_string_value(json_object_get(json, "path"));
	host = json_string_value(json_object_get(json, "host"));
	if (port)
		set_tcp(ret, host ? host : "", host ? strlen(host) : 0, port);
	else if (type && streq(type, "unix") && path)
		set_unix(ret, path);
}

void
address_parse(const char *uri, struct address *ret)
{
	const char *colon;
	json_t *json;

	*ret = (struct address) { 0 };
	if (!uri)
		return;
	if (*uri == '{' || *uri == '[') {
		json = json_loads(uri, 0, NULL);
		parse_channel(json, ret, 0);
		json_decref(json);
	} else if (starts_with(uri, "tcp:") || starts_with(uri, "rdma:")) {
		uri = strchr(uri, ':') + 1;
		colon = memrchr(uri, ':', strcspn(uri, ","));
		if (colon)
			set_tcp(ret, uri, (size_t) (colon - uri), colon + 1);
	} else if (starts_with(uri, "unix:")) {
		set_unix(ret, uri + strlen("unix:"));
	} else if (starts_with(uri, "file:")) {
		ret->kind = ADDRESS_FILE;
	}
}

/* -- Evidence ------------------------------------------------------------- */

static uint64_t
distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static uint64_t
duration(const struct side *side)
{
	return side->end_ns > side->at_ns ? side->end_ns - side->at_ns : 0;
}

static bool
has_end(const struct side *side)
{
	return side->end_ns && side->status != SIDE_LOST && side->status != SIDE_RUNNING;
}

/* How much the durations of two ended sides differ. */
static uint64_t
end_distance(const struct side *a, const struct side *b)
{
	return distance(duration(a), duration(b));
}

static bool
same_uuid(const struct side *a, const struct side *b)
{
	return a->uuid && b->uuid && !strcasecmp(a->uuid, b->uuid);
}

/* A source that never got through to anybody. */
static bool
was_refused(const struct side *source)
{
	const char *stage = json_string_value(json_object_get(source->attributes, "stage"));

	return !source->connected && source->end_ns && source->status != SIDE_COMPLETED &&
	       source->address.kind != ADDRESS_UNKNOWN && stage && streq(stage, "setup");
}

/* Whether nothing that is known speaks against it. */
static bool
compatible(const struct side *source, const struct side *destination)
{
	const struct address *to = &source->address, *at = &destination->address;
	bool same_host = streq(source->host, destination->host);

	if (same_host && streq(source->key, destination->key))
		return false;
	if (source->uuid && destination->uuid && !same_uuid(source, destination))
		return false;
	if (to->kind == ADDRESS_FILE || at->kind == ADDRESS_FILE || was_refused(source))
		return false;
	if (to->loopback && to->kind == ADDRESS_TCP && !same_host)
		return false;
	if (to->kind == ADDRESS_TCP && at->kind == ADDRESS_TCP && to->port != at->port)
		return false;
	return !(to->kind == ADDRESS_UNIX && at->kind == ADDRESS_UNIX && same_host &&
		 !streq(to->path, at->path));
}

static bool
near_candidate(const struct side *source, const struct side *destination)
{
	if (distance(source->at_ns, destination->at_ns) > JOIN_NEAR_NS ||
	    !compatible(source, destination))
		return false;
	return source->status != SIDE_COMPLETED || destination->status != SIDE_COMPLETED ||
	       end_distance(source, destination) <= DRAIN_NS + duration(source) / 4;
}

/* For clocks that disagree: the same VM, or the same duration. */
static bool
skewed_candidate(const struct side *source, const struct side *destination)
{
	uint64_t skew = distance(source->at_ns, destination->at_ns);
	bool both_ended = has_end(source) && has_end(destination);

	if (streq(source->host, destination->host) || skew > JOIN_SKEW_NS ||
	    !compatible(source, destination))
		return false;
	if (source->status != SIDE_COMPLETED && destination->status == SIDE_COMPLETED)
		return false;
	if (same_uuid(source, destination))
		return both_ended ? end_distance(source, destination) <= DRAIN_NS :
				    !source->end_ns && !destination->end_ns;
	return both_ended && duration(source) >= DURATION_LEAST_NS &&
	       end_distance(source, destination) <= DURATION_TOLERANCE_NS +
	       duration(source) / (skew <= SMALL_SKEW_NS ? 20 : 100);
}

static enum join_evidence
identity(const struct side *a, const struct side *b)
{
	if (same_uuid(a, b))
		return JOIN_UUID;
	if (a->address.kind == b->address.kind &&
	    (a->address.kind == ADDRESS_TCP || a->address.kind == ADDRESS_UNIX))
		return JOIN_PORT;
	return JOIN_TIME;
}

/* 1 if a is clearly less than b, -1 for the opposite, 0 if that is open. */
static int
clearly_less(uint64_t a, uint64_t b)
{
	if (a * CLEAR_FACTOR + CLEAR_NS < b)
		return 1;
	return b * CLEAR_FACTOR + CLEAR_NS < a ? -1 : 0;
}

/* How far the clocks of two hosts are apart, as pairs between them tell. */
struct skew {
	const char *hosts[2];          /* In the order of strcmp(). */
	int64_t ns;                    /* Second minus first. */
	bool contradicted;             /* Another pair tells otherwise. */
};

struct skews {
	struct skew *all;
	size_t n;
};

static int64_t
skew_between(const struct side *a, const struct side *b)
{
	int64_t ns = (int64_t) (b->at_ns - a->at_ns);

	return strcmp(a->host, b->host) < 0 ? ns : -ns;
}

static struct skew *
find_skew(const struct skews *skews, const struct side *a, const struct side *b)
{
	const struct side *first = strcmp(a->host, b->host) < 0 ? a : b;
	const struct side *second = first == a ? b : a;

	for (size_t i = 0; skews && i < skews->n; i++)
		if (streq(skews->all[i].hosts[0], first->host) &&
		    streq(skews->all[i].hosts[1], second->host))
			return &skews->all[i];
	return NULL;
}

/* How far connect and accept are apart, by what is known of the two clocks. */
static uint64_t
start_distance(const struct side *a, const struct side *b, const struct skews *skews)
{
	const struct skew *skew = find_skew(skews, a, b);
	int64_t ns = skew_between(a, b) - (skew && !skew->contradicted ? skew->ns : 0);

	return (uint64_t) (ns < 0 ? -ns : ns);
}

/* Whether 'a' is the better partner of 'side' (1), or 'b' is (-1): by identity,
 * else by a vote of start and end that nobody contradicts. */
static int
better(const struct side *side, const struct side *a, const struct side *b,
       const struct skews *skews)
{
	int by_identity = (int) identity(side, a) - (int) identity(side, b);
	int by_start, by_end = 0;

	if (by_identity)
		return by_identity > 0 ? 1 : -1;
	by_start = clearly_less(start_distance(side, a, skews), start_distance(side, b, skews));
	if (has_end(side) && has_end(a) && has_end(b))
		by_end = clearly_less(end_distance(side, a), end_distance(side, b));
	return by_start * by_end < 0 ? 0 : by_start ? by_start : by_end;
}

/* -- Choosing ------------------------------------------------------------- */

typedef bool candidate_fn(const struct side *source, const struct side *destination);

static bool
is_candidate(const struct side *side, const struct side *other, candidate_fn *candidate)
{
	if (other->partner || other->is_source == side->is_source)
		return false;
	return side->is_source ? candidate(side, other) : candidate(other, side);
}

/* The range of the set that is within 'reach' of a side's time. */
static void
neighbours(const struct side_set *set, const struct side *side, uint64_t reach,
	   const struct side **ret_first, const struct side **ret_end)
{
	const struct side *first = side, *end = side + 1;

	while (first > set->sides && side->at_ns - first[-1].at_ns <= reach)
		first--;
	while (end < set->sides + set->n && end->at_ns - side->at_ns <= reach)
		end++;
	*ret_first = first;
	*ret_end = end;
}

/* The candidate that is clearly better than every other, or NULL. */
static struct side *
best(const struct side_set *set, const struct side *side, bool by_duration,
     const struct skews *skews)
{
	candidate_fn *candidate = by_duration ? skewed_candidate : near_candidate;
	const struct side *winner = NULL, *first, *end;

	neighbours(set, side, by_duration ? JOIN_SKEW_NS : JOIN_NEAR_NS, &first, &end);
	for (const struct side *other = first; other < end; other++)
		if (is_candidate(side, other, candidate) &&
		    (!winner || better(side, other, winner, skews) > 0))
			winner = other;
	for (const struct side *other = first; other < end && winner; other++)
		if (other != winner && is_candidate(side, other, candidate) &&
		    better(side, winner, other, skews) <= 0)
			winner = NULL;
	return winner ? &set->sides[winner - set->sides] : NULL;
}

/* Taking a pair away only makes the choice of the others clearer, so the order
 * in which pairs are taken does not matter. */
static void
choose(struct side_set *set, bool by_duration, const struct skews *skews)
{
	bool again;

	do {
		again = false;
		for (size_t i = 0; i < set->n; i++) {
			struct side *source = &set->sides[i], *destination;

			if (source->partner || !source->is_source)
				continue;
			destination = best(set, source, by_duration, skews);
			if (!destination || best(set, destination, by_duration, skews) != source)
				continue;
			source->partner = destination;
			destination->partner = source;
			source->evidence = destination->evidence = identity(source, destination);
			source->by_duration = destination->by_duration = by_duration;
			again = true;
		}
	} while (again);
}

/* What the pairs that were chosen tell of the clocks. */
static void
learn_skews(const struct side_set *set, struct skews *skews)
{
	skews->all = xcalloc(set->n + 1, sizeof *skews->all);
	for (size_t i = 0; i < set->n; i++) {
		const struct side *a = &set->sides[i], *b = a->partner;
		struct skew *skew;
		int64_t ns;

		if (!b || !a->is_source)
			continue;
		ns = skew_between(a, b);
		skew = find_skew(skews, a, b);
		if (!skew) {
			bool ordered = strcmp(a->host, b->host) < 0;

			skews->all[skews->n++] = (struct skew) {
				.hosts = { (ordered ? a : b)->host, (ordered ? b : a)->host },
				.ns = ns,
			};
		} else if (ns - skew->ns > (int64_t) JOIN_NEAR_NS ||
			   skew->ns - ns > (int64_t) JOIN_NEAR_NS) {
			skew->contradicted = true;
		}
	}
}

/* Clocks don't jump: of pairs that say so, at least one is a wrong guess. */
static void
drop_contradicted(struct side_set *set, const struct skews *skews)
{
	for (size_t i = 0; i < set->n; i++) {
		struct side *a = &set->sides[i], *b = a->partner;

		if (b && a->is_source && a->evidence != JOIN_UUID &&
		    find_skew(skews, a, b)->contradicted)
			a->partner = b->partner = NULL;
	}
}

void
join_pairs(struct side_set *set, bool by_duration)
{
	struct skews skews = { 0 };

	choose(set, by_duration, NULL);
	if (!by_duration)
		return;
	/* The same two hosts have the same skew at their other migrations. */
	learn_skews(set, &skews);
	choose(set, true, &skews);
	free(skews.all);
	skews = (struct skews) { 0 };
	learn_skews(set, &skews);
	drop_contradicted(set, &skews);
	free(skews.all);
}

void
join_spread(struct side_set *set, uint64_t *ret_from_ns, uint64_t *ret_to_ns)
{
	bool again;

	*ret_from_ns = UINT64_MAX;
	*ret_to_ns = 0;
	do {
		again = false;
		for (size_t i = 0; i < set->n; i++) {
			const struct side *side = &set->sides[i], *first, *end;

			if (!side->affected)
				continue;
			*ret_from_ns = MIN(*ret_from_ns, side->at_ns);
			*ret_to_ns = MAX(*ret_to_ns, side->at_ns);
			neighbours(set, side, JOIN_NEAR_NS, &first, &end);
			for (struct side *other = &set->sides[first - set->sides]; other < end;
			     other++) {
				bool is = !other->affected &&
					  is_candidate(side, other, near_candidate);

				other->affected |= is;
				again |= is;
			}
		}
	} while (again);
}

/* -- The set -------------------------------------------------------------- */

uint64_t
side_time(const json_t *object, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 && value <= INT64_MAX / 2 ? (uint64_t) value : 0;
}

static enum side_status
status_of(const char *name, uint64_t end_ns)
{
	for (size_t i = 0; name && i <= SIDE_LOST; i++)
		if (streq(name, side_status_names[i]))
			return (enum side_status) i;
	return end_ns ? SIDE_LOST : SIDE_RUNNING;
}

static const char *
text_or_null(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && *text ? text : NULL;
}

/* Fills a side from its span, of which it takes a reference. */
static void
side_init(struct side *side, struct store *store, json_t *span)
{
	const json_t *attributes = json_object_get(span, "attributes");
	const char *uri = text_or_null(attributes, "uri");

	*side = (struct side) { .span = json_incref(span), .attributes = attributes };
	side->id = json_string_value(json_object_get(span, "id"));
	side->host = json_string_value(json_object_get(span, "host"));
	side->key = json_string_value(json_object_get(span, "key"));
	side->is_source = streq(json_string_value(json_object_get(span, "kind")),
				"migration.source");
	side->start_ns = side_time(span, "start_ns");
	side->end_ns = side_time(span, "end_ns");
	side->at_ns = side_time(attributes, "connect_ns");
	side->connected = side->at_ns;
	if (!side->at_ns)
		side->at_ns = side->start_ns;
	side->status = status_of(text_or_null(span, "status"), side->end_ns);
	side->process = store_entity(store, side->host, "qemu.process", side->key, side->end_ns);
	side->uuid = text_or_null(side->process, "uuid");
	if (!side->is_source) {
		uri = text_or_null(attributes, "listen_uri");
		if (!uri || streq(uri, "defer"))
			uri = text_or_null(side->process, "incoming");
	}
	address_parse(uri, &side->address);
}

struct side *
side_set_find(const struct side_set *set, const char *id)
{
	for (size_t i = 0; i < set->n; i++)
		if (streq(set->sides[i].id, id))
			return &set->sides[i];
	return NULL;
}

static int
compare_sides(const void *a_, const void *b_)
{
	const struct side *a = a_, *b = b_;

	if (a->at_ns != b->at_ns)
		return a->at_ns < b->at_ns ? -1 : 1;
	return strcmp(a->id, b->id);
}

void
side_set_add(struct side_set *set, struct store *store, json_t *spans)
{
	json_t *span;
	size_t i;

	json_array_foreach(spans, i, span) {
		const char *id = json_string_value(json_object_get(span, "id"));

		if (!id || side_set_find(set, id))
			continue;
		if (set->n == set->capacity) {
			set->capacity = MAX(set->capacity * 2, (size_t) 16);
			set->sides = xrealloc(set->sides, set->capacity * sizeof *set->sides);
		}
		side_init(&set->sides[set->n++], store, span);
	}
}

void
side_set_sort(struct side_set *set)
{
	if (set->n)
		qsort(set->sides, set->n, sizeof *set->sides, compare_sides);
}

void
side_set_done(struct side_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		json_decref(set->sides[i].span);
		json_decref(set->sides[i].process);
	}
	free(set->sides);
	*set = (struct side_set) { 0 };
}
