/* SPDX-License-Identifier: MIT */
#include "daemon/volume.h"

#include "daemon/flow_private.h"
#include "lib/util.h"

#define CHOSEN "backend_chosen"
#define DELETED "volume_deleted"

/* Facts that name a volume, and its request. */
static const struct {
	const char *kind, *by_request, *volume;
} sources[] = {
	{ "cinder.step", "cinder.step", "volume" },
	{ "api.request", "=api.request", "resource_id" },
};

static const char *
said(const json_t *fact, const char *name)
{
	return flow_member(json_object_get(fact, "attributes"), name);
}

static bool
asks_to_delete(const json_t *request)
{
	const char *operation = said(request, "operation");
	const uint64_t status = flow_number(json_object_get(request, "attributes"), "http_status");

	return operation && flow_matches("volume.delete volume.force-delete", operation) &&
	       status < 400;
}

/* What Cinder's other services did under that request. */
static void
take_steps(struct store *store, const char *request, json_t *volume, struct error *error)
{
	json_t *steps = store_facts_naming_in(store, request, "cinder.step", 0, INT64_MAX, error);
	json_t *step;
	size_t i;

	json_array_foreach(steps, i, step) {
		const char *name = said(step, "name"), *backend = said(step, "backend");

		if (name && streq(name, CHOSEN) && backend)
			json_object_set_new(volume, "backend", json_string(backend));
		if (name && streq(name, DELETED))
			json_object_set_new(volume, "status", json_string("deleted"));
	}
	json_decref(steps);
}

void
volume_told(struct store *store, const char *id, json_t *volume, struct error *error)
{
	for (size_t k = 0; k < ARRAY_SIZE(sources); k++) {
		json_t *facts = store_facts_naming_in(store, id, sources[k].kind, 0, INT64_MAX, error);
		json_t *requests = json_object(), *fact, *unused;
		const char *request;
		size_t i;

		json_array_foreach(facts, i, fact) {
			const bool asked = streq(sources[k].kind, "api.request");

			request = said(fact, "request_id");
			if (!request || (asked && !asks_to_delete(fact)))
				continue;
			if (asked)
				json_object_set_new(volume, "status", json_string("deleting"));
			json_object_set_new(requests, request, json_true());
		}
		json_object_foreach(requests, request, unused)
			take_steps(store, request, volume, error);
		json_decref(requests);
		json_decref(facts);
	}
}

bool
volume_is_told_by(const struct fact *fact)
{
	const char *name = flow_member(fact->attributes, "name");
	const char *operation = flow_member(fact->attributes, "operation");

	if (streq(fact->kind, "cinder.step"))
		return (name && flow_matches(CHOSEN " " DELETED, name)) ||
		       flow_member(fact->attributes, "volume");
	return streq(fact->kind, "api.request") && operation &&
	       flow_matches("volume.delete volume.force-delete", operation);
}

json_t *
volumes_of_request(struct store *store, const char *request, struct error *error)
{
	json_t *volumes = json_object();

	for (size_t k = 0; k < ARRAY_SIZE(sources); k++) {
		json_t *facts = store_facts_naming_in(store, request, sources[k].by_request, 0,
						      INT64_MAX, error), *fact;
		size_t i;

		json_array_foreach(facts, i, fact) {
			const char *type = said(fact, "resource_type");
			const char *id = said(fact, sources[k].volume);

			if (id && (!type || streq(type, "volume")))
				json_object_set_new(volumes, id, json_true());
		}
		json_decref(facts);
	}
	return volumes;
}
