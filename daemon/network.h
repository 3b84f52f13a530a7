/* SPDX-License-Identifier: MIT
 *
 * network.h -- what clients ask of the network, from the windows and facts of Open
 * vSwitch in the store.
 *
 *   network.c         sums windows; whose port it is
 *   network_views.c   bridges, ports, flows, latency, upcalls
 *   network_vswitchd.c  the CPU that ovs-vswitchd had
 *   network_changes.c what changed, and what Neutron did for it
 *   network_where.c   where an address is
 *   network_path.c    the way between two
 *
 * Answers are new references in the shapes of proto/schemas/network-*.json, NULL
 * with an error set on failure. */
#ifndef DAEMON_NETWORK_H
#define DAEMON_NETWORK_H

#include <jansson.h>

#include "analyzers/ovs_window.h"
#include "daemon/store.h"
#include "lib/clock.h"
#include "lib/error.h"

/* Of the newest window, unless a query says which time it asks for. */
#define NETWORK_SPAN_NS (300 * NS_PER_S)

struct network_query {
	const char *host;            /* NULL: all. */
	uint64_t since_ns, until_ns; /* 0: NETWORK_SPAN_NS up to the newest window. */
	const char *sort;            /* Of flows: "bytes", "packets", "latency", "lost". */
	unsigned limit;              /* 0: a default. */
};

json_t *network_bridges(struct store *store, const struct network_query *query,
			struct error *error);
json_t *network_ports(struct store *store, const struct network_query *query,
		      struct error *error);
json_t *network_flows(struct store *store, const struct network_query *query,
		      struct error *error);
json_t *network_latency(struct store *store, const struct network_query *query,
			struct error *error);
json_t *network_upcalls(struct store *store, const struct network_query *query,
			struct error *error);
json_t *network_changes(struct store *store, const struct network_query *query,
			struct error *error);
/* 'address', 'src', 'dst': see network_address_parse(). */
json_t *network_where(struct store *store, const char *address,
		      const struct network_query *query, struct error *error);
json_t *network_path(struct store *store, const char *src, const char *dst,
		     const struct network_query *query, struct error *error);

/* -- For these files ---------------------------------------------------------- */

/* A MAC in any usual spelling, an IPv4 address, or an IPv6 address that was made from a
 * MAC (which stands for it), as facts spell it.  -EINVAL for others. */
enum { NETWORK_ADDRESS = 18 };
int network_address_parse(const char *text, char ret[NETWORK_ADDRESS], struct error *error);
/* Where an address that was parsed is, the likeliest place first; 'host' NULL: on all. */
json_t *network_places(struct store *store, const char *address, const char *host,
		       struct error *error);

struct network_host {
	char *name;
	uint64_t from_ns, to_ns;     /* Of its windows. */
	struct ovs_window window;    /* Their sum. */
	json_t *series;              /* [[start_ns, upcalls, misses, received], ...] */
	json_t *nics;                /* By ifname: attributes of qemu.nic, and "vm". */
};

struct network {
	struct network_host *hosts;
	size_t n;
	uint64_t from_ns, to_ns;
};

/* Sums what the query asks for.  network_done() in any case. */
int network_load(struct network *network, struct store *store, const struct network_query *query,
		 struct error *error);
void network_done(struct network *network);
/* Commands of its window, an array. */
json_t *network_commands(struct network_host *host);
/* Threads that gave those commands, with the CPU they had; empty where the scheduler
 * was not traced. */
json_t *network_vswitchd_threads(struct store *store, const struct network_host *host);
/* How often a second in the time of its windows. */
double network_per_second(const struct network_host *host, uint64_t count);
/* The window's port (ovs_port_of()), or NULL. */
const struct ovs_port *network_port(const struct network_host *host, uint32_t port);
/* Names of both as "in_ifname" and "out_ifname", or null. */
void network_set_ifnames(json_t *json, const struct network_host *host, uint32_t in_port,
			 uint32_t out_port);
/* What is known of an interface's owner: borrowed attributes of qemu.nic, or NULL. */
const json_t *network_nic(const struct network_host *host, const char *ifname);
/* {"uuid","name"} of a process, or null. */
json_t *network_vm(struct store *store, const char *host, uint64_t pid);
/* The record of the Neutron port that an interface was made for, or NULL. */
json_t *network_neutron_port(struct store *store, const char *ifname);

#endif /* network.h */
