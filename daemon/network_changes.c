/* SPDX-License-Identifier: MIT
 *
 * network_changes.c -- what changed in the datapath and who did it: ports and
 * datapaths one by one, flows as counts, addresses that moved; and which operation
 * of Neutron on the port came before. */
#include <stdlib.h>
#include <string.h>

#include "daemon/members.h"
#include "daemon/network.h"
#include "lib/util.h"

enum { DEFAULT_CHANGES = 200 };
/* An operation of Neutron that began so long before a change, by another node's
 * clock, may have asked for it. */
#define ASKED_BEFORE_NS (120 * NS_PER_S)
#define CLOCKS_APART_NS (2 * NS_PER_S)

/* The last operation on the port that began before the change. */
static void
set_step(struct store *store, json_t *change, const char *port_id, uint64_t t_ns)
{
	json_t *steps = port_id ? store_facts_naming_in(
		store, port_id, "neutron.step", t_ns - MIN(t_ns, ASKED_BEFORE_NS),
		t_ns + CLOCKS_APART_NS, NULL) : NULL;
	json_t *step = json_array_get(steps, json_array_size(steps) - MIN(json_array_size(steps),
									  (size_t) 1));
	const json_t *attributes = json_object_get(step, "attributes");

	copy_member(change, "request_id", attributes, "request_id");
	if (step) {
		json_t *short_step = json_object();

		copy_member(short_step, "name", attributes, "name");
		copy_member(short_step, "service", attributes, "service");
		copy_member(short_step, "host", step, "host");
		copy_member(short_step, "start_ns", step, "start_ns");
		copy_member(short_step, "end_ns", step, "end_ns");
		copy_member(short_step, "status", step, "status");
		json_object_set_new(change, "step", short_step);
	} else {
		json_object_set_new(change, "step", json_null());
	}
	json_decref(steps);
}

static json_t *
change_json(struct store *store, const json_t *fact)
{
	static const char *const members[] = { "op", "name", "comm", "tid", "ret", "took_ns" };
	const json_t *attributes = json_object_get(fact, "attributes");
	const char *name = json_string_value(json_object_get(attributes, "name"));
	json_t *port = name ? network_neutron_port(store, name) : NULL, *change = json_object();

	copy_member(change, "id", fact, "id");
	copy_member(change, "t_ns", fact, "start_ns");
	copy_member(change, "host", fact, "host");
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		copy_member(change, members[i], attributes, members[i]);
	copy_member(change, "port_id", port, "id");
	copy_member(change, "vm", port, "vm");
	set_step(store, change, json_string_value(json_object_get(port, "id")), (uint64_t)
		 json_integer_value(json_object_get(fact, "start_ns")));
	json_decref(port);
	return change;
}

static json_t *
move_json(const json_t *fact)
{
	const json_t *attributes = json_object_get(fact, "attributes");
	const json_t *from = json_object_get(attributes, "from");
	json_t *move = json_object();

	copy_member(move, "t_ns", fact, "start_ns");
	copy_member(move, "host", fact, "host");
	copy_member(move, "mac", attributes, "mac");
	copy_member(move, "ips", attributes, "ips");
	copy_member(move, "from_port", from, "port_no");
	copy_member(move, "from_ifname", from, "ifname");
	copy_member(move, "port_no", attributes, "port_no");
	copy_member(move, "ifname", attributes, "ifname");
	copy_member(move, "gap_ns", attributes, "gap_ns");
	copy_member(move, "traffic_gap_ns", attributes, "traffic_gap_ns");
	copy_member(move, "unanswered", from, "unanswered");
	copy_member(move, "strays", from, "strays");
	return move;
}

/* One list of both, newest first. */
static json_t *
list_of(struct store *store, json_t *changes, json_t *addresses, size_t limit, bool moves)
{
	const json_t *facts = moves ? addresses : changes;
	json_t *list = json_array(), *fact;
	size_t i;

	json_array_foreach(facts, i, fact) {
		const json_t *from = json_object_get(json_object_get(fact, "attributes"), "from");

		if (json_array_size(list) == limit)
			break;
		if (!moves)
			json_array_append_new(list, change_json(store, fact));
		else if (from)
			json_array_append_new(list, move_json(fact));
	}
	return list;
}

json_t *
network_changes(struct store *store, const struct network_query *query, struct error *error)
{
	const unsigned limit = query->limit ? query->limit : DEFAULT_CHANGES;
	json_t *answer = NULL, *commands = json_array(), *changes = NULL, *addresses = NULL;
	struct network network;
	int r = network_load(&network, store, query, error);

	for (size_t i = 0; i < network.n && !r; i++) {
		json_t *some = network_commands(&network.hosts[i]);

		json_array_extend(commands, some);
		json_decref(some);
	}
	if (!r)
		changes = store_facts_of_kind(store, "ovs.change", query->host, network.from_ns,
					      network.to_ns, limit, error);
	if (changes)
		addresses = store_facts_of_kind(store, "net.address", query->host,
						network.from_ns, network.to_ns, 10000, error);
	if (addresses)
		answer = json_pack("{s:I, s:I, s:O, s:o, s:o}", "from_ns",
				   (json_int_t) network.from_ns, "to_ns",
				   (json_int_t) network.to_ns, "commands", commands, "changes",
				   list_of(store, changes, addresses, limit, false), "moves",
				   list_of(store, changes, addresses, limit, true));
	json_decref(commands);
	json_decref(changes);
	json_decref(addresses);
	network_done(&network);
	return answer;
}
