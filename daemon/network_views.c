/* SPDX-License-Identifier: MIT
 *
 * network_views.c -- bridges, ports, conversations, latency and upcalls of Open
 * vSwitch, for clients. */
#include <stdlib.h>
#include <string.h>

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

static void
set_copy(json_t *object, const char *name, const json_t *from, const char *member)
{
	json_t *value = json_object_get(from, member);

	if (value)
		json_object_set(object, name, value);
	else
		json_object_set_new(object, name, json_null());
}

/* -- Bridges -------------------------------------------------------------------- */

/* Ports between which packets went are of one bridge (or of several that are joined
 * inside of ovs-vswitchd): each port's is known by its least member. */
static void
join_ports(const struct network_host *host, uint32_t *bridge)
{
	const struct keyed *ports = &host->window.ports, *paths = &host->window.paths;
	bool changed = true;

	for (uint32_t i = 0; i < ports->n; i++)
		bridge[i] = i;
	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < paths->n; i++) {
			const struct ovs_path *path = keyed_at(paths, i);
			const struct ovs_port *in = network_port(host, path->key.in_port);
			const struct ovs_port *out = network_port(host, path->key.out_port);
			uint32_t a, b;

			if (!in || !out)
				continue;
			a = (uint32_t) (in - (const struct ovs_port *) keyed_at(ports, 0));
			b = (uint32_t) (out - (const struct ovs_port *) keyed_at(ports, 0));
			if (bridge[a] == bridge[b])
				continue;
			bridge[a] = bridge[b] = MIN(bridge[a], bridge[b]);
			changed = true;
		}
	}
}

static void
add_paths(json_t *json, const struct network_host *host, const uint32_t *bridge, uint32_t which)
{
	const struct keyed *ports = &host->window.ports, *paths = &host->window.paths;
	struct histogram latency[2] = { { 0 } };
	uint64_t packets = 0, bytes = 0, slow = 0;

	for (uint32_t i = 0; i < paths->n; i++) {
		const struct ovs_path *path = keyed_at(paths, i);
		const struct ovs_port *in = network_port(host, path->key.in_port);

		/* Without a port (kprobes): there is one bridge as far as we know. */
		if (ports->n && (!in || bridge[in - (const struct ovs_port *) keyed_at(ports, 0)] !=
				 which))
			continue;
		packets += path->packets;
		bytes += path->bytes;
		slow += path->key.slow ? path->packets : 0;
		histogram_merge(&latency[path->key.slow != 0], &path->latency);
	}
	json_object_set_new(json, "packets", json_integer((json_int_t) packets));
	json_object_set_new(json, "bytes", json_integer((json_int_t) bytes));
	json_object_set_new(json, "packets_per_s", json_real(network_per_second(host, packets)));
	json_object_set_new(json, "slow_percent", percent(slow, packets));
	json_object_set_new(json, "fast", ovs_histogram_json(&latency[0]));
	json_object_set_new(json, "slow", ovs_histogram_json(&latency[1]));
	histogram_done(&latency[0]);
	histogram_done(&latency[1]);
}

static json_t *
bridge_json(const struct network_host *host, const uint32_t *bridge, uint32_t which)
{
	json_t *json = json_object(), *members = json_array();
	const json_t *known = NULL;
	uint64_t dropped = 0;

	set_host(json, host);
	for (uint32_t i = 0; i < host->window.ports.n; i++) {
		const struct ovs_port *port = keyed_at(&host->window.ports, i);

		if (bridge[i] != which)
			continue;
		known = known ? known : network_nic(host, port->ifname);
		dropped += port->dropped;
		json_array_append_new(members, json_pack("{s:I, s:o}", "port_no",
							 (json_int_t) port->port_no, "ifname",
							 ovs_text_json(port->ifname)));
	}
	set_copy(json, "bridge", known, "bridge");
	set_copy(json, "datapath", known, "datapath");
	json_object_set_new(json, "ports", members);
	json_object_set_new(json, "dropped", json_integer((json_int_t) dropped));
	add_paths(json, host, bridge, which);
	return json;
}

json_t *
network_bridges(struct store *store, const struct network_query *query, struct error *error)
{
	struct network network;
	json_t *list = json_array();
	int r = network_load(&network, store, query, error);

	for (size_t i = 0; i < network.n && !r; i++) {
		const struct network_host *host = &network.hosts[i];
		const uint32_t n = host->window.ports.n;
		uint32_t *bridge = xcalloc(n + 1, sizeof *bridge);

		join_ports(host, bridge);
		for (uint32_t k = 0; k < MAX(n, 1U); k++)
			if (bridge[k] == k)
				json_array_append_new(list, bridge_json(host, bridge, k));
		free(bridge);
	}
	network_done(&network);
	if (r) {
		json_decref(list);
		return NULL;
	}
	return list;
}

/* -- Ports ---------------------------------------------------------------------- */

/* MACs that are behind each port now, by "HOST PORT". */
static json_t *
addresses_by_port(struct store *store, const char *host, struct error *error)
{
	json_t *facts = store_facts_of_kind(store, "net.address", host, 0, 0, 10000, error);
	json_t *ports = json_object(), *seen = json_object(), *fact;
	size_t i;

	json_array_foreach(facts, i, fact) {
		json_t *attributes = json_object_get(fact, "attributes"), *macs;
		const char *mac = json_string_value(json_object_get(attributes, "mac"));
		_cleanup_(freep) char *key = xasprintf("%s %" JSON_INTEGER_FORMAT,
			json_string_value(json_object_get(fact, "host")),
			json_integer_value(json_object_get(attributes, "port_no")));
		_cleanup_(freep) char *once = xasprintf("%s %s", mac ? mac : "",
			json_string_value(json_object_get(fact, "host")));

		/* The newest comes first; what it was behind before is past. */
		if (!mac || json_object_get(seen, once))
			continue;
		json_object_set_new(seen, once, json_true());
		macs = json_object_get(ports, key);
		if (!macs)
			json_object_set_new(ports, key, macs = json_array());
		json_array_append(macs, json_object_get(attributes, "mac"));
	}
	json_decref(seen);
	json_decref(facts);
	return ports;
}

static json_t *
port_json(struct store *store, const struct network_host *host, const struct ovs_port *port,
	  const json_t *addresses)
{
	json_t *json = ovs_port_json(port), *macs, *neutron;
	const json_t *nic = network_nic(host, port->ifname);
	_cleanup_(freep) char *key = xasprintf("%s %u", host->name, port->port_no);

	set_host(json, host);
	set_copy(json, "bridge", nic, "bridge");
	set_copy(json, "datapath", nic, "datapath");
	set_copy(json, "vm", nic, "vm");
	set_copy(json, "port_id", nic, "port_id");
	neutron = *port->ifname && !json_is_string(json_object_get(json, "port_id")) ?
		  network_neutron_port(store, port->ifname) : NULL;
	if (neutron) {
		set_copy(json, "port_id", neutron, "id");
		set_copy(json, "vm", neutron, "vm");
	}
	json_decref(neutron);
	macs = json_object_get(addresses, key);
	json_object_set_new(json, "addresses", macs ? json_incref(macs) : json_array());
	json_object_set_new(json, "received_per_s", json_real(network_per_second(host, port->received)));
	json_object_set_new(json, "sent_per_s", json_real(network_per_second(host, port->sent)));
	return json;
}

json_t *
network_ports(struct store *store, const struct network_query *query, struct error *error)
{
	struct network network;
	json_t *list = json_array(), *addresses = NULL;
	int r = network_load(&network, store, query, error);

	if (!r)
		addresses = addresses_by_port(store, query->host, error);
	for (size_t i = 0; i < network.n && !r; i++) {
		struct network_host *host = &network.hosts[i];

		keyed_sort(&host->window.ports);
		for (uint32_t k = 0; k < host->window.ports.n; k++)
			json_array_append_new(list, port_json(store, host,
							      keyed_at(&host->window.ports, k),
							      addresses));
	}
	json_decref(addresses);
	network_done(&network);
	if (r) {
		json_decref(list);
		return NULL;
	}
	return list;
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
	json_object_set_new(json, "in_ifname", network_ifname(host, c->key.in_port));
	json_object_set_new(json, "out_ifname", network_ifname(host, c->key.out_port));
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

		json_object_set_new(json, "in_ifname", network_ifname(host, path->key.in_port));
		json_object_set_new(json, "out_ifname", network_ifname(host, path->key.out_port));
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

		json_object_set_new(json, "in_ifname", network_ifname(host, drop->key.in_port));
		json_object_set_new(json, "out_ifname", network_ifname(host, drop->key.out_port));
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

json_t *
network_latency(struct store *store, const struct network_query *query, struct error *error)
{
	struct network network;
	json_t *list = json_array(), *slow;
	int r = network_load(&network, store, query, error);

	for (size_t i = 0; i < network.n && !r; i++) {
		struct network_host *host = &network.hosts[i];
		json_t *json = json_object();

		set_host(json, host);
		set_rates(json, host);
		json_object_set_new(json, "components", components_json(host));
		json_object_set_new(json, "paths", paths_json(host));
		json_object_set_new(json, "drops", drops_json(host));
		slow = store_facts_of_kind(store, "ovs.packet", host->name, network.from_ns,
					   network.to_ns, 100, error);
		json_object_set_new(json, "slowest", slow ? slow : json_array());
		json_array_append_new(list, json);
	}
	network_done(&network);
	if (r) {
		json_decref(list);
		return NULL;
	}
	return list;
}

/* -- Upcalls ------------------------------------------------------------------------ */

json_t *
network_commands(struct network_host *host)
{
	json_t *list = json_array();

	keyed_sort(&host->window.commands);
	for (uint32_t i = 0; i < host->window.commands.n; i++) {
		const struct ovs_command *command = keyed_at(&host->window.commands, i);
		json_t *json = ovs_command_json(command);

		json_object_set_new(json, "host", json_string(host->name));
		json_object_set_new(json, "per_s", json_real(network_per_second(host, command->count)));
		json_array_append_new(list, json);
	}
	return list;
}

json_t *
network_upcalls(struct store *store, const struct network_query *query, struct error *error)
{
	struct network network;
	json_t *list = json_array(), *storms;
	int r = network_load(&network, store, query, error);

	for (size_t i = 0; i < network.n && !r; i++) {
		struct network_host *host = &network.hosts[i];
		const uint64_t *counters = host->window.counters;
		json_t *json = json_object();

		set_host(json, host);
		set_rates(json, host);
		json_object_set_new(json, "upcalls_per_s", json_real(network_per_second(
			host, counters[OVS_UPCALLS])));
		json_object_set_new(json, "flow_growth", json_integer(
			(json_int_t) counters[OVS_FLOWS_ADDED] -
			(json_int_t) counters[OVS_FLOWS_REMOVED]));
		json_object_set_new(json, "components", components_json(host));
		json_object_set_new(json, "commands", network_commands(host));
		json_object_set_new(json, "threads", network_vswitchd_threads(store, host));
		json_object_set(json, "series", host->series);
		storms = store_facts_of_kind(store, "ovs.upcall_storm", host->name,
					     network.from_ns, network.to_ns, 0, error);
		json_object_set_new(json, "storms", storms ? storms : json_array());
		json_array_append_new(list, json);
	}
	network_done(&network);
	if (r) {
		json_decref(list);
		return NULL;
	}
	return list;
}
