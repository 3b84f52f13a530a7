/* SPDX-License-Identifier: MIT
 *
 * histogram.c -- a histogram in lines of text. */
#include <inttypes.h>

#include "client/plot.h"
#include "client/table.h"
#include "lib/clock.h"

/* 1, 2, 5, 10 ... up to 5 * 10^18. */
enum { MAX_STEPS = 57, MAX_LINES = 24, BAR_WIDTH = 40, LEAST_GAP = 3 };

struct line {
	uint64_t from, count;
};

/* Where the steps begin, from 0 on; returns how many. */
static unsigned
make_lines(struct line *lines)
{
	static const unsigned factors[] = { 1, 2, 5 };
	uint64_t unit = 1;
	unsigned n = 1;

	lines[0] = (struct line) { 0, 0 };
	for (unsigned decade = 0; decade < MAX_STEPS / 3; decade++, unit *= 10)
		for (unsigned i = 0; i < ARRAY_SIZE(factors); i++)
			lines[n++] = (struct line) { unit * factors[i], 0 };
	return n;
}

static void
add_bucket(struct line *lines, unsigned count, const struct plot_bucket *bucket)
{
	uint64_t middle = bucket->to > bucket->from ?
			  bucket->from + (bucket->to - bucket->from) / 2 : bucket->from;
	unsigned i = count - 1;

	while (i && lines[i].from > middle)
		i--;
	lines[i].count += bucket->count;
}

/* Joins the three lines of each decade: of a wide range less is more. */
static unsigned
join_decades(struct line *lines, unsigned count)
{
	unsigned n = 1;

	for (unsigned i = 1; i < count; i++) {
		if ((i - 1) % 3 == 0)
			lines[n++] = lines[i];
		else
			lines[n - 1].count += lines[i].count;
	}
	return n;
}

static void
add_bound(struct table *table, uint64_t bound, enum plot_unit unit)
{
	char text[48];

	table_add(table, COLOUR_NONE, unit == PLOT_NS ? format_duration(bound, text, sizeof text) :
				      format_bytes(bound, text, sizeof text));
}

/* The marks whose share is reached in this line. */
static void
add_marks(struct buf *cell, uint64_t before, uint64_t upto, uint64_t total)
{
	static const struct {
		const char *name;
		double share;
	} marks[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 } };

	for (unsigned i = 0; i < ARRAY_SIZE(marks); i++) {
		double at = marks[i].share * (double) total;

		if ((double) before < at && (double) upto >= at)
			buf_printf(cell, " %s", marks[i].name);
	}
}

static void
add_line(struct table *table, const struct screen *screen, const struct line *line,
	 uint64_t before, uint64_t total, uint64_t most)
{
	_cleanup_(buf_done) struct buf cell = { 0 };

	screen_add_count(line->count, &cell);
	table_add(table, COLOUR_NONE, cell.data);
	buf_clear(&cell);
	buf_printf(&cell, "%.1f %%", (double) line->count / (double) total * 100);
	table_add(table, COLOUR_NONE, cell.data);
	buf_clear(&cell);
	plot_share(screen, line->count, most, BAR_WIDTH, &cell);
	add_marks(&cell, before, before + line->count, total);
	table_add(table, COLOUR_NONE, cell.size ? cell.data : "");
}

/* The lines between empty ones. */
static void
find_range(const struct line *lines, unsigned count, unsigned *ret_first, unsigned *ret_last)
{
	unsigned first = 0, last = count;

	while (last && !lines[last - 1].count)
		last--;
	while (first < last && !lines[first].count)
		first++;
	*ret_first = first;
	*ret_last = last;
}

static unsigned
empty_lines(const struct line *lines, unsigned from)
{
	unsigned n = 0;

	while (!lines[from + n].count)
		n++;
	return n;
}

void
plot_histogram(const struct screen *screen, const struct plot_bucket *buckets, size_t bucket_count,
	       enum plot_unit unit, struct buf *out)
{
	static const char *const titles[] = { "FROM", "TO", "COUNT", "SHARE", "" };
	struct line lines[MAX_STEPS + 1];
	unsigned count = make_lines(lines), first, last;
	uint64_t total = 0, most = 0, before = 0;
	struct table *table;

	for (size_t i = 0; i < bucket_count; i++)
		add_bucket(lines, count, &buckets[i]);
	find_range(lines, count, &first, &last);
	if (first == last)
		return;
	if (last - first > MAX_LINES) {
		count = join_decades(lines, count);
		find_range(lines, count, &first, &last);
	}
	for (unsigned i = first; i < last; i++) {
		total += lines[i].count;
		most = MAX(most, lines[i].count);
	}
	table = table_new(ARRAY_SIZE(titles));
	for (unsigned i = 0; i < ARRAY_SIZE(titles); i++)
		table_set_column(table, i, titles[i], i < 4 ? TABLE_RIGHT : 0);
	for (unsigned i = first; i < last; i++) {
		unsigned gap = empty_lines(lines, i);

		/* Long empty parts say nothing line by line. */
		if (gap >= LEAST_GAP) {
			for (unsigned column = 0; column < ARRAY_SIZE(titles); column++)
				table_add(table, COLOUR_NONE, column < 2 ? "..." : "");
			i += gap - 1;
			continue;
		}
		add_bound(table, lines[i].from, unit);
		add_bound(table, i + 1 < count ? lines[i + 1].from : UINT64_MAX, unit);
		add_line(table, screen, &lines[i], before, total, most);
		before += lines[i].count;
	}
	table_write(table, screen, screen->headers, out);
	table_free(table);
}
