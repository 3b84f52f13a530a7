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
or_empty(const char *text)
{
	return text ? text : "";
}

/* Adds a fact, once. */
static struct flow_fact *
add(struct flow *flow, json_t *json, bool surely)
{
	struct flow_fact *fact;
	const char *id = or_empty(flow_member(json, "id"));

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
	*fact = flow_fact_of(json_incref(json));
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
	json_t *claims = flow_both(flow->store, request, "api.request", "request.child"), *json;
	size_t i;

	if (!claims)
		return error_set(error, EIO, "what was asked for %s cannot be read", request);
	json_array_foreach(claims, i, json) {
		struct flow_fact fact = flow_fact_of(json);
		struct flow_behalf behalf;

		if (streq(fact.key, request) || json_object_get(flow->requests, fact.key) ||
		    json_object_size(flow->requests) >= FLOW_MAX_REQUESTS)
			continue;
		flow_behalf(flow->store, fact.key, &behalf, 0);
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
	case FAMILY_TRACE:
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
	struct flow_fact fact = flow_fact_of(json);
	json_t *ends = store_facts_naming(flow->store, fact.key, error), *end;
	bool served = false, own = false;
	size_t i;

	if (!ends)
		return -EIO;
	json_array_foreach(ends, i, end) {
		struct flow_fact one = flow_fact_of(end);

		if (one.family != FAMILY_SERVED || !*one.request_id)
			continue;
		served = true;
		own |= json_object_get(flow->requests, one.request_id) != NULL;
	}
	json_array_foreach(ends, i, end) {
		struct flow_fact one = flow_fact_of(end);

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
			struct flow_fact fact = flow_fact_of(json);
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
		const char *id = or_empty(flow_member(one, "id"));
		uint64_t start_ns = flow_number(one, "start_ns");
		const struct flow_kind *kind = flow_kind_of(or_empty(flow_member(one, "kind")));

		if (!streq(id, flow->id) && start_ns <= fact->start_ns &&
		    (start_ns > flow->start_ns ||
		     (start_ns == flow->start_ns && strcmp(id, flow->id) > 0)) &&
		    flow_kind_takes(kind, fact->name, fact->family))
			return true;
	}
	return false;
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

/* A request migrates its VM once: with the second time another request begins, which may
 * not be known. */
static bool
is_second_migration(const struct flow *flow, const struct flow_fact *fact)
{
	if (fact->family != FAMILY_STEP || !streq(fact->name, "live_migration"))
		return false;
	for (size_t i = 0; i < flow->n; i++)
		if (flow->facts[i]->family == FAMILY_STEP &&
		    streq(flow->facts[i]->name, "live_migration") && !streq(flow->facts[i]->id, fact->id))
			return true;
	return false;
}

static int
add_loose_of(struct flow *flow, const char *subject, const char *kind, const json_t *newer,
	     struct error *error)
{
	uint64_t to_ns = MIN(flow->core_open ? INT64_MAX : flow->core_ns + FLOW_GRACE_NS,
			     flow->loose_to_ns);
	json_t *facts = store_facts_naming_in(flow->store, subject, kind, flow->start_ns, to_ns,
					      error), *json;
	size_t i;

	if (!facts)
		return -EIO;
	json_array_foreach(facts, i, json) {
		struct flow_fact fact = flow_fact_of(json);
		const char *instance = flow_text(&fact, "instance");

		if (is_loose(flow, &fact) && flow_kind_takes(flow->kind, fact.name, fact.family) &&
		    (!instance || !json_object_size(flow->instances) ||
		     json_object_get(flow->instances, instance)) &&
		    !is_claimed(flow, newer, &fact)) {
			if (is_second_migration(flow, &fact)) {
				flow->loose_to_ns = fact.start_ns - 1;
				break;
			}
			add(flow, json, false);
		}
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
			const char *port = flow_member(said, "port");
			const char *key = or_empty(flow_member(link, "key"));
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
		    flow_kind_of(or_empty(flow_member(one, "kind")))->migrates)
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
	flow->done = flow_text(flow->root, "operation") || method ? flow->kind->done : flow->kind_name;
}

static int
gather(struct flow *flow, json_t *cache, struct error *error)
{
	struct flow_behalf behalf;
	int r;

	json_object_set_new(flow->requests, flow->id, json_true());
	flow_behalf(flow->store, flow->id, &behalf, 0);
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

	*flow = (struct flow) { .store = store, .status = "running", .loose_to_ns = INT64_MAX };
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
	free(flow->clocks);
	*flow = (struct flow) { 0 };
}
