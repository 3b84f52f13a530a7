/* SPDX-License-Identifier: MIT
 *
 * network_path.c -- where an address is: on which host, behind which port, whose;
 * and the way that packets took from one to another. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/network.h"
#include "lib/util.h"

static void
set_copy(json_t *object, const char *name, const json_t *from, const char *member)
{
	json_t *value = json_object_get(from, member);

	if (value)
		json_object_set(object, name, value);
	else
		json_object_set_new(object, name, json_null());
}

static const char *
text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* -- Where ---------------------------------------------------------------------- */

/* The network card at this host with the interface or the MAC; owned by 'nics'. */
static const json_t *
nic_of(const json_t *nics, const char *host, const char *ifname, const char *mac)
{
	const json_t *nic, *found = NULL;
	size_t i;

	json_array_foreach(nics, i, nic) {
		const json_t *attributes = json_object_get(nic, "attributes");
		const char *its = text(attributes, "ifname"), *its_mac = text(attributes, "mac");
		const char *its_host = text(nic, "host");

		if (!its_host || !streq(its_host, host))
			continue;
		if (ifname && its && streq(its, ifname))
			return attributes;
		if (!ifname && mac && its_mac && streq(its_mac, mac))
			found = attributes;
	}
	return found;
}

/* Whose it is: by its network card, its Neutron port, the process that sends. */
static void
set_owner(struct store *store, json_t *place, const json_t *nic)
{
	const char *ifname = text(place, "ifname"), *host = text(place, "host");
	json_t *port = ifname ? network_neutron_port(store, ifname) : NULL, *vm = NULL;
	const char *evidence = NULL;
	json_int_t pid = json_integer_value(json_object_get(place, "pid"));

	set_copy(place, "port_id", nic, "port_id");
	set_copy(place, "bridge", nic, "bridge");
	set_copy(place, "datapath", nic, "datapath");
	if (nic) {
		set_copy(place, "pid", nic, "pid");
		pid = json_integer_value(json_object_get(nic, "pid"));
		evidence = "network card";
	} else if (port) {
		set_copy(place, "port_id", port, "id");
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

	set_copy(place, "host", fact, "host");
	set_copy(place, "since_ns", fact, "start_ns");
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		set_copy(place, members[i], attributes, members[i]);
	json_object_set_new(place, "heard", json_true());
	set_owner(store, place, nic_of(nics, text(fact, "host"), text(attributes, "ifname"), NULL));
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
		const char *mac = text(attributes, "mac");
		bool known = false;
		json_t *place;

		if (!mac || !streq(mac, address) ||
		    json_is_true(json_object_get(attributes, "gone")))
			continue;
		json_array_foreach(places, k, other)
			known |= streq(text(other, "host"), text(nic, "host"));
		if (known)
			continue;
		place = json_object();
		set_copy(place, "host", nic, "host");
		set_copy(place, "mac", attributes, "mac");
		set_copy(place, "ifname", attributes, "ifname");
		set_copy(place, "port_no", attributes, "ovs_port");
		set_copy(place, "ifindex", attributes, "ifindex");
		json_object_set_new(place, "ips", json_array());
		json_object_set_new(place, "heard", json_false());
		set_owner(store, place, attributes);
		json_array_append_new(places, place);
	}
}

static int
compare_places(const void *a_, const void *b_)
{
	const json_t *a = *(json_t *const *) a_, *b = *(json_t *const *) b_;
	const bool a_local = json_is_true(json_object_get(a, "local"));
	const bool b_local = json_is_true(json_object_get(b, "local"));
	const json_int_t a_last = json_integer_value(json_object_get(a, "last_ns"));
	const json_int_t b_last = json_integer_value(json_object_get(b, "last_ns"));

	if (a_local != b_local)
		return a_local ? -1 : 1;
	if (a_last != b_last)
		return a_last > b_last ? -1 : 1;
	return strcmp(text(a, "host"), text(b, "host"));
}

static json_t *
sorted(json_t *places)
{
	const size_t n = json_array_size(places);
	json_t **order = xcalloc(n + 1, sizeof *order), *list = json_array();

	for (size_t i = 0; i < n; i++)
		order[i] = json_array_get(places, i);
	qsort(order, n, sizeof *order, compare_places);
	for (size_t i = 0; i < n; i++)
		json_array_append(list, order[i]);
	free(order);
	json_decref(places);
	return list;
}

static json_t *
places_of(struct store *store, const char *address, const char *host, struct error *error)
{
	_cleanup_(freep) char *lower = xstrdup(address);
	json_t *facts, *nics, *places = NULL, *seen = json_object(), *fact;
	size_t i;

	for (char *c = lower; *c; c++)
		*c = (char) (*c >= 'A' && *c <= 'F' ? *c + 32 : *c);
	facts = store_addresses(store, NULL, lower, error);
	nics = facts ? store_facts_of_kind(store, "qemu.nic", NULL, 0, 0, 10000, error) : NULL;
	if (nics)
		places = json_array();
	json_array_foreach(facts, i, fact) {
		const char *its_host = text(fact, "host");
		_cleanup_(freep) char *once = xasprintf("%s %s", its_host, text(fact, "key"));

		/* The newest of a host comes first; the others are its past. */
		if (!places || json_object_get(seen, once) || (host && !streq(host, its_host)))
			continue;
		json_object_set_new(seen, once, json_true());
		json_array_append_new(places, place_json(store, fact, nics));
	}
	if (places)
		add_silent(store, places, nics, lower);
	json_decref(seen);
	json_decref(facts);
	json_decref(nics);
	return places ? sorted(places) : NULL;
}

json_t *
network_where(struct store *store, const char *address, const struct network_query *query,
	      struct error *error)
{
	json_t *places = places_of(store, address, query->host, error);

	if (places && !json_array_size(places)) {
		json_decref(places);
		places = NULL;
		error_set(error, ENOENT, "no packet from \"%s\" was seen, and no network card has it",
			  address);
	}
	return places;
}

/* -- Path ------------------------------------------------------------------------- */

/* One end of a path: what its packets have as address. */
struct end {
	json_t *places;
	char macs[8][18];
	unsigned n_macs;
	const char *address, *host;  /* As asked; where it is, or NULL. */
};

static int
end_init(struct end *end, struct store *store, const char *address, struct error *error)
{
	const json_t *place;
	size_t i;

	*end = (struct end) { .address = address };
	end->places = places_of(store, address, NULL, error);
	if (!end->places)
		return -EIO;
	json_array_foreach(end->places, i, place) {
		const char *mac = text(place, "mac");

		if (!end->host)
			end->host = text(place, "host");
		if (mac && end->n_macs < ARRAY_SIZE(end->macs))
			snprintf(end->macs[end->n_macs++], sizeof *end->macs, "%s", mac);
	}
	return 0;
}

static bool
end_is(const struct end *end, const json_t *mac_, const json_t *ip_)
{
	const char *mac = json_string_value(mac_), *ip = json_string_value(ip_);

	/* Asked for by IP, a router's MAC must not bring all of its traffic. */
	if (strchr(end->address, '.'))
		return ip && streq(ip, end->address);
	for (unsigned i = 0; i < end->n_macs; i++)
		if (mac && streq(mac, end->macs[i]))
			return true;
	return mac && streq(mac, end->address);
}

struct hop {
	uint64_t key[3];             /* Which host, which bridge, most packets first. */
	json_t *json;
};

static int
compare_hops(const void *a_, const void *b_)
{
	const struct hop *a = a_, *b = b_;

	for (size_t i = 0; i < ARRAY_SIZE(a->key); i++)
		if (a->key[i] != b->key[i])
			return a->key[i] < b->key[i] ? -1 : 1;
	return 0;
}

static json_t *
hop_json(const struct network_host *host, const struct ovs_conversation *c)
{
	json_t *json = ovs_conversation_json(c);

	json_object_del(json, "eth_type");
	json_object_del(json, "l4_proto");
	json_object_set_new(json, "host", json_string(host->name));
	json_object_set_new(json, "in_ifname", network_ifname(host, c->key.in_port));
	json_object_set_new(json, "out_ifname", network_ifname(host, c->key.out_port));
	return json;
}

/* All protocols of two addresses on one crossing together. */
static void
sum_conversations(struct ovs_window *sum, const struct network_host *host)
{
	for (uint32_t i = 0; i < host->window.conversations.n; i++) {
		const struct ovs_conversation *c = keyed_at(&host->window.conversations, i);
		struct ovs_conversation key = *c, *place;

		key.key.eth_type = 0;
		key.key.l4_proto = 0;
		place = keyed_get(&sum->conversations, &key.key, NULL);
		if (!place)
			continue;
		place->packets += c->packets;
		place->bytes += c->bytes;
		place->lost += c->lost;
		place->slow += c->slow;
		histogram_merge(&place->latency, &c->latency);
	}
}

/* Adds the host's conversations from one to the other; returns how many there are. */
static size_t
add_hops(struct hop **hops, size_t n, const struct network_host *host, uint64_t order,
	 const struct end *src, const struct end *dst)
{
	struct ovs_window sum;

	ovs_window_init(&sum);
	sum_conversations(&sum, host);
	for (uint32_t i = 0; i < sum.conversations.n; i++) {
		const struct ovs_conversation *c = keyed_at(&sum.conversations, i);
		json_t *json = hop_json(host, c);

		if (!end_is(src, json_object_get(json, "src_mac"), json_object_get(json, "src_ip")) ||
		    !end_is(dst, json_object_get(json, "dst_mac"), json_object_get(json, "dst_ip"))) {
			json_decref(json);
			continue;
		}
		*hops = xrealloc(*hops, (n + 1) * sizeof **hops);
		(*hops)[n++] = (struct hop) { { order, c->key.hop, UINT64_MAX - c->packets }, json };
	}
	ovs_window_done(&sum);
	return n;
}

/* The conversations from one to the other, as hops in the order of the way. */
static json_t *
hops_of(const struct network *network, const struct end *src, const struct end *dst)
{
	struct hop *hops = NULL;
	json_t *list = json_array();
	size_t n = 0;

	for (size_t i = 0; i < network->n; i++) {
		const struct network_host *host = &network->hosts[i];
		const uint64_t order = src->host && streq(host->name, src->host) ? 0 :
				       dst->host && streq(host->name, dst->host) ? 2 : 1;

		n = add_hops(&hops, n, host, order << 32 | i, src, dst);
	}
	if (n)
		qsort(hops, n, sizeof *hops, compare_hops);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, hops[i].json);
	free(hops);
	return list;
}

json_t *
network_path(struct store *store, const char *src, const char *dst,
	     const struct network_query *query, struct error *error)
{
	struct network network = { 0 };
	struct end from = { 0 }, to = { 0 };
	json_t *answer = NULL;
	int r = end_init(&from, store, src, error);

	if (!r)
		r = end_init(&to, store, dst, error);
	if (!r)
		r = network_load(&network, store, query, error);
	for (size_t i = 0; i < network.n; i++)
		keyed_sort(&network.hosts[i].window.conversations);
	if (!r)
		answer = json_pack("{s:I, s:I, s:O, s:O, s:o, s:o}", "from_ns",
				   (json_int_t) network.from_ns, "to_ns",
				   (json_int_t) network.to_ns, "src", from.places, "dst", to.places,
				   "hops", hops_of(&network, &from, &to), "back",
				   hops_of(&network, &to, &from));
	json_decref(from.places);
	json_decref(to.places);
	network_done(&network);
	return answer;
}
