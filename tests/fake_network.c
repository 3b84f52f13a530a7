/* SPDX-License-Identifier: MIT
 *
 * fake_network.c -- the answers of daemon/network.h over the JSON file of
 * fake_store.h: "network": { "bridges": [...], ..., "path": {...} }. */
#include "daemon/network.h"
#include "tests/fake_store.h"

/* Of a list, those of the host. */
static json_t *
answer(struct store *store, const char *name, const struct network_query *query)
{
	json_t *all = json_object_get(json_object_get(fake_store_root(store), "network"), name);
	json_t *answer = all ? json_deep_copy(all) : json_array();

	for (size_t i = json_array_size(answer); query->host && i-- > 0; ) {
		const char *host = json_string_value(
			json_object_get(json_array_get(answer, i), "host"));

		if (!host || !streq(host, query->host))
			json_array_remove(answer, i);
	}
	return answer;
}

json_t *
network_bridges(struct store *store, const struct network_query *query, struct error *error)
{
	return answer(store, "bridges", query);
}

json_t *
network_ports(struct store *store, const struct network_query *query, struct error *error)
{
	return answer(store, "ports", query);
}

json_t *
network_flows(struct store *store, const struct network_query *query, struct error *error)
{
	json_t *list = answer(store, "flows", query);

	while (query->limit && json_array_size(list) > query->limit)
		json_array_remove(list, query->limit);
	return list;
}

json_t *
network_latency(struct store *store, const struct network_query *query, struct error *error)
{
	return answer(store, "latency", query);
}

json_t *
network_upcalls(struct store *store, const struct network_query *query, struct error *error)
{
	return answer(store, "upcalls", query);
}

/* An empty object would not be of its schema. */
static json_t *
object(json_t *answer, const char *const *lists)
{
	if (!json_is_object(answer)) {
		json_decref(answer);
		answer = json_object();
	}
	for (; *lists; lists++)
		if (!json_object_get(answer, *lists))
			json_object_set_new(answer, *lists, json_array());
	return answer;
}

json_t *
network_changes(struct store *store, const struct network_query *query, struct error *error)
{
	static const char *const lists[] = { "commands", "changes", "moves", NULL };
	struct network_query any = { .host = NULL };

	return object(answer(store, "changes", &any), lists);
}

json_t *
network_where(struct store *store, const char *address, const struct network_query *query,
	      struct error *error)
{
	json_t *list = answer(store, "places", query);

	for (size_t i = json_array_size(list); i-- > 0; ) {
		const char *mac = json_string_value(
			json_object_get(json_array_get(list, i), "mac"));

		if (!mac || !streq(mac, address))
			json_array_remove(list, i);
	}
	return list;
}

json_t *
network_path(struct store *store, const char *src, const char *dst,
	     const struct network_query *query, struct error *error)
{
	static const char *const lists[] = { "src", "dst", "hops", "back", NULL };
	struct network_query any = { .host = NULL };

	return object(streq(src, dst) ? json_object() : answer(store, "path", &any), lists);
}
