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
	case VALUE_AGE:
		screen_add_age(screen, number, out);
		break;
	default:
		screen_add_count(number, out);
		break;
	}
}

static void
write_value(const json_t *value, enum value kind, const struct screen *screen, struct buf *out)
{
	if (json_is_integer(value))
		write_number(value, kind, screen, out);
	else if (json_is_real(value))
		buf_printf(out, "%.3g", json_real_value(value));
	else if (json_is_boolean(value))
		buf_add_string(out, json_is_true(value) ? "yes" : "no");
	else if (json_is_string(value) && kind == VALUE_ID && !screen->wide)
		screen_printf(screen, out, "%.8s", json_string_value(value));
	else if (json_is_string(value))
		screen_add_text(screen, json_string_value(value), out);
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
			write_value(value, column->value, screen, &text);
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

/* -- CSV ------------------------------------------------------------------ */

static void
add_csv_value(const json_t *value, struct buf *out)
{
	const char *text = json_string_value(value);

	if (json_is_integer(value))
		buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		buf_printf(out, "%.17g", json_real_value(value));
	else if (json_is_boolean(value))
		buf_add_string(out, json_is_true(value) ? "true" : "false");
	if (!text)
		return;
	if (!strpbrk(text, ",\"\r\n")) {
		buf_add_string(out, text);
		return;
	}
	buf_add_char(out, '"');
	for (; *text; text++)
		buf_printf(out, *text == '"' ? "\"\"" : "%c", *text);
	buf_add_char(out, '"');
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

/* -- The lists ------------------------------------------------------------ */

#define FIELD(TITLE, PATH, VALUE, FLAGS) { TITLE, PATH, VALUE_##VALUE, FLAGS, NULL }
#define PIECE(TITLE, WRITE, FLAGS) { TITLE, NULL, VALUE_TEXT, FLAGS, WRITE }

static const struct column migration_columns[] = {
	FIELD("ID", "id", ID, 0),
	PIECE("VM", migration_write_vm, COLUMN_FLEX),
	PIECE("FROM - TO", migration_write_route, COLUMN_FLEX),
	FIELD("STATUS", "status", STATE, 0),
	FIELD("MODE", "mode", TEXT, COLUMN_WIDE),
	FIELD("STAGE", "stage", TEXT, COLUMN_WIDE),
	FIELD("STARTED", "start_ns", TIME, COLUMN_SPARE),
	FIELD("AGE", "start_ns", AGE, 0),
	PIECE("TOOK", migration_write_total, COLUMN_RIGHT),
	FIELD("ROUNDS", "dirty_syncs", COUNT, COLUMN_RIGHT | COLUMN_SPARE),
	PIECE("DOWNTIME", migration_write_downtime, COLUMN_RIGHT),
	FIELD("BLACKOUT", "blackout_ns", DURATION, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("THROTTLE %", "throttle_percent", COUNT, COLUMN_RIGHT | COLUMN_WIDE),
	PIECE("VERDICT", migration_write_verdict, COLUMN_WIDE),
	FIELD("REQUEST", "request_id", TEXT, COLUMN_WIDE),
	FIELD("REASON", "reason", TEXT, COLUMN_FLEX | COLUMN_SPARE),
	{ .title = NULL }
};

static const char *const migration_csv[] = {
	"id", "vm.uuid", "vm.name", "source", "destination", "source_pid", "destination_pid",
	"status", "mode", "stage", "start_ns", "end_ns", "total_ns", "downtime_ns", "blackout_ns",
	"dirty_syncs", "throttle_percent", "forecast.verdict", "forecast.remaining_ns",
	"forecast.downtime_ns", "reason", "request_id", "evidence.events", "evidence.lost",
	"evidence.clock_error_ns", NULL
};

const struct view migration_view = {
	"migration", NULL, migration_columns, migration_csv, "no migrations"
};

static const struct column in_flight_columns[] = {
	FIELD("ID", "id", ID, 0),
	PIECE("VM", migration_write_vm, COLUMN_FLEX),
	PIECE("FROM - TO", migration_write_route, COLUMN_FLEX),
	FIELD("STAGE", "stage", TEXT, 0),
	PIECE("ROUND", migration_write_round, COLUMN_RIGHT),
	PIECE("ELAPSED", migration_write_total, COLUMN_RIGHT),
	PIECE("LEFT", migration_write_left, COLUMN_RIGHT),
	PIECE("DOWNTIME", migration_write_downtime, COLUMN_RIGHT | COLUMN_SPARE),
	{ "VERDICT", NULL, VALUE_STATE, COLUMN_FLEX, migration_write_verdict },
	{ .title = NULL }
};

const struct view in_flight_view = {
	"migration", NULL, in_flight_columns, migration_csv, "no migration in flight"
};

static const struct column alert_columns[] = {
	FIELD("ID", "id", ID, 0),
	FIELD("SEVERITY", "severity", STATE, 0),
	FIELD("STATE", "state", STATE, 0),
	FIELD("SINCE", "start_ns", TIME, COLUMN_SPARE),
	FIELD("AGE", "start_ns", AGE, 0),
	FIELD("ENDED", "end_ns", TIME, COLUMN_WIDE),
	FIELD("RULE", "rule", TEXT, COLUMN_SPARE),
	FIELD("SUBJECT", "subject", TEXT, COLUMN_FLEX | COLUMN_SPARE),
	FIELD("TEXT", "text", TEXT, COLUMN_FLEX),
	{ .title = NULL }
};

static const char *const alert_csv[] = {
	"id", "rule", "severity", "state", "subject", "text", "start_ns", "end_ns", "seen_ns", NULL
};

const struct view alert_view = { "alert", NULL, alert_columns, alert_csv, "no alerts" };

static const struct column node_columns[] = {
	FIELD("NODE", "host", TEXT, 0),
	FIELD("SESSION", "@session", TEXT, COLUMN_FLEX),
	FIELD("RELAYD", "@relayd", TEXT, COLUMN_WIDE),
	FIELD("STATE", "@state", STATE, 0),
	FIELD("EVENTS", "@events", COUNT, COLUMN_RIGHT),
	FIELD("LOST", "@lost_events", COUNT, COLUMN_RIGHT),
	FIELD("LATE", "@late_events", COUNT, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("LAG", "@lag_ns", DURATION, COLUMN_RIGHT),
	FIELD("LAST EVENT", "@last_event_ns", AGE, COLUMN_SPARE),
	FIELD("CLOCK +-", "clock.error_ns", DURATION, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("WHY", "@text", TEXT, COLUMN_FLEX | COLUMN_SPARE),
	{ .title = NULL }
};

static const char *const node_csv[] = {
	"host", "@relayd", "@session", "@state", "@text", "@events", "@lost_events",
	"@late_events", "@lag_ns", "@last_event_ns", "@seen_ns", "clock.reference",
	"clock.offset_ns", "clock.error_ns", "clock.drift_ppm", NULL
};

const struct view node_view = { "node", "sources", node_columns, node_csv, "no nodes" };
