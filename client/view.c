/* SPDX-License-Identifier: MIT */
#include "client/view.h"

#include <inttypes.h>
#include <string.h>

#include "client/table.h"
#include "lib/clock.h"

const json_t *
json_at(const json_t *item, const char *path)
{
	char name[64];

	while (item && *path) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof name)
			return NULL;
		memcpy(name, path, n);
		name[n] = '\0';
		item = json_object_get(item, name);
		path += n + (path[n] == '.');
	}
	return json_is_null(item) ? NULL : item;
}

const char *
json_text_at(const json_t *item, const char *path)
{
	return json_string_value(json_at(item, path));
}

uint64_t
json_number_at(const json_t *item, const char *path)
{
	json_int_t value = json_integer_value(json_at(item, path));

	return value > 0 ? (uint64_t) value : 0;
}

/* -- One value ------------------------------------------------------------ */

static void
write_number(const json_t *value, enum value kind, const struct screen *screen, struct buf *out)
{
	uint64_t number = json_integer_value(value) > 0 ? (uint64_t) json_integer_value(value) : 0;
	char text[64];

	/* Nobody was there in 1970. */
	if (!number && (kind == VALUE_TIME || kind == VALUE_MOMENT || kind == VALUE_AGE))
		return;
	switch (kind) {
	case VALUE_BYTES:
		buf_add_string(out, format_bytes(number, text, sizeof text));
		break;
	case VALUE_DURATION:
		buf_add_string(out, format_duration(number, text, sizeof text));
		break;
	case VALUE_TIME:
		screen_add_time(screen, number, out);
		break;
	case VALUE_MOMENT:
		screen_add_moment(screen, number, out);
		break;
	case VALUE_AGE:
		screen_add_age(screen, number, out);
		break;
	case VALUE_NUMBER:
		buf_printf(out, "%" PRIu64, number);
		break;
	default:
		screen_add_count(number, out);
		break;
	}
}

/* The beginning of an id that tells it apart: eight characters of what is random. */
static void
write_id(const char *id, const struct screen *screen, struct buf *out)
{
	if (screen->wide)
		screen_add_text(screen, id, out);
	else
		screen_printf(screen, out, "%.*s", starts_with(id, "req-") ? 12 : 8, id);
}

/* Words of an array; how many where they are no words. */
static void
write_list(const json_t *list, const struct screen *screen, struct buf *out)
{
	json_t *item;
	size_t i;

	json_array_foreach((json_t *) list, i, item) {
		if (!json_is_string(item)) {
			buf_printf(out, "%zu", json_array_size(list));
			return;
		}
		buf_add_string(out, i ? ", " : "");
		screen_add_text(screen, json_string_value(item), out);
	}
}

void
view_value(const json_t *value, enum value kind, const struct screen *screen, struct buf *out)
{
	if (kind == VALUE_RATE && json_is_number(value))
		buf_printf(out, json_number_value(value) < 10 ? "%.2f" : "%.0f",
			   json_number_value(value));
	else if (json_is_integer(value))
		write_number(value, kind, screen, out);
	else if (json_is_real(value))
		buf_printf(out, "%.3g", json_real_value(value));
	else if (json_is_boolean(value))
		buf_add_string(out, json_is_true(value) ? "yes" : "no");
	else if (json_is_string(value) && kind == VALUE_ID)
		write_id(json_string_value(value), screen, out);
	else if (json_is_string(value))
		screen_add_text(screen, json_string_value(value), out);
	else if (json_is_array(value))
		write_list(value, screen, out);
}

/* -- Tables --------------------------------------------------------------- */

static const json_t *
cell_of(const json_t *item, const json_t *part, const char *path)
{
	return *path == '@' ? json_at(part, path + 1) : json_at(item, path);
}

static void
add_row(const struct view *view, const json_t *item, const json_t *part,
	const struct screen *screen, struct table *table)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	for (const struct column *column = view->columns; column->title; column++) {
		const json_t *value = NULL;
		enum colour colour = COLOUR_NONE;

		if ((column->flags & COLUMN_WIDE) && !screen->wide)
			continue;
		buf_clear(&text);
		if (column->write) {
			column->write(item, screen, &text);
		} else {
			value = cell_of(item, part, column->path);
			view_value(value, column->value, screen, &text);
		}
		if (!text.size)
			buf_add_char(&text, '-');
		if (column->value == VALUE_STATE)
			colour = screen_state_colour(text.data);
		table_add(table, colour, text.data);
	}
}

void
view_table(const struct view *view, const json_t *list, const struct screen *screen,
	   struct buf *out)
{
	struct table *table;
	unsigned count = 0;
	json_t *item, *part;
	size_t i, j;

	for (const struct column *column = view->columns; column->title; column++)
		count += screen->wide || !(column->flags & COLUMN_WIDE);
	table = table_new(count);
	count = 0;
	for (const struct column *column = view->columns; column->title; column++)
		if (screen->wide || !(column->flags & COLUMN_WIDE))
			table_set_column(table, count++, column->title, column->flags);
	json_array_foreach(list, i, item) {
		if (!view->expand)
			add_row(view, item, NULL, screen, table);
		json_array_foreach(view->expand ? json_object_get(item, view->expand) : NULL, j, part) {
			add_row(view, item, part, screen, table);
		}
	}
	table_write(table, screen, screen->headers, out);
	table_free(table);
}

json_t *
view_major(const struct view *view, json_t *list)
{
	json_t *major, *item;
	size_t i;

	if (!view->is_minor)
		return json_incref(list);
	major = json_array();
	json_array_foreach(list, i, item) {
		if (!view->is_minor(item))
			json_array_append(major, item);
	}
	return major;
}

/* -- CSV ------------------------------------------------------------------ */

static void
add_csv_text(const char *text, struct buf *out)
{
	if (!strpbrk(text, ",\"\r\n")) {
		buf_add_string(out, text);
		return;
	}
	buf_add_char(out, '"');
	for (; *text; text++)
		buf_printf(out, *text == '"' ? "\"\"" : "%c", *text);
	buf_add_char(out, '"');
}

/* Words of an array with blanks between. */
static void
add_csv_list(const json_t *list, struct buf *out)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	json_t *item;
	size_t i;

	json_array_foreach((json_t *) list, i, item) {
		if (json_is_string(item))
			buf_printf(&text, "%s%s", text.size ? " " : "", json_string_value(item));
	}
	if (text.size)
		add_csv_text(text.data, out);
}

static void
add_csv_value(const json_t *value, struct buf *out)
{

	if (json_is_integer(value))
		buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		buf_printf(out, "%.17g", json_real_value(value));
	else if (json_is_boolean(value))
		buf_add_string(out, json_is_true(value) ? "true" : "false");
	else if (json_is_string(value))
		add_csv_text(json_string_value(value), out);
	else if (json_is_array(value))
		add_csv_list(value, out);
}

static void
add_csv_row(const struct view *view, const json_t *item, const json_t *part, struct buf *out)
{
	for (const char *const *path = view->csv; *path; path++) {
		if (path != view->csv)
			buf_add_char(out, ',');
		add_csv_value(cell_of(item, part, *path), out);
	}
	buf_add_string(out, "\r\n");
}

void
view_csv(const struct view *view, const json_t *list, bool headers, struct buf *out)
{
	json_t *item, *part;
	size_t i, j;

	for (const char *const *path = view->csv; headers && *path; path++)
		buf_printf(out, "%s%s%s", path == view->csv ? "" : ",", *path + (**path == '@'),
			   path[1] ? "" : "\r\n");
	json_array_foreach(list, i, item) {
		if (!view->expand)
			add_csv_row(view, item, NULL, out);
		json_array_foreach(view->expand ? json_object_get(item, view->expand) : NULL, j, part) {
			add_csv_row(view, item, part, out);
		}
	}
}

static void
add_csv_members(const json_t *object, const char *prefix, struct buf *out)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *) object, key, value) {
		_cleanup_(freep) char *path = xasprintf("%s%s%s", prefix, *prefix ? "." : "", key);
		json_t *name = json_string(path);

		if (json_is_object(value)) {
			add_csv_members(value, path, out);
		} else if (!json_is_array(value) && !json_is_null(value)) {
			add_csv_value(name, out);
			buf_add_char(out, ',');
			add_csv_value(value, out);
			buf_add_string(out, "\r\n");
		}
		json_decref(name);
	}
}

void
view_csv_object(const json_t *object, bool headers, struct buf *out)
{
	if (headers)
		buf_add_string(out, "name,value\r\n");
	add_csv_members(object, "", out);
}
