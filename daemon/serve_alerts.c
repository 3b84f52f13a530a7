/* SPDX-License-Identifier: MIT
 *
 * serve_alerts.c -- alert rules and silences as clients see and make them; the
 * level of the log. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/config_sections.h"
#include "daemon/serve_internal.h"
#include "lib/clock.h"
#include "lib/log.h"

static json_t *
rule_json(const struct config_rule *rule, const json_t *firing)
{
	const json_t *count = json_object_get(firing, rule->name);

	return json_pack("{s:s, s:s, s:b, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:I}", "name",
			 rule->name, "enabled", rule->enabled, "builtin", rule->builtin, "on", rule->on,
			 "when", rule->when, "subject", rule->subject, "count", (json_int_t) rule->count,
			 "within_ns", (json_int_t) rule->within_ns, "absent_ns",
			 (json_int_t) rule->absent_ns, "hold_ns", (json_int_t) rule->hold_ns, "severity",
			 rule->severity, "labels", rule->labels, "text", rule->text, "firing",
			 json_integer_value(count));
}

/* How many alerts fire, by rule. */
static json_t *
firing_by_rule(struct store *store, struct error *error)
{
	const struct store_filter fire = { .state = "firing" };
	json_t *list = store_alert_list(store, &fire, error), *counts = json_object(), *alert;
	size_t i;

	json_array_foreach(list, i, alert) {
		const char *rule = json_string_value(json_object_get(alert, "rule"));

		if (rule)
			json_object_set_new(counts, rule, json_integer(
				json_integer_value(json_object_get(counts, rule)) + 1));
	}
	json_decref(list);
	return counts;
}

json_t *
serve_alert_rules(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	const struct config_sections *sections = client->serve->options.sections;
	json_t *firing = firing_by_rule(client->serve->store, NULL), *list = json_array();

	for (unsigned i = 0; sections && i < sections->n_rules; i++)
		json_array_append_new(list, rule_json(&sections->rules[i], firing));
	json_decref(firing);
	return list;
}

json_t *
serve_alert_silences(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	struct error failure = { 0 };
	json_t *list = store_silences(client->serve->store, clock_wall_ns(), &failure);

	return list ? list : serve_store_failed(&failure, error);
}

static bool
keep(struct serve_client *client, const char *id, json_t *silence, struct rpc_error *error)
{
	const struct serve_options *options = &client->serve->options;

	if (!options->silence)
		rpc_error_set(error, RPC_DENIED, NULL, "ask the daemon itself",
			      "A store that is only read takes no silences");
	else if (!options->silence(options->silence_context, id, silence))
		rpc_error_set(error, RPC_BUSY, NULL, "try again", "The store is busy");
	else
		return true;
	return false;
}

static void
make_id(char ret[17])
{
	uint64_t bits = 0;

	if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits)
		bits = clock_mono_ns();
	snprintf(ret, 17, "%016llx", (unsigned long long) bits);
}

json_t *
serve_alert_silence(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	static const char *const names[] = { "rule", "host", "severity", "subject", "alert", "comment" };
	uint64_t now_ns = clock_wall_ns();
	uint64_t duration_ns = (uint64_t) json_integer_value(json_object_get(params, "duration_ns"));
	json_t *silence;
	unsigned named = 0;
	char id[17];

	if (duration_ns > (uint64_t) INT64_MAX - now_ns)
		duration_ns = (uint64_t) INT64_MAX - now_ns;
	make_id(id);
	silence = json_pack("{s:s, s:I, s:I, s:s}", "id", id, "start_ns", (json_int_t) now_ns, "end_ns",
			    (json_int_t) (now_ns + duration_ns), "by", client->name);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		json_t *value = json_object_get(params, names[i]);

		if (!json_is_string(value))
			continue;
		json_object_set(silence, names[i], value);
		named += !streq(names[i], "comment");
	}
	if (!named)
		rpc_error_set(error, RPC_INVALID_PARAMS, "rule", "rule, host, severity, subject or alert",
			      "A silence has to say which alerts it is about");
	if (named && keep(client, id, silence, error)) {
		log_info("silence %s for %.0f s: by=%s, uid=%d", id, (double) duration_ns / 1e9,
			 client->name, (int) client->uid);
		return silence;
	}
	json_decref(silence);
	return NULL;
}

json_t *
serve_alert_unsilence(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	const char *id = json_string_value(json_object_get(params, "id"));
	json_t *list = store_silences(client->serve->store, 0, NULL), *silence;
	bool found = false;
	size_t i;

	json_array_foreach(list, i, silence)
		found |= streq(id, json_string_value(json_object_get(silence, "id")));
	json_decref(list);
	if (!found) {
		rpc_error_set(error, RPC_NOT_FOUND, "id", "alert.silences lists them",
			      "There is no silence \"%.40s\"", id);
		return NULL;
	}
	return keep(client, id, NULL, error) ? json_object() : NULL;
}

json_t *
serve_log_set(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	const char *name = json_string_value(json_object_get(params, "level"));
	enum log_level level = LOG_LEVEL_INFO;

	/* It was checked to be one of them. */
	if (!log_level_parse(name, &level)) {
		log_info("log level %s: by=%s, uid=%d", name, client->name, (int) client->uid);
		log_set_level(level);
	}
	return json_object();
}
