/* SPDX-License-Identifier: MIT
 *
 * thing_told.c -- what services and nodes say of VMs, ports and volumes: their facts, and the
 * links between them. */
#include "daemon/thing_private.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/volume.h"
#include "lib/util.h"

json_t *
thing_facts(struct store *store, const char *id, const char *kind, struct error *error)
{
	return store_facts_naming_in(store, id, kind, 0, INT64_MAX, error);
}

/* Things and links are told again as they change; when is one of their members. */
uint64_t
thing_link_ns(const json_t *link)
{
	uint64_t t_ns = flow_number(thing_said(link), "t_ns");

	return t_ns ? t_ns : flow_number(link, "start_ns");
}

static int
compare_links(const void *a_, const void *b_)
{
	const json_t *a = *(json_t *const *) a_, *b = *(json_t *const *) b_;
	const char *a_id = known_text_of(a, "id"), *b_id = known_text_of(b, "id");

	if (thing_link_ns(a) != thing_link_ns(b))
		return thing_link_ns(a) < thing_link_ns(b) ? -1 : 1;
	return strcmp(a_id ? a_id : "", b_id ? b_id : "");
}

/* In the order in which they were told; takes over the array. */
json_t *
thing_in_order(json_t *links)
{
	size_t n = json_array_size(links);
	json_t **sorted = xcalloc(n + 1, sizeof *sorted), *ordered = json_array();

	for (size_t i = 0; i < n; i++)
		sorted[i] = json_array_get(links, i);
	qsort(sorted, n, sizeof *sorted, compare_links);
	for (size_t i = 0; i < n; i++)
		json_array_append(ordered, sorted[i]);
	free(sorted);
	json_decref(links);
	return ordered;
}

/* All members that the entities of this id have; of those that differ the
 * newest.  'ret_ns': when it was told of last. */
json_t *
thing_entity(struct store *store, const char *id, const char *kind, uint64_t *ret_ns,
	     struct error *error)
{
	json_t *facts = thing_in_order(thing_facts(store, id, kind, error)), *all = json_object();
	json_t *fact, *value;
	const char *name;
	size_t i;

	json_array_foreach(facts, i, fact) {
		const char *key = known_text_of(fact, "key");

		if (!key || !streq(key, id))
			continue;
		*ret_ns = MAX(*ret_ns, thing_link_ns(fact));
		json_object_foreach((json_t *) (uintptr_t) thing_said(fact), name, value)
			if (!json_is_null(value))
				json_object_set(all, name, value);
	}
	json_decref(facts);
	if (streq(kind, "volume") && json_object_size(all))
		volume_told(store, id, all, error);
	return all;
}

/* The id of the other thing of a link: named, or behind the slash of its key. */
const char *
thing_other(const json_t *link, const char *name)
{
	const char *id = known_text_of(thing_said(link), name);
	const char *key = known_text_of(link, "key"), *slash = key ? strchr(key, '/') : NULL;

	return id ? id : slash ? slash + 1 : NULL;
}

const char *
thing_instance(const json_t *link, char buffer[FACT_KEY_SIZE])
{
	const char *id = known_text_of(thing_said(link), "instance");
	const char *key = known_text_of(link, "key");

	if (id || !key)
		return id;
	snprintf(buffer, FACT_KEY_SIZE, "%.*s", (int) strcspn(key, "/"), key);
	return buffer;
}

bool
thing_is_over(const json_t *link)
{
	const char *status = known_text_of(link, "status");
	const char *told = known_text_of(thing_said(link), "status");

	return flow_number(link, "end_ns") || (status && streq(status, "gone")) ||
	       (told && flow_matches("detached deleted gone unbound", told));
}

/* The newest link of this kind to each other thing, by its id. */
json_t *
thing_links(struct store *store, const char *id, const char *kind, const char *name,
	    struct error *error)
{
	json_t *facts = thing_in_order(thing_facts(store, id, kind, error)), *fact;
	json_t *links = json_object(), *all;
	const char *other;
	size_t i;

	json_array_foreach(facts, i, fact) {
		char buffer[FACT_KEY_SIZE];

		other = streq(name, "instance") ? thing_instance(fact, buffer) : thing_other(fact, name);
		if (!other)
			continue;
		all = json_object_get(links, other);
		if (!all) {
			all = json_array();
			json_object_set_new(links, other, all);
		}
		json_array_append(all, fact);
	}
	json_decref(facts);
	return links;
}

/* What the links of one pair say together: the newest of each member. */
json_t *
thing_merged(const json_t *links)
{
	json_t *all = json_object(), *link, *value;
	const char *name;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) links, i, link)
		json_object_foreach((json_t *) (uintptr_t) thing_said(link), name, value)
			if (!json_is_null(value))
				json_object_set(all, name, value);
	return all;
}

const json_t *
thing_newest(const json_t *links)
{
	return json_array_get(links, json_array_size(links) - 1);
}

/* Whether a port or volume of this status is nobody's.  What Cinder said of a volume may
 * be from before it was attached: there the link counts. */
bool
thing_is_free(const char *status)
{
	return status && flow_matches("deleted deleting", status);
}

/* Cinder does not log that a volume is in use; the VM that has it tells. */
void
thing_set_in_use(json_t *volume)
{
	const char *status = known_text_of(volume, "status");

	if (!status || flow_matches("available creating reserved attaching", status))
		json_object_set_new(volume, "status", json_string("in-use"));
}

/* One form for what logs say in several: addresses as an array, an attachment
 * by one name. */
void
thing_tidy(json_t *part)
{
	const char *ips = known_text_of(part, "ips");
	json_t *attachment = json_object_get(part, "attachment_id"), *list;

	if (attachment && !json_object_get(part, "attachment"))
		json_object_set(part, "attachment", attachment);
	if (!ips)
		return;
	list = json_array();
	for (ips += strspn(ips, ", "); *ips; ips += strspn(ips, ", ")) {
		size_t n = strcspn(ips, ", ");

		json_array_append_new(list, json_stringn(ips, n));
		ips += n;
	}
	json_object_set_new(part, "ips", list);
}
