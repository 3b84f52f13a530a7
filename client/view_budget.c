/* SPDX-License-Identifier: MIT
 *
 * view_budget.c -- where the time of a request or migration went. */
#include <stdlib.h>
#include <string.h>

#include "client/plot.h"
#include "client/table.h"
#include "client/view.h"

enum { MAX_ITEMS = 12, REASON_PERCENT = 5 };

struct item {
	const char *what;
	const json_t *part;  /* NULL: several. */
	uint64_t ns;
	unsigned permille;
	uint64_t rest;       /* Of the division, to say who is rounded up. */
	size_t index;
};

static int
by_rest(const void *a_, const void *b_)
{
	const struct item *const *a = a_, *const *b = b_;

	if ((*a)->rest != (*b)->rest)
		return (*a)->rest > (*b)->rest ? -1 : 1;
	return (*a)->index < (*b)->index ? -1 : 1;
}

/* Tenths of a percent that sum to exactly 100 %. */
static void
share_out(struct item *items, size_t count)
{
	_cleanup_(freep) struct item **order = xcalloc(count, sizeof *order);
	unsigned given = 0;
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += items[i].ns;
	for (size_t i = 0; i < count; i++) {
		__uint128_t scaled = (__uint128_t) items[i].ns * 1000;

		items[i].permille = (unsigned) (scaled / sum);
		items[i].rest = (uint64_t) (scaled % sum);
		given += items[i].permille;
		order[i] = &items[i];
	}
	qsort(order, count, sizeof *order, by_rest);
	for (size_t i = 0; i < count && given < 1000; i++, given++)
		order[i]->permille++;
}

/* What took time; all behind the first MAX_ITEMS as one. */
static size_t
read_items(const json_t *budget, bool all, struct item *items, char *others, size_t size)
{
	size_t count = 0, more = 0, i;
	json_t *part;

	json_array_foreach((json_t *) budget, i, part) {
		const char *what = json_text_at(part, "what");
		uint64_t ns = MIN(json_number_at(part, "ns"), (uint64_t) INT64_MAX >> 10);

		if (!ns)
			continue;
		if (all || count < MAX_ITEMS)
			items[count++] = (struct item) { what ? what : "?", part, ns, 0, 0, i };
		else if (!more++)
			items[count] = (struct item) { others, NULL, ns, 0, 0, i };
		else
			items[count].ns += ns;
	}
	snprintf(others, size, "%zu other%s", more, more == 1 ? "" : "s");
	return count + (more > 0);
}

/* "what, SERVICE on HOST". */
static void
add_what(const struct item *item, const struct screen *screen, struct buf *cell)
{
	const char *service = json_text_at(item->part, "service");
	const char *host = json_text_at(item->part, "host");

	screen_add_text(screen, item->what, cell);
	if (service && !starts_with(service, item->what)) {
		buf_add_string(cell, ", ");
		screen_add_text(screen, service, cell);
	}
	if (host) {
		buf_add_string(cell, " on ");
		screen_add_text(screen, host, cell);
	}
}

void
budget_add_reason(const json_t *part, const struct screen *screen, struct buf *cell)
{
	const char *what = json_text_at(part, "what"), *by = json_text_at(part, "by");
	const char *why = json_text_at(part, "why");

	screen_add_text(screen, what ? what : "?", cell);
	if (by)
		buf_add_string(cell, what && streq(what, "service") ? ": " : " by ");
	if (why)
		buf_add_string(cell, ": ");
	if (by || why)
		screen_add_text(screen, by ? by : why, cell);
}

bool
budget_is_reason(const json_t *part, uint64_t whole_ns)
{
	const char *what = json_text_at(part, "what");

	return what && !streq(what, "unexplained") && !streq(what, "children") &&
	       (__uint128_t) json_number_at(part, "ns") * 100 > (__uint128_t) whole_ns * REASON_PERCENT;
}

/* Of a part that counts, what is a quarter of it is worth telling too. */
static bool
is_told(const struct item *item, const json_t *part, uint64_t whole_ns)
{
	return budget_is_reason(part, whole_ns) ||
	       (budget_is_reason(part, item->ns) && item->permille >= 10 &&
		json_number_at(part, "ns") > item->ns / 4);
}

/* What the kernel, or the other service, says of it. */
static void
add_reasons(const struct item *item, uint64_t before, const struct plot_axis *axis,
	    const struct screen *screen, struct table *table)
{
	json_t *part;
	size_t i;

	json_array_foreach(json_at(item->part, "parts"), i, part) {
		_cleanup_(buf_done) struct buf cell = { 0 };
		const uint64_t ns = json_number_at(part, "ns");

		if (is_told(item, part, axis->end_ns)) {
			buf_add_string(&cell, "  ");
			budget_add_reason(part, screen, &cell);
			table_add(table, COLOUR_DIM, cell.data);
			buf_clear(&cell);
			page_duration(ns, &cell);
			table_add(table, COLOUR_DIM, cell.data);
			buf_clear(&cell);
			buf_printf(&cell, "%.1f %%", 100.0 * (double) ns / (double) axis->end_ns);
			table_add(table, COLOUR_DIM, cell.data);
			buf_clear(&cell);
			plot_bar(screen, axis, before, before + ns, false, &cell);
			table_add(table, COLOUR_DIM, cell.data);
		}
		before += ns;
	}
}

static void
add_item(const struct item *item, uint64_t before, const struct plot_axis *axis,
	 const struct screen *screen, struct table *table)
{
	_cleanup_(buf_done) struct buf cell = { 0 };
	enum colour colour = streq(item->what, "unexplained") ? COLOUR_DIM : COLOUR_BUSY;

	add_what(item, screen, &cell);
	table_add(table, COLOUR_NONE, cell.data);
	buf_clear(&cell);
	page_duration(item->ns, &cell);
	table_add(table, COLOUR_NONE, cell.data);
	buf_clear(&cell);
	buf_printf(&cell, "%u.%u %%", item->permille / 10, item->permille % 10);
	table_add(table, COLOUR_NONE, cell.data);
	buf_clear(&cell);
	plot_bar(screen, axis, before, before + item->ns, false, &cell);
	table_add(table, colour, cell.data);
}

/* Each bar begins where the one before ended: together they are the whole. */
void
view_budget(const json_t *flow, const struct screen *screen, struct buf *out)
{
	const json_t *budget = json_at(flow, "budget");
	_cleanup_(freep) struct item *items = xcalloc(json_array_size(budget) + 1, sizeof *items);
	/* Names of services and hosts take room. */
	const bool places = json_text_at(json_array_get(budget, 0), "host") != NULL;
	struct plot_axis axis = { 0, 0, page_draw_width(screen, places ? 75 : 50) };
	uint64_t before = 0;
	struct table *table;
	char others[32];
	size_t count = read_items(budget, screen->wide, items, others, sizeof others);

	if (!count)
		return;
	share_out(items, count);
	for (size_t i = 0; i < count; i++)
		axis.end_ns += items[i].ns;
	table = table_new(4);
	table_set_column(table, 0, "TIME WENT TO", TABLE_FLEX);
	table_set_column(table, 1, "TOOK", TABLE_RIGHT);
	table_set_column(table, 2, "SHARE", TABLE_RIGHT);
	table_set_column(table, 3, "", 0);
	for (size_t i = 0; i < count; i++) {
		add_item(&items[i], before, &axis, screen, table);
		add_reasons(&items[i], before, &axis, screen, table);
		before += items[i].ns;
	}
	buf_add_char(out, '\n');
	table_write(table, screen, screen->headers, out);
	table_free(table);
}
