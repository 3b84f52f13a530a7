/* SPDX-License-Identifier: MIT
 *
 * methods.h -- the methods of the protocol as one const table: the daemon
 * dispatches and checks by it, "describe" prints it, the client reads from it
 * which filters a command takes. */
#ifndef PROTO_METHODS_H
#define PROTO_METHODS_H

#include <jansson.h>
#include <stdbool.h>

#include "proto/rpc.h"

enum rpc_method_id {
	METHOD_STATUS,
	METHOD_MIGRATION_LIST,
	METHOD_MIGRATION_SHOW,
	METHOD_NODE_LIST,
	METHOD_ALERT_LIST,
	METHOD_FLOW_LIST,
	METHOD_FLOW_SHOW,
	METHOD_VM_LIST,
	METHOD_VM_SHOW,
	METHOD_SERVICE_LIST,
	METHOD_SERVICE_SHOW,
	METHOD_VOLUME_LIST,
	METHOD_VOLUME_SHOW,
	METHOD_PORT_LIST,
	METHOD_PORT_SHOW,
	METHOD_FIND,
	METHOD_COMPARE,
	METHOD_NODE_DRAIN_STATUS,
	METHOD_WHY,
	METHOD_ALERT_SHOW,
	METHOD_NETWORK_BRIDGES,
	METHOD_NETWORK_PORTS,
	METHOD_NETWORK_FLOWS,
	METHOD_NETWORK_LATENCY,
	METHOD_NETWORK_UPCALLS,
	METHOD_NETWORK_CHANGES,
	METHOD_NETWORK_WHERE,
	METHOD_NETWORK_PATH,
	METHOD_NODE_SHOW,
	METHOD_DISK_LIST,
	METHOD_NETWORK_SHOW,
	METHOD_TOP,
	METHOD_VOLUME_CHAIN,
	METHOD_THREAD_LIST,
	METHOD_ALERT_RULES,
	METHOD_ALERT_SILENCES,
	METHOD_ALERT_SILENCE,
	METHOD_ALERT_UNSILENCE,
	METHOD_LOG_SET,
	METHOD_COUNTERS,
	METHOD_WATCH,
	METHOD_UNWATCH,
	METHOD_DESCRIBE,
	METHOD_ECHO,
	METHOD_COUNT
};

enum rpc_type { RPC_STRING, RPC_INTEGER, RPC_OBJECT, RPC_ANY };
enum rpc_access { RPC_RO, RPC_RW };

enum { RPC_MAX_STRING = 1024, RPC_MAX_LIST = 10000 };

struct rpc_param {
	const char *name;
	enum rpc_type type;
	bool mandatory;
	const char *choices;     /* Words with blanks between, or NULL: any. */
	json_int_t min, max;     /* Of integers; both 0: not negative. */
	const char *doc;
};

struct rpc_method {
	const char *name;
	enum rpc_access access;
	const struct rpc_param *params;   /* Ended by a NULL name. */
	const char *result;               /* Schema of the result, "[x]": array of x; or "". */
	const char *doc;
};

extern const struct rpc_method rpc_methods[METHOD_COUNT];
/* What "filter" of watch may hold. */
extern const struct rpc_param rpc_watch_filter[];

/* NULL when there is none of that name. */
const struct rpc_method *rpc_method_find(const char *name);
/* NULL when 'params' (ended by a NULL name) has none of that name. */
const struct rpc_param *rpc_param_find(const struct rpc_param *params, const char *name);
/* Whether 'word' is one of 'choices'. */
bool rpc_is_choice(const char *choices, const char *word);
/* Checks names, types and values; 'values' may be NULL.  Returns 0 or -EPROTO. */
int rpc_check_params(const struct rpc_param *params, const json_t *values,
		     struct rpc_error *error);
/* The result of "describe"; a new reference. */
json_t *rpc_describe(void);

#endif /* methods.h */
