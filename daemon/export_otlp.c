/* SPDX-License-Identifier: MIT */
#include "daemon/export_otlp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store.h"
#include "lib/util.h"
#include "proto/trace.h"

/* Of the semantic conventions where they have a name, else our own. */
static const struct {
	const char *name, *key;
} keys[] = {
	{ "pid", "process.pid" }, { "http_status", "http.response.status_code" },
	{ "method", "http.request.method" }, { "path", "url.path" }, { "client", "client.address" },
	{ "exception", "error.type" }, { "request_id", "openstack.request_id" },
	{ "global_request_id", "openstack.global_request_id" }, { "instance", "openstack.server.id" },
	{ "project", "openstack.project.id" }, { "user", "openstack.user.id" },
	{ "volume", "openstack.volume.id" }, { "port", "openstack.port.id" },
	{ "network", "openstack.network.id" },
};

enum span_kind { KIND_INTERNAL = 1, KIND_SERVER, KIND_CLIENT, KIND_PRODUCER, KIND_CONSUMER };

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* 64-bit integers are decimal strings in protobuf's JSON. */
static json_t *
number_text(json_int_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, number);
	return json_string(text);
}

static json_t *
value_json(const json_t *value)
{
	char *text;
	json_t *any;

	if (json_is_integer(value))
		return json_pack("{s:o}", "intValue", number_text(json_integer_value(value)));
	if (json_is_real(value))
		return json_pack("{s:f}", "doubleValue", json_real_value(value));
	if (json_is_boolean(value))
		return json_pack("{s:b}", "boolValue", json_is_true(value));
	if (json_is_string(value))
		return json_pack("{s:O}", "stringValue", value);
	text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
	any = json_pack("{s:s}", "stringValue", text ? text : "");
	free(text);
	return any;
}

static void
add_attribute(json_t *list, const char *key, json_t *value)
{
	json_array_append_new(list, json_pack("{s:s, s:o}", "key", key, "value", value));
}

static void
add_attributes(json_t *list, const json_t *attributes)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *) (uintptr_t) attributes, name, value) {
		_cleanup_(freep) char *own = xasprintf("cloudtraced.%s", name);
		const char *key = own;

		if (json_is_null(value))
			continue;
		if (streq(name, "error") && json_is_object(value)) {
			add_attributes(list, value);
			continue;
		}
		for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
			if (streq(keys[i].name, name))
				key = keys[i].key;
		add_attribute(list, key, value_json(value));
	}
}

static enum span_kind
kind_of(const json_t *span)
{
	const json_t *attributes = json_object_get(span, "attributes");
	const char *what = text_of(attributes, "what"), *name = text_of(span, "name");

	if (json_object_get(attributes, "http_status"))
		return KIND_SERVER;
	if (streq(what, "call"))
		return KIND_CLIENT;
	if (streq(what, "cast") || streq(what, "fanout"))
		return KIND_PRODUCER;
	return starts_with(name, "serve ") ? KIND_CONSUMER : KIND_INTERNAL;
}

static json_t *
status_json(const json_t *span)
{
	const json_t *error = json_object_get(json_object_get(span, "attributes"), "error");
	const char *status = text_of(span, "status");
	bool failed = streq(status, "error") || streq(status, "failed") || streq(status, "timeout");

	if (!failed)
		return json_object();
	return json_pack("{s:i, s:s}", "code", 2, "message", text_of(error, "message"));
}

static json_t *
span_json(const json_t *span, const char *trace)
{
	char id[SPAN_ID_SIZE], parent[SPAN_ID_SIZE] = "";
	json_t *attributes = json_array();

	trace_span_id(text_of(span, "id"), id);
	if (*text_of(span, "parent"))
		trace_span_id(text_of(span, "parent"), parent);
	add_attributes(attributes, json_object_get(span, "attributes"));
	add_attribute(attributes, "cloudtraced.layer", json_pack("{s:s}", "stringValue",
								 text_of(span, "layer")));
	if (*text_of(span, "status"))
		add_attribute(attributes, "cloudtraced.status",
			      json_pack("{s:s}", "stringValue", text_of(span, "status")));
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o}", "traceId", trace, "spanId", id,
			 "parentSpanId", parent, "name", text_of(span, "name"), "kind",
			 (int) kind_of(span), "startTimeUnixNano",
			 number_text((json_int_t) trace_start(span)), "endTimeUnixNano",
			 number_text((json_int_t) trace_end(span)), "attributes", attributes, "status",
			 status_json(span));
}

/* The list of spans of the resource that does this span; made if it is new. */
static json_t *
resource_of(json_t *resources, json_t *by_name, const json_t *span)
{
	const char *service = text_of(span, "service"), *host = text_of(span, "host");
	_cleanup_(freep) char *instance = xasprintf("%s@%s", *service ? service : "unknown", host);
	json_t *spans = json_object_get(by_name, instance), *attributes;

	if (spans)
		return spans;
	spans = json_array();
	attributes = json_array();
	add_attribute(attributes, "service.name", json_pack("{s:s}", "stringValue",
							    *service ? service : "unknown"));
	add_attribute(attributes, "service.instance.id", json_pack("{s:s}", "stringValue", instance));
	if (*host)
		add_attribute(attributes, "host.name", json_pack("{s:s}", "stringValue", host));
	json_array_append_new(resources, json_pack(
		"{s:{s:o}, s:[{s:{s:s, s:s}, s:O}]}", "resource", "attributes", attributes, "scopeSpans",
		"scope", "name", "cloudtraced", "version", PACKAGE_VERSION, "spans", spans));
	json_object_set_new(by_name, instance, spans);
	return spans;
}

static int
add_bytes(const char *bytes, size_t size, void *out)
{
	buf_add(out, bytes, size);
	return 0;
}

void
export_otlp(const json_t *records, struct buf *out)
{
	json_t *resources = json_array(), *by_name = json_object(), *record, *request;
	size_t i, k;

	json_array_foreach((json_t *) (uintptr_t) records, i, record) {
		const char *given = text_of(record, "trace_id"), *asked = text_of(record, "request_id");
		json_t *spans = trace_spans(record), *span;
		char trace[TRACE_ID_SIZE];

		trace_id(*given ? given : *asked ? asked : text_of(record, "id"), trace);
		json_array_foreach(spans, k, span)
			json_array_append_new(resource_of(resources, by_name, span),
					      span_json(span, trace));
		json_decref(spans);
	}
	request = json_pack("{s:o}", "resourceSpans", resources);
	json_dump_callback(request, add_bytes, out, JSON_COMPACT);
	json_decref(request);
	json_decref(by_name);
}
