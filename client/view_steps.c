/* SPDX-License-Identifier: MIT
 *
 * view_steps.c -- what the two QEMUs of a migration were asked and did, one line
 * each, with the time since its begin by the source's clock. */
#include <inttypes.h>
#include <stdlib.h>

#include "client/table.h"
#include "client/view.h"
#include "lib/util.h"

/* Of a long life with many migrations the page shows the first ones. */
enum { MAX_LINES = 60 };

static void
add_since(const json_t *item, const json_t *step, struct buf *cell)
{
	const bool there = streq(json_text_at(step, "side") ? json_text_at(step, "side") : "",
				 "destination");
	const int64_t offset_ns = there ?
		json_integer_value(json_at(item, "evidence.clock_offset_ns")) : 0;
	const int64_t ns = (int64_t) json_number_at(step, "t_ns") - offset_ns -
		(int64_t) json_number_at(item, "start_ns");

	buf_printf(cell, "%+.3f s", (double) ns / 1e9);
}

static void
add_step(const json_t *item, const json_t *step, const struct screen *screen, struct table *table)
{
	static const char *const members[] = { "host", "text" };
	const json_t *lasted = json_at(step, "lasted_ns");
	_cleanup_(buf_done) struct buf cell = { 0 };

	add_since(item, step, &cell);
	table_add(table, COLOUR_NONE, cell.data);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const char *text = json_text_at(step, members[i]);

		buf_clear(&cell);
		screen_add_text(screen, text ? text : "?", &cell);
		table_add(table, COLOUR_NONE, cell.data);
	}
	buf_clear(&cell);
	if (json_is_integer(lasted))
		page_duration((uint64_t) json_integer_value(lasted), &cell);
	table_add(table, COLOUR_NONE, cell.data ? cell.data : "");
}

void
view_migration_steps(const json_t *item, const struct screen *screen, struct buf *out)
{
	const json_t *steps = json_at(item, "steps");
	const size_t n = json_array_size(steps), shown = MIN(n, (size_t) MAX_LINES);
	struct table *table;

	if (!n)
		return;
	table = table_new(4);
	table_set_column(table, 0, "STEP AT", TABLE_RIGHT);
	table_set_column(table, 1, "HOST", 0);
	table_set_column(table, 2, "WHAT", 0);
	table_set_column(table, 3, "TOOK", TABLE_RIGHT);
	for (size_t i = 0; i < shown; i++)
		add_step(item, json_array_get(steps, i), screen, table);
	buf_add_char(out, '\n');
	table_write(table, screen, screen->headers, out);
	table_free(table);
	if (shown < n)
		buf_printf(out, "and %zu more\n", n - shown);
}
