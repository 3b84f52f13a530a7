/* SPDX-License-Identifier: MIT
 *
 * view_migration.c -- one migration: the pieces that lists show, and its page. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/plot.h"
#include "client/table.h"
#include "client/view.h"
#include "lib/clock.h"

enum { CURVE_HEIGHT = 8, LABEL_WIDTH = 10, MAX_ROUNDS = 30 };

static bool
is_running(const json_t *item)
{
	const char *status = json_text_at(item, "status");

	return status && streq(status, "running");
}

static void
add_bytes(uint64_t bytes, struct buf *out)
{
	char text[48];

	buf_add_string(out, format_bytes(bytes, text, sizeof text));
}

/* -- Pieces --------------------------------------------------------------- */

void
migration_write_vm(const json_t *item, const struct screen *screen, struct buf *out)
{
	const char *name = json_text_at(item, "vm.name"), *uuid = json_text_at(item, "vm.uuid");

	if (name)
		screen_add_text(screen, name, out);
	else if (uuid && screen->wide)
		screen_add_text(screen, uuid, out);
	else if (uuid)
		screen_printf(screen, out, "%.8s", uuid);
	else if (json_number_at(item, "source_pid"))
		buf_printf(out, "pid %" PRIu64, json_number_at(item, "source_pid"));
	if (name && uuid && screen->wide)
		screen_printf(screen, out, " (%s)", uuid);
}

void
migration_write_route(const json_t *item, const struct screen *screen, struct buf *out)
{
	const char *source = json_text_at(item, "source");
	const char *destination = json_text_at(item, "destination");

	screen_add_text(screen, source ? source : "?", out);
	buf_add_string(out, screen->utf8 ? " \u2192 " : " -> ");
	screen_add_text(screen, destination ? destination : "?", out);
}

static const json_t *
last_round(const json_t *item)
{
	const json_t *rounds = json_at(item, "rounds");
	size_t count = json_array_size(rounds);

	return count ? json_array_get(rounds, count - 1) : NULL;
}

void
migration_write_round(const json_t *item, const struct screen *screen, struct buf *out)
{
	const json_t *n = json_at(last_round(item), "n");

	if (n)
		buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(n));
}

void
migration_write_total(const json_t *item, const struct screen *screen, struct buf *out)
{
	uint64_t start = json_number_at(item, "start_ns"), end = json_number_at(item, "end_ns");
	const json_t *total = json_at(item, "total_ns");

	if (total)
		page_duration((uint64_t) json_integer_value(total), out);
	else if (end > start)
		page_duration(end - start, out);
	else if (is_running(item) && screen->now_ns > start)
		page_duration(screen->now_ns - start, out);
}

/* Bytes still to send, as last seen. */
static const json_t *
remaining_of(const json_t *item)
{
	const json_t *samples = json_at(item, "samples"), *rounds = json_at(item, "rounds"), *value;

	/* A sample: t_ns, remaining_bytes, dirty_pages, sent_bytes. */
	for (size_t i = json_array_size(samples); i-- > 0; )
		if (json_is_integer(value = json_array_get(json_array_get(samples, i), 1)))
			return value;
	for (size_t i = json_array_size(rounds); i-- > 0; )
		if ((value = json_at(json_array_get(rounds, i), "remaining_bytes")))
			return value;
	return NULL;
}

void
migration_write_left(const json_t *item, const struct screen *screen, struct buf *out)
{
	const json_t *left = remaining_of(item);

	if (left)
		add_bytes((uint64_t) json_integer_value(left), out);
}

static const json_t *
stage_named(const json_t *item, const char *name)
{
	const json_t *stages = json_at(item, "stages");

	for (size_t i = json_array_size(stages); i-- > 0; ) {
		const json_t *stage = json_array_get(stages, i);
		const char *its = json_text_at(stage, "name");

		if (its && streq(its, name))
			return stage;
	}
	return NULL;
}

void
migration_write_downtime(const json_t *item, const struct screen *screen, struct buf *out)
{
	const json_t *downtime = json_at(item, "downtime_ns"), *stopped;
	const json_t *expected = json_at(item, "forecast.downtime_ns");

	if (downtime) {
		page_duration((uint64_t) json_integer_value(downtime), out);
		return;
	}
	if (!is_running(item))
		return;
	stopped = stage_named(item, "stop-and-copy");
	if (stopped && !json_at(stopped, "end_ns") &&
	    screen->now_ns > json_number_at(stopped, "start_ns")) {
		page_duration(screen->now_ns - json_number_at(stopped, "start_ns"), out);
		buf_add_char(out, '+');
	} else if (expected) {
		buf_add_char(out, '~');
		page_duration((uint64_t) json_integer_value(expected), out);
	}
}

void
migration_write_verdict(const json_t *item, const struct screen *screen, struct buf *out)
{
	const char *verdict = json_text_at(item, "forecast.verdict");
	const json_t *left = json_at(item, "forecast.remaining_ns");

	if (!verdict)
		return;
	screen_add_text(screen, verdict, out);
	if (left && is_running(item)) {
		buf_add_string(out, ", ");
		page_duration((uint64_t) json_integer_value(left), out);
	}
}

/* -- The page ------------------------------------------------------------- */

static void
write_head(const json_t *item, const struct screen *screen, struct buf *out)
{
	const char *id = json_text_at(item, "id"), *status = json_text_at(item, "status");
	const char *mode = json_text_at(item, "mode"), *stage = json_text_at(item, "stage");

	buf_add_string(out, "migration ");
	screen_begin_colour(screen, COLOUR_BOLD, out);
	screen_add_text(screen, id ? id : "?", out);
	screen_end_colour(screen, COLOUR_BOLD, out);
	buf_add_string(out, "   ");
	migration_write_route(item, screen, out);
	buf_add_string(out, "   ");
	screen_add_state(screen, status ? status : "?", out);
	if (stage && is_running(item))
		screen_printf(screen, out, " in %s", stage);
	if (mode && !streq(mode, "precopy"))
		screen_printf(screen, out, "   %s", mode);
	buf_add_char(out, '\n');
}

static void
write_identity(const json_t *item, const struct screen *screen, struct buf *out)
{
	const char *uuid = json_text_at(item, "vm.uuid"), *name = json_text_at(item, "vm.name");
	const char *request = json_text_at(item, "request_id");
	uint64_t source = json_number_at(item, "source_pid");
	uint64_t destination = json_number_at(item, "destination_pid");

	page_field_name("vm", out);
	screen_add_text(screen, name ? name : uuid ? uuid : "unknown", out);
	if (name && uuid)
		screen_printf(screen, out, " (%s)", uuid);
	if (source || destination)
		buf_add_string(out, "    qemu pid ");
	if (source)
		buf_printf(out, "%" PRIu64 " at the source", source);
	if (destination)
		buf_printf(out, "%s%" PRIu64 " at the destination", source ? ", " : "", destination);
	buf_add_char(out, '\n');
	if (request) {
		page_field_name("asked by", out);
		screen_add_text(screen, request, out);
		buf_add_char(out, '\n');
	}
}

static void
write_times(const json_t *item, const struct screen *screen, struct buf *out)
{
	const json_t *blackout = json_at(item, "blackout_ns");
	struct buf piece = { 0 };

	page_field_name("started", out);
	screen_add_time(screen, json_number_at(item, "start_ns"), out);
	buf_add_string(out, ", ");
	screen_add_age(screen, json_number_at(item, "start_ns"), out);
	migration_write_total(item, screen, &piece);
	if (piece.size)
		buf_printf(out, "    took %s%s", piece.data, is_running(item) ? " so far" : "");
	buf_clear(&piece);
	migration_write_downtime(item, screen, &piece);
	if (piece.size)
		buf_printf(out, "    downtime %s", piece.data);
	if (blackout) {
		buf_add_string(out, "    blackout ");
		page_duration((uint64_t) json_integer_value(blackout), out);
		if (json_number_at(item, "blackout_error_ns")) {
			buf_add_string(out, " +-");
			page_duration(json_number_at(item, "blackout_error_ns"), out);
		}
	}
	buf_add_char(out, '\n');
	buf_done(&piece);
}

static const struct {
	const char *name, *text;
	enum value value;
	const char *unit;
} needs_table[] = {
	{ "bandwidth_bytes_s", "a bandwidth of ", VALUE_BYTES, "/s" },
	{ "downtime_limit_ns", "a downtime limit of ", VALUE_DURATION, "" },
	{ "throttle_percent", "the guest throttled by ", VALUE_COUNT, " %" },
};

static void
write_needs(const json_t *needs, struct buf *out)
{
	const char *separator = "";

	for (unsigned i = 0; i < ARRAY_SIZE(needs_table); i++) {
		double value = json_number_value(json_at(needs, needs_table[i].name));

		if (value <= 0)
			continue;
		if (!*separator)
			page_field_name("needs", out);
		buf_printf(out, "%s%s", separator, needs_table[i].text);
		if (needs_table[i].value == VALUE_BYTES)
			add_bytes((uint64_t) MIN(value, 9e18), out);
		else if (needs_table[i].value == VALUE_DURATION)
			page_duration((uint64_t) MIN(value, 9e18), out);
		else
			buf_printf(out, "%.3g", value);
		buf_add_string(out, needs_table[i].unit);
		separator = ", or ";
	}
	if (*separator)
		buf_add_char(out, '\n');
}

static void
write_forecast(const json_t *item, const struct screen *screen, struct buf *out)
{
	const char *verdict = json_text_at(item, "forecast.verdict");
	enum colour colour = verdict ? screen_state_colour(verdict) : COLOUR_NONE;

	/* Of what is over, just why it may have been given up. */
	if (!verdict || (!is_running(item) && !streq(verdict, "not-converging")))
		return;
	page_field_name("forecast", out);
	screen_begin_colour(screen, colour, out);
	migration_write_verdict(item, screen, out);
	screen_end_colour(screen, colour, out);
	if (json_at(item, "forecast.remaining_ns") && is_running(item))
		buf_add_string(out, " left");
	if (json_at(item, "forecast.downtime_ns")) {
		buf_add_string(out, "    downtime ");
		page_duration(json_number_at(item, "forecast.downtime_ns"), out);
	}
	if (json_at(item, "downtime_limit_ns")) {
		buf_add_string(out, " (limit ");
		page_duration(json_number_at(item, "downtime_limit_ns"), out);
		buf_add_char(out, ')');
	}
	buf_add_char(out, '\n');
	write_needs(json_at(item, "forecast.needs"), out);
}

static void
write_traffic(const json_t *item, const struct screen *screen, struct buf *out)
{
	const char *status = json_text_at(item, "status");
	const json_t *left = status && streq(status, "completed") ? NULL : remaining_of(item);
	const json_t *throttle = json_at(item, "throttle_percent");
	const json_t *rounds = json_at(item, "rounds");
	uint64_t sent = 0;

	for (size_t i = 0; i < json_array_size(rounds); i++)
		sent += json_number_at(json_array_get(rounds, i), "sent_bytes");
	if (!left && !sent && !throttle)
		return;
	page_field_name("memory", out);
	if (sent) {
		buf_add_string(out, "sent ");
		add_bytes(sent, out);
	}
	if (left) {
		buf_add_string(out, sent ? "    left " : "left ");
		add_bytes((uint64_t) json_integer_value(left), out);
	}
	if (json_number_value(throttle) > 0)
		buf_printf(out, "%sthrottled by %.3g %%", sent || left ? "    " : "",
			   json_number_value(throttle));
	buf_add_char(out, '\n');
}

/* -- Drawings ------------------------------------------------------------- */

static uint64_t
end_of(const json_t *item, const struct screen *screen)
{
	uint64_t start = json_number_at(item, "start_ns"), end = json_number_at(item, "end_ns");
	static const char *const lists[] = { "stages", "rounds" };
	static const char *const members[] = { "start_ns", "end_ns" };

	if (!end && is_running(item))
		end = screen->now_ns;
	/* The last that was seen, where nobody knows the end. */
	for (unsigned l = 0; l < ARRAY_SIZE(lists); l++) {
		const json_t *list = json_at(item, lists[l]);
		const json_t *last = json_array_get(list, json_array_size(list) - 1);

		for (unsigned m = 0; m < ARRAY_SIZE(members); m++)
			end = MAX(end, json_number_at(last, members[m]));
	}
	return MAX(end, start + 1);
}

static void
write_offset(const json_t *part, uint64_t base, struct buf *out)
{
	uint64_t start = json_number_at(part, "start_ns");

	buf_printf(out, "%.2f s", start > base ? (double) (start - base) / 1e9 : 0);
}

static void
add_stage(const json_t *stage, const struct plot_axis *axis, bool running,
	  const struct screen *screen, struct table *table)
{
	uint64_t start = json_number_at(stage, "start_ns"), end = json_number_at(stage, "end_ns");
	const char *name = json_text_at(stage, "name");
	_cleanup_(buf_done) struct buf cell = { 0 };
	bool open = !end;

	name = name ? name : "?";
	end = open ? axis->end_ns : end;
	screen_add_text(screen, name, &cell);
	buf_add_string(&cell, json_is_true(json_at(stage, "inferred")) ? "*" : "");
	table_add(table, COLOUR_NONE, cell.data);
	buf_clear(&cell);
	write_offset(stage, axis->start_ns, &cell);
	table_add(table, COLOUR_NONE, cell.data);
	buf_clear(&cell);
	page_duration(end > start ? end - start : 0, &cell);
	buf_add_string(&cell, open ? "+" : "");
	table_add(table, COLOUR_NONE, cell.data);
	buf_clear(&cell);
	plot_bar(screen, axis, start, end, open && running, &cell);
	table_add(table, streq(name, "stop-and-copy") ? COLOUR_BAD : COLOUR_BUSY, cell.data);
}

static void
write_stages(const json_t *item, const struct screen *screen, struct buf *out)
{
	const json_t *stages = json_at(item, "stages");
	struct plot_axis axis = { json_number_at(item, "start_ns"), end_of(item, screen),
				  page_draw_width(screen, 36) };
	size_t count = json_array_size(stages);
	struct buf labels = { 0 };
	struct table *table;

	if (!count)
		return;
	plot_axis_labels(&axis, &labels);
	table = table_new(4);
	table_set_column(table, 0, "STAGE", 0);
	table_set_column(table, 1, "START", TABLE_RIGHT);
	table_set_column(table, 2, "TOOK", TABLE_RIGHT);
	table_set_column(table, 3, labels.data, 0);
	for (size_t i = 0; i < count; i++)
		add_stage(json_array_get(stages, i), &axis, is_running(item), screen, table);
	buf_add_char(out, '\n');
	table_write(table, screen, screen->headers, out);
	table_free(table);
	buf_done(&labels);
}

static void
add_optional(struct table *table, const json_t *round, const char *path, bool bytes)
{
	_cleanup_(buf_done) struct buf cell = { 0 };
	const json_t *value = json_at(round, path);

	if (!value)
		buf_add_char(&cell, '-');
	else if (bytes)
		add_bytes(json_number_at(round, path), &cell);
	else
		screen_add_count(json_number_at(round, path), &cell);
	table_add(table, COLOUR_NONE, cell.data);
}

/* What a round took; until 'last' when it is still open. */
static uint64_t
round_took(const json_t *round, uint64_t last)
{
	uint64_t start = json_number_at(round, "start_ns"), end = json_number_at(round, "end_ns");

	end = end ? end : last;
	return end > start ? end - start : 0;
}

static void
add_round(const json_t *round, uint64_t last, uint64_t longest, const struct screen *screen,
	  struct table *table)
{
	_cleanup_(buf_done) struct buf cell = { 0 };
	uint64_t took = round_took(round, last);

	add_optional(table, round, "n", false);
	page_duration(took, &cell);
	buf_add_string(&cell, json_at(round, "end_ns") ? "" : "+");
	table_add(table, COLOUR_NONE, cell.data);
	add_optional(table, round, "sent_bytes", true);
	add_optional(table, round, "dirty_pages", false);
	add_optional(table, round, "remaining_bytes", true);
	buf_clear(&cell);
	plot_share(screen, took, longest, 24, &cell);
	table_add(table, COLOUR_BUSY, cell.data);
}

/* Of very many rounds the last ones, unless all were asked for. */
static void
write_rounds(const json_t *item, const struct screen *screen, struct buf *out)
{
	static const char *const titles[] = { "ROUND", "TOOK", "SENT", "DIRTY PAGES", "LEFT", "" };
	const json_t *rounds = json_at(item, "rounds");
	size_t count = json_array_size(rounds);
	size_t first = screen->wide || count <= MAX_ROUNDS ? 0 : count - MAX_ROUNDS;
	uint64_t longest = 0, last = end_of(item, screen);
	struct table *table;

	if (!count)
		return;
	for (size_t i = first; i < count; i++)
		longest = MAX(longest, round_took(json_array_get(rounds, i), last));
	table = table_new(ARRAY_SIZE(titles));
	for (unsigned i = 0; i < ARRAY_SIZE(titles); i++)
		table_set_column(table, i, titles[i], i < 5 ? TABLE_RIGHT : 0);
	for (size_t i = first; i < count; i++)
		add_round(json_array_get(rounds, i), last, longest, screen, table);
	buf_add_char(out, '\n');
	if (first)
		buf_printf(out, "%zu rounds before these (-o wide shows all)\n", first);
	table_write(table, screen, screen->headers, out);
	table_free(table);
}

static void
add_point(const json_t *time, const json_t *value, struct plot_point *points, size_t *count)
{
	json_int_t t = json_integer_value(time), v = json_integer_value(value);

	/* What came from outside may be out of order; the plot must not. */
	if (!json_is_integer(value) || v < 0 || t <= 0 ||
	    (*count && (uint64_t) t <= points[*count - 1].t_ns))
		return;
	points[(*count)++] = (struct plot_point) { (uint64_t) t, (uint64_t) v };
}

/* Points of remaining_bytes; of the rounds' ends when there are no samples. */
static size_t
points_of(const json_t *item, struct plot_point **ret)
{
	const json_t *samples = json_at(item, "samples"), *rounds = json_at(item, "rounds");
	struct plot_point *points = xcalloc(json_array_size(samples) + json_array_size(rounds),
					    sizeof *points);
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(samples); i++) {
		const json_t *sample = json_array_get(samples, i);

		add_point(json_array_get(sample, 0), json_array_get(sample, 1), points, &count);
	}
	if (count > 1) {
		*ret = points;
		return count;
	}
	for (size_t i = 0; i < json_array_size(rounds); i++) {
		const json_t *round = json_array_get(rounds, i);

		add_point(json_at(round, "end_ns"), json_at(round, "remaining_bytes"), points,
			  &count);
	}
	*ret = points;
	return count;
}

static void
write_curve(const json_t *item, const struct screen *screen, struct buf *out)
{
	struct plot_axis axis = { json_number_at(item, "start_ns"), end_of(item, screen),
				  page_draw_width(screen, LABEL_WIDTH + 6) };
	_cleanup_(freep) struct plot_point *points = NULL;
	size_t count = points_of(item, &points);

	if (count < 2)
		return;
	buf_add_string(out, "\nMemory left to send\n");
	plot_curve(screen, &axis, points, count, CURVE_HEIGHT, LABEL_WIDTH, out);
	buf_printf(out, "%*s +", LABEL_WIDTH, "");
	for (unsigned i = 0; i < axis.width; i++)
		buf_add_char(out, '-');
	buf_printf(out, "\n%*s", LABEL_WIDTH + 2, "");
	plot_axis_labels(&axis, out);
	buf_add_char(out, '\n');
}

/* In full: here is the room for their texts. */
static void
write_alerts(const json_t *alerts, const struct screen *screen, struct buf *out)
{
	json_t *alert;
	size_t i;

	json_array_foreach(alerts, i, alert) {
		const char *severity = json_text_at(alert, "severity");
		const char *state = json_text_at(alert, "state");
		const char *rule = json_text_at(alert, "rule"), *text = json_text_at(alert, "text");

		buf_add_string(out, "\nalert ");
		screen_add_state(screen, severity ? severity : "?", out);
		screen_printf(screen, out, " %s, %s, since ", rule ? rule : "?", state ? state : "?");
		screen_add_time(screen, json_number_at(alert, "start_ns"), out);
		buf_add_string(out, ", ");
		screen_add_age(screen, json_number_at(alert, "start_ns"), out);
		buf_add_string(out, "\n  ");
		screen_add_text(screen, text ? text : "", out);
		buf_add_char(out, '\n');
	}
}

static void
write_evidence(const json_t *item, const struct screen *screen, struct buf *out)
{
	const json_t *evidence = json_at(item, "evidence");
	bool inferred = false;
	const json_t *stages = json_at(item, "stages");

	for (size_t i = 0; i < json_array_size(stages); i++)
		inferred |= json_is_true(json_at(json_array_get(stages, i), "inferred"));
	if (!evidence && !inferred)
		return;
	buf_add_string(out, "\nevidence  ");
	screen_add_count(json_number_at(evidence, "events"), out);
	buf_add_string(out, " events, ");
	screen_add_count(json_number_at(evidence, "lost"), out);
	buf_add_string(out, " lost");
	if (json_at(evidence, "clock_error_ns")) {
		buf_add_string(out, ", clock error +-");
		page_duration(json_number_at(evidence, "clock_error_ns"), out);
	}
	if (json_string_value(json_at(evidence, "clock_how"))) {
		buf_add_string(out, " by ");
		screen_add_text(screen, json_string_value(json_at(evidence, "clock_how")), out);
	}
	buf_add_string(out, inferred ? "    * its beginning was not seen\n" : "\n");
}

void
view_migration(const json_t *item, const json_t *alerts, const struct screen *screen,
	       struct buf *out)
{
	const char *reason = json_text_at(item, "reason");

	write_head(item, screen, out);
	write_identity(item, screen, out);
	write_times(item, screen, out);
	write_traffic(item, screen, out);
	write_forecast(item, screen, out);
	if (reason) {
		page_field_name("reason", out);
		screen_add_text(screen, reason, out);
		buf_add_char(out, '\n');
	}
	page_findings(json_at(item, "findings"), screen, out);
	page_unknown(json_at(item, "unknown"), screen, out);
	view_peers(json_at(item, "peers"), screen, out);
	write_stages(item, screen, out);
	view_migration_steps(item, screen, out);
	write_rounds(item, screen, out);
	write_curve(item, screen, out);
	view_migration_network(item, screen, out);
	if (json_at(item, "kernel"))
		view_budget(item, screen, out);
	view_migration_kernel(item, screen, out);
	write_alerts(alerts, screen, out);
	write_evidence(item, screen, out);
}
