/* SPDX-License-Identifier: MIT
 *
 * compare_details.c -- figures and steps of two that are compared. */
#include "daemon/compare_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/members.h"
#include "lib/util.h"

enum {
	MAX_STEPS = 400,
	MAX_SPANS = 2000,
	PAGE_BYTES = 4096,           /* As QEMU counts dirty memory on x86 and ARM. */
};

static bool
is_same(const char *a, const char *b)
{
	return a && b ? streq(a, b) : a == b;
}

bool
compared_is_flow(const struct compared *one)
{
	return is_same(one->topic, "flow");
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
	json_t *value = compared_is_flow(one) ? json_object_get(one->record, name) : NULL;

	return json_is_number(value) ? json_incref(value) : NULL;
}

static json_t *
size_of(const struct compared *one, const char *name)
{
	const json_t *list = json_object_get(compared_is_flow(one) && streq(name, "spans") ? one->record :
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

json_t *
compared_figures(const struct compared *a, const struct compared *b)
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

void
compared_tell(const struct compared *a, const struct compared *b, struct buf *out)
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

	if (compared_is_flow(one))
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
json_t *
compared_steps(const struct compared *a, const struct compared *b)
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
