/* SPDX-License-Identifier: MIT
 *
 * flow.c -- brings flows up to date with the facts (flow.h). */
#include <errno.h>
#include <string.h>

#include "daemon/flow_private.h"
#include "daemon/parts.h"
#include "daemon/why.h"
#include "lib/util.h"

enum { MAX_ROUNDS = 16 };          /* In which a request is looked at again. */

struct settling {
	struct store *store;
	json_t *rounds;              /* How often each was looked at. */
	json_t *waiting;             /* Requests to be looked at, as names. */
	struct error *error;
};

static void
look_at(struct settling *settling, const char *request)
{
	if (!request || !*request || strlen(request) >= FACT_KEY_SIZE ||
	    json_object_get(settling->waiting, request))
		return;
	if (json_integer_value(json_object_get(settling->rounds, request)) < MAX_ROUNDS)
		json_object_set_new(settling->waiting, request, json_true());
}

/* Puts the request's id into the record of its live migration. */
static int
put_into_migration(struct settling *settling, const char *migration)
{
	json_t *record = migration ? store_migration(settling->store, migration) : NULL;
	json_t *request = migration ? store_request_of_migration(settling->store, migration) : NULL;
	int r = 0;

	if (record && !json_equal(json_object_get(record, "request_id"), request)) {
		json_object_set(record, "request_id", request);
		r = store_put_migration(settling->store, migration, record, settling->error);
	}
	json_decref(request);
	json_decref(record);
	return r;
}

/* Others about the same may have to give up, or get, what names but that. */
static int
look_at_siblings(struct settling *settling, const json_t *subjects, const char *id,
		 uint64_t from_ns)
{
	json_t *one, *siblings;
	size_t i, k;

	json_array_foreach((json_t *) (uintptr_t) subjects, i, one) {
		json_t *sibling;

		siblings = store_requests_of(settling->store, json_string_value(one),
					     from_ns - MIN(from_ns, FLOW_GRACE_NS), INT64_MAX,
					     settling->error);
		if (!siblings)
			return -EIO;
		json_array_foreach(siblings, k, sibling) {
			const char *other = json_string_value(json_object_get(sibling, "id"));

			if (other && !streq(other, id))
				look_at(settling, other);
		}
		json_decref(siblings);
	}
	return 0;
}

static json_t *
subjects_of(const struct flow *flow)
{
	const json_t *const sets[] = { flow->instances, flow->ports, flow->volumes };
	json_t *subjects = json_array(), *unused;
	const char *id;

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		json_object_foreach((json_t *) (uintptr_t) sets[i], id, unused)
			json_array_append_new(subjects, json_string(id));
	return subjects;
}

static int
keep_peer(struct settling *settling, const struct flow *flow, const json_t *record)
{
	json_t *parts = flow_parts(flow);
	int r = peers_keep(settling->store, "flow", flow->id, record, parts, settling->error);

	json_decref(parts);
	return r;
}

static int
write_flow(struct settling *settling, struct flow *flow)
{
	json_t *record, *subjects = subjects_of(flow);
	json_t *before = store_request(settling->store, flow->id);
	json_t *subjects_before = store_subjects_of(settling->store, flow->id, settling->error);
	uint64_t from_ns = flow->start_ns;
	const char *migration, *migration_before;
	int r;

	flow_outcome(flow);
	record = flow_record(flow);
	migration = json_string_value(json_object_get(record, "migration"));
	migration_before = json_string_value(json_object_get(before, "migration"));
	r = store_put_request(settling->store, flow->id, record,
			      flow->core_open ? 0 : flow->core_ns, flow->behalf, subjects,
			      settling->error);
	if (before)
		from_ns = MIN(from_ns, flow_number(before, "start_ns"));
	if (r > 0) {
		r = look_at_siblings(settling, subjects, flow->id, from_ns);
		if (!r)
			r = look_at_siblings(settling, subjects_before, flow->id, from_ns);
	}
	if (!r && migration_before && (!migration || !streq(migration, migration_before)))
		r = put_into_migration(settling, migration_before);
	if (!r)
		r = put_into_migration(settling, migration);
	if (!r)
		r = keep_peer(settling, flow, record);
	json_decref(before);
	json_decref(record);
	json_decref(subjects);
	json_decref(subjects_before);
	return r;
}

static int
forget(struct settling *settling, const char *id)
{
	json_t *before = store_request(settling->store, id);
	const char *migration = json_string_value(json_object_get(before, "migration"));
	json_t *subjects = before ? store_subjects_of(settling->store, id, settling->error) : NULL;
	int r = 0;

	if (before)
		r = store_put_request(settling->store, id, NULL, 0, NULL, NULL, settling->error);
	if (r > 0) {
		r = look_at_siblings(settling, subjects, id, flow_number(before, "start_ns"));
		if (!r)
			r = put_into_migration(settling, migration);
	}
	json_decref(before);
	json_decref(subjects);
	return MIN(r, 0);
}

/* Those made on behalf of another have no flow, whatever was thought before. */
static int
forget_others(struct settling *settling, const struct flow *flow)
{
	const char *id;
	json_t *unused;
	int r = 0;

	json_object_foreach(flow->requests, id, unused)
		if (r >= 0 && !streq(id, flow->id))
			r = forget(settling, id);
	return MIN(r, 0);
}

/* A request that some service made belongs to whoever works on its subject. */
static int
look_at_owners(struct settling *settling, const char *request)
{
	static const char *const subjects[] = { "instance", "port", "volume", "resource_id" };
	json_t *facts = store_facts_naming_in(settling->store, request, "=api.request", 0, INT64_MAX,
					      settling->error), *fact;
	size_t i;
	int r = 0;

	if (!facts)
		return -EIO;
	json_array_foreach(facts, i, fact) {
		const json_t *attributes = json_object_get(fact, "attributes");

		for (size_t k = 0; k < ARRAY_SIZE(subjects) && !r; k++) {
			json_t *subject = json_object_get(attributes, subjects[k]);
			json_t *list = json_is_string(subject) ? json_pack("[O]", subject) : NULL;

			r = look_at_siblings(settling, list, request,
					     flow_number(fact, "start_ns"));
			json_decref(list);
		}
	}
	json_decref(facts);
	return r;
}

static int
settle_one(struct settling *settling, const char *request)
{
	char root[FACT_KEY_SIZE];
	struct flow flow;
	json_t *for_it, *one;
	size_t i;
	int r;

	/* Now that it is known, what was made on its behalf is no flow. */
	for_it = store_requests_on_behalf(settling->store, request, settling->error);
	if (!for_it)
		return -EIO;
	json_array_foreach(for_it, i, one)
		look_at(settling, json_string_value(one));
	json_decref(for_it);
	r = flow_root(settling->store, request, root);
	if (r == -ENOENT)
		return forget(settling, request);
	if (!streq(root, request)) {
		r = forget(settling, request);
		if (!r)
			look_at(settling, root);
		return r;
	}
	if (flow_is_stray(settling->store, request)) {
		r = forget(settling, request);
		return r ? r : look_at_owners(settling, request);
	}
	r = flow_gather(&flow, settling->store, request, settling->error);
	if (r > 0)
		r = write_flow(settling, &flow);
	else if (!r)
		r = forget(settling, request);
	if (!r)
		r = forget_others(settling, &flow);
	flow_done(&flow);
	return r;
}

int
flows_settle(struct store *store, const json_t *requests, struct error *error)
{
	struct settling settling = { .store = store, .waiting = json_object(),
				     .rounds = json_object(),
				     .error = error };
	const char *id;
	json_t *unused;
	int r = 0;

	json_object_foreach((json_t *) (uintptr_t) requests, id, unused)
		look_at(&settling, id);
	while (!r && (id = flow_first(settling.waiting))) {
		char request[FACT_KEY_SIZE];

		snprintf(request, sizeof request, "%s", id);
		json_object_del(settling.waiting, request);
		json_object_set_new(settling.rounds, request, json_integer(
			json_integer_value(json_object_get(settling.rounds, request)) + 1));
		r = settle_one(&settling, request);
	}
	json_decref(settling.waiting);
	json_decref(settling.rounds);
	return r;
}

void
flow_expand(struct store *store, json_t *record)
{
	const char *id = json_string_value(json_object_get(record, "id"));
	struct flow flow;

	if (!id)
		return;
	if (flow_gather(&flow, store, id, NULL) > 0) {
		flow_outcome(&flow);
		flow_spans(&flow, record);
		flow_unknown(&flow, record);
		json_object_set_new(record, "migration_uuid", flow_text_json(flow_text(flow.told,
										       "migration")));
		json_object_set(record, "findings", flow.findings);
	} else {
		json_object_set_new(record, "spans", json_array());
		json_object_set_new(record, "budget", json_array());
		json_object_set_new(record, "dropped_spans", json_integer(0));
		json_object_set_new(record, "unknown", json_array());
	}
	flow_done(&flow);
	json_object_set_new(record, "findings", why_flow(store, record));
}
