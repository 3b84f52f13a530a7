/* SPDX-License-Identifier: MIT
 *
 * serve_status.c -- the answer of "status": all that one look at the cloud
 * needs, with the health that cloudtracectl and the page both show. */
#include <stdio.h>
#include <unistd.h>

#include "daemon/clock_apply.h"
#include "daemon/serve_internal.h"
#include "lib/clock.h"

/* What an unusual state of a source means, worst first. */
static const struct {
	const char *state, *text, *severity;
} source_states[] = {
	{ "lost", "lost: the relayd cannot be reached", "warning" },
	{ "silent", "silent: nothing comes from it", "warning" },
	{ "behind", "behind", "warning" },
	{ "busy", "busy: another viewer holds the session", "warning" },
	{ "gone", "gone: the session has ended", "info" },
};

struct input {
	json_int_t nodes, sources, live, events, lost, lag_ns;
	json_int_t states[ARRAY_SIZE(source_states)];
};

static void
count_source(const json_t *source, const char *state, struct input *input)
{
	json_int_t lag = json_integer_value(json_object_get(source, "lag_ns"));

	input->sources++;
	input->events += json_integer_value(json_object_get(source, "events"));
	input->lost += json_integer_value(json_object_get(source, "lost_events"));
	if (streq(state, "live")) {
		input->live++;
		input->lag_ns = MAX(input->lag_ns, lag);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(source_states); i++)
		input->states[i] += streq(state, source_states[i].state);
}

/* Takes 'node' for its own: leaves it just those sources that are not live. */
static bool
keep_not_live(json_t *node, struct input *input)
{
	json_t *sources = json_object_get(node, "sources");

	input->nodes++;
	for (size_t i = json_array_size(sources); i-- > 0; ) {
		const json_t *source = json_array_get(sources, i);
		const char *state = json_string_value(json_object_get(source, "state"));

		count_source(source, state ? state : "lost", input);
		if (state && streq(state, "live"))
			json_array_remove(sources, i);
	}
	return json_array_size(sources) > 0;
}

static json_t *
input_of(json_t *nodes, struct input *input)
{
	for (size_t i = json_array_size(nodes); i-- > 0; )
		if (!keep_not_live(json_array_get(nodes, i), input))
			json_array_remove(nodes, i);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "nodes", input->nodes, "sources",
			 input->sources, "live", input->live, "events", input->events,
			 "lost_events", input->lost, "lag_ns", input->lag_ns);
}

static void
add_reason(json_t *reasons, const char *code, const char *severity, const char *text)
{
	json_array_append_new(reasons, json_pack("{s:s, s:s, s:s}", "code", code, "severity",
						 severity, "text", text));
}

/* One reason per rule or state with how often it holds. */
static json_t *
health_of(const json_t *firing, const struct input *input, bool live)
{
	static const char *const states[] = { "ok", "warning", "critical" };
	json_t *reasons = json_array(), *alert;
	unsigned worst = 0;
	size_t i;

	json_array_foreach(firing, i, alert) {
		const char *rule = json_string_value(json_object_get(alert, "rule"));
		const char *severity = json_string_value(json_object_get(alert, "severity"));
		const char *text = json_string_value(json_object_get(alert, "text"));

		if (!rule || !severity || !text)
			continue;
		add_reason(reasons, rule, severity, text);
		worst = MAX(worst, streq(severity, "critical") ? 2U : streq(severity, "warning"));
	}
	for (unsigned s = 0; live && s < ARRAY_SIZE(source_states); s++) {
		char code[32], text[96];

		if (!input->states[s])
			continue;
		snprintf(code, sizeof code, "source-%s", source_states[s].state);
		snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT " source%s %s",
			 input->states[s], input->states[s] == 1 ? "" : "s",
			 source_states[s].text);
		add_reason(reasons, code, source_states[s].severity, text);
		worst = MAX(worst, (unsigned) streq(source_states[s].severity, "warning"));
	}
	return json_pack("{s:s, s:o}", "state", states[worst], "reasons", reasons);
}

static json_t *
server_of(const struct serve *serve, uint64_t now)
{
	uint64_t started = serve->options.started_ns;
	char host[65] = "";
	json_t *server;

	gethostname(host, sizeof host - 1);
	server = json_pack("{s:s, s:i, s:s, s:i, s:b}", "version", PACKAGE_VERSION, "protocol",
			   RPC_PROTOCOL, "host", host, "pid", (int) getpid(), "live",
			   !serve->stdio);
	if (started && started <= now) {
		json_object_set_new(server, "started_ns", json_integer((json_int_t) started));
		json_object_set_new(server, "uptime_ns",
				    json_integer((json_int_t) (now - started)));
	}
	return server;
}

/* -- Requests and services --------------------------------------------------- */

/* Of a store whose time is over the last hour is the one before its end. */
enum { HOUR_S = 3600, SLOW_S = 30, SHOW_FLOWS = 5, COUNT_FLOWS = 1000 };

static uint64_t
newest_flow(struct serve *serve, struct error *error)
{
	const struct store_filter one = { .limit = 1 };
	json_t *list = store_flow_list(serve->store, &one, error);
	const json_t *flow = json_array_get(list, 0);
	json_int_t start = json_integer_value(json_object_get(flow, "start_ns"));
	json_int_t end = json_integer_value(json_object_get(flow, "end_ns"));

	json_decref(list);
	end = MAX(start, end);
	return end > 0 ? (uint64_t) end : 0;
}

/* A query that got an answer, if only that there is no such thing. */
static bool
is_query(const json_t *flow)
{
	const char *kind = json_string_value(json_object_get(flow, "kind"));

	return kind && streq(kind, "api.get") &&
	       json_integer_value(json_object_get(flow, "http_status")) < 500;
}

/* How many the filter finds, up to COUNT_FLOWS; the newest few are kept. */
static json_int_t
count_flows(struct serve *serve, struct store_filter filter, json_t **ret, struct error *error)
{
	json_t *list;
	json_int_t count;

	filter.limit = COUNT_FLOWS;
	list = store_flow_list(serve->store, &filter, error);
	for (size_t i = json_array_size(list); i-- > 0; )
		if (is_query(json_array_get(list, i)))
			json_array_remove(list, i);
	count = (json_int_t) json_array_size(list);
	for (size_t i = json_array_size(list); i-- > SHOW_FLOWS; )
		json_array_remove(list, i);
	if (ret)
		*ret = list ? list : json_array();
	else
		json_decref(list);
	return count;
}

/* Services that failed to do something, without what each of them does. */
static json_t *
services_with_errors(struct serve *serve, struct error *error)
{
	const struct store_filter all = { .limit = 0 };
	json_t *list = store_service_list(serve->store, &all, error);

	for (size_t i = json_array_size(list); i-- > 0; ) {
		json_t *service = json_array_get(list, i);

		json_object_del(service, "operations");
		if (json_integer_value(json_object_get(service, "errors")) <= 0)
			json_array_remove(list, i);
	}
	return list ? list : json_array();
}

static void
add_flows(struct serve *serve, json_t *status, uint64_t now, struct error *error)
{
	uint64_t upto = serve->stdio ? newest_flow(serve, error) : now, hour = HOUR_S * NS_PER_S;
	uint64_t since = upto > hour ? upto - hour : 0;
	json_t *open_flows, *failed_flows;
	json_int_t open, failed, slow;

	open = count_flows(serve, (struct store_filter) { .status = "running" }, &open_flows, error);
	failed = count_flows(serve, (struct store_filter) { .status = "error", .since_ns = since },
			     &failed_flows, error);
	slow = count_flows(serve, (struct store_filter) { .since_ns = since,
							  .slow_ns = SLOW_S * NS_PER_S }, NULL, error);
	json_object_set_new(status, "flows", json_pack(
		"{s:I, s:I, s:I, s:I, s:I}", "open", open, "failed", failed, "slow", slow,
		"since_ns", (json_int_t) since, "slow_ns", (json_int_t) (SLOW_S * NS_PER_S)));
	json_object_set_new(status, "flows_open", open_flows);
	json_object_set_new(status, "flows_failed", failed_flows);
	json_object_set_new(status, "services_errors", services_with_errors(serve, error));
}

json_t *
serve_status(struct serve *serve, struct error *error)
{
	const struct store_filter running = { .status = "running" }, fire = { .state = "firing" };
	json_t *in_flight = NULL, *firing = NULL, *nodes = NULL, *status;
	uint64_t now = clock_wall_ns();
	struct input input = { 0 };

	status = store_summary(serve->store, error);
	if (status)
		in_flight = store_migration_list(serve->store, &running, error);
	if (in_flight)
		firing = store_alert_list(serve->store, &fire, error);
	if (firing)
		nodes = store_node_list(serve->store, error);
	if (!nodes) {
		json_decref(status);
		json_decref(in_flight);
		json_decref(firing);
		return NULL;
	}
	clock_add_migrations(serve->store, in_flight);
	json_object_set_new(status, "server", server_of(serve, now));
	json_object_set_new(status, "now_ns", json_integer((json_int_t) now));
	json_object_set_new(status, "input", input_of(nodes, &input));
	json_object_set_new(status, "health", health_of(firing, &input, !serve->stdio));
	json_object_set_new(status, "in_flight", in_flight);
	json_object_set_new(status, "firing", firing);
	json_object_set_new(status, "not_live", nodes);
	add_flows(serve, status, now, error);
	return status;
}
