/* SPDX-License-Identifier: MIT
 *
 * deliver_routes.c -- which receivers want an alert, and whether it is silenced. */
#include <stdlib.h>
#include <string.h>

#include "daemon/deliver.h"
#include "lib/util.h"

struct route {
	char *receiver, *rules;
	unsigned severity;
	uint64_t max_queue;
	bool flows;              /* It gets flows, not alerts. */
};

struct deliver_routes {
	struct route routes[CONFIG_MAX_RECEIVERS];
	unsigned n;
};

static unsigned
rank(const char *severity)
{
	return !severity || streq(severity, "info") ? 0 : streq(severity, "warning") ? 1 : 2;
}

struct deliver_routes *
deliver_routes_new(const struct config_sections *sections)
{
	struct deliver_routes *routes = xcalloc(1, sizeof *routes);

	for (unsigned i = 0; i < sections->n_receivers; i++)
		routes->routes[routes->n++] = (struct route) {
			.receiver = xstrdup(sections->receivers[i].name),
			.rules = xstrdup(sections->receivers[i].rules),
			.severity = rank(sections->receivers[i].severity),
			.max_queue = sections->receivers[i].max_queue,
			.flows = streq(sections->receivers[i].type, "otlp"),
		};
	return routes;
}

void
deliver_routes_free(struct deliver_routes *routes)
{
	if (!routes)
		return;
	for (unsigned i = 0; i < routes->n; i++) {
		free(routes->routes[i].receiver);
		free(routes->routes[i].rules);
	}
	free(routes);
}

/* Whether 'rule' is one of 'rules', of which each may end with a '*'. */
static bool
wants_rule(const char *rules, const char *rule)
{
	size_t n;

	if (!rules[strspn(rules, " \t")])
		return true;
	for (; *rules; rules += n) {
		rules += strspn(rules, " \t");
		n = strcspn(rules, " \t");
		if (n && rules[n - 1] == '*' ? !strncmp(rules, rule, n - 1) :
					       n == strlen(rule) && !strncmp(rules, rule, n))
			return true;
	}
	return false;
}

int
deliver_routes_queue(const struct deliver_routes *routes, struct store *store, const json_t *alert,
		     struct error *error)
{
	const char *rule = json_string_value(json_object_get(alert, "rule"));
	const char *id = json_string_value(json_object_get(alert, "id"));
	const char *severity = json_string_value(json_object_get(alert, "severity"));
	int r = 0;

	for (unsigned i = 0; routes && rule && id && i < routes->n && !r; i++) {
		const struct route *route = &routes->routes[i];

		if (!route->flows && rank(severity) >= route->severity && wants_rule(route->rules, rule))
			r = store_queue(store, route->receiver, id, alert, route->max_queue, error);
	}
	return r;
}

int
deliver_routes_queue_record(const struct deliver_routes *routes, struct store *store,
			    const char *topic, const char *id, const json_t *record,
			    struct error *error)
{
	json_t *doc;
	int r = 0;

	/* A migration that a request asked for is part of that one's flow. */
	if (!json_integer_value(json_object_get(record, "end_ns")) ||
	    (streq(topic, "migration") && json_is_string(json_object_get(record, "request_id"))))
		return 0;
	for (unsigned i = 0; routes && i < routes->n && !r; i++) {
		const struct route *route = &routes->routes[i];

		if (!route->flows || store_is_queued(store, route->receiver, id))
			continue;
		doc = json_pack("{s:s}", "topic", topic);
		r = store_queue(store, route->receiver, id, doc, route->max_queue, error);
		json_decref(doc);
	}
	return r;
}

/* -- Silences ------------------------------------------------------------- */

/* Of these members a silence names at least one, and all that it names match. */
static bool
is_about(const json_t *silence, const json_t *alert)
{
	static const char *const names[] = { "rule", "subject", "host", "severity", "alert" };
	bool named = false;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		const char *want = json_string_value(json_object_get(silence, names[i]));
		const char *is = json_string_value(json_object_get(
			alert, streq(names[i], "alert") ? "id" : names[i]));

		if (!want)
			continue;
		named = true;
		if (!is || !wants_rule(want, is))
			return false;
	}
	return named;
}

bool
deliver_is_silenced(const json_t *silences, const json_t *alert, uint64_t now_ns)
{
	const json_t *silence;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) silences, i, silence)
		if ((uint64_t) json_integer_value(json_object_get(silence, "end_ns")) > now_ns &&
		    is_about(silence, alert))
			return true;
	return false;
}
