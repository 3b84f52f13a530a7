/* SPDX-License-Identifier: MIT
 *
 * alert_rules_source.c -- alert rules about sources, which follow the wall clock. */
#include <stdio.h>
#include <string.h>

#include "daemon/alert_rules_private.h"
#include "lib/util.h"

/* How many more events are lost than when it was seen last. */
static uint64_t
lost_now(struct alert_rules *rules, const char *key, uint64_t lost_events)
{
	struct counted *source;
	uint64_t more;

	HASH_FIND_STR(rules->sources, key, source);
	if (!source && HASH_COUNT(rules->sources) >= MAX_SOURCES)
		return 0;
	if (!source) {
		source = xcalloc(1, sizeof *source);
		snprintf(source->key, sizeof source->key, "%s", key);
		source->lost_events = lost_events;
		HASH_ADD_STR(rules->sources, key, source);
	}
	more = lost_events > source->lost_events ? lost_events - source->lost_events : 0;
	source->lost_events = lost_events;
	return more;
}

static int
judge_source(const struct rule *rule, struct store *store, const char *key, const json_t *object,
	     uint64_t now_ns, struct error *error)
{
	char id[ALERT_ID_SIZE];
	json_t *old, *alert;
	uint64_t start_ns = now_ns;
	bool fires = condition_holds(&rule->condition, object), fired;

	rule_alert_id(rule->name, key, id);
	old = store_alert(store, id);
	fired = old && json_is_null(json_object_get(old, "end_ns"));
	if (!fires && !fired) {
		json_decref(old);
		return 0;
	}
	if (!fires) {
		/* What is told as a number of the moment goes on for a while. */
		alert = old;
		if ((uint64_t) json_integer_value(json_object_get(old, "last_ns")) +
		    (json_object_get(old, "moment") ? rule->hold_ns : 0) > now_ns) {
			json_decref(old);
			return 0;
		}
		json_object_set_new(alert, "end_ns", json_integer((json_int_t) now_ns));
	} else {
		if (fired)
			start_ns = (uint64_t) json_integer_value(json_object_get(old, "start_ns"));
		json_decref(old);
		alert = rule_alert(rule, id, key, object, start_ns, 0);
		if (json_integer_value(json_object_get(object, "lost_now"))) {
			json_object_set_new(alert, "moment", json_true());
			json_object_set_new(alert, "last_ns", json_integer((json_int_t) now_ns));
		}
	}
	json_object_set_new(alert, "live", json_true());
	return rule_put(store, id, alert, error);
}

int
alert_rules_source(struct alert_rules *rules, struct store *store,
		   const struct store_source *source, struct error *error)
{
	char key[512];
	json_t *object;
	int r = 0;

	if (!rules)
		return 0;
	snprintf(key, sizeof key, "%s/%s/%s", source->host, source->relayd, source->session);
	object = json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "host", store_string(source->host),
			   "relayd", store_string(source->relayd), "session",
			   store_string(source->session), "state", store_string(source->state),
			   "lost_events", (json_int_t) source->lost_events, "lost_now",
			   (json_int_t) lost_now(rules, key, source->lost_events), "lag_ns",
			   (json_int_t) source->lag_ns);
	for (unsigned i = 0; i < rules->n && !r; i++)
		if (rule_is_about(&rules->rules[i], TARGET_SOURCE, ""))
			r = judge_source(&rules->rules[i], store, key, object, source->seen_ns, error);
	json_decref(object);
	return r;
}
