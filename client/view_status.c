/* SPDX-License-Identifier: MIT
 *
 * view_status.c -- the page of "status". */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/view.h"
#include "lib/clock.h"

static void
write_server(const json_t *status, const struct screen *screen, struct buf *out)
{
	const char *version = json_text_at(status, "server.version");
	const char *host = json_text_at(status, "server.host");
	const char *path = json_text_at(status, "store.path");
	char text[48];

	screen_begin_colour(screen, COLOUR_BOLD, out);
	screen_printf(screen, out, "cloudtraced %s", version ? version : "?");
	screen_end_colour(screen, COLOUR_BOLD, out);
	if (json_is_true(json_at(status, "server.live"))) {
		screen_printf(screen, out, " on %s   pid %" PRIu64, host ? host : "?",
			      json_number_at(status, "server.pid"));
		if (json_at(status, "server.uptime_ns"))
			buf_printf(out, "   up %s",
				   format_duration(json_number_at(status, "server.uptime_ns"), text,
						   sizeof text));
	} else {
		screen_printf(screen, out, " reads %s", path ? path : "a store");
	}
	buf_add_char(out, '\n');
}

static void
write_health(const json_t *status, const struct screen *screen, struct buf *out)
{
	const char *state = json_text_at(status, "health.state");
	const json_t *reasons = json_at(status, "health.reasons");
	size_t count = json_array_size(reasons);

	buf_add_string(out, "  health   ");
	screen_add_state(screen, state ? state : "?", out);
	for (size_t i = 0; i < MIN(count, 3U); i++) {
		const char *text = json_text_at(json_array_get(reasons, i), "text");

		buf_add_string(out, i ? "; " : "   ");
		screen_add_text(screen, text ? text : "?", out);
	}
	if (count > 3)
		buf_printf(out, "; and %zu more", count - 3);
	buf_add_char(out, '\n');
}

static void
write_input(const json_t *status, const struct screen *screen, struct buf *out)
{
	const json_t *input = json_at(status, "input");
	uint64_t sources = json_number_at(input, "sources"), nodes = json_number_at(input, "nodes");
	uint64_t lost = json_number_at(input, "lost_events");
	char text[48];

	buf_add_string(out, "  input    ");
	if (json_is_true(json_at(status, "server.live")))
		buf_printf(out, "%" PRIu64 " of ", json_number_at(input, "live"));
	buf_printf(out, "%" PRIu64 " source%s%s on %" PRIu64 " node%s   ", sources,
		   sources == 1 ? "" : "s",
		   json_is_true(json_at(status, "server.live")) ? " live" : "", nodes,
		   nodes == 1 ? "" : "s");
	screen_add_count(json_number_at(input, "events"), out);
	buf_add_string(out, " events   ");
	screen_begin_colour(screen, lost ? COLOUR_WARN : COLOUR_NONE, out);
	screen_add_count(lost, out);
	buf_add_string(out, " lost");
	screen_end_colour(screen, lost ? COLOUR_WARN : COLOUR_NONE, out);
	if (json_number_at(input, "lag_ns"))
		buf_printf(out, "   lag %s", format_duration(json_number_at(input, "lag_ns"), text,
							      sizeof text));
	buf_add_char(out, '\n');
}

/* Counts stop where the daemon stops counting. */
static void
write_count(const json_t *flows, const char *name, const char *after, enum colour colour,
	    const struct screen *screen, struct buf *out)
{
	uint64_t count = json_number_at(flows, name);

	colour = count ? colour : COLOUR_NONE;
	screen_begin_colour(screen, colour, out);
	screen_add_count(count, out);
	buf_printf(out, "%s %s%s", count >= 1000 ? "+" : "", name, after);
	screen_end_colour(screen, colour, out);
}

static void
write_flows(const json_t *status, const struct screen *screen, struct buf *out)
{
	const json_t *flows = json_at(status, "flows");
	char after[64], text[48];

	if (!flows)
		return;
	snprintf(after, sizeof after, " (%s or more)",
		 format_duration(json_number_at(flows, "slow_ns"), text, sizeof text));
	buf_add_string(out, "  requests ");
	write_count(flows, "open", "   ", COLOUR_BUSY, screen, out);
	write_count(flows, "failed", "   ", COLOUR_BAD, screen, out);
	write_count(flows, "slow", after, COLOUR_WARN, screen, out);
	buf_add_string(out, "   in the last hour\n");
}

static void
write_store(const json_t *status, const struct screen *screen, struct buf *out)
{
	char text[48];

	if (!json_at(status, "store.bytes"))
		return;
	buf_printf(out, "  store    %s", format_bytes(json_number_at(status, "store.bytes"), text,
						      sizeof text));
	if (json_text_at(status, "store.path"))
		screen_printf(screen, out, "   %s", json_text_at(status, "store.path"));
	buf_add_char(out, '\n');
}

static void
write_counters(const json_t *status, const struct screen *screen, struct buf *out)
{
	const json_t *counters = json_at(status, "counters");
	const char *scope, *name;
	json_t *members, *value;

	json_object_foreach((json_t *) counters, scope, members) {
		screen_printf(screen, out, "  %-8s", scope);
		json_object_foreach(members, name, value) {
			screen_printf(screen, out, " %s=%" JSON_INTEGER_FORMAT, name,
				      json_integer_value(value));
		}
		buf_add_char(out, '\n');
	}
}

static void
write_list(const struct view *view, const json_t *list, const struct screen *screen,
	   struct buf *out)
{
	if (!json_array_size(list))
		return;
	buf_add_char(out, '\n');
	view_table(view, list, screen, out);
}

void
view_status(const json_t *status, const struct screen *screen, struct buf *out)
{
	const json_t *in_flight = json_at(status, "in_flight");

	write_server(status, screen, out);
	write_health(status, screen, out);
	write_input(status, screen, out);
	write_flows(status, screen, out);
	write_store(status, screen, out);
	if (screen->wide)
		write_counters(status, screen, out);
	if (!json_array_size(in_flight))
		buf_printf(out, "\n%s\n", in_flight_view.none);
	write_list(&in_flight_view, in_flight, screen, out);
	write_list(&alert_view, json_at(status, "firing"), screen, out);
	page_list("Requests in flight", &flow_view, json_at(status, "flows_open"), screen, out);
	page_list("Requests that failed", &flow_view, json_at(status, "flows_failed"), screen, out);
	page_list("Services with errors", &service_view, json_at(status, "services_errors"), screen,
		  out);
	/* Of a store that is over, each source has ended. */
	if (json_is_true(json_at(status, "server.live")))
		write_list(&node_view, json_at(status, "not_live"), screen, out);
}
