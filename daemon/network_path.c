/* SPDX-License-Identifier: MIT
 *
 * network_path.c -- the way that packets took from one address to another. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/members.h"
#include "daemon/network.h"
#include "lib/util.h"

/* One end of a path: what its packets have as address. */
struct end {
	json_t *places;
	char macs[8][OVS_MAC_TEXT];
	unsigned n_macs;
	char address[NETWORK_ADDRESS];
	const char *host;            /* Where it is, or NULL. */
};

static int
end_init(struct end *end, struct store *store, const char *address, struct error *error)
{
	const json_t *place;
	size_t i;

	if (network_address_parse(address, end->address, error))
		return -EINVAL;
	end->places = network_places(store, end->address, NULL, error);
	if (!end->places)
		return -EIO;
	json_array_foreach(end->places, i, place) {
		const char *mac = text_of(place, "mac");

		if (!end->host)
			end->host = text_of(place, "host");
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
	network_set_ifnames(json, host, c->key.in_port, c->key.out_port);
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
