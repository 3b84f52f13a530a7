/* SPDX-License-Identifier: MIT
 *
 * page.c -- what pages of one thing have in common. */
#include <string.h>

#include "client/plot.h"
#include "client/view.h"
#include "lib/clock.h"

enum { DRAW_WIDTH = 80, DRAW_MAX = 160, DRAW_LEAST = 20 };

void
page_duration(uint64_t ns, struct buf *out)
{
	char text[48];

	buf_add_string(out, format_duration(ns, text, sizeof text));
}

unsigned
page_draw_width(const struct screen *screen, unsigned used)
{
	unsigned width = screen->width ? MIN(screen->width, (unsigned) DRAW_MAX) : DRAW_WIDTH;

	return width > used + DRAW_LEAST ? width - used : DRAW_LEAST;
}

void
page_field_name(const char *name, struct buf *out)
{
	buf_printf(out, "  %-9s ", name);
}

static const char *
gap_before(const struct page_field *field)
{
	if (!field->before || !strchr(" ,", *field->before))
		return "    ";
	return *field->before ? "" : " ";
}

void
page_fields(const struct page_field *fields, const json_t *item, const struct screen *screen,
	    struct buf *out)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *name = "";
	bool begun = false;

	for (; fields->path; fields++) {
		if (fields->name) {
			buf_add_string(out, begun ? "\n" : "");
			begun = false;
			name = fields->name;
		}
		buf_clear(&text);
		view_value(json_at(item, fields->path), fields->value, screen, &text);
		if (!text.size)
			continue;
		if (begun)
			buf_add_string(out, gap_before(fields));
		else
			page_field_name(name, out);
		begun = true;
		buf_add_string(out, fields->before ? fields->before : "");
		if (fields->value == VALUE_STATE)
			screen_add_state(screen, json_text_at(item, fields->path), out);
		else
			buf_add(out, text.data, text.size);
		buf_add_string(out, fields->after ? fields->after : "");
	}
	buf_add_string(out, begun ? "\n" : "");
}

/* A bucket of either form; those of histogram.h are 1/32 of their value wide. */
static struct plot_bucket
read_bucket(const json_t *bucket)
{
	struct plot_bucket ret = { json_number_at(bucket, "from_ns"),
				   json_number_at(bucket, "to_ns"),
				   json_number_at(bucket, "count") };

	if (json_is_array(bucket)) {
		ret.from = (uint64_t) MAX(json_integer_value(json_array_get(bucket, 0)), 0);
		ret.to = ret.from + ret.from / 32;
		ret.count = (uint64_t) MAX(json_integer_value(json_array_get(bucket, 1)), 0);
	}
	/* So that no sum of them overflows. */
	ret.count = MIN(ret.count, (uint64_t) INT64_MAX >> 16);
	return ret;
}

void
page_histogram(const char *title, const json_t *histogram, const struct screen *screen,
	       struct buf *out)
{
	enum { MAX_BUCKETS = 4096 };
	const json_t *list = json_is_array(histogram) ? histogram : json_at(histogram, "buckets");
	size_t count = MIN(json_array_size(list), (size_t) MAX_BUCKETS);
	_cleanup_(freep) struct plot_bucket *buckets = xcalloc(count + 1, sizeof *buckets);

	if (!count)
		return;
	for (size_t i = 0; i < count; i++)
		buckets[i] = read_bucket(json_array_get(list, i));
	buf_add_string(out, "\nLatency: ");
	screen_add_text(screen, title, out);
	buf_add_char(out, '\n');
	plot_histogram(screen, buckets, count, PLOT_NS, out);
}

void
page_head(const char *kind, const char *id, const char *status, const struct screen *screen,
	  struct buf *out)
{
	buf_printf(out, "%s ", kind);
	screen_begin_colour(screen, COLOUR_BOLD, out);
	screen_add_text(screen, id ? id : "?", out);
	screen_end_colour(screen, COLOUR_BOLD, out);
	if (status) {
		buf_add_string(out, "   ");
		screen_add_state(screen, status, out);
	}
}

void
page_list(const char *title, const struct view *view, const json_t *list,
	  const struct screen *screen, struct buf *out)
{
	if (!json_array_size(list))
		return;
	buf_printf(out, "\n%s\n", title);
	view_table(view, list, screen, out);
}

void
page_write_vm(const json_t *item, const struct screen *screen, struct buf *out)
{
	const char *name = json_text_at(item, "vm.name"), *uuid = json_text_at(item, "vm.uuid");

	if (name)
		screen_add_text(screen, name, out);
	else if (uuid)
		screen_printf(screen, out, screen->wide ? "%s" : "%.8s", uuid);
	if (name && uuid && screen->wide)
		screen_printf(screen, out, " (%s)", uuid);
}

void
page_write_port(const json_t *item, const char *name, const char *number,
		const struct screen *screen, struct buf *out)
{
	const char *text = json_text_at(item, name);
	const json_t *no = json_at(item, number);

	if (text)
		screen_add_text(screen, text, out);
	else if (json_is_integer(no))
		buf_printf(out, "port %" JSON_INTEGER_FORMAT, json_integer_value(no));
}
