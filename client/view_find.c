/* SPDX-License-Identifier: MIT
 *
 * view_find.c -- what is known by any id: the page of "trace". */
#include "client/columns.h"

static const struct column thing_columns[] = {
	FIELD("THING", "topic", TEXT, 0),
	FIELD("ID", "id", TEXT, COLUMN_FLEX),
	FIELD("NAME", "name", TEXT, COLUMN_FLEX),
	FIELD("FOUND BY", "by", TEXT, COLUMN_SPARE),
	{ .title = NULL }
};

static const struct view thing_view = { "", NULL, thing_columns, NULL, "nothing" };

void
view_find(const json_t *found, const struct screen *screen, struct buf *out)
{
	const json_t *things = json_at(found, "things"), *flows = json_at(found, "flows");

	if (json_array_size(things))
		view_table(&thing_view, things, screen, out);
	if (json_array_size(things) && json_array_size(flows))
		buf_add_char(out, '\n');
	if (json_array_size(flows))
		view_table(&flow_view, flows, screen, out);
}
