/* SPDX-License-Identifier: MIT
 *
 * serve_network.c -- the answers of "network.*" (network.h). */
#include <errno.h>

#include "daemon/network.h"
#include "daemon/serve_internal.h"

/* The parameters were checked: what is there has its type. */
static const char *
string_of(const json_t *params, const char *name)
{
	return json_string_value(json_object_get(params, name));
}

static struct network_query
query_of(const json_t *params)
{
	return (struct network_query) {
		.host = string_of(params, "host"),
		.since_ns = (uint64_t) json_integer_value(json_object_get(params, "since_ns")),
		.until_ns = (uint64_t) json_integer_value(json_object_get(params, "until_ns")),
		.sort = string_of(params, "sort"),
		.limit = (unsigned) json_integer_value(json_object_get(params, "limit")),
	};
}

static json_t *
failed(const struct error *failure, struct rpc_error *error)
{
	if (failure->code != EINVAL)
		return serve_store_failed(failure, error);
	rpc_error_set(error, RPC_INVALID_PARAMS, NULL, NULL, "%s", failure->text);
	return NULL;
}

typedef json_t *network_fn(struct store *store, const struct network_query *query,
			   struct error *error);

static json_t *
answer(struct serve_client *client, const json_t *params, network_fn *network,
       struct rpc_error *error)
{
	const struct network_query query = query_of(params);
	struct error failure = { 0 };
	json_t *json = network(client->serve->store, &query, &failure);

	return json ? json : failed(&failure, error);
}

json_t *
serve_network_bridges(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return answer(client, params, network_bridges, error);
}

json_t *
serve_network_ports(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return answer(client, params, network_ports, error);
}

json_t *
serve_network_flows(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return answer(client, params, network_flows, error);
}

json_t *
serve_network_latency(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return answer(client, params, network_latency, error);
}

json_t *
serve_network_upcalls(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return answer(client, params, network_upcalls, error);
}

json_t *
serve_network_changes(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return answer(client, params, network_changes, error);
}

json_t *
serve_network_where(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	const struct network_query query = query_of(params);
	struct error failure = { 0 };
	json_t *json = network_where(client->serve->store, string_of(params, "address"), &query,
				     &failure);

	return json ? json : failed(&failure, error);
}

json_t *
serve_network_path(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	const struct network_query query = query_of(params);
	struct error failure = { 0 };
	json_t *json = network_path(client->serve->store, string_of(params, "src"),
				    string_of(params, "dst"), &query, &failure);

	return json ? json : failed(&failure, error);
}
