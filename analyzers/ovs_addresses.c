/* SPDX-License-Identifier: MIT
 *
 * ovs_addresses.c -- which Ethernet address (and IPv4 addresses) is behind which
 * port: entities "net.address", told when the first packet of an address was
 * sent on, when it moved to another port, and when more is known of it.
 *
 * Sets of OVS_ADDRESS_WAYS: who was not heard for longest makes room, in its own
 * set only, so that a flood of made-up addresses costs the same for each packet. */
#include <string.h>

#include "analyzers/ovs.h"

enum { ETH_IP = 0x0800, ETH_ARP = 0x0806, ETH_RARP = 0x8035 };
/* Votes that make a process the sender: this many of those heard, in percent. */
enum { ENOUGH_VOTES = 3, ENOUGH_PERCENT = 75 };

void
ovs_addresses_start(struct ovs *ovs)
{
	ovs->addresses = xcalloc(OVS_ADDRESS_SETS * OVS_ADDRESS_WAYS, sizeof *ovs->addresses);
}

static struct ovs_address *
set_of(struct ovs *ovs, const uint8_t mac[6])
{
	uint64_t number = 0;

	memcpy(&number, mac, 6);
	number *= 0x9e3779b97f4a7c15u;
	return &ovs->addresses[(number >> 40) % OVS_ADDRESS_SETS * OVS_ADDRESS_WAYS];
}

static struct ovs_address *
address_find(struct ovs *ovs, const uint8_t mac[6])
{
	struct ovs_address *set = set_of(ovs, mac);

	for (unsigned i = 0; i < OVS_ADDRESS_WAYS; i++)
		if (set[i].used && !memcmp(set[i].mac, mac, 6))
			return &set[i];
	return NULL;
}

static struct ovs_address *
address_new(struct ovs *ovs, const uint8_t mac[6])
{
	struct ovs_address *set = set_of(ovs, mac), *oldest = set;

	for (unsigned i = 0; i < OVS_ADDRESS_WAYS && oldest->used; i++)
		if (!set[i].used || set[i].last_ns < oldest->last_ns ||
		    (set[i].last_ns == oldest->last_ns && memcmp(set[i].mac, oldest->mac, 6) < 0))
			oldest = &set[i];
	if (oldest->used)
		COUNT(ovs, EVICTED_ADDRESSES);
	memset(oldest, 0, sizeof *oldest);
	memcpy(oldest->mac, mac, 6);
	oldest->used = 1;
	oldest->from_port = OVS_NO_PORT;
	return oldest;
}

/* -- Telling ----------------------------------------------------------------- */

static json_t *
ips_json(const struct ovs_address *address)
{
	json_t *ips = json_array();

	for (unsigned i = 0; i < address->n_ips; i++)
		json_array_append_new(ips, ovs_ip_json(address->ips[i]));
	return ips;
}

static void
set_ns(json_t *object, const char *name, uint64_t ns)
{
	if (ns)
		json_object_set_new(object, name, json_integer((json_int_t) ns));
}

static bool
has_process(const struct ovs_address *address)
{
	return address->pid && address->votes * 100 >= address->heard * ENOUGH_PERCENT;
}

static void
set_from(json_t *attributes, const struct ovs_address *address)
{
	json_t *from;

	if (address->from_port == OVS_NO_PORT)
		return;
	from = json_pack("{s:o, s:I, s:I, s:I}", "port_no", ovs_number_json(address->from_port),
			 "last_ns", (json_int_t) address->from_last_ns, "unanswered",
			 (json_int_t) address->from_unanswered, "strays",
			 (json_int_t) address->strays);
	if (*address->from_ifname)
		json_object_set_new(from, "ifname", json_string(address->from_ifname));
	set_ns(from, "traffic_last_ns", address->from_traffic_ns);
	if (address->from_unanswered)
		set_ns(from, "unanswered_last_ns", address->from_unanswered_ns);
	set_ns(from, "strays_last_ns", address->strays_ns);
	json_object_set_new(attributes, "from", from);
	if (address->forwarded_ns)
		set_ns(attributes, "gap_ns", ovs_since(address->forwarded_ns,
						       address->from_last_ns));
	if (address->traffic_ns && address->from_traffic_ns)
		set_ns(attributes, "traffic_gap_ns", ovs_since(address->traffic_ns,
							       address->from_traffic_ns));
}

static void
tell(struct ovs_address *address, const struct step *step)
{
	struct fact fact = { .type = FACT_ENTITY, .kind = "net.address",
			     .start_ns = address->since_ns };

	ovs_mac_text(address->mac, fact.key);
	fact.attributes = json_pack("{s:s, s:o, s:o, s:I}", "mac", fact.key, "ips",
				    ips_json(address), "port_no", ovs_number_json(address->port),
				    "last_ns", (json_int_t) address->last_ns);
	if (*address->ifname)
		json_object_set_new(fact.attributes, "ifname", json_string(address->ifname));
	if (address->ifindex)
		json_object_set_new(fact.attributes, "ifindex", json_integer(address->ifindex));
	if (address->many_ips)
		json_object_set_new(fact.attributes, "many_ips", json_true());
	if (address->announced)
		json_object_set_new(fact.attributes, "announced", json_true());
	if (has_process(address))
		json_object_set_new(fact.attributes, "pid", json_integer(address->pid));
	set_ns(fact.attributes, "forwarded_ns", address->forwarded_ns);
	set_ns(fact.attributes, "traffic_ns", address->traffic_ns);
	set_from(fact.attributes, address);
	address->told_ns = step->t_ns;
	address->untold = 0;
	address->changed = 1;
	native_tell(step, &fact);
}

void
ovs_addresses_tell(struct ovs *ovs, const struct step *step, bool all)
{
	for (unsigned i = 0; i < OVS_ADDRESS_SETS * OVS_ADDRESS_WAYS; i++) {
		struct ovs_address *address = &ovs->addresses[i];

		if (address->used && (address->untold ||
				      ((all || step->t_ns >= address->told_ns + OVS_TELL_AGAIN_NS) &&
				       address->last_ns > address->told_ns)))
			tell(address, step);
	}
}

/* -- Hearing ----------------------------------------------------------------- */

/* The process that a packet came from, if its thread is one that sends for a
 * guest: "vhost-PID", or the process itself.  Soft interrupts run on top of any
 * thread, so it takes a majority to be believed. */
static uint32_t
sender_of(const struct ovs_packet_fields *fields)
{
	char comm[24];
	uint64_t pid;

	text_copy(comm, sizeof comm, &fields->comm);
	if (starts_with(comm, "vhost-") && !parse_u64(comm + 6, &pid) && pid < UINT32_MAX)
		return (uint32_t) pid;
	if (starts_with(comm, "qemu") || starts_with(comm, "kvm") || starts_with(comm, "CPU ") ||
	    starts_with(comm, "IO "))
		return (uint32_t) fields->pid;
	return 0;
}

static void
vote(struct ovs_address *address, const struct ovs_packet_fields *fields)
{
	const uint32_t pid = sender_of(fields);
	const bool before = has_process(address);

	if (address->heard >= 1000) {
		address->heard /= 2;
		address->votes /= 2;
	}
	address->heard++;
	if (pid && pid == address->pid)
		address->votes++;
	else if (pid && address->votes * 2 < address->heard) {
		address->pid = pid;
		address->votes = 1;
	}
	if (has_process(address) != before &&
	    (address->heard == 1 || address->votes >= ENOUGH_VOTES || before))
		address->untold = 1;
}

static void
note_ip(struct ovs_address *address, const struct ovs_packet_fields *fields)
{
	const uint32_t ip = (uint32_t) fields->saddr;

	if (!ip || ip == UINT32_MAX || address->many_ips ||
	    (fields->eth_type != ETH_IP && fields->eth_type != ETH_ARP))
		return;
	for (unsigned i = 0; i < address->n_ips; i++)
		if (address->ips[i] == ip)
			return;
	/* A router speaks for everybody. */
	if (address->n_ips == OVS_MAX_IPS)
		address->many_ips = 1;
	else
		address->ips[address->n_ips++] = ip;
	address->untold = 1;
}

static void
move(struct ovs_address *address, const struct step *step, const struct ovs_packet_fields *fields)
{
	const struct ovs_address before = *address;

	if (before.last_ns) {
		address->from_port = before.port;
		memcpy(address->from_ifname, before.ifname, sizeof address->from_ifname);
		address->from_last_ns = before.last_ns;
		address->from_traffic_ns = before.traffic_last_ns;
		address->from_unanswered = before.unanswered;
		address->from_unanswered_ns = before.unanswered_ns;
	}
	address->since_ns = step->t_ns;
	address->forwarded_ns = address->traffic_ns = address->traffic_last_ns = 0;
	address->unanswered = 0;
	address->unanswered_ns = address->told_ns = address->strays = address->strays_ns = 0;
	address->pid = address->votes = address->heard = 0;
	address->announced = 0;
	address->untold = 1;
	address->port = ovs_port_of(fields->port_no, fields->ifindex);
	address->ifindex = (int32_t) fields->ifindex;
	memset(address->ifname, 0, sizeof address->ifname);
	text_copy(address->ifname, sizeof address->ifname, &fields->ifname);
}

static bool
any_of(const uint8_t mac[6])
{
	return mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5];
}

void
ovs_address_heard(struct ovs *ovs, const struct step *step, const struct ovs_packet_fields *fields)
{
	const uint8_t *mac = (const uint8_t *) fields->src_mac.s;
	struct ovs_address *address;

	/* Groups and nobody send nothing. */
	if (fields->src_mac.size != 6 || (mac[0] & 1) || !any_of(mac))
		return;
	address = address_find(ovs, mac);
	if (!address || address->port != ovs_port_of(fields->port_no, fields->ifindex)) {
		if (!address)
			address = address_new(ovs, mac);
		move(address, step, fields);
	}
	address->last_ns = step->t_ns;
	address->unanswered = 0;
	address->changed = 1;
	if (fields->eth_type == ETH_RARP)
		address->announced = 1;
	else
		address->traffic_last_ns = step->t_ns;
	vote(address, fields);
	note_ip(address, fields);
}

/* A packet was sent by a port: by its sender it is one that was forwarded, by
 * its receiver one that went to it. */
void
ovs_address_forwarded(struct ovs *ovs, const struct step *step, const struct ovs_packet *packet,
		      uint32_t port)
{
	struct ovs_address *from = packet->hop == 1 ? address_find(ovs, packet->src_mac) : NULL;
	struct ovs_address *to = packet->dst_mac[0] & 1 ? NULL : address_find(ovs, packet->dst_mac);

	if (from && packet->in_port == from->port) {
		const bool announcement = packet->eth_type == ETH_RARP;

		if (!from->forwarded_ns || (!announcement && !from->traffic_ns)) {
			from->forwarded_ns = from->forwarded_ns ? from->forwarded_ns : step->t_ns;
			from->traffic_ns = announcement ? 0 : step->t_ns;
			from->untold = 1;
			from->changed = 1;
		}
	}
	if (to && to->port == port) {
		to->unanswered++;
		to->unanswered_ns = step->t_ns;
		to->changed = 1;
	} else if (to && to->from_port == port) {
		to->strays++;
		to->strays_ns = step->t_ns;
		to->untold = to->changed = 1;
	}
}
