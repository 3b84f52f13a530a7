/* SPDX-License-Identifier: MIT
 *
 * serve_methods.c -- the answer of each method of proto/methods.c. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/clock_apply.h"
#include "daemon/drain.h"
#include "daemon/expand.h"
#include "daemon/flow.h"
#include "daemon/kernel_answers.h"
#include "daemon/parts.h"
#include "daemon/serve_internal.h"
#include "daemon/why.h"
#include "lib/clock.h"

#define STATUS_FRESH_NS (100 * NS_PER_MS)
#define STATUS_KEPT_NS  (500 * NS_PER_MS)

typedef json_t *answer_fn(struct serve_client *client, const json_t *params,
			  struct rpc_error *error);

json_t *
serve_store_failed(const struct error *from, struct rpc_error *error)
{
	enum rpc_kind kind = from->code == ENOENT ? RPC_NOT_FOUND :
			     from->code == ENOTUNIQ ? RPC_NOT_UNIQUE : RPC_INTERNAL;

	rpc_error_set(error, kind, kind == RPC_INTERNAL ? NULL : "id",
		      kind == RPC_NOT_UNIQUE ? "give more of it" : NULL, "%s",
		      from->text[0] ? from->text : "the store gave no answer");
	return NULL;
}

static const char *
string_of(const json_t *params, const char *name)
{
	return json_string_value(json_object_get(params, name));
}

static uint64_t
number_of(const json_t *params, const char *name)
{
	return (uint64_t) json_integer_value(json_object_get(params, name));
}

/* The parameters were checked: what is there has its type. */
static struct store_filter
filter_of(const json_t *params)
{
	return (struct store_filter) {
		.since_ns = number_of(params, "since_ns"),
		.until_ns = number_of(params, "until_ns"),
		.status = string_of(params, "status"),
		.host = string_of(params, "host"),
		.vm = string_of(params, "vm"),
		.severity = string_of(params, "severity"),
		.state = string_of(params, "state"),
		.rule = string_of(params, "rule"),
		.kind = string_of(params, "kind"),
		.request = string_of(params, "request"),
		.volume = string_of(params, "volume"),
		.port = string_of(params, "port"),
		.slow_ns = number_of(params, "slow_ns"),
		.service = string_of(params, "service"),
		.limit = (unsigned) number_of(params, "limit"),
	};
}

static struct kernel_filter
kernel_filter_of(const json_t *params)
{
	return (struct kernel_filter) {
		.since_ns = number_of(params, "since_ns"),
		.until_ns = number_of(params, "until_ns"),
		.host = string_of(params, "host"),
		.pid = number_of(params, "pid"),
		.tid = number_of(params, "tid"),
		.limit = (unsigned) number_of(params, "limit"),
	};
}

/* Many ask for it again and again, and it takes dozens of queries: an answer
 * is good until something is committed, and a moment longer. */
static json_t *
answer_status(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	struct serve *serve = client->serve;
	uint64_t now_ns = clock_mono_ns(), age_ns = now_ns - serve->status_ns;
	struct error failure = { 0 };
	json_t *status;

	if (serve->status && !serve->stdio && age_ns < STATUS_KEPT_NS &&
	    (serve->committed_ns < serve->status_ns || age_ns < STATUS_FRESH_NS))
		return json_incref(serve->status);
	status = serve_status(serve, &failure);
	if (!status)
		return serve_store_failed(&failure, error);
	json_decref(serve->status);
	serve->status = json_incref(status);
	serve->status_ns = now_ns;
	return status;
}

static json_t *
answer_migration_list(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	struct store_filter filter = filter_of(params);
	struct error failure = { 0 };
	json_t *list = store_migration_list(client->serve->store, &filter, &failure);

	clock_add_migrations(client->serve->store, list);
	return list ? list : serve_store_failed(&failure, error);
}

/* Takes over 'parts'; null for what goes on. */
static json_t *
with_peers(struct store *store, const char *topic, json_t *record, json_t *parts)
{
	json_t *peers = peers_of(store, topic, record, parts);

	json_object_set_new(record, "peers", peers ? peers : json_null());
	json_decref(parts);
	return record;
}

static json_t *
answer_migration_show(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	struct error failure = { 0 };
	json_t *one = store_migration_show(client->serve->store, string_of(params, "id"), &failure);

	if (!one)
		return serve_store_failed(&failure, error);
	migration_expand(client->serve->store, one);
	return with_peers(client->serve->store, "migration", one, parts_of_migration(one));
}

static json_t *
answer_node_list(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	struct error failure = { 0 };
	json_t *list = store_node_list(client->serve->store, &failure);

	clock_add_nodes(client->serve->store, list);
	for (size_t i = json_array_size(list); i-- > 0; )
		if (!serve_filter_matches(params, json_array_get(list, i), NULL))
			json_array_remove(list, i);
	return list ? list : serve_store_failed(&failure, error);
}

static json_t *
answer_alert_list(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	struct store_filter filter = filter_of(params);
	struct error failure = { 0 };
	json_t *list = store_alert_list(client->serve->store, &filter, &failure);

	return list ? list : serve_store_failed(&failure, error);
}

static json_t *
answer_alert_show(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	struct error failure = { 0 };
	json_t *alert = store_alert_show(client->serve->store, string_of(params, "id"), &failure);
	json_t *findings = alert ? why_alert(client->serve->store, alert) : NULL;

	if (findings)
		json_object_set_new(alert, "findings", findings);
	return alert ? alert : serve_store_failed(&failure, error);
}

static json_t *
answer_why(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	struct error failure = { 0 };
	json_t *answer = why_answer(client->serve->store, string_of(params, "id"), &failure);

	return answer ? answer : serve_store_failed(&failure, error);
}

/* Of the methods about kernels: all take the same filter. */
static json_t *
answer_kernel(json_t *(*ask)(struct store *store, const struct kernel_filter *filter,
			     struct error *error),
	      struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	const struct kernel_filter filter = kernel_filter_of(params);
	struct error failure = { 0 };
	json_t *answer = ask(client->serve->store, &filter, &failure);

	return answer ? answer : serve_store_failed(&failure, error);
}

static json_t *
answer_node_show(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return answer_kernel(kernel_node, client, params, error);
}

static json_t *
answer_disk_list(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return answer_kernel(kernel_disks, client, params, error);
}

static json_t *
answer_network_show(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return answer_kernel(kernel_network, client, params, error);
}

static json_t *
answer_top(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return answer_kernel(kernel_top, client, params, error);
}

static json_t *
answer_thread_list(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return answer_kernel(kernel_threads, client, params, error);
}

static json_t *
answer_volume_chain(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	const struct kernel_filter filter = kernel_filter_of(params);
	struct error failure = { 0 };
	json_t *answer = kernel_volume_chain(client->serve->store, string_of(params, "id"), &filter,
					     &failure);

	return answer ? answer : serve_store_failed(&failure, error);
}

static json_t *
answer_flow_list(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	struct store_filter filter = filter_of(params);
	struct error failure = { 0 };
	json_t *list = store_flow_list(client->serve->store, &filter, &failure);

	return list ? list : serve_store_failed(&failure, error);
}

static json_t *
answer_flow_show(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	struct error failure = { 0 };
	json_t *one = store_flow_show(client->serve->store, string_of(params, "id"), &failure);

	if (!one)
		return serve_store_failed(&failure, error);
	return with_peers(client->serve->store, "flow", one,
			  flow_parts_of(client->serve->store, string_of(one, "id")));
}

static json_t *
list_things(struct serve_client *client, const char *topic, const json_t *params,
	    struct rpc_error *error)
{
	struct store_filter filter = filter_of(params);
	struct error failure = { 0 };
	json_t *list = store_thing_list(client->serve->store, topic, &filter, &failure);

	return list ? list : serve_store_failed(&failure, error);
}

static json_t *
show_thing(struct serve_client *client, const char *topic, const json_t *params,
	   struct rpc_error *error)
{
	struct error failure = { 0 };
	json_t *one = store_thing_show(client->serve->store, topic, string_of(params, "id"),
				       &failure);

	return one ? one : serve_store_failed(&failure, error);
}

static json_t *
answer_vm_list(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return list_things(client, "vm", params, error);
}

static json_t *
answer_vm_show(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return show_thing(client, "vm", params, error);
}

static json_t *
answer_volume_list(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return list_things(client, "volume", params, error);
}

static json_t *
answer_volume_show(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return show_thing(client, "volume", params, error);
}

static json_t *
answer_port_list(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return list_things(client, "port", params, error);
}

static json_t *
answer_port_show(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return show_thing(client, "port", params, error);
}

static json_t *
answer_service_list(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	struct store_filter filter = filter_of(params);
	struct error failure = { 0 };
	json_t *list = store_service_list(client->serve->store, &filter, &failure);

	return list ? list : serve_store_failed(&failure, error);
}

static json_t *
answer_service_show(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	struct store_filter filter = filter_of(params);
	struct error failure = { 0 };
	json_t *one = store_service_show(client->serve->store, string_of(params, "id"), &filter,
					 &failure);

	return one ? one : serve_store_failed(&failure, error);
}

static json_t *
answer_find(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	struct error failure = { 0 };
	json_t *found = store_find(client->serve->store, string_of(params, "id"),
				   (unsigned) number_of(params, "limit"), &failure);

	return found ? found : serve_store_failed(&failure, error);
}

static json_t *
answer_compare(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	struct error failure = { 0 };
	json_t *answer = compare(client->serve->store, string_of(params, "a"), string_of(params, "b"),
				 &failure);

	if (!answer && failure.code == EINVAL) {
		rpc_error_set(error, RPC_INVALID_PARAMS, "b", NULL, "%s", failure.text);
		return NULL;
	}
	return answer ? answer : serve_store_failed(&failure, error);
}

static json_t *
answer_drain(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	struct error failure = { 0 };
	json_t *answer = drain_status(client->serve->store, string_of(params, "host"),
				      number_of(params, "since_ns"), &failure);

	if (!answer && failure.code == ENOENT) {
		rpc_error_set(error, RPC_NOT_FOUND, "host", "\"node.list\" has them", "%s", failure.text);
		return NULL;
	}
	return answer ? answer : serve_store_failed(&failure, error);
}

static json_t *
answer_counters(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	struct error failure = { 0 };
	json_t *summary = store_summary(client->serve->store, &failure), *counters;

	if (!summary)
		return serve_store_failed(&failure, error);
	counters = json_object_get(summary, "counters");
	counters = counters ? json_incref(counters) : json_object();
	json_decref(summary);
	return counters;
}

static json_t *
answer_describe(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	return rpc_describe();
}

static json_t *
answer_echo(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	json_t *data = json_object_get(params, "data");

	return data ? json_incref(data) : json_null();
}

static answer_fn *const answers[METHOD_COUNT] = {
	[METHOD_STATUS] = answer_status,
	[METHOD_MIGRATION_LIST] = answer_migration_list,
	[METHOD_MIGRATION_SHOW] = answer_migration_show,
	[METHOD_NODE_LIST] = answer_node_list,
	[METHOD_ALERT_LIST] = answer_alert_list,
	[METHOD_FLOW_LIST] = answer_flow_list,
	[METHOD_FLOW_SHOW] = answer_flow_show,
	[METHOD_VM_LIST] = answer_vm_list,
	[METHOD_VM_SHOW] = answer_vm_show,
	[METHOD_SERVICE_LIST] = answer_service_list,
	[METHOD_SERVICE_SHOW] = answer_service_show,
	[METHOD_VOLUME_LIST] = answer_volume_list,
	[METHOD_VOLUME_SHOW] = answer_volume_show,
	[METHOD_PORT_LIST] = answer_port_list,
	[METHOD_PORT_SHOW] = answer_port_show,
	[METHOD_FIND] = answer_find,
	[METHOD_COMPARE] = answer_compare,
	[METHOD_NODE_DRAIN_STATUS] = answer_drain,
	[METHOD_WHY] = answer_why,
	[METHOD_ALERT_SHOW] = answer_alert_show,
	[METHOD_NETWORK_BRIDGES] = serve_network_bridges,
	[METHOD_NETWORK_PORTS] = serve_network_ports,
	[METHOD_NETWORK_FLOWS] = serve_network_flows,
	[METHOD_NETWORK_LATENCY] = serve_network_latency,
	[METHOD_NETWORK_UPCALLS] = serve_network_upcalls,
	[METHOD_NETWORK_CHANGES] = serve_network_changes,
	[METHOD_NETWORK_WHERE] = serve_network_where,
	[METHOD_NETWORK_PATH] = serve_network_path,
	[METHOD_NODE_SHOW] = answer_node_show,
	[METHOD_DISK_LIST] = answer_disk_list,
	[METHOD_NETWORK_SHOW] = answer_network_show,
	[METHOD_TOP] = answer_top,
	[METHOD_VOLUME_CHAIN] = answer_volume_chain,
	[METHOD_THREAD_LIST] = answer_thread_list,
	[METHOD_ALERT_RULES] = serve_alert_rules,
	[METHOD_ALERT_SILENCES] = serve_alert_silences,
	[METHOD_ALERT_SILENCE] = serve_alert_silence,
	[METHOD_ALERT_UNSILENCE] = serve_alert_unsilence,
	[METHOD_LOG_SET] = serve_log_set,
	[METHOD_COUNTERS] = answer_counters,
	[METHOD_WATCH] = serve_watch_add,
	[METHOD_UNWATCH] = serve_watch_remove,
	[METHOD_DESCRIBE] = answer_describe,
	[METHOD_ECHO] = answer_echo,
};

/* All that an answer shows is of one moment. */
static json_t *
answer(struct serve_client *client, const struct rpc_method *method, const json_t *params,
       struct rpc_error *error)
{
	struct store *store = client->serve->store;
	struct error failure = { 0 };
	json_t *result;

	if (store_begin(store, &failure))
		return serve_store_failed(&failure, error);
	result = answers[method - rpc_methods](client, params, error);
	store_rollback(store);
	return result;
}

json_t *
serve_call(struct serve_client *client, const struct rpc_request *request,
	   struct rpc_error *error)
{
	const struct rpc_method *method = rpc_method_find(request->method);

	if (!method) {
		rpc_error_set(error, RPC_UNKNOWN_METHOD, NULL, "\"describe\" lists them",
			      "Unknown method \"%.80s\"", request->method);
		return NULL;
	}
	if (client->read_only && method->access != RPC_RO) {
		rpc_error_set(error, RPC_DENIED, NULL,
			      "use the full socket, or an operator's certificate or token",
			      "\"%s\" is not allowed to readers", method->name);
		return NULL;
	}
	if (rpc_check_params(method->params, request->params, error))
		return NULL;
	if (client->no_watch && (method == &rpc_methods[METHOD_WATCH] ||
				 method == &rpc_methods[METHOD_UNWATCH])) {
		rpc_error_set(error, RPC_DENIED, NULL, "GET /events tells of changes",
			      "\"%s\" does not work over POST", method->name);
		return NULL;
	}
	return answer(client, method, request->params, error);
}
