/* SPDX-License-Identifier: MIT
 *
 * flow_record.c -- a flow as lists show it (proto/schemas/flow.json).  The name
 * of its VM is filled in by whoever answers: it may get known later. */
#include <string.h>

#include "daemon/flow_private.h"
#include "lib/util.h"

static json_t *
ns_json(uint64_t ns)
{
	return ns ? json_integer((json_int_t) ns) : json_null();
}

/* The first of the request's own lines that has it. */
static const char *
any_text(const struct flow *flow, const char *attribute)
{
	const char *text = flow_text(flow->root, attribute);

	for (size_t i = 0; i < flow->n && !text; i++)
		if (flow->facts[i]->surely && streq(flow->facts[i]->request_id, flow->id))
			text = flow_text(flow->facts[i], attribute);
	return text;
}

static json_t *
resource_json(const struct flow *flow)
{
	const char *type = flow_text(flow->root, "resource_type");
	const char *id = flow_text(flow->root, "resource_id");

	if (type && !id)
		id = streq(type, "server") ? flow_first(flow->instances) :
		     streq(type, "volume") ? flow_first(flow->volumes) :
		     streq(type, "port") ? flow_first(flow->ports) : NULL;
	if (!type && !id)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "type", flow_text_json(type), "id", flow_text_json(id), "name",
			 flow_text_json(flow_text(flow->root, "resource_name")));
}

static json_t *
vm_json(const struct flow *flow)
{
	const char *uuid = flow_first(flow->instances);

	return uuid ? json_pack("{s:o, s:n}", "uuid", flow_text_json(uuid), "name") : json_null();
}

static void
set_hosts(const struct flow *flow, json_t *record)
{
	static const char *const ends[] = { "source", "destination" };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		const char *host = flow_text(flow->told, ends[i]);

		if (!host)
			host = json_string_value(json_object_get(flow->record, ends[i]));
		json_object_set_new(record, ends[i], flow_text_json(host));
	}
}

json_t *
flow_record(const struct flow *flow)
{
	const struct flow_fact *root = flow->root;
	uint64_t api_ns = root->end_ns ? root->end_ns - MIN(root->end_ns, flow_began(root)) : 0;
	json_t *record = json_object();

	json_object_set_new(record, "id", flow_text_json(flow->id));
	json_object_set_new(record, "kind", flow_text_json(flow->kind_name));
	json_object_set_new(record, "request_id", flow_text_json(flow->id));
	json_object_set_new(record, "status", flow_text_json(flow->status));
	json_object_set_new(record, "start_ns", json_integer((json_int_t) flow->start_ns));
	json_object_set_new(record, "end_ns", ns_json(flow->end_ns));
	json_object_set_new(record, "total_ns", flow->end_ns ?
			    json_integer((json_int_t) (flow->end_ns - flow->start_ns)) :
			    json_null());
	json_object_set_new(record, "vm", vm_json(flow));
	json_object_set_new(record, "volume", flow_text_json(flow_first(flow->volumes)));
	json_object_set_new(record, "port", flow_text_json(flow_first(flow->ports)));
	json_object_set_new(record, "resource", resource_json(flow));
	json_object_set_new(record, "user", flow_text_json(any_text(flow, "user")));
	json_object_set_new(record, "project", flow_text_json(any_text(flow, "project")));
	json_object_set_new(record, "host", flow_text_json(root->host));
	set_hosts(flow, record);
	json_object_set_new(record, "method", flow_text_json(flow_text(root, "method")));
	json_object_set_new(record, "path", flow_text_json(flow_text(root, "path")));
	json_object_set_new(record, "http_status",
			    ns_json(flow_number(root->attributes, "http_status")));
	json_object_set_new(record, "api_ns", ns_json(api_ns));
	json_object_set_new(record, "migration", flow_text_json(json_string_value(
			    json_object_get(flow->record, "id"))));
	json_object_set_new(record, "error", flow->error ? json_incref(flow->error) :
			    json_null());
	if (any_text(flow, "trace_id"))
		json_object_set_new(record, "trace_id", flow_text_json(any_text(flow, "trace_id")));
	json_object_set_new(record, "findings", json_incref(flow->findings));
	return record;
}
