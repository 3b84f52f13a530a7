/* SPDX-License-Identifier: MIT
 *
 * flow_datapath.c -- what a request did to Open vSwitch: ports of the datapath that
 * came or went while it ran, known by their interface's name, which Neutron makes
 * of three letters and the beginning of the port's id (flow.h). */
#include <string.h>

#include "daemon/flow_private.h"
#include "lib/util.h"

enum { MAX_CHANGES = 1000, PREFIX_LENGTH = 3, ID_LENGTH = 11 };

/* The Neutron port of the flow whose interface has that name, or NULL. */
static const char *
port_of(const struct flow *flow, const char *name)
{
	const char *id;
	json_t *unused;

	if (!name || strlen(name) != PREFIX_LENGTH + ID_LENGTH)
		return NULL;
	json_object_foreach(flow->ports, id, unused)
		if (!strncmp(id, name + PREFIX_LENGTH, ID_LENGTH))
			return id;
	return NULL;
}

/* The last step about the port that began before, else the request itself. */
static const struct flow_fact *
asked_by(const struct flow *flow, const char *port, uint64_t t_ns)
{
	const struct flow_fact *found = flow->root;

	for (size_t i = 0; i < flow->n; i++) {
		const struct flow_fact *fact = flow->facts[i];
		const char *about = fact->family == FAMILY_STEP ? flow_text(fact, "port") : NULL;

		if (about && streq(about, port) && fact->start_ns <= t_ns)
			found = fact;
	}
	return found;
}

static json_t *
change_span(const struct flow *flow, const json_t *change, const char *port)
{
	const json_t *attributes = json_object_get(change, "attributes");
	const uint64_t end_ns = flow_moved_of(flow, flow_member(change, "host"),
					      flow_number(change, "start_ns"));
	const uint64_t took_ns = flow_number(attributes, "took_ns");
	const bool failed = json_integer_value(json_object_get(attributes, "ret")) < 0;
	json_t *known = json_copy((json_t *) (uintptr_t) attributes);

	json_object_set_new(known, "port", json_string(port));
	return json_pack("{s:o, s:o, s:s, s:s, s:o, s:o, s:I, s:I, s:s, s:s, s:{s:s, s:o}, s:o}", "id",
			 flow_text_json(flow_member(change, "id")), "parent",
			 flow_text_json(asked_by(flow, port, end_ns)->id), "layer", "virtualization",
			 "service", "openvswitch", "host", flow_text_json(flow_member(change, "host")),
			 "name", flow_text_json(flow_member(attributes, "op")), "start_ns",
			 (json_int_t) (end_ns - MIN(end_ns, took_ns)), "end_ns", (json_int_t) end_ns,
			 "status", failed ? "error" : "ok", "joined_by", "port",
			 "evidence", "port", port, "ifname", flow_text_json(flow_member(known, "name")),
			 "attributes", known);
}

void
flow_datapath(const struct flow *flow, json_t *spans)
{
	const uint64_t to_ns = flow->end_ns ? flow->end_ns : UINT64_MAX;
	json_t *changes, *change;
	size_t i;

	if (!json_object_size(flow->ports) || !flow->root)
		return;
	changes = store_facts_of_kind(flow->store, "ovs.change", NULL, flow->start_ns,
				      flow->end_ns, MAX_CHANGES, NULL);
	json_array_foreach(changes, i, change) {
		const uint64_t t_ns = flow_number(change, "start_ns");
		const char *port = port_of(flow, flow_member(json_object_get(change, "attributes"),
							     "name"));

		if (port && t_ns >= flow->start_ns && t_ns <= to_ns)
			json_array_append_new(spans, change_span(flow, change, port));
	}
	json_decref(changes);
}
