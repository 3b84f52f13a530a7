/* SPDX-License-Identifier: MIT
 *
 * network_views.c -- bridges, ports, conversations, latency and upcalls of Open
 * vSwitch, for clients. */
#include <stdlib.h>
#include <string.h>

#include "daemon/members.h"
#include "daemon/network.h"
#include "lib/clock.h"
#include "lib/util.h"

enum { DEFAULT_FLOWS = 50 };

static void
set_host(json_t *object, const struct network_host *host)
{
	json_object_set_new(object, "host", json_string(host->name));
	json_object_set_new(object, "from_ns", json_integer((json_int_t) host->from_ns));
	json_object_set_new(object, "to_ns", json_integer((json_int_t) host->to_ns));
}

double
network_per_second(const struct network_host *host, uint64_t count)
{
	const uint64_t span_ns = host->to_ns - host->from_ns;

	return span_ns ? (double) count * (double) NS_PER_S / (double) span_ns : 0;
}

static json_t *
percent(uint64_t part, uint64_t whole)
{
	return whole ? json_real((double) part * 100 / (double) whole) : json_null();
}

typedef void host_fn(json_t *list, struct store *store, struct network_host *host);

/* A list of what 'add' has to say of each host. */
static json_t *
list_of_hosts(struct store *store, const struct network_query *query, host_fn *add,
	      struct error *error)
{
	struct network network;
	json_t *list = NULL;

	if (!network_load(&network, store, query, error)) {
		list = json_array();
		for (size_t i = 0; i < network.n; i++)
			add(list, store, &network.hosts[i]);
	}
	network_done(&network);
	return list;
}

/* -- Bridges -------------------------------------------------------------------- */

/* Ports between which packets went, or should have gone, are of one bridge (or of
 * several that are joined inside of ovs-vswitchd): each is known by its least member. */
struct bridges {
	const struct network_host *host;
	uint32_t *of;                /* By place of the port in its window. */
	bool changed;
};

static uint32_t
place_of(const struct network_host *host, const struct ovs_port *port)
{
	return (uint32_t) (port - (const struct ovs_port *) keyed_at(&host->window.ports, 0));
}

static void
join(struct bridges *bridges, uint32_t in_port, uint32_t out_port)
{
	const struct ovs_port *in = network_port(bridges->host, in_port);
	const struct ovs_port *out = network_port(bridges->host, out_port);
	uint32_t *a, *b;

	if (!in || !out)
		return;
	a = &bridges->of[place_of(bridges->host, in)];
	b = &bridges->of[place_of(bridges->host, out)];
	bridges->changed |= *a != *b;
	*a = *b = MIN(*a, *b);
}

static void
join_ports(struct bridges *bridges)
{
	const struct ovs_window *window = &bridges->host->window;

	for (uint32_t i = 0; i < window->ports.n; i++)
		bridges->of[i] = i;
	do {
		bridges->changed = false;
		for (uint32_t i = 0; i < window->paths.n; i++) {
			const struct ovs_path *path = keyed_at(&window->paths, i);

			join(bridges, path->key.in_port, path->key.out_port);
		}
		for (uint32_t i = 0; i < window->drops.n; i++) {
			const struct ovs_drop *drop = keyed_at(&window->drops, i);

			join(bridges, drop->key.in_port, drop->key.out_port);
		}
	} while (bridges->changed);
}

static void
add_paths(json_t *json, const struct bridges *bridges, uint32_t which)
{
	const struct network_host *host = bridges->host;
	const struct keyed *paths = &host->window.paths;
	const bool has_ports = host->window.ports.n != 0;
	struct histogram latency[2] = { { 0 } };
	uint64_t packets = 0, bytes = 0, slow = 0;

	for (uint32_t i = 0; i < paths->n; i++) {
		const struct ovs_path *path = keyed_at(paths, i);
		const struct ovs_port *in = network_port(host, path->key.in_port);

		/* Without a port (kprobes): there is one bridge as far as we know. */
		if (has_ports && (!in || bridges->of[place_of(host, in)] != which))
			continue;
		packets += path->packets;
		bytes += path->bytes;
		slow += path->key.slow ? path->packets : 0;
		histogram_merge(&latency[path->key.slow != 0], &path->latency);
	}
	json_object_set_new(json, "packets", json_integer((json_int_t) packets));
	json_object_set_new(json, "bytes", has_ports ? json_integer((json_int_t) bytes) :
			    json_null());
	json_object_set_new(json, "packets_per_s", json_real(network_per_second(host, packets)));
	json_object_set_new(json, "slow_percent", percent(slow, packets));
	json_object_set_new(json, "fast", ovs_histogram_json(&latency[0]));
	json_object_set_new(json, "slow", ovs_histogram_json(&latency[1]));
	histogram_done(&latency[0]);
	histogram_done(&latency[1]);
}

static json_t *
bridge_json(const struct bridges *bridges, uint32_t which)
{
	const struct network_host *host = bridges->host;
	json_t *json = json_object(), *members = json_array();
	const json_t *known = NULL;
	uint64_t dropped = 0;

	set_host(json, host);
	for (uint32_t i = 0; i < host->window.ports.n; i++) {
		const struct ovs_port *port = keyed_at(&host->window.ports, i);

		if (bridges->of[i] != which)
			continue;
		known = known ? known : network_nic(host, port->ifname);
		dropped += port->dropped;
		json_array_append_new(members, json_pack("{s:o, s:o}", "port_no",
							 ovs_number_json(port->port), "ifname",
							 ovs_text_json(port->ifname)));
	}
	copy_member(json, "bridge", known, "bridge");
	copy_member(json, "datapath", known, "datapath");
	json_object_set_new(json, "dropped", json_array_size(members) ?
			    json_integer((json_int_t) dropped) : json_null());
	json_object_set_new(json, "ports", members);
	add_paths(json, bridges, which);
	return json;
}

static void
add_bridges(json_t *list, struct store *store, struct network_host *host)
{
	const uint32_t n = host->window.ports.n;
	struct bridges bridges = { .host = host, .of = xcalloc(n + 1, sizeof *bridges.of) };

	(void) store;
	keyed_sort(&host->window.ports);
	join_ports(&bridges);
	for (uint32_t i = 0; i < MAX(n, 1U); i++)
		if (bridges.of[i] == i)
			json_array_append_new(list, bridge_json(&bridges, i));
	free(bridges.of);
}

json_t *
network_bridges(struct store *store, const struct network_query *query, struct error *error)
{
	return list_of_hosts(store, query, add_bridges, error);
}

/* -- Ports ---------------------------------------------------------------------- */

/* What is known of the addresses of a host, of each the newest. */
static json_t *
addresses_of(struct store *store, const char *host)
{
	json_t *facts = store_facts_of_kind(store, "net.address", host, 0, 0, 10000, NULL);
	json_t *newest = json_array(), *seen = json_object(), *fact;
	size_t i;

	json_array_foreach(facts, i, fact) {
		/* The newest comes first; what it was behind before is past. */
		if (!json_object_get(seen, text_of(fact, "key")))
			json_array_append(newest, fact);
		json_object_set_new(seen, text_of(fact, "key"), json_true());
	}
	json_decref(seen);
	json_decref(facts);
	return newest;
}

/* Which port the attributes of a "net.address" say. */
static uint32_t
port_of(const json_t *address)
{
	return ovs_port_of(number_of(address, "port_no"),
			   json_integer_value(json_object_get(address, "ifindex")));
}

static json_t *
port_json(struct store *store, const struct network_host *host, const struct ovs_port *port,
	  const json_t *addresses)
{
	json_t *json = ovs_port_json(port), *macs = json_array(), *neutron, *fact;
	const json_t *nic = network_nic(host, port->ifname);
	uint64_t pid = 0;
	size_t i;

	json_array_foreach(addresses, i, fact) {
		const json_t *attributes = json_object_get(fact, "attributes");

		if (port_of(attributes) != port->port)
			continue;
		json_array_append(macs, json_object_get(attributes, "mac"));
		pid = pid ? pid : number_of(attributes, "pid");
	}
	set_host(json, host);
	copy_member(json, "bridge", nic, "bridge");
	copy_member(json, "datapath", nic, "datapath");
	copy_member(json, "vm", nic, "vm");
	copy_member(json, "port_id", nic, "port_id");
	neutron = *port->ifname && !text_of(json, "port_id") ?
		  network_neutron_port(store, port->ifname) : NULL;
	if (neutron) {
		copy_member(json, "port_id", neutron, "id");
		copy_member(json, "vm", neutron, "vm");
	} else if (!nic) {
		json_object_set_new(json, "vm", network_vm(store, host->name, pid));
	}
	json_decref(neutron);
	json_object_set_new(json, "addresses", macs);
	json_object_set_new(json, "received_per_s", json_real(network_per_second(host, port->received)));
	json_object_set_new(json, "sent_per_s", json_real(network_per_second(host, port->sent)));
	return json;
}

static void
add_ports(json_t *list, struct store *store, struct network_host *host)
{
	json_t *addresses = addresses_of(store, host->name);

	keyed_sort(&host->window.ports);
	for (uint32_t i = 0; i < host->window.ports.n; i++)
		json_array_append_new(list, port_json(store, host, keyed_at(&host->window.ports, i),
						      addresses));
	json_decref(addresses);
}

json_t *
network_ports(struct store *store, const struct network_query *query, struct error *error)
{
	return list_of_hosts(store, query, add_ports, error);
}

/* -- Conversations --------------------------------------------------------------- */

struct ranked {
	const struct network_host *host;
	const struct ovs_conversation *conversation;
	uint64_t rank;
	size_t i;
};

static int
compare_ranked(const void *a_, const void *b_)
{
	const struct ranked *a = a_, *b = b_;

	if (a->rank != b->rank)
		return a->rank > b->rank ? -1 : 1;
	return a->i < b->i ? -1 : a->i > b->i;
}

static uint64_t
rank_of(const struct ovs_conversation *c, const char *sort)
{
	if (sort && streq(sort, "packets"))
		return c->packets;
	if (sort && streq(sort, "latency"))
		return histogram_quantile(&c->latency, 990);
	if (sort && streq(sort, "lost"))
		return c->lost;
	return c->bytes;
}

static json_t *
flow_json(const struct ranked *ranked)
{
	const struct network_host *host = ranked->host;
	const struct ovs_conversation *c = ranked->conversation;
	json_t *json = ovs_conversation_json(c);

	set_host(json, host);
	network_set_ifnames(json, host, c->key.in_port, c->key.out_port);
	json_object_set_new(json, "bytes_per_s", json_real(network_per_second(host, c->bytes)));
	return json;
}

json_t *
network_flows(struct store *store, const struct network_query *query, struct error *error)
{
	const size_t limit = query->limit ? query->limit : DEFAULT_FLOWS;
	struct network network;
	struct ranked *order = NULL;
	json_t *list = NULL;
	size_t n = 0;

	if (!network_load(&network, store, query, error)) {
		list = json_array();
		for (size_t i = 0; i < network.n; i++)
			n += network.hosts[i].window.conversations.n;
		order = xcalloc(n + 1, sizeof *order);
		n = 0;
		for (size_t i = 0; i < network.n; i++) {
			struct keyed *conversations = &network.hosts[i].window.conversations;

			keyed_sort(conversations);
			for (uint32_t k = 0; k < conversations->n; k++, n++)
				order[n] = (struct ranked) {
					&network.hosts[i], keyed_at(conversations, k),
					rank_of(keyed_at(conversations, k), query->sort), n };
		}
		qsort(order, n, sizeof *order, compare_ranked);
		for (size_t i = 0; i < MIN(n, limit); i++)
			json_array_append_new(list, flow_json(&order[i]));
	}
	free(order);
	network_done(&network);
	return list;
}

/* -- Latency ----------------------------------------------------------------------- */

static json_t *
components_json(const struct network_host *host)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < OVS_N_COMPONENTS; i++)
		json_array_append_new(list, json_pack(
			"{s:s, s:o}", "name", ovs_component_names[i], "latency",
			ovs_histogram_json(&host->window.components[i])));
	return list;
}

static json_t *
paths_json(struct network_host *host)
{
	json_t *list = json_array();

	keyed_sort(&host->window.paths);
	for (uint32_t i = 0; i < host->window.paths.n; i++) {
		const struct ovs_path *path = keyed_at(&host->window.paths, i);
		json_t *json = ovs_path_json(path);

		network_set_ifnames(json, host, path->key.in_port, path->key.out_port);
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *
drops_json(struct network_host *host)
{
	json_t *list = json_array();

	keyed_sort(&host->window.drops);
	for (uint32_t i = 0; i < host->window.drops.n; i++) {
		const struct ovs_drop *drop = keyed_at(&host->window.drops, i);
		json_t *json = ovs_drop_json(drop);

		network_set_ifnames(json, host, drop->key.in_port, drop->key.out_port);
		json_array_append_new(list, json);
	}
	return list;
}

/* What kprobes alone can't know is null. */
static void
set_rates(json_t *json, const struct network_host *host)
{
	const uint64_t *counters = host->window.counters;
	const bool module = counters[OVS_SOURCES] & OVS_BY_MODULE;

	json_object_set_new(json, "source", json_string(module ? "module" : "kprobes"));
	json_object_set_new(json, "counters", ovs_counters_json(&host->window));
	json_object_set_new(json, "packets_per_s", json_real(network_per_second(host,
								counters[OVS_RECEIVED])));
	json_object_set_new(json, "miss_percent", percent(counters[OVS_MISSES],
							  counters[OVS_LOOKUPS]));
	json_object_set_new(json, "cache_hit_percent", module ?
			    percent(counters[OVS_CACHE_HITS], counters[OVS_LOOKUPS]) : json_null());
	json_object_set_new(json, "masks_per_lookup", module && counters[OVS_LOOKUPS] ?
			    json_real((double) counters[OVS_MASKS] /
				      (double) counters[OVS_LOOKUPS]) : json_null());
}

/* Facts of a kind in the time of its windows. */
static json_t *
facts_of(struct store *store, const struct network_host *host, const char *kind, unsigned limit)
{
	json_t *facts = store_facts_of_kind(store, kind, host->name, host->from_ns, host->to_ns,
					    limit, NULL);

	return facts ? facts : json_array();
}

static void
add_latency(json_t *list, struct store *store, struct network_host *host)
{
	json_t *json = json_object();

	set_host(json, host);
	set_rates(json, host);
	json_object_set_new(json, "components", components_json(host));
	json_object_set_new(json, "paths", paths_json(host));
	json_object_set_new(json, "drops", drops_json(host));
	json_object_set_new(json, "slowest", facts_of(store, host, "ovs.packet", 100));
	json_array_append_new(list, json);
}

json_t *
network_latency(struct store *store, const struct network_query *query, struct error *error)
{
	return list_of_hosts(store, query, add_latency, error);
}

/* -- Upcalls ------------------------------------------------------------------------ */

json_t *
network_commands(struct network_host *host)
{
	json_t *list = json_array();

	keyed_sort(&host->window.commands);
	for (uint32_t i = 0; i < host->window.commands.n; i++) {
		const struct ovs_command *command = keyed_at(&host->window.commands, i);
		json_t *json = ovs_command_json(&host->window, command);

		json_object_set_new(json, "host", json_string(host->name));
		json_object_set_new(json, "per_s", json_real(network_per_second(host, command->count)));
		json_array_append_new(list, json);
	}
	return list;
}

static void
add_upcalls(json_t *list, struct store *store, struct network_host *host)
{
	const uint64_t *counters = host->window.counters;
	json_t *json = json_object();

	set_host(json, host);
	set_rates(json, host);
	json_object_set_new(json, "upcalls_per_s", json_real(network_per_second(
		host, counters[OVS_UPCALLS])));
	json_object_set_new(json, "flow_growth", json_integer(
		(json_int_t) counters[OVS_FLOWS_ADDED] - (json_int_t) counters[OVS_FLOWS_REMOVED]));
	json_object_set_new(json, "components", components_json(host));
	json_object_set_new(json, "commands", network_commands(host));
	json_object_set_new(json, "threads", network_vswitchd_threads(store, host));
	json_object_set(json, "series", host->series);
	json_object_set_new(json, "storms", facts_of(store, host, "ovs.upcall_storm", 0));
	json_array_append_new(list, json);
}

json_t *
network_upcalls(struct store *store, const struct network_query *query, struct error *error)
{
	return list_of_hosts(store, query, add_upcalls, error);
}
