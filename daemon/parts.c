/* SPDX-License-Identifier: MIT */
#include "daemon/parts.h"
#include "daemon/members.h"

#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

enum { MAX_PARTS = 40 };

struct part {
	const char *what, *layer, *service;
	uint64_t ns;
	unsigned n;
	const char *host;            /* Where the longest piece was. */
	uint64_t host_ns;
	unsigned interval;           /* The last that was counted, and one. */
};

static const char *
or_empty(const char *text)
{
	return text ? text : "";
}

/* -- Who counts when ------------------------------------------------------------ */

/* The innermost last: it began last, and ends first. */
static int
by_depth(const void *a_, const void *b_)
{
	const struct part_interval *a = a_, *b = b_;

	if (a->begin_ns != b->begin_ns)
		return a->begin_ns < b->begin_ns ? -1 : 1;
	if (a->end_ns != b->end_ns)
		return a->end_ns > b->end_ns ? -1 : 1;
	return strcmp(b->what, a->what) ? strcmp(b->what, a->what) :
	       strcmp(or_empty(b->host), or_empty(a->host));
}

static int
compare_times(const void *a_, const void *b_)
{
	const uint64_t *a = a_, *b = b_;

	return *a < *b ? -1 : *a > *b;
}

static struct part *
part_of(struct part *parts, size_t *n, const struct part_interval *interval)
{
	static const struct part others = { .what = "others", .layer = "" };
	size_t i = 0;

	while (i < *n && (!streq(parts[i].what, interval->what) ||
			  !streq(or_empty(parts[i].service), or_empty(interval->service))))
		i++;
	if (i < *n)
		return &parts[i];
	if (*n == MAX_PARTS)
		return &parts[MAX_PARTS];
	parts[*n] = (struct part) { .what = interval->what, .layer = interval->layer,
				    .service = interval->service };
	if (++*n == MAX_PARTS)
		parts[MAX_PARTS] = others;
	return &parts[*n - 1];
}

static void
count(struct part *part, const struct part_interval *interval, unsigned number, uint64_t ns)
{
	part->ns += ns;
	part->n += part->interval != number;
	part->interval = number;
	if (ns > part->host_ns) {
		part->host_ns = ns;
		part->host = interval->host;
	}
}

/* -- Parts ------------------------------------------------------------------------ */

static int
by_ns(const void *a_, const void *b_)
{
	const struct part *a = a_, *b = b_;

	if (a->ns != b->ns)
		return a->ns > b->ns ? -1 : 1;
	return strcmp(a->what, b->what) ? strcmp(a->what, b->what) :
	       strcmp(or_empty(a->service), or_empty(b->service));
}

static json_t *
text_json(const char *text)
{
	return text && *text ? store_string(text) : json_null();
}

static json_t *
parts_json(struct part *parts, size_t n)
{
	json_t *list = json_array();

	qsort(parts, n, sizeof *parts, by_ns);
	for (size_t i = 0; i < n; i++)
		if (parts[i].ns)
			json_array_append_new(list, json_pack(
				"{s:o, s:o, s:o, s:o, s:I, s:i}", "what", text_json(parts[i].what),
				"layer", text_json(parts[i].layer), "service",
				text_json(parts[i].service), "host", text_json(parts[i].host), "ns",
				(json_int_t) parts[i].ns, "n", (int) parts[i].n));
	return list;
}

/* Begins, ends and both bounds, in order. */
static uint64_t *
times_of(struct part_interval *intervals, size_t n, uint64_t begin_ns, uint64_t end_ns,
	 size_t *ret_n)
{
	uint64_t *times = xcalloc(2 * n + 2, sizeof *times);

	for (size_t i = 0; i < n; i++) {
		intervals[i].begin_ns = MAX(intervals[i].begin_ns, begin_ns);
		intervals[i].end_ns = MIN(intervals[i].end_ns, end_ns);
		times[2 * i] = MIN(intervals[i].begin_ns, end_ns);
		times[2 * i + 1] = MAX(intervals[i].end_ns, begin_ns);
	}
	times[2 * n] = begin_ns;
	times[2 * n + 1] = end_ns;
	qsort(times, 2 * n + 2, sizeof *times, compare_times);
	*ret_n = 2 * n + 2;
	return times;
}

json_t *
parts_of(struct part_interval *intervals, size_t n, uint64_t begin_ns, uint64_t end_ns)
{
	static const struct part_interval nobody = { .what = "unexplained", .layer = "" };
	struct part *parts = xcalloc(MAX_PARTS + 1, sizeof *parts);
	size_t *open = xcalloc(n + 1, sizeof *open), n_open = 0, next = 0, n_parts = 0, n_times;
	uint64_t *times = times_of(intervals, n, begin_ns, MAX(begin_ns, end_ns), &n_times);
	json_t *list;

	qsort(intervals, n, sizeof *intervals, by_depth);
	for (size_t i = 1; i < n_times; i++) {
		const struct part_interval *inner = &nobody;

		if (times[i] == times[i - 1])
			continue;
		while (next < n && intervals[next].begin_ns <= times[i - 1])
			open[n_open++] = next++;
		while (n_open && intervals[open[n_open - 1]].end_ns <= times[i - 1])
			n_open--;
		if (n_open)
			inner = &intervals[open[n_open - 1]];
		count(part_of(parts, &n_parts, inner), inner, n_open ? (unsigned) open[n_open - 1] + 2 : 1,
		      times[i] - times[i - 1]);
	}
	list = parts_json(parts, n_parts + (n_parts == MAX_PARTS));
	free(times);
	free(open);
	free(parts);
	return list;
}

/* -- Migrations --------------------------------------------------------------------- */

/* All of memory is sent once; after that what the guest wrote meanwhile. */
static const char *
round_what(const json_t *round)
{
	return number_of(round, "n") <= 1 ? "precopy: first round" : "precopy: further rounds";
}

json_t *
parts_of_migration(const json_t *record)
{
	static const char *const lists[] = { "stages", "rounds" };
	const uint64_t begin_ns = number_of(record, "start_ns"), end_ns = number_of(record, "end_ns");
	const char *host = json_string_value(json_object_get(record, "source"));
	size_t room = 0, n = 0, i;
	struct part_interval *intervals;
	json_t *list, *one;

	if (!end_ns)
		return NULL;
	for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
		room += json_array_size(json_object_get(record, lists[k]));
	intervals = xcalloc(room + 1, sizeof *intervals);
	for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
		json_array_foreach(json_object_get(record, lists[k]), i, one) {
			const char *name = json_string_value(json_object_get(one, "name"));
			const uint64_t to_ns = number_of(one, "end_ns");

			intervals[n++] = (struct part_interval) {
				.begin_ns = number_of(one, "start_ns"), .end_ns = to_ns ? to_ns : end_ns,
				.what = k ? round_what(one) : or_empty(name), .layer = "virtualization",
				.service = "qemu", .host = host,
			};
		}
	list = parts_of(intervals, n, begin_ns, end_ns);
	free(intervals);
	return list;
}
