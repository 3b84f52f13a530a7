/* SPDX-License-Identifier: MIT
 *
 * flow_gather.c -- which facts belong to a request (flow.h).
 *
 * First what surely does: its own lines, those of the requests made on its
 * behalf, and both ends of the messages sent for them.  From that follows what
 * it is about (VM, ports, volumes) and how far it reaches.  Then what names
 * but one of those, within that time, and no newer request can claim. */
#include "daemon/flow_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

enum { UUID_LENGTH = 36 };

/* -- Facts ---------------------------------------------------------------- */

static const char *
text_member(const json_t *object, const char *name)
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
	return fact ? text_member(fact->attributes, attribute) : NULL;
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
		[FAMILY_CHILD] = "request.child", [FAMILY_MIGRATION] = "nova.migration",
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

static struct flow_fact
fact_of(json_t *json)
{
	const json_t *attributes = json_object_get(json, "attributes");
	enum fact_family family = family_of(or_empty(text_member(json, "kind")));

	return (struct flow_fact) {
		.json = json,
		.attributes = attributes,
		.id = or_empty(text_member(json, "id")),
		.kind = or_empty(text_member(json, "kind")),
		.host = or_empty(text_member(json, "host")),
		.key = or_empty(text_member(json, "key")),
		.status = or_empty(text_member(json, "status")),
		.name = or_empty(text_member(attributes, family == FAMILY_ERROR ? "cause" :
					     family == FAMILY_API ? "service" : "name")),
		.service = or_empty(text_member(attributes, "service")),
		.request_id = or_empty(text_member(attributes, "request_id")),
		.family = family,
		.start_ns = flow_number(json, "start_ns"),
		.end_ns = flow_number(json, "end_ns"),
	};
}

/* Adds a fact, once. */
static struct flow_fact *
add(struct flow *flow, json_t *json, bool surely)
{
	struct flow_fact *fact;
	const char *id = or_empty(text_member(json, "id"));

	if (json_object_get(flow->by_id, id))
		return NULL;
	if (flow->n == FLOW_MAX_FACTS) {
		flow->dropped++;
		return NULL;
	}
	json_object_set_new(flow->by_id, id, json_true());
	if (flow->n == flow->capacity) {
		flow->capacity = MAX(2 * flow->capacity, (size_t) 64);
		flow->facts = xrealloc(flow->facts, flow->capacity * sizeof *flow->facts);
	}
	fact = xcalloc(1, sizeof *fact);
	*fact = fact_of(json_incref(json));
	fact->surely = surely;
	flow->facts[flow->n++] = fact;
	return fact;
}

static void
name(json_t *set, const char *id)
{
	if (id && *id && json_object_size(set) < FLOW_MAX_SUBJECTS)
		json_object_set_new(set, id, json_true());
}

/* -- On whose behalf ------------------------------------------------------ */

/* All facts of two kinds that name a request. */
static json_t *
both_of(struct store *store, const char *request, const char *kind, const char *other)
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
	return both_of(store, request, "=api.request", "=request.child");
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
		struct flow_fact fact = fact_of(json);

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
		struct flow_fact fact = fact_of(json);

		if (fact.family != FAMILY_API || !streq(fact.key, link->key))
			continue;
		if (tells_of(link, &fact))
			return true;
		served = true;
	}
	return !served;
}

struct behalf {
	char parent[FACT_KEY_SIZE];  /* "": none is known. */
	char global[FACT_KEY_SIZE];  /* The id that the callee was told, or "". */
	bool own;                    /* An operator may have asked for it. */
	bool served;                 /* By an API that is traced. */
};

/* The caller says which request it made and under which of its own; the callee
 * says the global request id.  The former is finer, but comes from a line whose
 * request id may be stale. */
static int root_of(struct store *store, const char *request, char ret[FACT_KEY_SIZE], int depth);

static void
behalf_of(struct store *store, const char *request, struct behalf *ret, int depth)
{
	json_t *claims = claims_of(store, request);
	char root[FACT_KEY_SIZE], other[FACT_KEY_SIZE];
	const char *link = NULL, *global = NULL;
	json_t *json;
	size_t i;

	*ret = (struct behalf) { .own = true };
	json_array_foreach(claims, i, json) {
		struct flow_fact fact = fact_of(json);
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
	struct behalf behalf;
	int n = 0;

	snprintf(ids[0], sizeof ids[0], "%s", request);
	for (;;) {
		int seen = 0;

		behalf_of(store, ids[n], &behalf, depth + n + 1);
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

/* -- What surely belongs to it -------------------------------------------- */

/* All facts that name each of its requests, by request. */
static json_t *
facts_of(struct flow *flow, json_t *cache, const char *request, struct error *error)
{
	json_t *facts = json_object_get(cache, request);

	if (facts)
		return facts;
	facts = store_facts_naming(flow->store, request, error);
	if (facts)
		json_object_set_new(cache, request, facts);
	return facts;
}

/* Adds the requests that were made on behalf of one of its own. */
static int
add_children(struct flow *flow, const char *request, struct error *error)
{
	json_t *claims = both_of(flow->store, request, "api.request", "request.child"), *json;
	size_t i;

	if (!claims)
		return error_set(error, EIO, "what was asked for %s cannot be read", request);
	json_array_foreach(claims, i, json) {
		struct flow_fact fact = fact_of(json);
		struct behalf behalf;

		if (streq(fact.key, request) || json_object_get(flow->requests, fact.key) ||
		    json_object_size(flow->requests) >= FLOW_MAX_REQUESTS)
			continue;
		behalf_of(flow->store, fact.key, &behalf, 0);
		if (streq(behalf.parent, request))
			json_object_set_new(flow->requests, fact.key, json_true());
	}
	json_decref(claims);
	return 0;
}

static int
close_over(struct flow *flow, struct error *error)
{
	/* Names keep the order in which they were set: those that are added are
	 * come to. */
	for (void *at = json_object_iter(flow->requests); at;
	     at = json_object_iter_next(flow->requests, at))
		if (add_children(flow, json_object_iter_key(at), error))
			return -EIO;
	return 0;
}

/* The request itself: the API that the operator spoke to.  Glance works under
 * the id of whoever asked it. */
static void
find_root(struct flow *flow)
{
	for (size_t i = 0; i < flow->n; i++) {
		const struct flow_fact *fact = flow->facts[i], *root = flow->root;
		bool image = starts_with(fact->service, "glance");

		if (fact->family != FAMILY_API || !streq(fact->key, flow->id))
			continue;
		if (!root || (starts_with(root->service, "glance") && !image) ||
		    (starts_with(root->service, "glance") == image &&
		     (fact->start_ns < root->start_ns ||
		      (fact->start_ns == root->start_ns && strcmp(fact->id, root->id) < 0))))
			flow->root = fact;
	}
}

static bool
is_uuid(const char *text)
{
	for (int i = 0; i < UUID_LENGTH; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-' :
		    !strchr("0123456789abcdefABCDEF", text[i]) || !text[i])
			return false;
	return true;
}

/* The id behind "/servers/" or the like in the path of the request. */
static void
name_in_path(struct flow *flow, json_t *set, const char *collection)
{
	const char *path = flow_text(flow->root, "path"), *at;
	char id[UUID_LENGTH + 1];

	at = path ? strstr(path, collection) : NULL;
	if (!at || !is_uuid(at + strlen(collection)))
		return;
	snprintf(id, sizeof id, "%s", at + strlen(collection));
	name(set, id);
}

static void
name_by_root(struct flow *flow)
{
	static const struct {
		const char *type;
		size_t set;
		const char *collection;
	} types[] = {
		{ "server", offsetof(struct flow, instances), "/servers/" },
		{ "volume", offsetof(struct flow, volumes), "/volumes/" },
		{ "port", offsetof(struct flow, ports), "/ports/" },
	};
	const char *type = flow_text(flow->root, "resource_type");

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		json_t *set = *(json_t **) (void *) ((char *) flow + types[i].set);

		if (type && streq(type, types[i].type))
			name(set, flow_text(flow->root, "resource_id"));
		name_in_path(flow, set, types[i].collection);
	}
	name(flow->instances, flow_text(flow->root, "instance"));
	name(flow->volumes, flow_text(flow->root, "volume"));
	name(flow->ports, flow_text(flow->root, "port"));
}

/* Only what is known to be the request's own work says what it is about. */
static void
name_by_steps(struct flow *flow)
{
	bool known = json_object_size(flow->instances) > 0;

	for (size_t i = 0; i < flow->n; i++) {
		const struct flow_fact *fact = flow->facts[i];

		if (!fact->surely)
			continue;
		if (!known && ((fact->family == FAMILY_STEP && flow_true(fact, "rid_ok") &&
				flow_kind_takes(flow->kind, fact->name, fact->family)) ||
			       fact->family == FAMILY_MIGRATION))
			name(flow->instances, flow_text(fact, "instance"));
		if (fact->family == FAMILY_STEP && flow_true(fact, "rid_ok")) {
			name(flow->ports, flow_text(fact, "port"));
			name(flow->volumes, flow_text(fact, "volume"));
		}
	}
}

/* Whether a line under one of its request ids is taken for its own. */
static bool
is_own(const struct flow *flow, const struct flow_fact *fact)
{
	switch (fact->family) {
	case FAMILY_API:
		return json_object_get(flow->requests, fact->key);
	case FAMILY_STEP:
		return json_object_get(flow->requests, fact->request_id) &&
		       flow_true(fact, "rid_ok");
	case FAMILY_CALL:
	case FAMILY_SERVED:
	case FAMILY_MIGRATION:
	case FAMILY_ERROR:
	case FAMILY_CHANGE:
	case FAMILY_CHILD:
		return json_object_get(flow->requests, fact->request_id);
	default:
		return false;
	}
}

/* A message has the request id that the receiver works under; the sender's
 * line may have a stale one. */
static int
add_message(struct flow *flow, json_t *json, struct error *error)
{
	struct flow_fact fact = fact_of(json);
	json_t *ends = store_facts_naming(flow->store, fact.key, error), *end;
	bool served = false, own = false;
	size_t i;

	if (!ends)
		return -EIO;
	json_array_foreach(ends, i, end) {
		struct flow_fact one = fact_of(end);

		if (one.family != FAMILY_SERVED || !*one.request_id)
			continue;
		served = true;
		own |= json_object_get(flow->requests, one.request_id) != NULL;
	}
	json_array_foreach(ends, i, end) {
		struct flow_fact one = fact_of(end);

		if (streq(one.key, fact.key) && (own || !served) &&
		    (one.family == FAMILY_CALL || one.family == FAMILY_SERVED))
			add(flow, end, true);
	}
	json_decref(ends);
	return 0;
}

static int
add_own(struct flow *flow, json_t *cache, struct error *error)
{
	const char *request;
	json_t *unused, *facts, *json;
	size_t i;

	json_object_foreach(flow->requests, request, unused) {
		facts = facts_of(flow, cache, request, error);
		if (!facts)
			return -EIO;
		json_array_foreach(facts, i, json) {
			struct flow_fact fact = fact_of(json);
			bool message = fact.family == FAMILY_CALL || fact.family == FAMILY_SERVED;

			if (!is_own(flow, &fact) || json_object_get(flow->by_id, fact.id))
				continue;
			if (!message)
				add(flow, json, true);
			else if (add_message(flow, json, error))
				return -EIO;
		}
	}
	return 0;
}

/* Being named is not being about: what surely is about another VM goes. */
static void
drop_others(struct flow *flow)
{
	size_t kept = 0;

	for (size_t i = 0; i < flow->n; i++) {
		struct flow_fact *fact = flow->facts[i];
		const char *instance = flow_text(fact, "instance");

		if (fact == flow->root || !instance || !json_object_size(flow->instances) ||
		    json_object_get(flow->instances, instance)) {
			flow->facts[kept++] = fact;
		} else {
			json_decref(fact->json);
			free(fact);
		}
	}
	flow->n = kept;
}

/* -- How far it reaches --------------------------------------------------- */

/* Casts have no end that is told; errors and links have none at all. */
static bool
has_end(const struct flow_fact *fact)
{
	const char *what = flow_text(fact, "what");

	if (fact->family == FAMILY_SERVED && fact->other)
		what = flow_text(fact->other, "what");
	return fact->family == FAMILY_API || fact->family == FAMILY_STEP ||
	       ((fact->family == FAMILY_CALL || fact->family == FAMILY_SERVED) &&
		(!what || streq(what, "call")));
}

static void
measure(struct flow *flow)
{
	flow->start_ns = flow_began(flow->root);
	flow->core_ns = MAX(flow->root->end_ns, flow->start_ns);
	for (size_t i = 0; i < flow->n; i++) {
		const struct flow_fact *fact = flow->facts[i];

		if (!fact->surely)
			continue;
		/* Whoever worked on it may be dead: what becomes of it shows later. */
		if (has_end(fact) && ((!fact->end_ns && streq(fact->status, "running")) ||
				      (streq(fact->status, "lost") && fact->family == FAMILY_STEP &&
				       flow_matches(flow->done, fact->name))))
			flow->core_open = true;
		flow->core_ns = MAX(flow->core_ns, fact->start_ns);
		flow->core_ns = MAX(flow->core_ns, fact->end_ns);
	}
}

static int
compare_facts(const void *a_, const void *b_)
{
	const struct flow_fact *a = *(struct flow_fact *const *) a_;
	const struct flow_fact *b = *(struct flow_fact *const *) b_;

	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	return strcmp(a->id, b->id);
}

static void
pair_messages(struct flow *flow)
{
	json_t *calls = json_object();

	for (size_t i = 0; i < flow->n; i++)
		flow->facts[i]->other = NULL;
	for (size_t i = 0; i < flow->n; i++)
		if (flow->facts[i]->family == FAMILY_CALL)
			json_object_set_new(calls, flow->facts[i]->key,
					    json_integer((json_int_t) i + 1));
	for (size_t i = 0; i < flow->n; i++) {
		uint64_t at = flow_number(calls, flow->facts[i]->key);

		if (flow->facts[i]->family != FAMILY_SERVED || !at)
			continue;
		flow->facts[i]->other = flow->facts[at - 1];
		if (!flow->facts[at - 1]->other)
			flow->facts[at - 1]->other = flow->facts[i];
	}
	json_decref(calls);
}

/* -- What names but its VM, port or volume -------------------------------- */

/* Whether a newer request about the same can claim a step of this time. */
static bool
is_claimed(const struct flow *flow, const json_t *newer, const struct flow_fact *fact)
{
	json_t *one;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) newer, i, one) {
		const char *id = or_empty(text_member(one, "id"));
		uint64_t start_ns = flow_number(one, "start_ns");
		const struct flow_kind *kind = flow_kind_of(or_empty(text_member(one, "kind")));

		if (!streq(id, flow->id) && start_ns <= fact->start_ns &&
		    (start_ns > flow->start_ns ||
		     (start_ns == flow->start_ns && strcmp(id, flow->id) > 0)) &&
		    flow_kind_takes(kind, fact->name, fact->family))
			return true;
	}
	return false;
}

bool
flow_is_stray(struct store *store, const char *request)
{
	struct behalf behalf;

	behalf_of(store, request, &behalf, 0);
	return behalf.served && !behalf.own && !*behalf.parent;
}

/* A VM that goes to error without anybody having asked for anything: a service
 * that starts again finds it half done. */
static bool
is_fate(struct store *store, const struct flow_fact *fact)
{
	const char *what = flow_text(fact, "what"), *to = flow_text(fact, "to");
	char root[FACT_KEY_SIZE];

	return what && to && streq(what, "vm_state") && streq(to, "error") &&
	       (!*fact->request_id || flow_root(store, fact->request_id, root));
}

/* A fact without a request id that is known to be right. */
static bool
is_loose(const struct flow *flow, const struct flow_fact *fact)
{
	if (fact->family == FAMILY_STEP)
		return !*fact->request_id || !flow_true(fact, "rid_ok");
	if (fact->family == FAMILY_API)
		return flow_is_stray(flow->store, fact->key);
	if (fact->family == FAMILY_CHANGE)
		return is_fate(flow->store, fact);
	return fact->family == FAMILY_ERROR && !*fact->request_id;
}

static int
add_loose_of(struct flow *flow, const char *subject, const char *kind, const json_t *newer,
	     struct error *error)
{
	uint64_t to_ns = flow->core_open ? INT64_MAX : flow->core_ns + FLOW_GRACE_NS;
	json_t *facts = store_facts_naming_in(flow->store, subject, kind, flow->start_ns, to_ns,
					      error), *json;
	size_t i;

	if (!facts)
		return -EIO;
	json_array_foreach(facts, i, json) {
		struct flow_fact fact = fact_of(json);
		const char *instance = flow_text(&fact, "instance");

		if (is_loose(flow, &fact) && flow_kind_takes(flow->kind, fact.name, fact.family) &&
		    (!instance || !json_object_size(flow->instances) ||
		     json_object_get(flow->instances, instance)) &&
		    !is_claimed(flow, newer, &fact))
			add(flow, json, false);
	}
	json_decref(facts);
	return 0;
}

static int
add_loose(struct flow *flow, const json_t *subjects, struct error *error)
{
	static const char *const kinds[] = { "nova.step", "neutron.step", "cinder.step",
					     "log.error", "api.request", "vm.change" };
	const char *subject;
	json_t *unused, *newer;
	int r = 0;

	json_object_foreach((json_t *) (uintptr_t) subjects, subject, unused) {
		newer = store_requests_of(flow->store, subject, flow->start_ns, INT64_MAX, error);
		if (!newer)
			return -EIO;
		for (size_t i = 0; i < ARRAY_SIZE(kinds) && !r; i++)
			r = add_loose_of(flow, subject, kinds[i], newer, error);
		json_decref(newer);
	}
	return r;
}

/* The ports of its VMs, where it wires them. */
static int
name_linked(struct flow *flow, struct error *error)
{
	uint64_t to_ns = flow->core_open ? INT64_MAX : flow->core_ns + FLOW_GRACE_NS;
	const char *instance;
	json_t *unused, *links, *link;
	size_t i;

	if (!flow_kind_takes(flow->kind, "port.binding", FAMILY_STEP))
		return 0;
	json_object_foreach(flow->instances, instance, unused) {
		links = store_facts_naming_in(flow->store, instance, "vm.port", 0, INT64_MAX,
					      error);
		if (!links)
			return -EIO;
		json_array_foreach(links, i, link) {
			const json_t *said = json_object_get(link, "attributes");
			const char *port = text_member(said, "port");
			const char *key = or_empty(text_member(link, "key"));
			const char *slash = strchr(key, '/');

			if (flow_number(said, "t_ns") <= to_ns)
				name(flow->ports, port ? port : slash ? slash + 1 : NULL);
		}
		json_decref(links);
	}
	return 0;
}

/* Requests made by what came loosely, such as Neutron's events to Nova. */
static int
add_from_loose(struct flow *flow, json_t *cache, struct error *error)
{
	size_t n = json_object_size(flow->requests);

	for (size_t i = 0; i < flow->n; i++)
		if (!flow->facts[i]->surely && flow->facts[i]->family == FAMILY_API &&
		    json_object_size(flow->requests) < FLOW_MAX_REQUESTS)
			json_object_set_new(flow->requests, flow->facts[i]->key, json_true());
	if (json_object_size(flow->requests) == n)
		return 0;
	return close_over(flow, error) ? -EIO : add_own(flow, cache, error);
}

/* Whether a newer request to migrate the VM can claim what began at this time. */
static bool
is_newer_migration(const struct flow *flow, const json_t *newer, uint64_t t_ns)
{
	json_t *one;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) newer, i, one) {
		uint64_t start_ns = flow_number(one, "start_ns");

		if (start_ns > flow->start_ns && start_ns <= t_ns &&
		    flow_kind_of(or_empty(text_member(one, "kind")))->migrates)
			return true;
	}
	return false;
}

/* QEMU begins when what is told under the request's id is over for a while. */
static int
add_migrations(struct flow *flow, struct error *error)
{
	uint64_t to_ns = flow->core_open ? INT64_MAX : flow->core_ns + FLOW_GRACE_NS;
	const char *instance = flow_first(flow->instances);
	json_t *records, *newer, *record;
	size_t i;

	flow->migrations = json_array();
	if (!flow->kind->migrates || !instance)
		return 0;
	records = store_migrations_of_vm(flow->store, instance, flow->start_ns, to_ns, error);
	newer = store_requests_of(flow->store, instance, flow->start_ns, INT64_MAX, error);
	if (records && newer)
		json_array_foreach(records, i, record)
			if (!is_newer_migration(flow, newer, flow_number(record, "start_ns")))
				json_array_append(flow->migrations, record);
	json_decref(newer);
	json_decref(records);
	return records && newer ? 0 : -EIO;
}

/* -- All ------------------------------------------------------------------ */

/* Servers that do not tell what was asked of them: the step that the request
 * began says it, as in "network.create". */
static const char *
operation_of(const struct flow *flow)
{
	const char *operation = flow_text(flow->root, "operation");

	for (size_t i = 0; i < flow->n && !operation && !flow_text(flow->root, "method"); i++) {
		const struct flow_fact *fact = flow->facts[i];

		if (fact->family == FAMILY_STEP && flow_true(fact, "rid_ok") &&
		    streq(fact->request_id, flow->id) && strchr(fact->name, '.'))
			operation = fact->name;
	}
	return operation;
}

/* Plain queries are in the service view, unless they were slow or failed. */
static bool
is_worth_a_flow(const struct flow *flow)
{
	const struct flow_fact *root = flow->root;
	const char *method = flow_text(root, "method");
	uint64_t took_ns = root->end_ns ? root->end_ns - MIN(root->end_ns, flow_began(root)) : 0;

	if (operation_of(flow))
		return true;
	if (!method)
		return false;
	if (!streq(method, "GET") && !streq(method, "HEAD") && !streq(method, "OPTIONS"))
		return true;
	return took_ns >= FLOW_SLOW_NS || flow_number(root->attributes, "http_status") >= 500;
}

static void
name_kind(struct flow *flow)
{
	const char *operation = operation_of(flow), *method = flow_text(flow->root, "method");

	if (operation)
		snprintf(flow->kind_name, sizeof flow->kind_name, "%.60s", operation);
	else
		snprintf(flow->kind_name, sizeof flow->kind_name, "api.%.16s",
			 method ? method : "request");
	for (char *c = flow->kind_name; !operation && *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char) (*c + 32) : *c;
	flow->kind = flow_kind_of(flow->kind_name);
	flow->done = flow_text(flow->root, "operation") ? flow->kind->done : flow->kind_name;
}

static int
gather(struct flow *flow, json_t *cache, struct error *error)
{
	struct behalf behalf;
	int r;

	json_object_set_new(flow->requests, flow->id, json_true());
	behalf_of(flow->store, flow->id, &behalf, 0);
	memcpy(flow->behalf, behalf.global, sizeof flow->behalf);
	if (!behalf.own || !behalf.served)
		return 0;
	r = add_own(flow, cache, error);
	if (r)
		return r;
	find_root(flow);
	if (!flow->root || !is_worth_a_flow(flow))
		return 0;
	name_kind(flow);
	r = close_over(flow, error);
	if (!r)
		r = add_own(flow, cache, error);
	if (r)
		return r;
	name_by_root(flow);
	name_by_steps(flow);
	drop_others(flow);
	pair_messages(flow);
	measure(flow);
	r = name_linked(flow, error);
	if (!r)
		r = add_loose(flow, flow->instances, error);
	if (!r)
		r = add_loose(flow, flow->ports, error);
	if (!r)
		r = add_loose(flow, flow->volumes, error);
	if (!r)
		r = add_from_loose(flow, cache, error);
	if (!r)
		r = add_migrations(flow, error);
	drop_others(flow);
	qsort(flow->facts, flow->n, sizeof *flow->facts, compare_facts);
	pair_messages(flow);
	return r ? r : 1;
}

int
flow_gather(struct flow *flow, struct store *store, const char *id, struct error *error)
{
	json_t *cache = json_object();
	int r;

	*flow = (struct flow) { .store = store, .status = "running" };
	snprintf(flow->id, sizeof flow->id, "%s", id);
	flow->by_id = json_object();
	flow->requests = json_object();
	flow->instances = json_object();
	flow->ports = json_object();
	flow->volumes = json_object();
	r = gather(flow, cache, error);
	json_decref(cache);
	return r;
}

void
flow_done(struct flow *flow)
{
	for (size_t i = 0; i < flow->n; i++) {
		json_decref(flow->facts[i]->json);
		free(flow->facts[i]);
	}
	free(flow->facts);
	json_decref(flow->by_id);
	json_decref(flow->requests);
	json_decref(flow->instances);
	json_decref(flow->ports);
	json_decref(flow->volumes);
	json_decref(flow->migrations);
	json_decref(flow->error);
	json_decref(flow->findings);
	*flow = (struct flow) { 0 };
}
