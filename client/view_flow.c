/* SPDX-License-Identifier: MIT
 *
 * view_flow.c -- request flows: their list, and the page of one. */
#include <stdlib.h>
#include <string.h>

#include "client/columns.h"
#include "client/plot.h"
#include "client/table.h"
#include "lib/clock.h"

enum { MAX_ITEMS = 12, MAX_TEXT = 300 };

static bool
is_running(const json_t *flow)
{
	const char *status = json_text_at(flow, "status");

	return status && streq(status, "running");
}

/* -- Pieces --------------------------------------------------------------- */

void
flow_write_subject(const json_t *flow, const struct screen *screen, struct buf *out)
{
	static const char *const names[] = { "vm.name", "resource.name" };
	static const char *const ids[] = { "vm.uuid", "resource.id", "volume", "port" };
	const char *name = NULL, *id = NULL;

	for (unsigned i = 0; i < ARRAY_SIZE(names) && !name; i++)
		name = json_text_at(flow, names[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(ids) && !id; i++)
		id = json_text_at(flow, ids[i]);
	if (name)
		screen_add_text(screen, name, out);
	if (name && id && screen->wide)
		screen_printf(screen, out, " (%s)", id);
	else if (!name && id)
		screen_printf(screen, out, screen->wide ? "%s" : "%.8s", id);
}

uint64_t
flow_end(const json_t *flow, const struct screen *screen)
{
	uint64_t start = json_number_at(flow, "start_ns"), end = json_number_at(flow, "end_ns");

	if (!end && json_at(flow, "total_ns"))
		end = start + json_number_at(flow, "total_ns");
	if (!end && is_running(flow))
		end = screen->now_ns;
	return MAX(end, start);
}

void
flow_write_took(const json_t *flow, const struct screen *screen, struct buf *out)
{
	uint64_t start = json_number_at(flow, "start_ns");

	if (json_at(flow, "total_ns"))
		page_duration(json_number_at(flow, "total_ns"), out);
	else if (json_at(flow, "end_ns") || is_running(flow))
		page_duration(flow_end(flow, screen) - start, out);
	if (is_running(flow) && out->size)
		buf_add_char(out, '+');
}

/* Of a text that goes on for pages what a reader needs; -o wide has all. */
static void
write_text(const char *text, const struct screen *screen, struct buf *out)
{
	_cleanup_(buf_done) struct buf clean = { 0 };

	screen_add_text(screen, text, &clean);
	if (screen->wide || !clean.size)
		buf_add(out, clean.data, clean.size);
	else
		screen_add_cut(screen, clean.data, MAX_TEXT, out);
}

/* "SERVICE on HOST: EXCEPTION: MESSAGE". */
static void
write_error(const json_t *error, const struct screen *screen, struct buf *out)
{
	static const struct {
		const char *path, *before;
	} parts[] = {
		{ "service", "" }, { "host", " on " }, { "exception", ": " }, { "message", ": " },
	};
	size_t from = out->size;

	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		const char *text = json_text_at(error, parts[i].path);

		if (!text || !*text)
			continue;
		buf_add_string(out, out->size > from ? parts[i].before : "");
		write_text(text, screen, out);
	}
}

/* What a list says of it, the word for it first: the error, or the first finding. */
void
flow_write_why(const json_t *flow, const struct screen *screen, struct buf *out)
{
	const json_t *error = json_at(flow, "error");
	const json_t *finding = json_array_get(json_at(flow, "findings"), 0);
	const char *cause = json_text_at(error, "cause");
	const char *text = json_text_at(finding, "text"), *rule = json_text_at(finding, "rule");

	cause = cause ? cause : error ? NULL : rule;
	if (cause) {
		screen_add_text(screen, cause, out);
		buf_add_string(out, ": ");
	}
	if (error)
		write_error(error, screen, out);
	else if (text)
		screen_add_text(screen, text, out);
}

/* -- Lists ---------------------------------------------------------------- */

static const struct column flow_columns[] = {
	FIELD("ID", "id", ID, 0),
	FIELD("KIND", "kind", TEXT, 0),
	PIECE("WHAT", flow_write_subject, COLUMN_FLEX),
	FIELD("STATUS", "status", STATE, 0),
	FIELD("STARTED", "start_ns", TIME, COLUMN_SPARE),
	FIELD("AGE", "start_ns", AGE, 0),
	PIECE("TOOK", flow_write_took, COLUMN_RIGHT),
	FIELD("API", "api_ns", DURATION, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("HTTP", "http_status", NUMBER, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("FROM", "source", TEXT, COLUMN_WIDE | COLUMN_SPARE),
	FIELD("TO", "destination", TEXT, COLUMN_WIDE | COLUMN_SPARE),
	FIELD("USER", "user", ID, COLUMN_WIDE | COLUMN_SPARE),
	FIELD("PROJECT", "project", ID, COLUMN_WIDE | COLUMN_SPARE),
	PIECE("WHY", flow_write_why, COLUMN_FLEX),
	{ .title = NULL }
};

static const char *const flow_csv[] = {
	"id", "kind", "status", "start_ns", "end_ns", "total_ns", "api_ns", "request_id", "vm.uuid",
	"vm.name", "resource.type", "resource.id", "resource.name", "volume", "port", "source",
	"destination", "host", "method", "path", "http_status", "user", "project", "migration",
	"error.cause", "error.service", "error.host", "error.exception", "error.message", NULL
};

/* Somebody only looked, and no service broke: clients ask by the hundred, and get
 * 404 while they wait for an end. */
static bool
is_query(const json_t *flow)
{
	const char *kind = json_text_at(flow, "kind");

	return kind && streq(kind, "api.get") && json_number_at(flow, "http_status") < 500;
}

const struct view flow_view = {
	"flow", NULL, flow_columns, flow_csv, "no flows", is_query,
	"queries (api.get) left out; --kind=api.get or -o wide shows them"
};

static const struct column short_columns[] = {
	FIELD("ID", "id", ID, 0),
	FIELD("KIND", "kind", TEXT, 0),
	FIELD("STATUS", "status", STATE, 0),
	FIELD("STARTED", "start_ns", TIME, 0),
	FIELD("AGE", "start_ns", AGE, COLUMN_SPARE),
	PIECE("TOOK", flow_write_took, COLUMN_RIGHT),
	{ .title = NULL }
};

/* In the pages of things. */
const struct view flow_short_view = VIEW("flow", NULL, short_columns, flow_csv, "no flows");

static const char *const spans_csv[] = {
	"@id", "@parent", "@layer", "@service", "@host", "@name", "@status", "@start_ns", "@end_ns",
	NULL
};

const struct view flow_spans_csv = VIEW("flow", "spans", flow_columns, spans_csv, "no spans");

/* -- The page ------------------------------------------------------------- */

static const struct page_field flow_fields[] = {
	{ "request", "method", VALUE_TEXT, NULL, NULL },
	{ NULL, "path", VALUE_TEXT, "", NULL },
	{ NULL, "http_status", VALUE_NUMBER, "HTTP ", NULL },
	{ NULL, "api_ns", VALUE_DURATION, "answered in ", NULL },
	{ NULL, "host", VALUE_TEXT, "on ", NULL },
	{ "by", "user", VALUE_TEXT, "user ", NULL },
	{ NULL, "project", VALUE_TEXT, "project ", NULL },
	{ "hosts", "source", VALUE_TEXT, "from ", NULL },
	{ NULL, "destination", VALUE_TEXT, "to ", NULL },
	{ "volume", "volume", VALUE_TEXT, NULL, NULL },
	{ "port", "port", VALUE_TEXT, NULL, NULL },
	{ "migration", "migration", VALUE_TEXT, NULL, "   (cloudtracectl migration show)" },
	{ .path = NULL }
};

static void
write_head(const json_t *flow, const struct screen *screen, struct buf *out)
{
	const char *kind = json_text_at(flow, "kind");

	page_head("flow", json_text_at(flow, "id"), NULL, screen, out);
	screen_printf(screen, out, "   %s   ", kind ? kind : "?");
	screen_add_state(screen, json_text_at(flow, "status") ? json_text_at(flow, "status") : "?",
			 out);
	buf_add_char(out, '\n');
}

static void
write_subject(const json_t *flow, const struct screen *screen, struct buf *out)
{
	struct screen wide = *screen;
	_cleanup_(buf_done) struct buf subject = { 0 };
	const char *type = json_text_at(flow, "vm.uuid") ? "vm" : json_text_at(flow, "resource.type");

	wide.wide = true;
	flow_write_subject(flow, &wide, &subject);
	if (!subject.size)
		return;
	page_field_name("what", out);
	if (type)
		screen_printf(screen, out, "%s ", type);
	buf_add(out, subject.data, subject.size);
	buf_add_char(out, '\n');
}

static void
write_times(const json_t *flow, const struct screen *screen, struct buf *out)
{
	_cleanup_(buf_done) struct buf took = { 0 };

	page_field_name("started", out);
	screen_add_time(screen, json_number_at(flow, "start_ns"), out);
	buf_add_string(out, ", ");
	screen_add_age(screen, json_number_at(flow, "start_ns"), out);
	flow_write_took(flow, screen, &took);
	if (took.size)
		buf_printf(out, "    took %s", took.data);
	buf_add_char(out, '\n');
}

static void
write_cause(const json_t *flow, const struct screen *screen, struct buf *out)
{
	const json_t *error = json_at(flow, "error");
	const char *cause = json_text_at(error, "cause");

	if (!error)
		return;
	page_field_name("failed", out);
	screen_begin_colour(screen, COLOUR_BAD, out);
	write_error(error, screen, out);
	screen_end_colour(screen, COLOUR_BAD, out);
	if (json_number_at(error, "t_ns") >= json_number_at(flow, "start_ns") &&
	    json_at(error, "t_ns")) {
		buf_add_string(out, "    after ");
		page_duration(json_number_at(error, "t_ns") - json_number_at(flow, "start_ns"), out);
	}
	buf_add_char(out, '\n');
	if (cause) {
		page_field_name("cause", out);
		screen_add_text(screen, cause, out);
		buf_add_char(out, '\n');
	}
}

void
view_flow(const json_t *flow, const struct screen *screen, struct buf *out)
{
	write_head(flow, screen, out);
	write_subject(flow, screen, out);
	page_fields(flow_fields, flow, screen, out);
	write_times(flow, screen, out);
	write_cause(flow, screen, out);
	view_peers(json_at(flow, "peers"), screen, out);
	page_findings(json_at(flow, "findings"), screen, out);
	page_unknown(json_at(flow, "unknown"), screen, out);
	view_budget(flow, screen, out);
	view_waterfall(flow, screen, out);
}
