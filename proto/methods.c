/* SPDX-License-Identifier: MIT */
#include "proto/methods.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define MIGRATION_STATUS "running completed failed cancelled lost"
#define FLOW_STATUS "running ok error cancelled lost"
#define WATCH_STATUS "running ok error completed failed cancelled lost"
#define TOPICS "migration alert node flow vm service"
#define SEVERITIES "info warning critical"
#define ALERT_STATES "firing resolved"

#define SINCE { "since_ns", RPC_INTEGER, .doc = "what ended before this time is left out" }
#define UNTIL { "until_ns", RPC_INTEGER, .doc = "what started after this time is left out" }
#define LIMIT { "limit", RPC_INTEGER, .min = 1, .max = RPC_MAX_LIST, \
	.doc = "at most so many, newest first; 1000" }

static const struct rpc_param no_params[] = { { .name = NULL } };

static const struct rpc_param migration_list_params[] = {
	SINCE,
	UNTIL,
	{ "status", RPC_STRING, .choices = MIGRATION_STATUS, .doc = "only those of this status" },
	{ "host", RPC_STRING, .doc = "only from or to this host" },
	{ "vm", RPC_STRING, .doc = "only of the VM of this uuid or name" },
	LIMIT,
	{ .name = NULL }
};

static const struct rpc_param migration_show_params[] = {
	{ "id", RPC_STRING, true,
	  .doc = "an id or the unique beginning of one, or a VM's uuid or name" },
	{ .name = NULL }
};

static const struct rpc_param node_list_params[] = {
	{ "host", RPC_STRING, .doc = "only this host" },
	{ .name = NULL }
};

static const struct rpc_param alert_list_params[] = {
	SINCE,
	UNTIL,
	{ "state", RPC_STRING, .choices = ALERT_STATES, .doc = "only those in this state" },
	{ "severity", RPC_STRING, .choices = SEVERITIES, .doc = "only those of this severity" },
	{ "rule", RPC_STRING, .doc = "only those of this rule" },
	{ "host", RPC_STRING, .doc = "only those about this host, or migrations from or to it" },
	{ "vm", RPC_STRING, .doc = "only those about the VM of this uuid or name" },
	LIMIT,
	{ .name = NULL }
};

static const struct rpc_param flow_list_params[] = {
	SINCE,
	UNTIL,
	{ "kind", RPC_STRING, .doc = "only of this kind; server.* for all of servers" },
	{ "status", RPC_STRING, .choices = FLOW_STATUS, .doc = "only those of this status" },
	{ "vm", RPC_STRING, .doc = "only about the VM of this uuid or name" },
	{ "volume", RPC_STRING, .doc = "only about the volume of this id" },
	{ "port", RPC_STRING, .doc = "only about the port of this id" },
	{ "request", RPC_STRING, .doc = "only with this request id in it, its own or a child's" },
	{ "slow_ns", RPC_INTEGER, .doc = "only those that took, or take, at least so long" },
	LIMIT,
	{ .name = NULL }
};

static const struct rpc_param flow_show_params[] = {
	{ "id", RPC_STRING, true,
	  .doc = "an id or the unique beginning of one, or the id of a request in it" },
	{ .name = NULL }
};

static const struct rpc_param vm_list_params[] = {
	{ "host", RPC_STRING, .doc = "only on this host" },
	{ "state", RPC_STRING, .doc = "only in this vm_state" },
	LIMIT,
	{ .name = NULL }
};

static const struct rpc_param vm_show_params[] = {
	{ "id", RPC_STRING, true,
	  .doc = "a uuid or the unique beginning of one, or a name (the newest of it)" },
	{ .name = NULL }
};

static const struct rpc_param service_list_params[] = {
	{ "since_ns", RPC_INTEGER, .doc = "figures from this time on; an hour before the newest" },
	{ "until_ns", RPC_INTEGER, .doc = "figures up to this time" },
	{ "host", RPC_STRING, .doc = "only on this host" },
	{ "service", RPC_STRING, .doc = "only of this name" },
	{ .name = NULL }
};

static const struct rpc_param service_show_params[] = {
	{ "id", RPC_STRING, true, .doc = "SERVICE@HOST, or SERVICE where it has one host" },
	{ "since_ns", RPC_INTEGER, .doc = "figures from this time on; an hour before the newest" },
	{ "until_ns", RPC_INTEGER, .doc = "figures up to this time" },
	{ .name = NULL }
};

static const struct rpc_param part_list_params[] = {
	{ "host", RPC_STRING, .doc = "only on this host" },
	{ "vm", RPC_STRING, .doc = "only of the VM of this uuid or name" },
	LIMIT,
	{ .name = NULL }
};

static const struct rpc_param part_show_params[] = {
	{ "id", RPC_STRING, true,
	  .doc = "an id or the unique beginning of one, or a name (the newest of it)" },
	{ .name = NULL }
};

static const struct rpc_param find_params[] = {
	{ "id", RPC_STRING, true,
	  .doc = "of a request, VM, port, volume, network, migration...; a name, MAC or tap" },
	LIMIT,
	{ .name = NULL }
};

static const struct rpc_param compare_params[] = {
	{ "a", RPC_STRING, true, .doc = "any id of a request or a live migration" },
	{ "b", RPC_STRING, .doc = "of another one of that sort; absent: its peers" },
	{ .name = NULL }
};

static const struct rpc_param drain_params[] = {
	{ "host", RPC_STRING, true, .doc = "the host that is left" },
	{ "since_ns", RPC_INTEGER,
	  .doc = "what was asked for from this time on; absent: the newest that follow each other" },
	{ .name = NULL }
};

static const struct rpc_param why_params[] = {
	{ "id", RPC_STRING, true,
	  .doc = "what find takes, or of an alert; of a VM its newest operation is meant" },
	{ .name = NULL }
};

static const struct rpc_param alert_show_params[] = {
	{ "id", RPC_STRING, true, .doc = "an alert's id" },
	{ .name = NULL }
};

#define NETWORK_HOST { "host", RPC_STRING, .doc = "only of this host" }
#define NETWORK_SINCE { "since_ns", RPC_INTEGER, \
	.doc = "from this time on; absent: 5 minutes up to the newest window" }
#define NETWORK_UNTIL { "until_ns", RPC_INTEGER, .doc = "up to this time" }

static const struct rpc_param network_params[] = {
	NETWORK_HOST, NETWORK_SINCE, NETWORK_UNTIL,
	{ .name = NULL }
};

static const struct rpc_param network_flows_params[] = {
	NETWORK_HOST, NETWORK_SINCE, NETWORK_UNTIL,
	{ "sort", RPC_STRING, .choices = "bytes packets latency lost", .doc = "which come first" },
	{ "limit", RPC_INTEGER, .min = 1, .max = RPC_MAX_LIST, .doc = "at most so many; 50" },
	{ .name = NULL }
};

static const struct rpc_param network_changes_params[] = {
	NETWORK_HOST, NETWORK_SINCE, NETWORK_UNTIL,
	{ "limit", RPC_INTEGER, .min = 1, .max = RPC_MAX_LIST, .doc = "at most so many; 200" },
	{ .name = NULL }
};

static const struct rpc_param network_where_params[] = {
	{ "address", RPC_STRING, true, .doc = "a MAC or an IPv4 address" },
	NETWORK_HOST,
	{ .name = NULL }
};

static const struct rpc_param network_path_params[] = {
	{ "src", RPC_STRING, true, .doc = "a MAC or an IPv4 address" },
	{ "dst", RPC_STRING, true, .doc = "a MAC or an IPv4 address" },
	NETWORK_SINCE, NETWORK_UNTIL,
	{ .name = NULL }
};

static const struct rpc_param alert_silence_params[] = {
	{ "duration_ns", RPC_INTEGER, true, .min = 1, .max = INT64_MAX, .doc = "how long" },
	{ "rule", RPC_STRING, .doc = "alerts of this rule; of those below at least one" },
	{ "host", RPC_STRING, .doc = "alerts about this host" },
	{ "severity", RPC_STRING, .choices = SEVERITIES, .doc = "alerts of this severity" },
	{ "subject", RPC_STRING, .doc = "alerts about it" },
	{ "alert", RPC_STRING, .doc = "this alert alone, by its id" },
	{ "comment", RPC_STRING, .doc = "why, for people" },
	{ .name = NULL }
};

static const struct rpc_param alert_unsilence_params[] = {
	{ "id", RPC_STRING, true, .doc = "id of a silence" },
	{ .name = NULL }
};

static const struct rpc_param log_set_params[] = {
	{ "level", RPC_STRING, true, .choices = "error warning info debug", .doc = "how much is logged" },
	{ .name = NULL }
};

static const struct rpc_param watch_params[] = {
	{ "topic", RPC_STRING, true, .choices = TOPICS, .doc = "what to watch" },
	{ "filter", RPC_OBJECT, .doc = "only things whose members have these values" },
	{ "since", RPC_STRING, .doc = "a cursor: also what changed after it; absent: from now" },
	{ .name = NULL }
};

static const struct rpc_param unwatch_params[] = {
	{ "watch", RPC_INTEGER, true, .doc = "the number that watch gave" },
	{ .name = NULL }
};

static const struct rpc_param echo_params[] = {
	{ "data", RPC_ANY, .doc = "comes back" },
	{ .name = NULL }
};

#define SPAN_BEGIN { "since_ns", RPC_INTEGER, .doc = "begin of the span; absent: the last 5 s known" }
#define SPAN_END { "until_ns", RPC_INTEGER, .doc = "end of the span; absent: what is known last" }

static const struct rpc_param thread_list_params[] = {
	{ "host", RPC_STRING, true, .doc = "of this node" },
	SPAN_BEGIN,
	SPAN_END,
	{ "pid", RPC_INTEGER, .doc = "only threads of this process" },
	{ "tid", RPC_INTEGER, .doc = "only this thread" },
	LIMIT,
	{ .name = NULL }
};

static const struct rpc_param node_span_params[] = {
	{ "host", RPC_STRING, true, .doc = "of this node" },
	SPAN_BEGIN,
	SPAN_END,
	LIMIT,
	{ .name = NULL }
};

static const struct rpc_param top_params[] = {
	{ "host", RPC_STRING, .doc = "only this node" },
	SPAN_BEGIN,
	SPAN_END,
	LIMIT,
	{ .name = NULL }
};

static const struct rpc_param volume_chain_params[] = {
	{ "id", RPC_STRING, true, .doc = "a volume's id, or a part of a disk's path" },
	{ "host", RPC_STRING, .doc = "only where it is on this node" },
	SPAN_BEGIN,
	SPAN_END,
	{ .name = NULL }
};

const struct rpc_param rpc_watch_filter[] = {
	{ "id", RPC_STRING, .doc = "id" },
	{ "host", RPC_STRING, .doc = "host, source or destination" },
	{ "vm", RPC_STRING, .doc = "uuid or name of the VM" },
	{ "status", RPC_STRING, .choices = WATCH_STATUS, .doc = "status of a migration or flow" },
	{ "kind", RPC_STRING, .doc = "kind of a flow" },
	{ "state", RPC_STRING, .choices = ALERT_STATES, .doc = "state of an alert" },
	{ "severity", RPC_STRING, .choices = SEVERITIES, .doc = "severity of an alert" },
	{ "rule", RPC_STRING, .doc = "rule of an alert" },
	{ .name = NULL }
};

const struct rpc_method rpc_methods[METHOD_COUNT] = {
	[METHOD_STATUS] = { "status", RPC_RO, no_params, "status",
		"health, input, migrations in flight, firing alerts, sources that are not live" },
	[METHOD_MIGRATION_LIST] = { "migration.list", RPC_RO, migration_list_params, "[migration]",
		"live migrations, newest first, without samples" },
	[METHOD_MIGRATION_SHOW] = { "migration.show", RPC_RO, migration_show_params, "migration",
		"one live migration with its samples" },
	[METHOD_NODE_LIST] = { "node.list", RPC_RO, node_list_params, "[node]",
		"nodes, their sources and clocks" },
	[METHOD_ALERT_LIST] = { "alert.list", RPC_RO, alert_list_params, "[alert]",
		"alerts, newest first" },
	[METHOD_FLOW_LIST] = { "flow.list", RPC_RO, flow_list_params, "[flow]",
		"requests, newest first, without spans and budget" },
	[METHOD_FLOW_SHOW] = { "flow.show", RPC_RO, flow_show_params, "flow",
		"one request with its spans and time budget" },
	[METHOD_VM_LIST] = { "vm.list", RPC_RO, vm_list_params, "[vm]",
		"virtual machines by name, without history" },
	[METHOD_VM_SHOW] = { "vm.show", RPC_RO, vm_show_params, "vm",
		"one virtual machine with the history of its states and its requests" },
	[METHOD_SERVICE_LIST] = { "service.list", RPC_RO, service_list_params, "[service]",
		"services on their hosts: requests, errors, latencies by operation" },
	[METHOD_SERVICE_SHOW] = { "service.show", RPC_RO, service_show_params, "service",
		"one service with the histograms of its latencies" },
	[METHOD_VOLUME_LIST] = { "volume.list", RPC_RO, part_list_params, "[volume]",
		"volumes and where they are attached" },
	[METHOD_VOLUME_SHOW] = { "volume.show", RPC_RO, part_show_params, "volume",
		"one volume with its attachments and requests" },
	[METHOD_PORT_LIST] = { "port.list", RPC_RO, part_list_params, "[port]",
		"ports and where they are bound" },
	[METHOD_PORT_SHOW] = { "port.show", RPC_RO, part_show_params, "port",
		"one port with the steps of its binding and its requests" },
	[METHOD_FIND] = { "find", RPC_RO, find_params, "find",
		"things and requests that have this id or name in them" },
	[METHOD_COMPARE] = { "compare", RPC_RO, compare_params, "compare",
		"two requests or two live migrations side by side, or one and its peers" },
	[METHOD_NODE_DRAIN_STATUS] = { "node.drain_status", RPC_RO, drain_params, "drain",
		"migrations that leave a host, in order, with an estimate of when all have left" },
	[METHOD_WHY] = { "why", RPC_RO, why_params, "why",
		"why a request or migration failed or took so long: sentences with their evidence" },
	[METHOD_ALERT_SHOW] = { "alert.show", RPC_RO, alert_show_params, "alert",
		"one alert with what was found out about its subject" },
	[METHOD_NETWORK_BRIDGES] = { "network.bridges", RPC_RO, network_params, "[network-bridge]",
		"Open vSwitch bridges: their ports, rates, latencies" },
	[METHOD_NETWORK_PORTS] = { "network.ports", RPC_RO, network_params, "[network-port]",
		"ports of Open vSwitch: whose they are, rates, drops" },
	[METHOD_NETWORK_FLOWS] = { "network.flows", RPC_RO, network_flows_params, "[network-flow]",
		"conversations with most bytes, latency or loss" },
	[METHOD_NETWORK_LATENCY] = { "network.latency", RPC_RO, network_params,
		"[network-latency]", "latencies by component and path, drops, slowest packets" },
	[METHOD_NETWORK_UPCALLS] = { "network.upcalls", RPC_RO, network_params,
		"[network-upcalls]", "the datapath and ovs-vswitchd: upcalls, commands, storms" },
	[METHOD_NETWORK_CHANGES] = { "network.changes", RPC_RO, network_changes_params,
		"network-changes", "changes of ports and flows, by whom and why; addresses that moved" },
	[METHOD_NETWORK_WHERE] = { "network.where", RPC_RO, network_where_params, "[network-place]",
		"where an address is: host, port, VM; the likeliest first" },
	[METHOD_NETWORK_PATH] = { "network.path", RPC_RO, network_path_params, "network-path",
		"the way of packets from one address to another, with latency per hop" },
	[METHOD_NODE_SHOW] = { "node.show", RPC_RO, node_span_params, "node_show",
		"a node over a span: CPU by VM, who waited and for whom, disks, network" },
	[METHOD_DISK_LIST] = { "disk.list", RPC_RO, node_span_params, "[disk]",
		"a node's disks over a span: requests, latencies, whose, what is below" },
	[METHOD_NETWORK_SHOW] = { "network.show", RPC_RO, node_span_params, "network",
		"a node's interfaces and TCP connections over a span" },
	[METHOD_TOP] = { "top", RPC_RO, top_params, "[top]",
		"VMs and processes that use or want most CPU, on all nodes or one" },
	[METHOD_VOLUME_CHAIN] = { "volume.chain", RPC_RO, volume_chain_params, "chain",
		"from a volume down to the disks that hold it, with latencies" },
	[METHOD_THREAD_LIST] = { "thread.list", RPC_RO, thread_list_params, "[thread]",
		"how long threads ran, waited for a CPU and were blocked" },
	[METHOD_ALERT_RULES] = { "alert.rules", RPC_RO, no_params, "[rule]",
		"the rules that raise alerts, with how many fire" },
	[METHOD_ALERT_SILENCES] = { "alert.silences", RPC_RO, no_params, "[silence]",
		"alerts that nobody is told of for a while" },
	[METHOD_ALERT_SILENCE] = { "alert.silence", RPC_RW, alert_silence_params, "silence",
		"nobody is told of alerts with all of these members for so long" },
	[METHOD_ALERT_UNSILENCE] = { "alert.unsilence", RPC_RW, alert_unsilence_params, "",
		"ends a silence" },
	[METHOD_LOG_SET] = { "log.set", RPC_RW, log_set_params, "",
		"how much the daemon logs, until it starts again or reads its configuration" },
	[METHOD_COUNTERS] = { "counters", RPC_RO, no_params, "",
		"the daemon's counters by scope" },
	[METHOD_WATCH] = { "watch", RPC_RO, watch_params, "watch",
		"starts notifications \"update\" of what changes" },
	[METHOD_UNWATCH] = { "unwatch", RPC_RO, unwatch_params, "",
		"ends them" },
	[METHOD_DESCRIBE] = { "describe", RPC_RO, no_params, "describe",
		"this table" },
	[METHOD_ECHO] = { "echo", RPC_RO, echo_params, "",
		"gives its data back: is the daemon alive?" },
};

static const char *const type_names[] = {
	[RPC_STRING] = "string",
	[RPC_INTEGER] = "integer",
	[RPC_OBJECT] = "object",
	[RPC_ANY] = "any",
};

const struct rpc_method *
rpc_method_find(const char *name)
{
	for (unsigned i = 0; i < METHOD_COUNT; i++)
		if (streq(rpc_methods[i].name, name))
			return &rpc_methods[i];
	return NULL;
}

const struct rpc_param *
rpc_param_find(const struct rpc_param *params, const char *name)
{
	for (; params->name; params++)
		if (streq(params->name, name))
			return params;
	return NULL;
}

bool
rpc_is_choice(const char *choices, const char *word)
{
	size_t length = strlen(word);

	for (const char *c = choices; *c; c += strspn(c, " ")) {
		size_t n = strcspn(c, " ");

		if (n == length && !memcmp(c, word, n))
			return true;
		c += n;
	}
	return false;
}

static bool
has_type(enum rpc_type type, const json_t *value)
{
	switch (type) {
	case RPC_STRING:
		return json_is_string(value);
	case RPC_INTEGER:
		return json_is_integer(value);
	case RPC_OBJECT:
		return json_is_object(value);
	case RPC_ANY:
		return true;
	}
	return false;
}

static int
check_value(const struct rpc_param *param, const json_t *value, struct rpc_error *error)
{
	json_int_t number = json_integer_value(value);

	if (!has_type(param->type, value))
		return rpc_error_set(error, RPC_INVALID_PARAMS, param->name, param->doc,
				     "Parameter \"%s\" must be of type %s", param->name,
				     type_names[param->type]);
	if (param->type == RPC_INTEGER &&
	    (number < param->min || (param->max && number > param->max)))
		return rpc_error_set(error, RPC_INVALID_PARAMS, param->name, param->doc,
				     "Parameter \"%s\" is out of range: %" JSON_INTEGER_FORMAT,
				     param->name, number);
	if (param->type == RPC_STRING && json_string_length(value) > RPC_MAX_STRING)
		return rpc_error_set(error, RPC_INVALID_PARAMS, param->name, NULL,
				     "Parameter \"%s\" is longer than %d bytes", param->name,
				     RPC_MAX_STRING);
	if (param->choices && !rpc_is_choice(param->choices, json_string_value(value)))
		return rpc_error_set(error, RPC_INVALID_PARAMS, param->name, NULL,
				     "Parameter \"%s\" must be one of: %s", param->name,
				     param->choices);
	return 0;
}

/* The names of all parameters, for a hint. */
static void
list_names(const struct rpc_param *params, struct buf *ret)
{
	buf_add_string(ret, params->name ? "known are" : "it takes none");
	for (; params->name; params++)
		buf_printf(ret, " %s", params->name);
}

int
rpc_check_params(const struct rpc_param *params, const json_t *values, struct rpc_error *error)
{
	_cleanup_(buf_done) struct buf names = { 0 };
	const struct rpc_param *param;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *) values, key, value) {
		param = rpc_param_find(params, key);
		if (!param) {
			list_names(params, &names);
			return rpc_error_set(error, RPC_INVALID_PARAMS, key, names.data,
					     "Unknown parameter \"%.60s\"", key);
		}
		/* Absent and null are the same. */
		if (!json_is_null(value) && check_value(param, value, error))
			return -EPROTO;
	}
	for (param = params; param->name; param++) {
		value = json_object_get(values, param->name);
		if (param->mandatory && (!value || json_is_null(value)))
			return rpc_error_set(error, RPC_INVALID_PARAMS, param->name, param->doc,
					     "Parameter \"%s\" is missing", param->name);
	}
	return 0;
}

static json_t *
describe_params(const struct rpc_param *params)
{
	json_t *list = json_array();

	for (; params->name; params++) {
		json_t *one = json_pack("{s:s, s:s, s:b, s:s}", "name", params->name, "type",
					type_names[params->type], "mandatory", params->mandatory,
					"doc", params->doc);

		if (params->choices)
			json_object_set_new(one, "choices", json_string(params->choices));
		json_array_append_new(list, one);
	}
	return list;
}

json_t *
rpc_describe(void)
{
	json_t *methods = json_array();

	for (unsigned i = 0; i < METHOD_COUNT; i++) {
		const struct rpc_method *method = &rpc_methods[i];

		json_array_append_new(methods, json_pack(
			"{s:s, s:s, s:s, s:s, s:o}", "name", method->name, "access",
			method->access == RPC_RO ? "ro" : "rw", "doc", method->doc, "result",
			method->result, "params", describe_params(method->params)));
	}
	return json_pack("{s:i, s:o, s:o}", "protocol", RPC_PROTOCOL, "methods", methods, "filter",
			 describe_params(rpc_watch_filter));
}
