/* SPDX-License-Identifier: MIT
 *
 * alert_rules_rpc.c -- how long messages between services waited to be served, which
 * two facts tell together. */
#include <string.h>

#include "daemon/alert_rules_private.h"
#include "lib/util.h"

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static uint64_t
number_of(const json_t *object, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 ? (uint64_t) value : 0;
}

/* On one host the two begins tell.  Between hosts, whose clocks may differ, it is
 * what the caller waited for longer than it took to serve; that has the way back
 * of the reply in it.  Of casts between hosts nobody knows. */
static bool
queued(const json_t *call, const struct fact *served, uint64_t *ret_ns)
{
	uint64_t start_ns = number_of(call, "start_ns"), end_ns = number_of(call, "end_ns");
	uint64_t took_ns = served->end_ns - MIN(served->end_ns, served->start_ns);

	if (streq(text_of(call, "host"), served->host)) {
		*ret_ns = served->start_ns - MIN(served->start_ns, start_ns);
		return true;
	}
	if (!streq(text_of(json_object_get(call, "attributes"), "what"), "call") || !end_ns ||
	    !served->end_ns || !streq(text_of(call, "status"), "ok"))
		return false;
	*ret_ns = end_ns - start_ns - MIN(end_ns - start_ns, took_ns);
	return true;
}

void
rule_add_queued(struct store *store, const struct fact *fact, json_t *object)
{
	json_t *calls;
	uint64_t ns;

	if (fact->type != FACT_SPAN || !streq(fact->kind, "rpc.served"))
		return;
	calls = store_facts_naming_in(store, fact->key, "=rpc.call", 0, INT64_MAX, NULL);
	if (json_array_size(calls) && queued(json_array_get(calls, 0), fact, &ns))
		json_object_set_new(object, "queued_ns", json_integer((json_int_t) ns));
	json_decref(calls);
}

int
rule_each_served(struct alert_rules *rules, struct store *store, const struct fact *call,
		 int (*judge)(struct alert_rules *rules, struct store *store, const struct fact *fact,
			      struct error *error),
		 struct error *error)
{
	json_t *list, *served;
	bool wanted = false;
	size_t i;
	int r = 0;

	for (unsigned k = 0; k < rules->n; k++)
		wanted |= rule_is_about(&rules->rules[k], TARGET_SPAN, "rpc.served");
	if (!wanted)
		return 0;
	list = store_facts_naming_in(store, call->key, "=rpc.served", 0, INT64_MAX, error);
	if (!list)
		return -1;
	json_array_foreach(list, i, served) {
		struct fact fact = {
			.type = FACT_SPAN, .host = text_of(served, "host"), .kind = "rpc.served",
			.start_ns = number_of(served, "start_ns"), .end_ns = number_of(served, "end_ns"),
			.status = json_string_value(json_object_get(served, "status")),
			.attributes = json_object_get(served, "attributes"),
		};

		memcpy(fact.key, call->key, sizeof fact.key);
		r = r ? r : judge(rules, store, &fact, error);
	}
	json_decref(list);
	return r;
}
