/* SPDX-License-Identifier: MIT
 *
 * network_where.c -- where an address is: on which host, behind which port, whose. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/members.h"
#include "daemon/network.h"
#include "lib/util.h"

/* -- Addresses ------------------------------------------------------------------- */

/* 52:54:00:aa:00:50, 52-54-00-aa-00-50, 5254.00aa.0050 or 525400aa0050. */
static bool
parse_mac(const char *text, uint8_t mac[6])
{
	static const struct { char separator; size_t every, length; } spellings[] = {
		{ ':', 2, 17 }, { '-', 2, 17 }, { '.', 4, 14 }, { 0, 12, 12 },
	};
	const size_t length = strlen(text);

	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		size_t at = 0, digits = 0;

		for (; length == spellings[i].length && at < length; at++) {
			static const char hex[] = "0123456789abcdef";
			const bool separates = at % (spellings[i].every + 1) == spellings[i].every;
			const char *digit = strchr(hex, tolower((unsigned char) text[at]));

			if (separates ? text[at] != spellings[i].separator : !digit)
				break;
			if (separates)
				continue;
			mac[digits / 2] = (uint8_t) ((digits % 2 ? mac[digits / 2] << 4 : 0) | (digit - hex));
			digits++;
		}
		if (digits == 12)
			return true;
	}
	return false;
}

/* An IPv6 address that was made from a MAC (RFC 4291, appendix A). */
static bool
mac_of_ipv6(const uint8_t ip[16], uint8_t mac[6])
{
	if (ip[11] != 0xff || ip[12] != 0xfe)
		return false;
	memcpy(mac, ip + 8, 3);
	memcpy(mac + 3, ip + 13, 3);
	mac[0] ^= 2;
	return true;
}

int
network_address_parse(const char *text, char ret[NETWORK_ADDRESS], struct error *error)
{
	uint8_t mac[6], ip[16];

	if (inet_pton(AF_INET, text, ip) == 1) {
		inet_ntop(AF_INET, ip, ret, NETWORK_ADDRESS);
		return 0;
	}
	if (inet_pton(AF_INET6, text, ip) == 1 && !mac_of_ipv6(ip, mac))
		return error_set(error, EINVAL, "packets are known by MAC and IPv4 address, and \"%s\""
				 " is of no MAC: ask for the MAC", text);
	if (inet_pton(AF_INET6, text, ip) != 1 && !parse_mac(text, mac))
		return error_set(error, EINVAL, "\"%s\" is no MAC and no IP address", text);
	ovs_mac_text(mac, ret);
	return 0;
}

/* -- Places ---------------------------------------------------------------------- */

/* The network card at this host with the interface; owned by 'nics'. */
static const json_t *
nic_of(const json_t *nics, const char *host, const char *ifname)
{
	const json_t *nic;
	size_t i;

	json_array_foreach(nics, i, nic) {
		const json_t *attributes = json_object_get(nic, "attributes");
		const char *its = text_of(attributes, "ifname");

		if (ifname && its && streq(its, ifname) && streq(text_of(nic, "host"), host))
			return attributes;
	}
	return NULL;
}

/* Whose it is: by its network card, its Neutron port, the process that sends. */
static void
set_owner(struct store *store, json_t *place, const json_t *nic)
{
	const char *ifname = text_of(place, "ifname"), *host = text_of(place, "host");
	json_t *port = ifname ? network_neutron_port(store, ifname) : NULL, *vm = NULL;
	const char *evidence = NULL;
	json_int_t pid = json_integer_value(json_object_get(place, "pid"));

	copy_member(place, "port_id", nic, "port_id");
	copy_member(place, "bridge", nic, "bridge");
	copy_member(place, "datapath", nic, "datapath");
	if (nic) {
		copy_member(place, "pid", nic, "pid");
		pid = json_integer_value(json_object_get(nic, "pid"));
		evidence = "network card";
	} else if (port) {
		copy_member(place, "port_id", port, "id");
		evidence = "neutron port";
	} else if (pid) {
		evidence = "process";
	}
	if (pid && host)
		vm = network_vm(store, host, (uint64_t) pid);
	if (!json_is_object(vm) && port) {
		json_decref(vm);
		vm = json_incref(json_object_get(port, "vm"));
	}
	json_object_set_new(place, "vm", vm ? vm : json_null());
	json_object_set_new(place, "local", json_boolean(evidence != NULL));
	json_object_set_new(place, "evidence", evidence ? json_string(evidence) : json_null());
	json_decref(port);
}

static json_t *
place_json(struct store *store, const json_t *fact, const json_t *nics)
{
	static const char *const members[] = {
		"mac", "ips", "many_ips", "port_no", "ifname", "ifindex", "pid", "announced",
		"last_ns", "forwarded_ns", "traffic_ns", "from", "gap_ns", "traffic_gap_ns",
	};
	const json_t *attributes = json_object_get(fact, "attributes");
	json_t *place = json_object();

	copy_member(place, "host", fact, "host");
	copy_member(place, "since_ns", fact, "start_ns");
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		copy_member(place, members[i], attributes, members[i]);
	json_object_set_new(place, "port_addresses", json_integer((json_int_t) store_addresses_at_port(
		store, text_of(fact, "host"), number_of(attributes, "port_no"),
		number_of(attributes, "ifindex"))));
	json_object_set_new(place, "heard", json_true());
	set_owner(store, place, nic_of(nics, text_of(fact, "host"), text_of(attributes, "ifname")));
	return place;
}

/* A card that nobody has heard a packet of. */
static void
add_silent(struct store *store, json_t *places, const json_t *nics, const char *address)
{
	const json_t *nic;
	size_t i, k;

	json_array_foreach(nics, i, nic) {
		const json_t *attributes = json_object_get(nic, "attributes"), *other;
		const char *mac = text_of(attributes, "mac");
		bool known = false;
		json_t *place;

		if (!mac || !streq(mac, address) ||
		    json_is_true(json_object_get(attributes, "gone")))
			continue;
		json_array_foreach(places, k, other)
			known |= streq(text_of(other, "host"), text_of(nic, "host"));
		if (known)
			continue;
		place = json_object();
		copy_member(place, "host", nic, "host");
		copy_member(place, "mac", attributes, "mac");
		copy_member(place, "ifname", attributes, "ifname");
		copy_member(place, "port_no", attributes, "ovs_port");
		copy_member(place, "ifindex", attributes, "ifindex");
		json_object_set_new(place, "ips", json_array());
		json_object_set_new(place, "heard", json_false());
		set_owner(store, place, attributes);
		json_array_append_new(places, place);
	}
}

/* The likeliest first: where it is surely on the host; else the port with the fewest
 * addresses, as an uplink has those of all other hosts; then where it was heard last. */
static int
compare_places(const void *a_, const void *b_)
{
	const json_t *a = *(json_t *const *) a_, *b = *(json_t *const *) b_;
	const bool a_local = json_is_true(json_object_get(a, "local"));
	const bool b_local = json_is_true(json_object_get(b, "local"));
	const uint64_t a_others = number_of(a, "port_addresses"), b_others = number_of(b, "port_addresses");
	const uint64_t a_last = number_of(a, "last_ns"), b_last = number_of(b, "last_ns");

	if (a_local != b_local)
		return a_local ? -1 : 1;
	if (!a_local && a_others != b_others)
		return a_others < b_others ? -1 : 1;
	if (a_last != b_last)
		return a_last > b_last ? -1 : 1;
	return strcmp(text_of(a, "host"), text_of(b, "host"));
}

static json_t *
sorted(json_t *places)
{
	const size_t n = json_array_size(places);
	json_t **order = xcalloc(n + 1, sizeof *order), *list = json_array();

	for (size_t i = 0; i < n; i++)
		order[i] = json_array_get(places, i);
	qsort(order, n, sizeof *order, compare_places);
	for (size_t i = 0; i < n; i++) {
		json_array_append(list, order[i]);
		/* Of a VM that moved, each host that it was on has heard it. */
		if (i && json_is_true(json_object_get(order[i], "heard")) &&
		    json_equal(json_object_get(order[i], "mac"), json_object_get(order[0], "mac")))
			json_object_set_new(order[i], "local", json_false());
	}
	free(order);
	json_decref(places);
	return list;
}

static bool
is_listed(const json_t *facts, const json_t *fact)
{
	const json_t *other;
	size_t i;

	json_array_foreach(facts, i, other)
		if (streq(text_of(other, "host"), text_of(fact, "host")) &&
		    streq(text_of(other, "key"), text_of(fact, "key")))
			return true;
	return false;
}

/* Adds what each host says of the MAC, the newest only: what it was behind before is past. */
static int
add_newest(struct store *store, json_t *newest, const char *mac, const char *host,
	   struct error *error)
{
	json_t *facts = store_addresses(store, NULL, mac, error), *fact;
	size_t i;

	json_array_foreach(facts, i, fact)
		if ((!host || streq(host, text_of(fact, "host"))) && !is_listed(newest, fact))
			json_array_append(newest, fact);
	json_decref(facts);
	return facts ? 0 : -EIO;
}

/* The newest facts about an address; NULL: the store failed. */
static json_t *
facts_of(struct store *store, const char *address, const char *host, struct error *error)
{
	/* An IP address may have come with several MACs. */
	json_t *facts = store_addresses(store, NULL, address, error), *fact;
	json_t *newest = facts ? json_array() : NULL;
	size_t i;

	json_array_foreach(facts, i, fact) {
		if (!newest || is_listed(newest, fact))
			continue;
		if (add_newest(store, newest, text_of(fact, "key"), host, error)) {
			json_decref(newest);
			newest = NULL;
		}
	}
	json_decref(facts);
	return newest;
}

json_t *
network_places(struct store *store, const char *address, const char *host, struct error *error)
{
	json_t *facts = facts_of(store, address, host, error), *nics, *places, *fact;
	size_t i;

	nics = facts ? store_facts_of_kind(store, "qemu.nic", host, 0, 0, 10000, error) : NULL;
	places = nics ? json_array() : NULL;
	json_array_foreach(facts, i, fact)
		if (places)
			json_array_append_new(places, place_json(store, fact, nics));
	if (places)
		add_silent(store, places, nics, address);
	json_decref(facts);
	json_decref(nics);
	return places ? sorted(places) : NULL;
}

json_t *
network_where(struct store *store, const char *address, const struct network_query *query,
	      struct error *error)
{
	char wanted[NETWORK_ADDRESS];
	json_t *places;

	if (network_address_parse(address, wanted, error))
		return NULL;
	places = network_places(store, wanted, query->host, error);
	if (places && !json_array_size(places)) {
		json_decref(places);
		places = NULL;
		error_set(error, ENOENT, "no packet from \"%s\" was seen, and no network card has it",
			  wanted);
	}
	return places;
}
