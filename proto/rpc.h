/* SPDX-License-Identifier: MIT
 *
 * rpc.h -- JSON-RPC 2.0 messages of cloudtraced-protocol(7): building and
 * checking, without I/O.  methods.h has the methods, line.h the framing. */
#ifndef PROTO_RPC_H
#define PROTO_RPC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"
#include "lib/error.h"

enum {
	RPC_PROTOCOL = 1,         /* Rises when something old stops working. */
	RPC_MAX_LINE = 1 << 20,   /* Bytes of a request. */
	RPC_MAX_REPLY = 16 << 20, /* Bytes of a reply or notification. */
	RPC_MAX_ID = 256,         /* Bytes of a request's id when it is a string. */
};

/* What went wrong, for programs: names and codes are part of the protocol. */
enum rpc_kind {
	RPC_PARSE,
	RPC_INVALID_REQUEST,
	RPC_UNKNOWN_METHOD,
	RPC_INVALID_PARAMS,
	RPC_INTERNAL,
	RPC_NOT_FOUND,
	RPC_NOT_UNIQUE,
	RPC_DENIED,
	RPC_BUSY,
	RPC_TOO_LARGE,
	RPC_KIND_COUNT
};

struct rpc_error {
	enum rpc_kind kind;
	char text[512];   /* For people. */
	char param[64];   /* Which parameter, or "". */
	char hint[256];   /* What to do, or "". */
};

/* Fills 'error' and returns -EPROTO. */
int rpc_error_set(struct rpc_error *error, enum rpc_kind kind, const char *param,
		  const char *hint, const char *format, ...) _printf_(5, 6);

struct rpc_request {
	json_t *root;         /* Owns the rest. */
	const json_t *id;     /* Borrowed; NULL in a notification. */
	const char *method;   /* Borrowed. */
	const json_t *params; /* Borrowed object, or NULL. */
};

/* Checks and takes apart one line of a client.  On failure 'ret->id' is still
 * set when it could be read.  Returns 0 or -EPROTO; rpc_request_done() always. */
int rpc_request_parse(const char *line, size_t size, struct rpc_request *ret,
		      struct rpc_error *error);
void rpc_request_done(struct rpc_request *request);

/* Builders; a new reference each.  'params' and 'result' are taken over, 'id'
 * is borrowed (NULL: null). */
json_t *rpc_request_new(json_int_t id, const char *method, json_t *params);
json_t *rpc_result_new(const json_t *id, json_t *result);
json_t *rpc_error_new(const json_t *id, const struct rpc_error *error);
json_t *rpc_notification_new(const char *method, json_t *params);

struct rpc_limits {
	size_t line, reply;
	unsigned in_flight, watches;
};

/* The greeting; 'read_only' tells which socket it is. */
json_t *rpc_hello_new(const char *version, bool read_only, const struct rpc_limits *limits);

/* Adds 'message' as one line.  Returns 0, or -EMSGSIZE with 'line' as it was
 * when the message takes more than 'max' bytes. */
int rpc_encode(const json_t *message, size_t max, struct buf *line);

#endif /* rpc.h */
