/* SPDX-License-Identifier: MIT
 *
 * view_why.c -- findings: sentences with the figures behind them; the pages of "why"
 * and "alert show". */
#include <inttypes.h>
#include <string.h>

#include "client/view.h"
#include "lib/clock.h"

/* Of a budget that a request has in full on its own page. */
enum { MAX_PARTS = 6, MAX_TEXT = 600 };

static void
add_sentence(const char *text, const struct screen *screen, struct buf *out)
{
	_cleanup_(buf_done) struct buf clean = { 0 };

	screen_add_text(screen, text, &clean);
	if (screen->wide || !clean.size)
		buf_add(out, clean.data, clean.size);
	else
		screen_add_cut(screen, clean.data, MAX_TEXT, out);
}

void
page_findings(const json_t *findings, const struct screen *screen, struct buf *out)
{
	json_t *finding;
	size_t i;

	json_array_foreach((json_t *) findings, i, finding) {
		const char *rule = json_text_at(finding, "rule"), *text = json_text_at(finding, "text");

		page_field_name("finding", out);
		screen_begin_colour(screen, COLOUR_WARN, out);
		screen_add_text(screen, rule ? rule : "?", out);
		screen_end_colour(screen, COLOUR_WARN, out);
		buf_add_string(out, ": ");
		add_sentence(text ? text : "?", screen, out);
		buf_add_char(out, '\n');
	}
}

void
page_unknown(const json_t *unknown, const struct screen *screen, struct buf *out)
{
	json_t *one;
	size_t i;

	json_array_foreach((json_t *) unknown, i, one) {
		const char *text = json_text_at(one, "text");

		page_field_name("unknown", out);
		add_sentence(text ? text : "?", screen, out);
		buf_add_char(out, '\n');
	}
}

/* -- Evidence --------------------------------------------------------------- */

static bool
ends_with(const char *name, const char *end)
{
	const size_t n = strlen(name), m = strlen(end);

	return n >= m && streq(name + n - m, end);
}

/* A figure in the unit that its name tells; names of times and sizes lose it. */
static void
add_figure(const char *name, const json_t *value, const struct screen *screen, struct buf *out)
{
	const bool time = streq(name, "ns") || ends_with(name, "_ns");
	const bool rate = ends_with(name, "bytes_s") || streq(name, "max_bandwidth");
	const bool bytes = rate || streq(name, "bytes") || ends_with(name, "_bytes");
	const double number = json_number_value(value);
	char text[48];

	screen_printf(screen, out, "%.*s ", (int) (streq(name, "ns") ? 4 : strlen(name) -
		(ends_with(name, "_ns") ? 3 : ends_with(name, "_bytes_s") ? 8 : 0)),
		streq(name, "ns") ? "time" : name);
	if (!json_is_number(value))
		view_value(value, VALUE_TEXT, screen, out);
	else if (number >= 0 && number < 9e18 && time)
		page_duration((uint64_t) number, out);
	else if (number >= 0 && number < 9e18 && bytes)
		buf_printf(out, "%s%s", format_bytes((uint64_t) number, text, sizeof text), rate ? "/s" : "");
	else
		view_value(value, VALUE_TEXT, screen, out);
}

static void
add_evidence(const json_t *evidence, const struct screen *screen, struct buf *out)
{
	const char *name;
	json_t *value;
	unsigned n = 0;

	json_object_foreach((json_t *) evidence, name, value) {
		/* Those of time are for programs, and what is said above is not said again. */
		if (json_is_null(value) || json_is_array(value) || json_is_object(value) ||
		    streq(name, "t_ns") || streq(name, "message") || streq(name, "fact"))
			continue;
		buf_add_string(out, n++ ? ", " : "       evidence: ");
		add_figure(name, value, screen, out);
	}
	buf_add_string(out, n ? "\n" : "");
}

static void
add_finding(const json_t *finding, const struct screen *screen, struct buf *out)
{
	const char *rule = json_text_at(finding, "rule"), *text = json_text_at(finding, "text");
	const char *layer = json_text_at(finding, "layer"), *node = json_text_at(finding, "node");
	const json_t *weight = json_at(finding, "weight");

	if (weight && json_number_value(weight) > 0)
		buf_printf(out, "\n%4.0f %% ", 100 * json_number_value(weight));
	else
		buf_add_string(out, "\n     - ");
	screen_begin_colour(screen, COLOUR_WARN, out);
	screen_add_text(screen, rule ? rule : "?", out);
	screen_end_colour(screen, COLOUR_WARN, out);
	if (layer || node) {
		buf_add_string(out, "   ");
		screen_add_text(screen, layer ? layer : "", out);
		buf_add_string(out, layer && node ? " on " : "");
		screen_add_text(screen, node ? node : "", out);
	}
	buf_add_string(out, "\n       ");
	add_sentence(text ? text : "?", screen, out);
	buf_add_char(out, '\n');
	add_evidence(json_at(finding, "evidence"), screen, out);
}

/* -- The pages ---------------------------------------------------------------- */

static void
add_budget(const json_t *budget, const struct screen *screen, struct buf *out)
{
	const size_t n = json_array_size(budget), shown = screen->wide || n < MAX_PARTS ? n : MAX_PARTS;

	if (!n)
		return;
	buf_add_string(out, "\nTime went to  ");
	for (size_t i = 0; i < shown; i++) {
		const json_t *part = json_array_get(budget, i);
		const char *what = json_text_at(part, "what");

		buf_add_string(out, i ? ", " : "");
		screen_add_text(screen, what ? what : "?", out);
		buf_add_char(out, ' ');
		page_duration(json_number_at(part, "ns"), out);
		buf_printf(out, " (%.0f %%)", json_number_value(json_at(part, "percent")));
	}
	buf_printf(out, n > shown ? ", and %zu more\n" : "\n", n - shown);
}

void
view_why(const json_t *why, const struct screen *screen, struct buf *out)
{
	const char *topic = json_text_at(why, "topic"), *verdict = json_text_at(why, "verdict");
	json_t *one;
	size_t i;

	add_sentence(verdict ? verdict : "nothing is known", screen, out);
	buf_add_string(out, "\n\n");
	page_head(topic ? topic : "?", json_text_at(why, "id"), json_text_at(why, "status"), screen, out);
	buf_add_char(out, '\n');
	json_array_foreach(json_at(why, "findings"), i, one)
		add_finding(one, screen, out);
	add_budget(json_at(why, "budget"), screen, out);
	json_array_foreach(json_at(why, "unknown"), i, one) {
		buf_add_string(out, i ? "" : "\n");
		buf_add_string(out, "Not known     ");
		screen_add_text(screen, json_string_value(one) ? json_string_value(one) : "?", out);
		buf_add_char(out, '\n');
	}
}

void
view_alert(const json_t *alert, const struct screen *screen, struct buf *out)
{
	static const struct page_field fields[] = {
		{ "rule", "rule", VALUE_TEXT, NULL, NULL },
		{ NULL, "severity", VALUE_STATE, "severity ", NULL },
		{ "about", "subject", VALUE_TEXT, NULL, NULL },
		{ NULL, "host", VALUE_TEXT, "on ", NULL },
		{ "since", "start_ns", VALUE_TIME, NULL, NULL },
		{ NULL, "end_ns", VALUE_TIME, "ended ", NULL },
		{ "text", "text", VALUE_TEXT, NULL, NULL },
		{ .path = NULL }
	};
	json_t *one;
	size_t i;

	page_head("alert", json_text_at(alert, "id"), json_text_at(alert, "state"), screen, out);
	buf_add_char(out, '\n');
	page_fields(fields, alert, screen, out);
	json_array_foreach(json_at(alert, "findings"), i, one)
		add_finding(one, screen, out);
}
