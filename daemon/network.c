/* SPDX-License-Identifier: MIT
 *
 * network.c -- sums the windows that a query asks for, per host, and finds whose
 * ports they speak of. */
#include "daemon/network.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/members.h"
#include "lib/clock.h"
#include "lib/util.h"

enum { MAX_HOSTS = 1024, MAX_SERIES = 600 };

/* -- Windows ------------------------------------------------------------------ */

struct load {
	struct network *network;
	struct ovs_window one;
	uint64_t step_ns;            /* Of a point of the series. */
};

static struct network_host *
host_of(struct network *network, const char *name)
{
	struct network_host *host;

	for (size_t i = 0; i < network->n; i++)
		if (streq(network->hosts[i].name, name))
			return &network->hosts[i];
	if (network->n == MAX_HOSTS)
		return NULL;
	network->hosts = xrealloc(network->hosts, (network->n + 1) * sizeof *network->hosts);
	host = &network->hosts[network->n++];
	*host = (struct network_host) { .name = xstrdup(name), .series = json_array(),
					.nics = json_object() };
	ovs_window_init(&host->window);
	return host;
}

static void
add_point(struct network_host *host, const struct load *load, const struct fact_window *fact)
{
	static const enum ovs_counter counters[] = { OVS_UPCALLS, OVS_MISSES, OVS_RECEIVED };
	const uint64_t start_ns = fact->start_ns - fact->start_ns % load->step_ns;
	json_t *point = json_array_get(host->series, json_array_size(host->series) - 1);

	if (!point || (uint64_t) json_integer_value(json_array_get(point, 0)) != start_ns) {
		point = json_pack("[I, i, i, i]", (json_int_t) start_ns, 0, 0, 0);
		json_array_append_new(host->series, point);
	}
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		json_t *value = json_array_get(point, i + 1);

		json_integer_set(value, json_integer_value(value) +
				 (json_int_t) load->one.counters[counters[i]]);
	}
}

static bool
add_window(void *context, const char *hostname, const char *key, const struct fact_window *fact)
{
	struct load *load = context;
	struct network_host *host;

	(void) key;
	/* A damaged one is left out: what is left is still true. */
	if (ovs_window_read(&load->one, fact->blob, fact->size))
		return true;
	host = host_of(load->network, hostname);
	if (!host)
		return false;
	host->from_ns = host->from_ns ? MIN(host->from_ns, fact->start_ns) : fact->start_ns;
	host->to_ns = MAX(host->to_ns, fact->end_ns);
	ovs_window_merge(&host->window, &load->one);
	add_point(host, load, fact);
	return true;
}

static void
find_span(struct network *network, struct store *store, const struct network_query *query)
{
	uint64_t oldest_ns, newest_ns = 0;

	store_windows_span(store, query->host, "ovs", &oldest_ns, &newest_ns);
	network->to_ns = query->until_ns ? query->until_ns : newest_ns;
	network->from_ns = query->since_ns ? query->since_ns :
			   network->to_ns - MIN(network->to_ns, NETWORK_SPAN_NS);
}

static int
load_windows(struct network *network, struct store *store, const struct network_query *query,
	     struct error *error)
{
	const uint64_t span_ns = network->to_ns - MIN(network->from_ns, network->to_ns);
	struct load load = { .network = network,
			     .step_ns = (span_ns / MAX_SERIES / NS_PER_S + 1) * NS_PER_S };
	int r;

	ovs_window_init(&load.one);
	r = store_windows(store, query->host, "ovs", NULL, network->from_ns, network->to_ns,
			  add_window, &load, error);
	ovs_window_done(&load.one);
	return r;
}

/* -- Whose port ------------------------------------------------------------------ */

json_t *
network_vm(struct store *store, const char *host, uint64_t pid)
{
	char key[24];
	json_t *process, *vm = NULL;
	const char *uuid;

	snprintf(key, sizeof key, "%" PRIu64, pid);
	process = pid ? store_entity(store, host, "qemu.process", key, 0) : NULL;
	uuid = json_string_value(json_object_get(process, "uuid"));
	if (uuid)
		vm = json_pack("{s:s, s:O?}", "uuid", uuid, "name",
			       json_object_get(process, "name"));
	json_decref(process);
	return vm ? vm : json_null();
}

json_t *
network_neutron_port(struct store *store, const char *ifname)
{
	/* Neutron's agents name interfaces by the beginning of the port's id. */
	static const char *const prefixes[] = { "tap", "qvo", "qr-", "qg-", "sg-", "ha-" };
	const char *beginning = NULL, *id;
	json_t *port;

	for (size_t i = 0; i < ARRAY_SIZE(prefixes) && strlen(ifname) == 14; i++)
		if (starts_with(ifname, prefixes[i]))
			beginning = ifname + 3;
	port = beginning ? store_thing_show(store, "port", beginning, NULL) : NULL;
	id = json_string_value(json_object_get(port, "id"));
	if (id && starts_with(id, beginning))
		return port;
	json_decref(port);
	return NULL;
}

static int
load_nics(struct network_host *host, struct store *store, struct error *error)
{
	json_t *facts = store_facts_of_kind(store, "qemu.nic", host->name, 0, 0, 10000, error);
	json_t *fact;
	size_t i;

	if (!facts)
		return -EIO;
	json_array_foreach(facts, i, fact) {
		json_t *nic = json_object_get(fact, "attributes");
		const char *ifname = json_string_value(json_object_get(nic, "ifname"));

		if (!ifname || json_object_get(host->nics, ifname))
			continue;
		json_object_set_new(nic, "vm", network_vm(store, host->name, (uint64_t)
			json_integer_value(json_object_get(nic, "pid"))));
		json_object_set(host->nics, ifname, nic);
	}
	json_decref(facts);
	return 0;
}

int
network_load(struct network *network, struct store *store, const struct network_query *query,
	     struct error *error)
{
	int r;

	memset(network, 0, sizeof *network);
	find_span(network, store, query);
	r = load_windows(network, store, query, error);
	for (size_t i = 0; i < network->n && !r; i++)
		r = load_nics(&network->hosts[i], store, error);
	return r;
}

void
network_done(struct network *network)
{
	for (size_t i = 0; i < network->n; i++) {
		struct network_host *host = &network->hosts[i];

		ovs_window_done(&host->window);
		json_decref(host->series);
		json_decref(host->nics);
		free(host->name);
	}
	free(network->hosts);
	memset(network, 0, sizeof *network);
}

const struct ovs_port *
network_port(const struct network_host *host, uint32_t port)
{
	return port == OVS_NO_PORT ? NULL : keyed_find(&host->window.ports, &port);
}

static json_t *
ifname_json(const struct network_host *host, uint32_t port_)
{
	const struct ovs_port *port = network_port(host, port_);

	return port ? ovs_text_json(port->ifname) : json_null();
}

void
network_set_ifnames(json_t *json, const struct network_host *host, uint32_t in_port,
		    uint32_t out_port)
{
	json_object_set_new(json, "in_ifname", ifname_json(host, in_port));
	json_object_set_new(json, "out_ifname", ifname_json(host, out_port));
}

const json_t *
network_nic(const struct network_host *host, const char *ifname)
{
	return ifname ? json_object_get(host->nics, ifname) : NULL;
}
