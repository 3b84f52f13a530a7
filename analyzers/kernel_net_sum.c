/* SPDX-License-Identifier: MIT */
#include "analyzers/kernel_net_sum.h"

#include <errno.h>
#include <string.h>

#include "analyzers/pack.h"

void
net_sum_init(struct net_sum *sum, uint64_t from_ns, uint64_t to_ns)
{
	memset(sum, 0, sizeof *sum);
	sum->from_ns = from_ns;
	sum->to_ns = to_ns;
	sum->interfaces = KEYED(struct net_interface, name, MAX_NET_INTERFACES);
	sum->drops = KEYED(struct net_drop, reason, MAX_NET_DROPS);
	sum->connections = KEYED(struct net_connection, key, MAX_NET_CONNECTIONS);
}

void
net_sum_done(struct net_sum *sum)
{
	keyed_done(&sum->interfaces);
	keyed_done(&sum->drops);
	keyed_done(&sum->connections);
}

void
net_traffic_add(struct net_traffic *to, const struct net_traffic *from)
{
	to->packets += from->packets;
	to->bytes += from->bytes;
	to->retransmitted_bytes += from->retransmitted_bytes;
	to->retransmitted_packets += from->retransmitted_packets;
	to->missing_bytes += from->missing_bytes;
	if (from->rtts) {
		to->rtt_min_ns = to->rtts ? MIN(to->rtt_min_ns, from->rtt_min_ns) : from->rtt_min_ns;
		to->rtt_max_ns = MAX(to->rtt_max_ns, from->rtt_max_ns);
	}
	to->rtts += from->rtts;
	to->rtt_ns += from->rtt_ns;
}

static uint64_t
portion(uint64_t value, uint64_t part, uint64_t whole)
{
	return part >= whole ? value : (uint64_t) ((double) value * (double) part / (double) whole);
}

static void
scale(struct net_traffic *traffic, uint64_t part, uint64_t whole)
{
	traffic->packets = portion(traffic->packets, part, whole);
	traffic->bytes = portion(traffic->bytes, part, whole);
	traffic->retransmitted_bytes = portion(traffic->retransmitted_bytes, part, whole);
	traffic->retransmitted_packets = portion(traffic->retransmitted_packets, part, whole);
	traffic->missing_bytes = portion(traffic->missing_bytes, part, whole);
}

static void
read_traffic(struct unpack *in, struct net_traffic *t)
{
	t->packets = unpack_number(in);
	t->bytes = unpack_number(in);
	t->retransmitted_bytes = unpack_number(in);
	t->retransmitted_packets = unpack_number(in);
	t->missing_bytes = unpack_number(in);
	t->rtts = unpack_number(in);
	t->rtt_ns = unpack_number(in);
	t->rtt_min_ns = unpack_number(in);
	t->rtt_max_ns = unpack_number(in);
}

static void
write_traffic(const struct net_traffic *t, struct buf *out)
{
	varint_write(t->packets, out);
	varint_write(t->bytes, out);
	varint_write(t->retransmitted_bytes, out);
	varint_write(t->retransmitted_packets, out);
	varint_write(t->missing_bytes, out);
	varint_write(t->rtts, out);
	varint_write(t->rtt_ns, out);
	varint_write(t->rtt_min_ns, out);
	varint_write(t->rtt_max_ns, out);
}

/* What of the window is in the span. */
struct span {
	uint64_t start_ns, part, whole;
};

static void
read_interface(struct net_sum *sum, struct unpack *in, const struct span *span)
{
	char name[16] = { 0 };
	struct net_interface *to, spare = { 0 };
	uint64_t numbers[4];

	unpack_text(in, name, sizeof name);
	for (unsigned i = 0; i < 4; i++)
		numbers[i] = portion(unpack_number(in), span->part, span->whole);
	to = in->bad || !span->part ? &spare : keyed_get(&sum->interfaces, name, NULL);
	if (!to) {
		sum->capped++;
		return;
	}
	to->tx_packets += numbers[0];
	to->tx_bytes += numbers[1];
	to->rx_packets += numbers[2];
	to->rx_bytes += numbers[3];
}

/* The packets of a connection: when, how much was new, how much was not. */
static void
read_log(const struct net_sum *sum, struct unpack *in, const struct span *span,
	 struct net_traffic *ret)
{
	uint64_t n = unpack_count(in), t_ns = span->start_ns;

	memset(ret, 0, sizeof *ret);
	for (uint64_t i = 0; i < n && !in->bad; i++) {
		uint64_t fresh, again;

		t_ns += unpack_number(in);
		fresh = unpack_number(in);
		again = unpack_number(in);
		if (t_ns < sum->from_ns || t_ns >= sum->to_ns)
			continue;
		ret->bytes += fresh;
		ret->retransmitted_bytes += again;
		ret->retransmitted_packets += again != 0;
	}
}

static void
read_connection(struct net_sum *sum, struct unpack *in, const struct span *span)
{
	struct net_connection one = { 0 }, *to;
	struct net_traffic exact;
	bool has_log;

	if ((size_t) (in->end - in->at) < sizeof one.key)
		in->bad = true;
	if (in->bad)
		return;
	memcpy(&one.key, in->at, sizeof one.key);
	in->at += sizeof one.key;
	one.received = unpack_number(in) != 0;
	unpack_text(in, one.interface, sizeof one.interface);
	read_traffic(in, &one.traffic);
	has_log = unpack_number(in) != 0;
	read_log(sum, in, span, &exact);
	if (in->bad || !span->part)
		return;
	if (span->part < span->whole) {
		scale(&one.traffic, span->part, span->whole);
		if (has_log) {
			one.traffic.bytes = exact.bytes;
			one.traffic.retransmitted_bytes = exact.retransmitted_bytes;
			one.traffic.retransmitted_packets = exact.retransmitted_packets;
		}
	}
	to = keyed_get(&sum->connections, &one.key, NULL);
	if (!to) {
		sum->capped++;
		net_traffic_add(&sum->others, &one.traffic);
		return;
	}
	to->received = one.received;
	memcpy(to->interface, one.interface, sizeof to->interface);
	net_traffic_add(&to->traffic, &one.traffic);
}

int
net_sum_add(struct net_sum *sum, const struct fact_window *window)
{
	struct unpack in = { .at = window->blob,
			     .end = (const unsigned char *) window->blob + window->size };
	const uint64_t from_ns = MAX(window->start_ns, sum->from_ns);
	const uint64_t to_ns = MIN(window->end_ns, sum->to_ns);
	const struct span span = { window->start_ns, to_ns > from_ns ? to_ns - from_ns : 0,
				   window->end_ns - window->start_ns };
	struct net_traffic others;
	uint64_t n;

	if (!window->size || *in.at++ != NET_WINDOW_VERSION)
		return -EINVAL;
	sum->late += unpack_number(&in);
	sum->capped += unpack_number(&in);
	sum->lost += unpack_number(&in);
	sum->unparsed += unpack_number(&in);
	n = unpack_count(&in);
	for (uint64_t i = 0; i < n && !in.bad; i++)
		read_interface(sum, &in, &span);
	n = unpack_count(&in);
	for (uint64_t i = 0; i < n && !in.bad; i++) {
		const uint32_t reason = (uint32_t) unpack_number(&in);
		const uint64_t packets = portion(unpack_number(&in), span.part, span.whole);
		struct net_drop *drop = span.part ? keyed_get(&sum->drops, &reason, NULL) : NULL;

		if (drop)
			drop->packets += packets;
	}
	n = unpack_count(&in);
	for (uint64_t i = 0; i < n && !in.bad; i++)
		read_connection(sum, &in, &span);
	read_traffic(&in, &others);
	scale(&others, span.part, span.whole);
	net_traffic_add(&sum->others, &others);
	return in.bad || in.at != in.end ? -EINVAL : 0;
}

static void
write_connection(const struct net_connection *c, struct buf *out)
{
	buf_add(out, &c->key, sizeof c->key);
	varint_write(c->received, out);
	pack_text(out, c->interface);
	write_traffic(&c->traffic, out);
	varint_write(0, out);
	varint_write(0, out);
}

static int
merge(const struct fact_window *windows, size_t n, struct buf *ret)
{
	struct net_sum sum;
	int r = 0;

	net_sum_init(&sum, windows[0].start_ns, windows[n - 1].end_ns);
	for (size_t i = 0; i < n && !r; i++)
		r = net_sum_add(&sum, &windows[i]);
	keyed_sort(&sum.interfaces);
	keyed_sort(&sum.drops);
	keyed_sort(&sum.connections);
	buf_add_char(ret, NET_WINDOW_VERSION);
	varint_write(sum.late, ret);
	varint_write(sum.capped, ret);
	varint_write(sum.lost, ret);
	varint_write(sum.unparsed, ret);
	varint_write(sum.interfaces.n, ret);
	for (uint32_t i = 0; i < sum.interfaces.n; i++) {
		const struct net_interface *one = keyed_at(&sum.interfaces, i);

		pack_text(ret, one->name);
		varint_write(one->tx_packets, ret);
		varint_write(one->tx_bytes, ret);
		varint_write(one->rx_packets, ret);
		varint_write(one->rx_bytes, ret);
	}
	varint_write(sum.drops.n, ret);
	for (uint32_t i = 0; i < sum.drops.n; i++) {
		const struct net_drop *drop = keyed_at(&sum.drops, i);

		varint_write(drop->reason, ret);
		varint_write(drop->packets, ret);
	}
	varint_write(sum.connections.n, ret);
	for (uint32_t i = 0; i < sum.connections.n; i++)
		write_connection(keyed_at(&sum.connections, i), ret);
	write_traffic(&sum.others, ret);
	net_sum_done(&sum);
	return r;
}

static json_t *
window_json(const struct fact_window *window)
{
	json_t *interfaces = json_object(), *connections = json_array(), *object = NULL;
	struct net_sum sum;

	net_sum_init(&sum, window->start_ns, window->end_ns);
	if (!net_sum_add(&sum, window)) {
		for (uint32_t i = 0; i < sum.interfaces.n; i++) {
			const struct net_interface *one = keyed_at(&sum.interfaces, i);

			json_object_set_new(interfaces, one->name, json_pack(
				"[I, I, I, I]", (json_int_t) one->tx_packets, (json_int_t) one->tx_bytes,
				(json_int_t) one->rx_packets, (json_int_t) one->rx_bytes));
		}
		for (uint32_t i = 0; i < sum.connections.n; i++) {
			const struct net_connection *c = keyed_at(&sum.connections, i);
			char text[64];

			snprintf(text, sizeof text, "%u.%u.%u.%u:%u>%u.%u.%u.%u:%u", c->key.source[0],
				 c->key.source[1], c->key.source[2], c->key.source[3],
				 c->key.source_port, c->key.destination[0], c->key.destination[1],
				 c->key.destination[2], c->key.destination[3],
				 c->key.destination_port);
			json_array_append_new(connections, json_pack(
				"[s, I, I, I, I, I]", text, (json_int_t) c->traffic.packets,
				(json_int_t) c->traffic.bytes,
				(json_int_t) c->traffic.retransmitted_bytes,
				(json_int_t) c->traffic.missing_bytes, (json_int_t) c->traffic.rtts));
		}
		object = json_pack("{s:O, s:O, s:i, s:I, s:I}", "interfaces", interfaces, "connections",
				   connections, "drops", (int) sum.drops.n, "capped",
				   (json_int_t) sum.capped, "lost", (json_int_t) sum.lost);
	}
	json_decref(interfaces);
	json_decref(connections);
	net_sum_done(&sum);
	return object;
}

const struct window_kind net_window_kind = { .kind = "net", .merge = merge, .json = window_json };
