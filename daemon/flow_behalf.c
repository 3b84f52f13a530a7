/* SPDX-License-Identifier: MIT
 *
 * flow_behalf.c -- on whose behalf a request was made (flow.h). */
#include <errno.h>
#include <string.h>

#include "daemon/flow_private.h"
#include "lib/util.h"

/* All facts of two kinds that name a request. */
json_t *
flow_both(struct store *store, const char *request, const char *kind, const char *other)
{
	json_t *facts = store_facts_naming_in(store, request, kind, 0, INT64_MAX, NULL);
	json_t *more = store_facts_naming_in(store, request, other, 0, INT64_MAX, NULL);

	if (facts)
		json_array_extend(facts, more);
	json_decref(more);
	return facts;
}

/* The facts that say who served a request, and on whose behalf. */
static json_t *
claims_of(struct store *store, const char *request)
{
	return flow_both(store, request, "=api.request", "=request.child");
}

/* Neutron tells Nova what became of a port: nobody asked for that. */
static bool
is_event_of_neutron(const struct flow_fact *fact)
{
	const char *path = flow_text(fact, "path");

	return path && strstr(path, "/os-server-external-events");
}

/* Some clients pass on the id of their own previous request to the same API;
 * no service asks itself. */
static bool
is_own_client(struct store *store, const char *global, const char *service)
{
	json_t *claims = claims_of(store, global), *json;
	bool same = false;
	size_t i;

	json_array_foreach(claims, i, json) {
		struct flow_fact fact = flow_fact_of(json);

		same |= fact.family == FAMILY_API && streq(fact.key, global) &&
			streq(fact.service, service);
	}
	json_decref(claims);
	return same;
}

/* Whether a caller's line tells of this very request.  One that says nothing of
 * its own request may tell of another, served under the same id. */
static bool
tells_of(const struct flow_fact *link, const struct flow_fact *request)
{
	const char *url = flow_text(link, "url"), *path = flow_text(request, "path");
	size_t n = path ? strcspn(path, "?") : 0, size;

	if (*link->request_id || !url || !path)
		return true;
	size = strcspn(url, "?");
	return n <= size && !memcmp(url + size - n, path, n) &&
	       !starts_with(request->service, "glance");
}

/* Whether a service made the request, by any line of a caller. */
static bool
is_made(const json_t *claims, const struct flow_fact *link)
{
	json_t *json;
	bool served = false;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) claims, i, json) {
		struct flow_fact fact = flow_fact_of(json);

		if (fact.family != FAMILY_API || !streq(fact.key, link->key))
			continue;
		if (tells_of(link, &fact))
			return true;
		served = true;
	}
	return !served;
}

static int root_of(struct store *store, const char *request, char ret[FACT_KEY_SIZE], int depth);

/* The caller says which request it made and under which of its own; the callee
 * says the global request id.  The former is finer, but comes from a line whose
 * request id may be stale. */
void
flow_behalf(struct store *store, const char *request, struct flow_behalf *ret, int depth)
{
	json_t *claims = claims_of(store, request);
	char root[FACT_KEY_SIZE], other[FACT_KEY_SIZE];
	const char *link = NULL, *global = NULL;
	json_t *json;
	size_t i;

	*ret = (struct flow_behalf) { .own = true };
	json_array_foreach(claims, i, json) {
		struct flow_fact fact = flow_fact_of(json);
		const char *asked = flow_text(&fact, "global_request_id");

		if (!streq(fact.key, request) || flow_text(&fact, "by"))
			continue;
		/* A service made it, even if its line does not say for whom. */
		if (fact.family == FAMILY_CHILD && is_made(claims, &fact))
			ret->own = false;
		if (fact.family == FAMILY_CHILD && !link && *fact.request_id &&
		    !streq(fact.request_id, request))
			link = fact.request_id;
		if (fact.family != FAMILY_API)
			continue;
		ret->served = true;
		if (asked && !streq(asked, request) && !global &&
		    !is_own_client(store, asked, fact.service))
			global = asked;
		/* Operators have no business with placement. */
		if (is_event_of_neutron(&fact) || starts_with(fact.service, "placement"))
			ret->own = false;
	}
	if (link && global && !streq(link, global) && depth < FLOW_MAX_DEPTH &&
	    store_is_request_known(store, global) && !root_of(store, link, root, depth) &&
	    !root_of(store, global, other, depth) && !streq(root, other))
		link = NULL;
	if (link)
		snprintf(ret->parent, sizeof ret->parent, "%s", link);
	else if (global && store_is_request_known(store, global))
		snprintf(ret->parent, sizeof ret->parent, "%s", global);
	if (global)
		snprintf(ret->global, sizeof ret->global, "%s", global);
	if (*ret->parent)
		ret->own = false;
	json_decref(claims);
}

/* Up to the root.  Those that go round in a circle have the first of them, by
 * name, as their root. */
static int
root_of(struct store *store, const char *request, char ret[FACT_KEY_SIZE], int depth)
{
	char ids[FLOW_MAX_DEPTH + 1][FACT_KEY_SIZE];
	struct flow_behalf behalf;
	int n = 0;

	snprintf(ids[0], sizeof ids[0], "%s", request);
	for (;;) {
		int seen = 0;

		flow_behalf(store, ids[n], &behalf, depth + n + 1);
		while (seen <= n && !streq(ids[seen], behalf.parent))
			seen++;
		if (!*behalf.parent || depth + n + 1 >= FLOW_MAX_DEPTH) {
			memcpy(ret, ids[n], FACT_KEY_SIZE);
			break;
		}
		if (seen <= n) {
			for (int i = memcpy(ret, ids[seen], FACT_KEY_SIZE) ? seen : 0; i <= n; i++)
				if (strcmp(ids[i], ret) < 0)
					memcpy(ret, ids[i], FACT_KEY_SIZE);
			break;
		}
		memcpy(ids[++n], behalf.parent, FACT_KEY_SIZE);
	}
	return n || behalf.served ? 0 : -ENOENT;
}

int
flow_root(struct store *store, const char *request, char ret[FACT_KEY_SIZE])
{
	return root_of(store, request, ret, 0);
}

bool
flow_is_stray(struct store *store, const char *request)
{
	struct flow_behalf behalf;

	flow_behalf(store, request, &behalf, 0);
	return behalf.served && !behalf.own && !*behalf.parent;
}
