/* SPDX-License-Identifier: MIT */
#include "client/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Columns are left out while those that may be cut would get less than
 * EASY_FLEX; after that these go down to LEAST_FLEX. */
enum { GAP = 2, EASY_FLEX = 23, LEAST_FLEX = 6 };

struct column {
	const char *title;
	unsigned flags;
};

struct cell {
	char *text;
	enum colour colour;
};

struct table {
	struct column *columns;
	unsigned column_count;
	struct cell *cells;
	size_t cell_count, capacity;
};

struct table *
table_new(unsigned columns)
{
	struct table *table = xcalloc(1, sizeof *table);

	assert(columns);
	table->columns = xcalloc(columns, sizeof *table->columns);
	table->column_count = columns;
	return table;
}

void
table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table->columns);
	free(table);
}

void
table_set_column(struct table *table, unsigned column, const char *title, unsigned flags)
{
	table->columns[column] = (struct column) { title, flags };
}

void
table_add(struct table *table, enum colour colour, const char *text)
{
	if (table->cell_count == table->capacity) {
		table->capacity = table->capacity * 2 + 64;
		table->cells = xrealloc(table->cells, table->capacity * sizeof *table->cells);
	}
	table->cells[table->cell_count++] = (struct cell) { xstrdup(text), colour };
}

static unsigned
total_width(const unsigned *widths, unsigned count)
{
	unsigned total = 0, shown = 0;

	for (unsigned i = 0; i < count; i++) {
		total += widths[i];
		shown += widths[i] > 0;
	}
	return total + (shown ? (shown - 1) * GAP : 0);
}

/* The widest column that may be cut; column_count: none. */
static unsigned
widest_flex(const struct table *table, const unsigned *widths)
{
	unsigned widest = table->column_count;

	for (unsigned i = 0; i < table->column_count; i++)
		if ((table->columns[i].flags & TABLE_FLEX) && widths[i] > LEAST_FLEX &&
		    (widest == table->column_count || widths[i] > widths[widest]))
			widest = i;
	return widest;
}

/* The last column that may be left out. */
static unsigned
last_spare(const struct table *table, const unsigned *widths)
{
	unsigned spare = table->column_count;

	for (unsigned i = 0; i < table->column_count; i++)
		if ((table->columns[i].flags & TABLE_SPARE) && widths[i])
			spare = i;
	return spare;
}

/* Makes columns fit; one that is left out gets width 0. */
static void
fit(const struct table *table, unsigned limit, unsigned *widths)
{
	unsigned count = table->column_count, i;
	_cleanup_(freep) unsigned *cut = xcalloc(count, sizeof *cut);

	for (i = 0; i < count; i++)
		cut[i] = table->columns[i].flags & TABLE_FLEX ? MIN(widths[i], (unsigned) EASY_FLEX) :
			 widths[i];
	while (total_width(cut, count) > limit && (i = last_spare(table, cut)) < count)
		cut[i] = widths[i] = 0;
	while (total_width(widths, count) > limit && (i = widest_flex(table, widths)) < count)
		widths[i]--;
}

static void
write_cell(const struct table *table, const struct screen *screen, unsigned column, unsigned width,
	   const struct cell *cell, bool last, struct buf *out)
{
	_cleanup_(buf_done) struct buf cut = { 0 };
	bool right = table->columns[column].flags & TABLE_RIGHT;
	unsigned blank;

	/* A wide character that is cut off leaves one column more. */
	screen_add_cut(screen, cell->text, width, &cut);
	blank = width - MIN(width, cut.size ? screen_text_width(cut.data) : 0);
	buf_printf(out, "%*s", right ? (int) blank : 0, "");
	screen_begin_colour(screen, cell->colour, out);
	buf_add(out, cut.data, cut.size);
	screen_end_colour(screen, cell->colour, out);
	if (!last)
		buf_printf(out, "%*s", (int) ((right ? 0 : blank) + GAP), "");
}

static void
write_row(const struct table *table, const struct screen *screen, const unsigned *widths,
	  const struct cell *cells, struct buf *out)
{
	unsigned last = table->column_count;
	size_t from = out->size;

	while (last && !widths[last - 1])
		last--;
	for (unsigned i = 0; i < last; i++)
		if (widths[i])
			write_cell(table, screen, i, widths[i], &cells[i], i + 1 == last, out);
	while (out->size > from && out->data[out->size - 1] == ' ')
		out->data[--out->size] = '\0';
	buf_add_char(out, '\n');
}

void
table_write(const struct table *table, const struct screen *screen, bool headers, struct buf *out)
{
	unsigned count = table->column_count;
	_cleanup_(freep) unsigned *widths = xcalloc(count, sizeof *widths);
	_cleanup_(freep) struct cell *titles = xcalloc(count, sizeof *titles);

	assert(count);
	for (unsigned i = 0; i < count; i++) {
		titles[i] = (struct cell) { (char *) table->columns[i].title, COLOUR_BOLD };
		widths[i] = headers ? screen_text_width(titles[i].text) : 1;
	}
	for (size_t i = 0; i < table->cell_count; i++)
		widths[i % count] = MAX(widths[i % count], screen_text_width(table->cells[i].text));
	if (screen->width)
		fit(table, screen->width, widths);
	if (headers)
		write_row(table, screen, widths, titles, out);
	for (size_t i = 0; i + count <= table->cell_count; i += count)
		write_row(table, screen, widths, table->cells + i, out);
}
