/* SPDX-License-Identifier: MIT
 *
 * view_compare.c -- two requests or migrations side by side, or one and its peers. */
#include <string.h>

#include "client/columns.h"
#include "client/plot.h"
#include "client/table.h"

enum { MAX_STEPS_SHOWN = 20, MAX_PARTS_SHOWN = 15, BAR_WIDTH = 20 };

static int64_t
difference_of(const json_t *part)
{
	return json_integer_value(json_at(part, "difference_ns"));
}

static uint64_t
absolute(int64_t ns)
{
	return (uint64_t) (ns < 0 ? -ns : ns);
}

static void
write_signed(int64_t ns, struct buf *out)
{
	buf_add_char(out, ns < 0 ? '-' : '+');
	page_duration(absolute(ns), out);
}

/* -- Pieces ------------------------------------------------------------------ */

static void
write_side(const char *letter, const json_t *side, const char *topic, const struct screen *screen,
	   struct buf *out)
{
	const char *kind = json_text_at(side, "kind"), *status = json_text_at(side, "status");
	const char *id = json_text_at(side, "id"), *source = json_text_at(side, "source");
	const char *destination = json_text_at(side, "destination");

	buf_printf(out, "  %s  %s ", letter, topic);
	screen_begin_colour(screen, COLOUR_BOLD, out);
	screen_add_text(screen, id ? id : "?", out);
	screen_end_colour(screen, COLOUR_BOLD, out);
	screen_printf(screen, out, "   %s   ", kind ? kind : "?");
	screen_add_state(screen, status ? status : "?", out);
	buf_add_string(out, "   ");
	page_write_vm(side, screen, out);
	if (source || destination)
		screen_printf(screen, out, "   %s to %s", source ? source : "?",
			      destination ? destination : "?");
	buf_add_string(out, "   ");
	screen_add_time(screen, json_number_at(side, "start_ns"), out);
	if (json_at(side, "total_ns")) {
		buf_add_string(out, ", took ");
		page_duration(json_number_at(side, "total_ns"), out);
	}
	buf_add_char(out, '\n');
}

static void
write_text(const json_t *text, const struct screen *screen, struct buf *out)
{
	buf_add_string(out, "  ");
	screen_add_text(screen, json_is_string(text) ? json_string_value(text) : "", out);
	buf_add_char(out, '\n');
}

static void
add_ns(const json_t *ns, struct table *table)
{
	_cleanup_(buf_done) struct buf cell = { 0 };

	if (json_is_integer(ns))
		page_duration((uint64_t) MAX(json_integer_value(ns), 0), &cell);
	else
		buf_add_char(&cell, '-');
	table_add(table, COLOUR_NONE, cell.data);
}

static void
add_text(const struct screen *screen, const char *text, struct table *table)
{
	_cleanup_(buf_done) struct buf cell = { 0 };

	screen_add_text(screen, text && *text ? text : "-", &cell);
	table_add(table, COLOUR_NONE, cell.data);
}

/* -- Parts --------------------------------------------------------------------- */

static void
add_difference(const json_t *part, uint64_t most, const struct screen *screen, struct table *table)
{
	const int64_t ns = difference_of(part);
	_cleanup_(buf_done) struct buf cell = { 0 };

	write_signed(ns, &cell);
	table_add(table, COLOUR_NONE, cell.data);
	buf_clear(&cell);
	plot_share(screen, absolute(ns), most, BAR_WIDTH, &cell);
	table_add(table, ns > 0 ? COLOUR_BAD : COLOUR_GOOD, cell.data);
}

/* "b" and "host_b" of peers are the median and nobody's. */
static void
write_parts(const json_t *parts, const char *b, const char *b_path, const struct screen *screen,
	    struct buf *out)
{
	const char *const titles[] = { "TIME WENT TO", "SERVICE", "HOST", "A", b, "DIFFERENCE", "" };
	uint64_t most = 1;
	struct table *table;
	json_t *part;
	size_t i;

	if (!json_array_size(parts))
		return;
	table = table_new(ARRAY_SIZE(titles));
	for (unsigned k = 0; k < ARRAY_SIZE(titles); k++)
		table_set_column(table, k, titles[k], k < 3 ? TABLE_FLEX : k < 6 ? TABLE_RIGHT : 0);
	json_array_foreach(parts, i, part)
		most = MAX(most, absolute(difference_of(part)));
	json_array_foreach(parts, i, part) {
		const char *host = json_text_at(part, "host_a");

		if (i == MAX_PARTS_SHOWN && !screen->wide)
			break;
		host = host ? host : json_text_at(part, "host");
		add_text(screen, json_text_at(part, "what"), table);
		add_text(screen, json_text_at(part, "service"), table);
		add_text(screen, host ? host : json_text_at(part, "host_b"), table);
		add_ns(json_at(part, json_at(part, "a_ns") ? "a_ns" : "ns"), table);
		add_ns(json_at(part, b_path), table);
		add_difference(part, most, screen, table);
	}
	buf_add_char(out, '\n');
	table_write(table, screen, screen->headers, out);
	table_free(table);
}

/* -- Figures ---------------------------------------------------------------------- */

static void
add_figure(const json_t *value, const char *unit, const struct screen *screen, struct table *table)
{
	static const struct {
		const char *unit, *after;
		enum value value;
	} units[] = {
		{ "ns", "", VALUE_DURATION }, { "bytes", "", VALUE_BYTES },
		{ "bytes/s", "/s", VALUE_BYTES }, { "percent", " %", VALUE_COUNT },
	};
	_cleanup_(buf_done) struct buf cell = { 0 };
	unsigned i = 0;

	while (i < ARRAY_SIZE(units) && !streq(units[i].unit, unit))
		i++;
	view_value(value, i < ARRAY_SIZE(units) ? units[i].value : VALUE_COUNT, screen, &cell);
	if (cell.size && i < ARRAY_SIZE(units))
		buf_add_string(&cell, units[i].after);
	table_add(table, COLOUR_NONE, cell.size ? cell.data : "-");
}

static void
write_figures(const json_t *figures, bool both, const struct screen *screen, struct buf *out)
{
	struct table *table;
	json_t *figure;
	size_t i;

	if (!json_array_size(figures))
		return;
	table = table_new(both ? 3 : 2);
	table_set_column(table, 0, "FIGURE", 0);
	table_set_column(table, 1, "A", TABLE_RIGHT);
	if (both)
		table_set_column(table, 2, "B", TABLE_RIGHT);
	json_array_foreach(figures, i, figure) {
		const char *unit = json_text_at(figure, "unit");

		add_text(screen, json_text_at(figure, "name"), table);
		add_figure(json_at(figure, "a"), unit ? unit : "", screen, table);
		if (both)
			add_figure(json_at(figure, "b"), unit ? unit : "", screen, table);
	}
	buf_add_char(out, '\n');
	table_write(table, screen, screen->headers, out);
	table_free(table);
}

/* -- Steps -------------------------------------------------------------------------- */

/* How much one differs, so that the least are left out. */
static uint64_t
weight_of(const json_t *step)
{
	const int64_t a = (int64_t) json_number_at(step, "a.ns"), b = (int64_t) json_number_at(step, "b.ns");

	return absolute(a - b);
}

/* Heavier than which ones are shown. */
static uint64_t
least_shown(const json_t *steps)
{
	uint64_t least = 0;
	json_t *step, *other;
	size_t i, k;

	json_array_foreach((json_t *) steps, i, step) {
		unsigned heavier = 0;

		json_array_foreach((json_t *) steps, k, other)
			heavier += weight_of(other) > weight_of(step);
		if (heavier >= MAX_STEPS_SHOWN)
			least = MAX(least, weight_of(step));
	}
	return least;
}

static void
add_offset(const json_t *step, const char *path, struct table *table)
{
	_cleanup_(buf_done) struct buf cell = { 0 };

	if (json_at(step, path))
		buf_printf(&cell, "%.3f s", (double) json_number_at(step, path) / 1e9);
	else
		buf_add_char(&cell, '-');
	table_add(table, COLOUR_NONE, cell.data);
}

/* In their order; what only one has shows as "-". */
static void
write_steps(const json_t *steps, const struct screen *screen, struct buf *out)
{
	static const char *const titles[] = { "STEP", "SERVICE", "A AFTER", "TOOK", "B AFTER", "TOOK" };
	const uint64_t least = screen->wide ? 0 : least_shown(steps);
	struct table *table;
	size_t left = 0, i;
	json_t *step;

	if (!json_array_size(steps))
		return;
	table = table_new(ARRAY_SIZE(titles));
	for (unsigned k = 0; k < ARRAY_SIZE(titles); k++)
		table_set_column(table, k, titles[k], k < 2 ? TABLE_FLEX : TABLE_RIGHT);
	json_array_foreach((json_t *) steps, i, step) {
		if (!screen->wide && weight_of(step) <= least) {
			left++;
			continue;
		}
		add_text(screen, json_text_at(step, "name"), table);
		add_text(screen, json_text_at(step, "service"), table);
		add_offset(step, "a.after_ns", table);
		add_ns(json_at(step, "a.ns"), table);
		add_offset(step, "b.after_ns", table);
		add_ns(json_at(step, "b.ns"), table);
	}
	buf_add_char(out, '\n');
	table_write(table, screen, screen->headers, out);
	table_free(table);
	if (left)
		buf_printf(out, "%zu more that differ less (-o wide shows all)\n", left);
}

/* -- The page ------------------------------------------------------------------------- */

void
view_peers(const json_t *peers, const struct screen *screen, struct buf *out)
{
	const char *text = json_text_at(peers, "text");

	if (!text)
		return;
	page_field_name("peers", out);
	screen_add_text(screen, text, out);
	if (json_at(peers, "median_ns")) {
		buf_add_string(out, "    median ");
		page_duration(json_number_at(peers, "median_ns"), out);
		buf_add_string(out, ", p95 ");
		page_duration(json_number_at(peers, "p95_ns"), out);
	}
	buf_add_char(out, '\n');
}

void
view_compare(const json_t *compared, const struct screen *screen, struct buf *out)
{
	const json_t *b = json_at(compared, "b"), *peers = json_at(compared, "peers");
	const char *topic = json_text_at(compared, "topic");

	topic = topic ? topic : "?";
	write_text(json_at(compared, "text"), screen, out);
	write_side("A", json_at(compared, "a"), topic, screen, out);
	if (b)
		write_side("B", b, topic, screen, out);
	if (peers && json_at(peers, "median_ns")) {
		buf_add_string(out, "     peers took ");
		page_duration(json_number_at(peers, "median_ns"), out);
		buf_add_string(out, " (median), 95 % of them at most ");
		page_duration(json_number_at(peers, "p95_ns"), out);
		buf_add_char(out, '\n');
	}
	if (b)
		write_parts(json_at(compared, "parts"), "B", "b_ns", screen, out);
	else
		write_parts(json_at(peers, "because"), "MEDIAN", "median_ns", screen, out);
	write_figures(json_at(compared, "figures"), b != NULL, screen, out);
	write_steps(json_at(compared, "steps"), screen, out);
}

static const struct column part_columns[] = {
	FIELD("WHAT", "@what", TEXT, 0),
	{ .title = NULL }
};

static const char *const compare_csv_paths[] = {
	"@what", "@service", "@layer", "@host_a", "@host_b", "@a_ns", "@b_ns", "@difference_ns", NULL
};

const struct view compare_csv = VIEW(NULL, "parts", part_columns, compare_csv_paths, "no parts");
