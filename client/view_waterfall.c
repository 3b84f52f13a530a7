/* SPDX-License-Identifier: MIT
 *
 * view_waterfall.c -- the spans of a flow: who did what where, from when, for how
 * long, and a bar for each on the flow's axis of time. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "client/plot.h"
#include "client/table.h"
#include "client/view.h"
#include "client/waterfall.h"
#include "lib/clock.h"

enum {
	MAX_ROWS = 40, MAX_REASONS = 3, MAX_INDENT = 8, MAX_WIDTH = 240, OWN_WIDTH = 110,
	TIMES = 22, OWN = 18, STATUS = 9,
};

#define SHOWN_QUEUE_NS (100 * NS_PER_MS)

/* Columns of text, by the width of the screen. */
static const struct widths {
	unsigned below, service, host, what, bar, indent;
} widths_table[] = {
	{ 100, 12, 11, 20, 12, 1 },
	{ 140, 16, 13, 20, 14, 2 },
	{ UINT_MAX, 25, 24, 40, 30, 2 },
};

struct drawing {
	const struct waterfall *waterfall;
	const struct screen *screen;
	struct table *table;
	struct plot_axis axis;
	struct widths widths;
	bool with_status;     /* Some row did not end well. */
	bool with_own;        /* There is room for what each did itself. */
};

static void
add_name(const struct waterfall_row *row, unsigned indent, const struct screen *screen,
	 struct buf *cell)
{
	uint64_t queued = json_number_at(row->span, "attributes.queued_ns");
	_cleanup_(buf_done) struct buf name = { 0 };

	buf_printf(cell, "%*s", (int) (indent * MIN(row->depth, (unsigned) MAX_INDENT)), "");
	if (row->count > 1)
		buf_printf(cell, "%zu %s ", row->count, screen->utf8 ? "\u00d7" : "x");
	waterfall_add_name(row, screen->wide, &name);
	screen_add_text(screen, name.data, cell);
	/* Waiting for a free worker is not the worker's time. */
	if (row->count == 1 && queued && (screen->wide || queued >= SHOWN_QUEUE_NS)) {
		buf_add_string(cell, ", queued ");
		page_duration(queued, cell);
	}
}

/* "service" or "host"; of a call those that served it. */
static const char *
member_of(const struct waterfall_row *row, const char *member)
{
	const char *text = json_text_at(row->served, member);

	return text ? text : json_text_at(row->span, member);
}

static unsigned
width_of_member(const struct waterfall *w, const char *member, const struct screen *screen,
		unsigned least, unsigned most)
{
	for (size_t i = 0; i < w->count && least < most; i++) {
		_cleanup_(buf_done) struct buf text = { 0 };
		const char *value = member_of(&w->rows[i], member);

		if (w->rows[i].hidden || !value)
			continue;
		screen_add_text(screen, value, &text);
		least = MAX(least, text.size ? screen_text_width(text.data) : 0U);
	}
	return MIN(least, most);
}

static unsigned
width_of_names(const struct waterfall *w, unsigned indent, const struct screen *screen)
{
	unsigned width = 4;

	for (size_t i = 0; i < w->count; i++) {
		_cleanup_(buf_done) struct buf text = { 0 };

		if (w->rows[i].hidden)
			continue;
		add_name(&w->rows[i], indent, screen, &text);
		width = MAX(width, screen_text_width(text.data));
	}
	return width;
}

/* WHAT gets what it needs, up to 3/5 of what is left for it and the bars. */
static void
measure(struct drawing *d)
{
	unsigned width = d->screen->width ? d->screen->width : d->screen->wide ? 160 : 80, used;
	const struct waterfall *w = d->waterfall;
	unsigned i = 0, most, need;

	while (width >= widths_table[i].below)
		i++;
	d->widths = widths_table[i];
	d->with_own = w->told && width >= OWN_WIDTH;
	used = width_of_member(w, "service", d->screen, 7, d->widths.service) + 2 +
	       width_of_member(w, "host", d->screen, 4, d->widths.host) + 2 + 2 + TIMES +
	       (d->with_status ? STATUS + 2 : 0) + (d->with_own ? OWN : 0) + (w->told ? 2 : 0);
	width = MIN(width, (unsigned) MAX_WIDTH);
	width = width > used ? width - used : 0;
	most = MAX(width * 3 / 5, d->widths.what);
	need = MIN(width_of_names(w, d->widths.indent, d->screen), most);
	/* The whole, where nothing need fit. */
	d->widths.what = d->screen->width ? need : width_of_names(w, d->widths.indent, d->screen);
	d->axis = (struct plot_axis) {
		w->start_ns, w->end_ns,
		width > need + d->widths.bar ? width - need : d->widths.bar
	};
}

static void
add_cut(const struct drawing *d, enum colour colour, const char *text, unsigned width)
{
	_cleanup_(buf_done) struct buf clean = { 0 }, cut = { 0 };

	screen_add_text(d->screen, text ? text : "", &clean);
	screen_add_cut(d->screen, clean.size ? clean.data : "", width, &cut);
	table_add(d->table, colour, cut.size ? cut.data : "");
}

/* Since the flow's start, exact enough for the length of the flow. */
static void
add_offset(const struct drawing *d, const struct waterfall_row *row)
{
	double offset = (double) (int64_t) (row->start_ns - d->waterfall->start_ns);
	uint64_t whole = d->waterfall->end_ns - d->waterfall->start_ns;
	_cleanup_(buf_done) struct buf cell = { 0 };

	if (whole < NS_PER_S)
		buf_printf(&cell, "%.2f ms", offset / 1e6);
	else
		buf_printf(&cell, whole < 100 * NS_PER_S ? "%.3f s" : "%.1f s",
			   offset / 1e9);
	table_add(d->table, COLOUR_NONE, cell.data);
}

static void
add_bar(const struct drawing *d, const struct waterfall_row *row, bool running)
{
	_cleanup_(freep) struct plot_span *spans = xcalloc(row->count, sizeof *spans);
	const struct waterfall_row *rows = d->waterfall->rows, *part = row;
	_cleanup_(buf_done) struct buf cell = { 0 };
	size_t count = 0;

	for (;;) {
		spans[count++] = (struct plot_span) { part->start_ns, part->end_ns };
		if (part->next_same == WATERFALL_NONE || count == row->count)
			break;
		part = &rows[part->next_same];
	}
	plot_bars(d->screen, &d->axis, spans, count, row->open && running, &cell);
	table_add(d->table, row->bad ? COLOUR_BAD : row->critical ? COLOUR_BUSY : COLOUR_DIM,
		  cell.size ? cell.data : "");
}

/* What they did themselves, and how much of the flow that is. */
static void
add_own(const struct drawing *d, uint64_t ns, enum colour colour)
{
	const uint64_t whole_ns = d->waterfall->end_ns - d->waterfall->start_ns;
	_cleanup_(buf_done) struct buf cell = { 0 };

	if (!d->with_own)
		return;
	page_duration(ns, &cell);
	table_add(d->table, colour, cell.data);
	buf_clear(&cell);
	buf_printf(&cell, "%.1f %%", 100.0 * (double) ns / (double) whole_ns);
	table_add(d->table, colour, cell.data);
}

/* Below it, what the kernel or another service says of its own time. */
static void
add_reasons(const struct drawing *d, const struct waterfall_row *row)
{
	const uint64_t whole_ns = d->screen->wide ? row->took_ns :
		d->waterfall->end_ns - d->waterfall->start_ns;
	unsigned n = 0;
	json_t *part;
	size_t i;

	json_array_foreach(json_at(row->span, "budget"), i, part) {
		_cleanup_(buf_done) struct buf cell = { 0 }, cut = { 0 };
		const uint64_t ns = json_number_at(part, "ns");

		if (row->count > 1 || !budget_is_reason(part, whole_ns) || n++ == MAX_REASONS)
			break;
		for (unsigned k = 0; k < 2U + d->waterfall->told; k++)
			table_add(d->table, COLOUR_NONE, "");
		buf_printf(&cell, "%*s- ", (int) (d->widths.indent *
						  MIN(row->depth + 1, (unsigned) MAX_INDENT)), "");
		budget_add_reason(part, d->screen, &cell);
		screen_add_cut(d->screen, cell.data, d->widths.what, &cut);
		table_add(d->table, COLOUR_DIM, cut.data);
		for (unsigned k = 0; k < 1U + d->with_status; k++)
			table_add(d->table, COLOUR_NONE, "");
		buf_clear(&cell);
		page_duration(ns, &cell);
		table_add(d->table, COLOUR_DIM, cell.data);
		add_own(d, ns, COLOUR_DIM);
		table_add(d->table, COLOUR_NONE, "");
	}
}

static void
add_row(const struct drawing *d, const struct waterfall_row *row, bool running)
{
	enum colour colour = row->bad ? COLOUR_BAD : row->critical ? COLOUR_BOLD : COLOUR_NONE;
	const char *status = json_text_at(row->span, "status");
	_cleanup_(buf_done) struct buf cell = { 0 }, cut = { 0 };

	add_cut(d, COLOUR_NONE, member_of(row, "service"), d->widths.service);
	add_cut(d, COLOUR_NONE, member_of(row, "host"), d->widths.host);
	if (d->waterfall->told)
		table_add(d->table, colour, row->critical ? "*" : "");
	add_name(row, d->widths.indent, d->screen, &cell);
	screen_add_cut(d->screen, cell.data, d->widths.what, &cut);
	table_add(d->table, colour, cut.data);
	if (d->with_status)
		add_cut(d, status ? screen_state_colour(status) : COLOUR_NONE, status, STATUS);
	add_offset(d, row);
	buf_clear(&cell);
	page_duration(row->took_ns, &cell);
	buf_add_string(&cell, row->open ? "+" : "");
	table_add(d->table, colour, cell.data);
	add_own(d, row->own_ns, COLOUR_NONE);
	add_bar(d, row, running);
	add_reasons(d, row);
}

static void
write_left_out(const json_t *flow, const struct waterfall *w, const struct screen *screen,
	       struct buf *out)
{
	uint64_t dropped = json_number_at(flow, "dropped_spans");

	if (w->left_out) {
		buf_printf(out, "%zu more, each shorter than ", w->left_out);
		page_duration(w->left_out_below_ns, out);
		buf_add_string(out, " (-o wide shows all)\n");
	}
	if (dropped) {
		screen_add_count(dropped, out);
		buf_add_string(out, " more were not kept: the flow has too many\n");
	}
	if (w->told)
		buf_add_string(out, "*: what the end waited for\n");
	else if (screen->colour)
		buf_add_string(out, "bold: what the end waited for\n");
}

static void
write_rows(struct drawing *d, bool running, struct buf *out)
{
	const bool told = d->waterfall->told;
	const struct {
		const char *title;
		bool shown, right;
	} columns[] = {
		{ "SERVICE", true, false }, { "HOST", true, false }, { "*", told, false },
		{ "WHAT", true, false }, { "STATUS", d->with_status, false }, { "START", true, true },
		{ "TOOK", true, true }, { "OWN", d->with_own, true }, { "SHARE", d->with_own, true },
	};
	_cleanup_(buf_done) struct buf labels = { 0 };
	unsigned n = 0;

	plot_axis_labels(&d->axis, &labels);
	for (unsigned i = 0; i < ARRAY_SIZE(columns); i++)
		n += columns[i].shown;
	d->table = table_new(n + 1);
	n = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(columns); i++)
		if (columns[i].shown)
			table_set_column(d->table, n++, columns[i].title,
					 columns[i].right ? TABLE_RIGHT : 0);
	table_set_column(d->table, n, labels.size ? labels.data : "", TABLE_FLEX);
	for (size_t i = 0; i < d->waterfall->count; i++)
		if (!d->waterfall->rows[i].hidden)
			add_row(d, &d->waterfall->rows[i], running);
	table_write(d->table, d->screen, d->screen->headers, out);
	table_free(d->table);
}

void
view_waterfall(const json_t *flow, const struct screen *screen, struct buf *out)
{
	const char *status = json_text_at(flow, "status");
	bool running = status && streq(status, "running");
	struct waterfall w;
	struct drawing d = { .waterfall = &w, .screen = screen };

	waterfall_init(&w, flow, screen->now_ns, screen->wide ? 0 : MAX_ROWS);
	for (size_t i = 0; i < w.count; i++)
		d.with_status |= w.rows[i].bad && !w.rows[i].hidden;
	if (w.count) {
		measure(&d);
		buf_add_char(out, '\n');
		write_rows(&d, running, out);
		write_left_out(flow, &w, screen, out);
	}
	waterfall_done(&w);
}
