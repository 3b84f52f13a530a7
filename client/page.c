/* SPDX-License-Identifier: MIT
 *
 * page.c -- what pages of one thing have in common. */
#include <string.h>

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
