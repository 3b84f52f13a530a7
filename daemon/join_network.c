/* SPDX-License-Identifier: MIT
 *
 * join_network.c -- what a live migration meant for the VM's network: from the
 * moment that it runs at the destination until Open vSwitch forwards the first
 * packet from one of its addresses there; and packets that still went to where it
 * was before.
 *
 * Which addresses are the VM's is said by its network cards (cloudtrace-node), or
 * else by the process that the packets came from. */
#include "daemon/join.h"

#include <errno.h>

#include "lib/util.h"

/* The VM may announce itself moments before QEMU says that it runs; what comes much
 * later is not about this migration. */
#define EARLY_NS JOIN_NETWORK_EARLY_NS
#define LATE_NS JOIN_NETWORK_LATE_NS

static const json_t *
attribute(const json_t *fact, const char *name)
{
	return json_object_get(json_object_get(fact, "attributes"), name);
}

static void
add_address(json_t *addresses, const json_t *mac)
{
	if (json_is_string(mac))
		json_object_set_new(addresses, json_string_value(mac), json_true());
}

/* The VM's MACs as names of an object; NULL: the store failed. */
static json_t *
addresses_of(struct store *store, const struct side *side, json_t *addresses,
	     struct error *error)
{
	json_t *nics = NULL, *heard = NULL, *fact;
	uint64_t pid;
	size_t i;

	if (!side || !addresses)
		return addresses;
	nics = store_parts_of_process(store, side->host, "qemu.nic", side->key, error);
	if (nics && !parse_u64(side->key, &pid))
		heard = store_addresses_of_process(store, side->host, pid, error);
	json_array_foreach(nics, i, fact)
		add_address(addresses, attribute(fact, "mac"));
	json_array_foreach(heard, i, fact)
		add_address(addresses, attribute(fact, "mac"));
	if (!nics || !heard) {
		json_decref(addresses);
		addresses = NULL;
	}
	json_decref(nics);
	json_decref(heard);
	return addresses;
}

/* The fact that tells of the address's first packet at the destination after the
 * VM ran there; borrowed from 'facts'. */
static const json_t *
arrival(const json_t *facts, uint64_t run_ns)
{
	const json_t *fact, *first = NULL;
	size_t i;

	json_array_foreach(facts, i, fact) {
		const uint64_t t_ns = side_time(json_object_get(fact, "attributes"),
						"forwarded_ns");

		if (t_ns + EARLY_NS >= run_ns && t_ns && t_ns <= run_ns + LATE_NS &&
		    (!first || t_ns < side_time(json_object_get(first, "attributes"),
						"forwarded_ns")))
			first = fact;
	}
	return first;
}

/* The fact of the source's host that tells where the address went from its VM's
 * port: the first one after the VM stopped. */
static const json_t *
departure(const json_t *facts, uint64_t stop_ns)
{
	const json_t *fact, *first = NULL;
	size_t i;

	json_array_foreach(facts, i, fact) {
		const uint64_t t_ns = side_time(fact, "start_ns");

		if (attribute(fact, "from") && t_ns >= stop_ns && t_ns <= stop_ns + LATE_NS &&
		    (!first || t_ns < side_time(first, "start_ns")))
			first = fact;
	}
	return first;
}

static void
set_number(json_t *object, const char *name, bool known, int64_t value)
{
	json_object_set_new(object, name, known ? json_integer(value) : json_null());
}

static json_t *
network_of(const char *mac, const json_t *there, const json_t *left, uint64_t run_ns,
	   int64_t offset_ns)
{
	const json_t *attributes = json_object_get(there, "attributes");
	const json_t *from = attribute(left, "from"), *ifname = json_object_get(attributes, "ifname");
	const uint64_t first_ns = side_time(attributes, "forwarded_ns");
	const uint64_t traffic_ns = side_time(attributes, "traffic_ns");
	const uint64_t last_ns = side_time(from, "last_ns");
	json_t *network = json_pack("{s:s, s:O?, s:I, s:I}", "mac", mac, "ifname", ifname,
				    "first_forwarded_ns", (json_int_t) first_ns, "blackout_ns",
				    (json_int_t) (first_ns > run_ns ? first_ns - run_ns : 0));

	set_number(network, "first_traffic_ns", traffic_ns != 0, (int64_t) traffic_ns);
	set_number(network, "last_at_source_ns", last_ns != 0, (int64_t) last_ns);
	set_number(network, "gap_ns", last_ns != 0,
		   MAX((int64_t) (first_ns - last_ns) - offset_ns, (int64_t) 0));
	set_number(network, "packets_to_source", from != NULL,
		   json_integer_value(json_object_get(from, "unanswered")) +
		   json_integer_value(json_object_get(from, "strays")));
	return network;
}

static int
add_network(struct store *store, json_t *record, const struct side *source,
	    const struct side *destination, const char *mac, json_t *networks,
	    struct error *error)
{
	const uint64_t run_ns = side_time(record, "run_ns");
	const uint64_t stop_ns = side_time(record, "stop_ns");
	const int64_t offset_ns = json_integer_value(json_object_get(
		json_object_get(record, "evidence"), "clock_offset_ns"));
	json_t *there = store_addresses(store, destination->host, mac, error), *left = NULL;
	const json_t *found = arrival(there, run_ns);

	if (there && source)
		left = store_addresses(store, source->host, mac, error);
	if (found)
		json_array_append_new(networks, network_of(mac, found, stop_ns ?
							   departure(left, stop_ns) : NULL,
							   run_ns, offset_ns));
	json_decref(left);
	json_decref(there);
	return there && (left || !source) ? 0 : -EIO;
}

/* The VM's network is back with the last of its addresses that came back. */
static void
sum_up(json_t *record, json_t *networks)
{
	json_int_t blackout_ns = -1, packets = -1, value;
	json_t *network;
	size_t i;

	json_array_foreach(networks, i, network) {
		value = json_integer_value(json_object_get(network, "blackout_ns"));
		blackout_ns = MAX(blackout_ns, value);
		if (!json_is_integer(json_object_get(network, "packets_to_source")))
			continue;
		value = json_integer_value(json_object_get(network, "packets_to_source"));
		packets = MAX(packets, (json_int_t) 0) + value;
	}
	set_number(record, "network_blackout_ns", blackout_ns >= 0, blackout_ns);
	set_number(record, "packets_to_source", packets >= 0, packets);
	json_object_set_new(record, "network", networks);
}

int
join_network(struct store *store, json_t *record, const struct side *source,
	     const struct side *destination, struct error *error)
{
	json_t *networks = json_array(), *addresses = json_object(), *value;
	const bool ran = destination && side_time(record, "run_ns");
	const char *mac;
	int r = 0;

	if (ran)
		addresses = addresses_of(store, source,
					 addresses_of(store, destination, addresses, error), error);
	if (!addresses) {
		json_decref(networks);
		return -EIO;
	}
	json_object_foreach(addresses, mac, value)
		if (ran && !r)
			r = add_network(store, record, source, destination, mac, networks, error);
	json_decref(addresses);
	sum_up(record, networks);
	return r;
}
