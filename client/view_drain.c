/* SPDX-License-Identifier: MIT
 *
 * view_drain.c -- a host that is being emptied: a line for each VM, and when all will
 * have left. */
#include <string.h>

#include "client/columns.h"
#include "client/plot.h"
#include "client/table.h"
#include "lib/clock.h"

enum { PERCENT_WIDTH = 10, MAX_LEFT_SHOWN = 10 };

static bool
is_open(const json_t *row)
{
	const char *status = json_text_at(row, "status");

	return status && (streq(status, "running") || streq(status, "queued"));
}

static void
write_state(const json_t *row, const struct screen *screen, struct buf *out)
{
	const char *status = json_text_at(row, "status"), *phase = json_text_at(row, "phase");
	const bool running = status && streq(status, "running");

	screen_add_text(screen, running && phase ? phase : status ? status : "?", out);
}

static void
add_progress(const json_t *row, const struct screen *screen, struct table *table)
{
	const double percent = json_number_value(json_at(row, "progress_percent"));
	const char *status = json_text_at(row, "status");
	_cleanup_(buf_done) struct buf cell = { 0 };

	if (!json_at(row, "progress_percent"))
		buf_add_string(&cell, "-");
	else
		plot_share(screen, (uint64_t) (percent * 10), 1000, PERCENT_WIDTH, &cell);
	table_add(table, status && streq(status, "failed") ? COLOUR_BAD : COLOUR_BUSY,
		  cell.size ? cell.data : "");
	buf_clear(&cell);
	if (json_at(row, "progress_percent"))
		buf_printf(&cell, "%.0f %%", percent);
	table_add(table, COLOUR_NONE, cell.size ? cell.data : "-");
}

static void
add_value(const json_t *row, const char *path, enum value kind, const char *after,
	  const struct screen *screen, struct table *table)
{
	_cleanup_(buf_done) struct buf cell = { 0 };

	view_value(json_at(row, path), kind, screen, &cell);
	if (cell.size)
		buf_add_string(&cell, after);
	table_add(table, COLOUR_NONE, cell.size ? cell.data : "-");
}

/* "in 7.5 s (4.3 s to 11 s)", or what it took, or why it did not. */
static void
write_when(const json_t *row, uint64_t now_ns, const struct screen *screen, struct buf *out)
{
	const uint64_t eta = json_number_at(row, "eta_ns"), low = json_number_at(row, "eta_low_ns");
	const uint64_t high = json_number_at(row, "eta_high_ns"), end = json_number_at(row, "end_ns");
	const char *verdict = json_text_at(row, "verdict"), *reason = json_text_at(row, "reason");
	const uint64_t asked = json_number_at(row, "asked_ns");

	if (is_open(row) && eta) {
		buf_add_string(out, "in ");
		page_duration(eta - MIN(eta, now_ns), out);
		buf_add_string(out, " (");
		page_duration(low - MIN(low, now_ns), out);
		buf_add_string(out, " to ");
		page_duration(high - MIN(high, now_ns), out);
		buf_add_char(out, ')');
	} else if (is_open(row)) {
		buf_add_string(out, verdict && streq(verdict, "not-converging") ? "does not converge" :
			       "unknown");
	} else if (reason) {
		screen_add_text(screen, reason, out);
	} else if (end > asked) {
		buf_add_string(out, "took ");
		page_duration(end - asked, out);
	}
}

static void
add_row(const json_t *row, uint64_t now_ns, const struct screen *screen, struct table *table)
{
	_cleanup_(buf_done) struct buf cell = { 0 };

	page_write_vm(row, screen, &cell);
	table_add(table, COLOUR_NONE, cell.size ? cell.data : "?");
	add_value(row, "kind", VALUE_TEXT, "", screen, table);
	add_value(row, "destination", VALUE_TEXT, "", screen, table);
	buf_clear(&cell);
	write_state(row, screen, &cell);
	table_add(table, screen_state_colour(cell.data), cell.data);
	add_progress(row, screen, table);
	add_value(row, "memory_bytes", VALUE_BYTES, "", screen, table);
	add_value(row, "rate_bytes_s", VALUE_BYTES, "/s", screen, table);
	buf_clear(&cell);
	write_when(row, now_ns, screen, &cell);
	table_add(table, COLOUR_NONE, cell.size ? cell.data : "-");
}

static void
write_rows(const json_t *rows, uint64_t now_ns, const struct screen *screen, struct buf *out)
{
	static const struct {
		const char *title;
		unsigned flags;
	} columns[] = {
		{ "VM", TABLE_FLEX }, { "KIND", TABLE_SPARE }, { "TO", TABLE_FLEX }, { "STATE", 0 },
		{ "", 0 }, { "DONE", TABLE_RIGHT }, { "MEMORY", TABLE_RIGHT | TABLE_SPARE },
		{ "RATE", TABLE_RIGHT | TABLE_SPARE }, { "LEAVES", TABLE_FLEX },
	};
	struct table *table;
	json_t *row;
	size_t i;

	if (!json_array_size(rows))
		return;
	table = table_new(ARRAY_SIZE(columns));
	for (unsigned k = 0; k < ARRAY_SIZE(columns); k++)
		table_set_column(table, k, columns[k].title, columns[k].flags);
	json_array_foreach((json_t *) rows, i, row)
		add_row(row, now_ns, screen, table);
	buf_add_char(out, '\n');
	table_write(table, screen, screen->headers, out);
	table_free(table);
}

static void
write_left(const json_t *left, const struct screen *screen, struct buf *out)
{
	json_t *vm;
	size_t i;

	if (!json_array_size(left))
		return;
	buf_add_string(out, "\nStill there, without a migration: ");
	json_array_foreach((json_t *) left, i, vm) {
		const char *name = json_text_at(vm, "name"), *uuid = json_text_at(vm, "uuid");

		if (i == MAX_LEFT_SHOWN && !screen->wide) {
			buf_printf(out, ", and %zu more", json_array_size(left) - i);
			break;
		}
		buf_add_string(out, i ? ", " : "");
		screen_add_text(screen, name ? name : uuid ? uuid : "?", out);
	}
	buf_add_char(out, '\n');
}

void
view_drain(const json_t *drain, const struct screen *screen, struct buf *out)
{
	const char *text = json_text_at(drain, "text"), *basis = json_text_at(drain, "eta.basis");

	page_head("host", json_text_at(drain, "host"), NULL, screen, out);
	buf_add_string(out, "   ");
	screen_add_text(screen, text ? text : "", out);
	buf_add_char(out, '\n');
	if (json_at(drain, "slots") || json_at(drain, "rate_bytes_s")) {
		page_field_name("pace", out);
		if (json_at(drain, "slots"))
			buf_printf(out, "%u at a time", (unsigned) json_number_at(drain, "slots"));
		if (json_at(drain, "rate_bytes_s")) {
			char bytes[32];

			buf_printf(out, "%s%s/s in all", json_at(drain, "slots") ? "    " : "",
				   format_bytes(json_number_at(drain, "rate_bytes_s"), bytes, sizeof bytes));
		}
		if (basis)
			screen_printf(screen, out, "    estimated by %s", basis);
		buf_add_char(out, '\n');
	}
	write_rows(json_at(drain, "migrations"), json_number_at(drain, "now_ns"), screen, out);
	write_left(json_at(drain, "left"), screen, out);
}

static const struct column row_columns[] = {
	FIELD("VM", "@vm.name", TEXT, 0),
	{ .title = NULL }
};

static const char *const drain_csv_paths[] = {
	"@vm.uuid", "@vm.name", "@kind", "@status", "@phase", "@request_id", "@migration",
	"@destination", "@asked_ns", "@slot_ns", "@end_ns", "@memory_bytes", "@sent_bytes",
	"@remaining_bytes", "@rate_bytes_s", "@progress_percent", "@verdict", "@eta_ns", "@eta_low_ns",
	"@eta_high_ns", "@reason", NULL
};

const struct view drain_csv = VIEW(NULL, "migrations", row_columns, drain_csv_paths, "no migrations");
