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

static const char *const find_csv[] = {
	"topic", "id", "name", "by", "kind", "status", "start_ns", "end_ns", NULL
};

const struct view find_view = VIEW("", NULL, thing_columns, find_csv, "nothing");

json_t *
find_rows(const json_t *found)
{
	json_t *rows = json_array(), *flow;
	size_t i;

	json_array_extend(rows, json_object_get(found, "things"));
	json_array_foreach(json_at(found, "flows"), i, flow) {
		json_t *row = json_copy(flow);

		json_object_set_new(row, "topic", json_string("flow"));
		json_array_append_new(rows, row);
	}
	return rows;
}

void
view_find(const json_t *found, const struct screen *screen, struct buf *out)
{
	const json_t *things = json_at(found, "things"), *flows = json_at(found, "flows");

	if (json_array_size(things))
		view_table(&find_view, things, screen, out);
	if (json_array_size(things) && json_array_size(flows))
		buf_add_char(out, '\n');
	if (json_array_size(flows))
		view_table(&flow_view, flows, screen, out);
}
