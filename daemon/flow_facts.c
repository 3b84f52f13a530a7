/* SPDX-License-Identifier: MIT
 *
 * flow_facts.c -- facts as the other files of flow.h look at them. */
#include <string.h>

#include "daemon/flow_private.h"
#include "lib/util.h"

const char *
flow_member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && *text ? text : NULL;
}

uint64_t
flow_number(const json_t *object, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 ? (uint64_t) value : 0;
}

const char *
flow_text(const struct flow_fact *fact, const char *attribute)
{
	return fact ? flow_member(fact->attributes, attribute) : NULL;
}

bool
flow_true(const struct flow_fact *fact, const char *attribute)
{
	return json_is_true(json_object_get(fact->attributes, attribute));
}

const char *
flow_first(const json_t *set)
{
	void *first = json_object_iter((json_t *) (uintptr_t) set);

	return first ? json_object_iter_key(first) : NULL;
}

uint64_t
flow_began(const struct flow_fact *fact)
{
	uint64_t began_ns = flow_number(fact->attributes, "began_ns");

	return began_ns ? began_ns : fact->start_ns;
}

static enum fact_family
family_of(const char *kind)
{
	static const char *const kinds[] = {
		[FAMILY_API] = "api.request", [FAMILY_CALL] = "rpc.call",
		[FAMILY_SERVED] = "rpc.served", [FAMILY_ERROR] = "log.error",
		[FAMILY_CHILD] = "request.child",
		[FAMILY_TRACE] = "request.trace", [FAMILY_MIGRATION] = "nova.migration",
		[FAMILY_CHANGE] = "vm.change",
	};
	size_t length = strlen(kind);

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i] && streq(kind, kinds[i]))
			return (enum fact_family) i;
	return length > 5 && streq(kind + length - 5, ".step") ? FAMILY_STEP : FAMILY_OTHER;
}

static const char *
or_empty(const char *text)
{
	return text ? text : "";
}

struct flow_fact
flow_fact_of(json_t *json)
{
	const json_t *attributes = json_object_get(json, "attributes");
	enum fact_family family = family_of(or_empty(flow_member(json, "kind")));

	return (struct flow_fact) {
		.json = json,
		.attributes = attributes,
		.id = or_empty(flow_member(json, "id")),
		.kind = or_empty(flow_member(json, "kind")),
		.host = or_empty(flow_member(json, "host")),
		.key = or_empty(flow_member(json, "key")),
		.status = or_empty(flow_member(json, "status")),
		.name = or_empty(flow_member(attributes, family == FAMILY_ERROR ? "cause" :
					     family == FAMILY_API ? "service" : "name")),
		.service = or_empty(flow_member(attributes, "service")),
		.request_id = or_empty(flow_member(attributes, "request_id")),
		.family = family,
		.start_ns = flow_number(json, "start_ns"),
		.end_ns = flow_number(json, "end_ns"),
	};
}

uint64_t
flow_last(const struct flow_fact *fact)
{
	return MAX(fact->start_ns, fact->end_ns);
}

json_t *
flow_text_json(const char *text)
{
	return text && *text ? store_string(text) : json_null();
}
