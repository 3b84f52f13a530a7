/* SPDX-License-Identifier: MIT */
#include "proto/rpc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int code;
} kinds[RPC_KIND_COUNT] = {
	[RPC_PARSE]           = { "parse", -32700 },
	[RPC_INVALID_REQUEST] = { "invalid-request", -32600 },
	[RPC_UNKNOWN_METHOD]  = { "unknown-method", -32601 },
	[RPC_INVALID_PARAMS]  = { "invalid-params", -32602 },
	[RPC_INTERNAL]        = { "internal", -32603 },
	[RPC_NOT_FOUND]       = { "not-found", -32001 },
	[RPC_NOT_UNIQUE]      = { "not-unique", -32002 },
	[RPC_DENIED]          = { "denied", -32003 },
	[RPC_BUSY]            = { "busy", -32004 },
	[RPC_TOO_LARGE]       = { "too-large", -32005 },
};

int
rpc_error_set(struct rpc_error *error, enum rpc_kind kind, const char *param, const char *hint,
	      const char *format, ...)
{
	va_list args;

	error->kind = kind;
	snprintf(error->param, sizeof error->param, "%s", param ? param : "");
	snprintf(error->hint, sizeof error->hint, "%s", hint ? hint : "");
	va_start(args, format);
	vsnprintf(error->text, sizeof error->text, format, args);
	va_end(args);
	return -EPROTO;
}

/* The id may be given back in a reply of ours, so it is kept small. */
static bool
is_id(const json_t *id)
{
	return json_is_integer(id) || json_is_null(id) ||
	       (json_is_string(id) && json_string_length(id) <= RPC_MAX_ID);
}

static int
check_members(const json_t *root, struct rpc_error *error)
{
	static const char *const known[] = { "jsonrpc", "id", "method", "params" };
	const char *key;
	json_t *value;

	/* json_object_foreach() wants a non-const object, but reads only. */
	json_object_foreach((json_t *) root, key, value) {
		unsigned i = 0;

		while (i < ARRAY_SIZE(known) && !streq(key, known[i]))
			i++;
		if (i == ARRAY_SIZE(known))
			return rpc_error_set(error, RPC_INVALID_REQUEST, NULL,
					     "known are jsonrpc, id, method, params",
					     "Unknown member of a request: \"%.60s\"", key);
	}
	return 0;
}

int
rpc_request_parse(const char *line, size_t size, struct rpc_request *ret, struct rpc_error *error)
{
	const char *version;
	json_error_t at;
	json_t *root;

	*ret = (struct rpc_request) { 0 };
	root = json_loadb(line, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &at);
	if (!root)
		return rpc_error_set(error, RPC_PARSE, NULL, "one JSON object per line, in UTF-8",
				     "No JSON: %s at byte %d", at.text, at.position);
	ret->root = root;
	if (json_is_array(root))
		return rpc_error_set(error, RPC_INVALID_REQUEST, NULL,
				     "send one request per line instead", "Batches are not taken");
	if (!json_is_object(root))
		return rpc_error_set(error, RPC_INVALID_REQUEST, NULL, NULL,
				     "A request is a JSON object");
	ret->id = json_object_get(root, "id");
	if (ret->id && !is_id(ret->id)) {
		ret->id = NULL;
		return rpc_error_set(error, RPC_INVALID_REQUEST, "id", NULL,
				     "An id is an integer or a string of at most %d bytes",
				     RPC_MAX_ID);
	}
	if (check_members(root, error))
		return -EPROTO;
	version = json_string_value(json_object_get(root, "jsonrpc"));
	if (!version || !streq(version, "2.0"))
		return rpc_error_set(error, RPC_INVALID_REQUEST, "jsonrpc", NULL,
				     "\"jsonrpc\" must be \"2.0\"");
	ret->method = json_string_value(json_object_get(root, "method"));
	if (!ret->method)
		return rpc_error_set(error, RPC_INVALID_REQUEST, "method", NULL,
				     "\"method\" must be a string");
	ret->params = json_object_get(root, "params");
	if (ret->params && !json_is_object(ret->params))
		return rpc_error_set(error, RPC_INVALID_PARAMS, NULL, "parameters go by name",
				     "\"params\" must be an object");
	return 0;
}

void
rpc_request_done(struct rpc_request *request)
{
	json_decref(request->root);
	*request = (struct rpc_request) { 0 };
}

json_t *
rpc_request_new(json_int_t id, const char *method, json_t *params)
{
	return json_pack("{s:s, s:I, s:s, s:o*}", "jsonrpc", "2.0", "id", id, "method", method,
			 "params", params);
}

/* A reply with its id; the copy keeps the request's own value untouched. */
static json_t *
reply_new(const json_t *id)
{
	json_t *reply = json_pack("{s:s}", "jsonrpc", "2.0");

	json_object_set_new(reply, "id", id ? json_copy((json_t *) id) : json_null());
	return reply;
}

json_t *
rpc_result_new(const json_t *id, json_t *result)
{
	json_t *reply = reply_new(id);

	json_object_set_new(reply, "result", result);
	return reply;
}

json_t *
rpc_error_new(const json_t *id, const struct rpc_error *error)
{
	json_t *reply = reply_new(id), *data = json_object(), *body = json_object();
	struct buf text = { 0 };

	json_object_set_new(data, "kind", json_string(kinds[error->kind].name));
	if (error->param[0])
		json_object_set_new(data, "param", json_string(error->param));
	if (error->hint[0])
		json_object_set_new(data, "hint", json_string(error->hint));
	json_object_set_new(body, "code", json_integer(kinds[error->kind].code));
	/* A text may quote bytes from outside, or end within a character. */
	buf_add_json_string(&text, error->text, strlen(error->text));
	json_object_set_new(body, "message", json_loadb(text.data, text.size, JSON_DECODE_ANY, NULL));
	buf_done(&text);
	json_object_set_new(body, "data", data);
	json_object_set_new(reply, "error", body);
	return reply;
}

json_t *
rpc_notification_new(const char *method, json_t *params)
{
	return json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method, "params", params);
}

json_t *
rpc_hello_new(const char *version, bool read_only, const struct rpc_limits *limits)
{
	json_t *params = json_pack(
		"{s:s, s:s, s:i, s:[s], s:s, s:s, s:{s:I, s:I, s:I, s:I}}",
		"server", "cloudtraced", "version", version, "protocol", RPC_PROTOCOL,
		"features", "watch", "auth", "peer", "access", read_only ? "ro" : "rw",
		"limits", "line", (json_int_t) limits->line, "reply", (json_int_t) limits->reply,
		"inflight", (json_int_t) limits->in_flight, "watches", (json_int_t) limits->watches);

	return rpc_notification_new("hello", params);
}

struct encoding {
	struct buf *line;
	size_t end;    /* Largest size of 'line', newline included. */
};

static int
add_encoded(const char *bytes, size_t size, void *data)
{
	struct encoding *encoding = data;

	if (size >= encoding->end - encoding->line->size)
		return -1;
	buf_add(encoding->line, bytes, size);
	return 0;
}

int
rpc_encode(const json_t *message, size_t max, struct buf *line)
{
	size_t before = line->size;
	struct encoding encoding = { .line = line, .end = before + max };

	if (json_dump_callback(message, add_encoded, &encoding, JSON_COMPACT)) {
		line->size = before;
		if (line->data)
			line->data[before] = '\0';
		return -EMSGSIZE;
	}
	buf_add_char(line, '\n');
	return 0;
}
