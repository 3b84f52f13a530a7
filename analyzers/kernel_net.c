/* SPDX-License-Identifier: MIT
 *
 * kernel_net.c -- packets by interface, and TCP by connection: what was sent
 * anew, what again (by ranges of sequence numbers, as with segmentation by the
 * card a packet here may be many on the wire), and how long data waited for
 * its acknowledgement. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/analyzer.h"
#include "analyzers/kernel_net_sum.h"
#include "analyzers/kernel_sync.h"
#include "lib/clock.h"
#include "lib/histogram.h"
#include "analyzers/pack.h"
#include "lib/util.h"

#define WINDOW_NS (100 * NS_PER_MS)

enum {
	MAX_DIRECTIONS = 8192,       /* TCP connections, each way; the oldest make room. */
	MAX_TOLD = 128,              /* Of a window; the others are one. */
	MAX_LOG = 1024,              /* Packets with data of a window, one by one. */
};

/* -- What it reads ---------------------------------------------------------------- */

struct values {
	uint64_t len, family, transport, total_len, header_len, source_port, destination_port;
	uint64_t ip_id, seq, ack, data_offset, flags, reason;
	struct text name, source, destination;
};
#define NH "network_header."
#define TH "network_header.transport_header."
static const struct field packet_fields[] = {
	FIELD(U64, struct values, len, "len"),
	FIELD(TEXT, struct values, name, "name"),
	FIELD(U64, struct values, family, "network_header_type", .optional = true),
	FIELD(U64, struct values, transport, NH "transport_header_type", .optional = true),
	FIELD(U64, struct values, total_len, NH "tot_len", .optional = true),
	FIELD(U64, struct values, header_len, NH "ihl", .optional = true),
	FIELD(U64, struct values, ip_id, NH "id", .optional = true),
	FIELD(BYTES, struct values, source, NH "saddr", .optional = true),
	FIELD(BYTES, struct values, destination, NH "daddr", .optional = true),
	FIELD(U64, struct values, source_port, TH "source_port", .optional = true),
	FIELD(U64, struct values, destination_port, TH "dest_port", .optional = true),
	FIELD(U64, struct values, seq, TH "seq", .optional = true),
	FIELD(U64, struct values, ack, TH "ack_seq", .optional = true),
	FIELD(U64, struct values, data_offset, TH "data_offset", .optional = true),
	FIELD(U64, struct values, flags, TH "flags", .optional = true),
	{ 0 }
};
static const struct field drop_fields[] = {
	FIELD(U64, struct values, reason, "reason", .optional = true),
	{ 0 }
};

enum { QUEUE, RECEIVE, KFREE };
static const struct native_event events[] = {
	[QUEUE] = { .name = "net_dev_queue", .reads = packet_fields },
	[RECEIVE] = { .name = "net_if_receive_skb", .reads = packet_fields },
	[KFREE] = { .name = "skb_kfree", .reads = drop_fields },
	{ 0 }
};
enum { FAMILY_IPV4 = 1, TRANSPORT_TCP = 1, FLAG_SYN = 2, FLAG_ACK = 16 };

/* -- State -------------------------------------------------------------------------- */

/* One way of a connection. */
struct direction {
	struct net_key key;
	char interface[16];          /* Where it is counted. */
	uint32_t received;
	uint32_t next_seq;           /* Behind what was seen of it. */
	uint32_t pending_seq;        /* Data whose acknowledgement is waited for... */
	uint32_t n_log;
	uint64_t pending_ns;         /* since then; 0: none. */
	uint64_t last_ns;
	uint8_t has_seq, unlogged;
	uint8_t forwarded;           /* It is neither from here nor for here. */
	uint8_t sync_level;          /* Of this window. */
	uint8_t spare[4];
	struct net_traffic traffic;
};

struct log_entry {
	struct net_key key;
	uint64_t t_ns;
	uint32_t fresh, again;
};

struct kernel_net {
	uint64_t window_ns;
	struct keyed interfaces, drops, directions;
	uint64_t late, capped, lost, unparsed;
	struct log_entry *log;
	uint32_t n_log;
	bool changed, active;
	struct sync_pool sync;
};

/* Compares two sequence numbers, which wrap around. */
static int32_t
behind(uint32_t a, uint32_t b)
{
	return (int32_t) (a - b);
}

static int
by_age(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

	return x < y ? -1 : x > y;
}

/* Forgets the quarter that was silent for longest. */
static void
make_room(struct kernel_net *net)
{
	uint64_t *ages = xcalloc(net->directions.n, sizeof *ages), limit;

	for (uint32_t i = 0; i < net->directions.n; i++)
		ages[i] = ((struct direction *) keyed_at(&net->directions, i))->last_ns;
	qsort(ages, net->directions.n, sizeof *ages, by_age);
	limit = ages[net->directions.n / 4];
	free(ages);
	for (uint32_t i = net->directions.n; i-- > 0; ) {
		struct direction *d = keyed_at(&net->directions, i);

		if (d->last_ns <= limit && d->last_ns < net->window_ns) {
			keyed_remove(&net->directions, d);
			net->capped++;
		}
	}
}

static struct direction *
direction(struct kernel_net *net, const struct net_key *key, const struct step *step,
	  const struct values *v, bool received)
{
	struct direction *d = keyed_find(&net->directions, key);

	if (!d) {
		if (net->directions.n == MAX_DIRECTIONS)
			make_room(net);
		d = keyed_get(&net->directions, key, NULL);
		if (!d) {
			net->capped++;
			return NULL;
		}
		text_copy(d->interface, sizeof d->interface, &v->name);
		d->received = received;
	}
	d->forwarded |= d->received != received;
	/* The same packet at another interface. */
	if (d->received != received || !text_is(&v->name, d->interface))
		return NULL;
	if (d->last_ns < net->window_ns)
		d->sync_level = 0;
	d->last_ns = step->t_ns;
	return d;
}

static void
add_log(struct kernel_net *net, struct direction *d, uint64_t t_ns, uint32_t fresh, uint32_t again)
{
	if (net->n_log == MAX_LOG) {
		d->unlogged = true;
		return;
	}
	net->log[net->n_log++] = (struct log_entry) {
		.key = d->key, .t_ns = t_ns, .fresh = fresh, .again = again };
}

static void
take_data(struct kernel_net *net, struct direction *d, uint64_t t_ns, uint32_t seq, uint32_t size)
{
	const int32_t gap = d->has_seq ? behind(seq, d->next_seq) : 0;
	uint32_t again = 0;

	if (gap < 0)
		again = MIN(size, (uint32_t) -(int64_t) gap);
	else
		d->traffic.missing_bytes += (uint32_t) gap;
	d->traffic.bytes += size - again;
	d->traffic.retransmitted_bytes += again;
	d->traffic.retransmitted_packets += again != 0;
	if (!d->has_seq || behind(seq + size, d->next_seq) > 0)
		d->next_seq = seq + size;
	d->has_seq = true;
	/* An acknowledgement of what was sent twice says nothing (Karn). */
	if (again) {
		d->pending_ns = 0;
	} else if (!d->pending_ns) {
		d->pending_ns = t_ns;
		d->pending_seq = seq + size;
	}
	add_log(net, d, t_ns, size - again, again);
}

static struct direction *
other_way(const struct kernel_net *net, const struct net_key *key)
{
	struct net_key other = { .source_port = key->destination_port,
				 .destination_port = key->source_port };

	memcpy(other.source, key->destination, sizeof other.source);
	memcpy(other.destination, key->source, sizeof other.destination);
	return keyed_find(&net->directions, &other);
}

static void
take_ack(struct kernel_net *net, const struct net_key *key, uint64_t t_ns, uint32_t ack)
{
	struct direction *d = other_way(net, key);
	struct net_traffic *traffic;
	uint64_t ns;

	if (!d || !d->pending_ns || behind(ack, d->pending_seq) < 0)
		return;
	ns = t_ns - MIN(d->pending_ns, t_ns);
	traffic = &d->traffic;
	traffic->rtt_min_ns = traffic->rtts ? MIN(traffic->rtt_min_ns, ns) : ns;
	traffic->rtt_max_ns = MAX(traffic->rtt_max_ns, ns);
	traffic->rtts++;
	traffic->rtt_ns += ns;
	d->pending_ns = 0;
}

/* Segments without an IP id can't be told from the same ones sent again. */
static void
note_segment(struct kernel_net *net, struct direction *d, const struct step *step,
	     const struct values *v)
{
	struct sync_segment segment;
	struct sync_sample sample;

	/* The time must be its own: to be raised would make it sent too late. */
	if (!v->ip_id || d->forwarded || step->event_ns != step->t_ns || !net->sync.account)
		return;
	segment = (struct sync_segment) {
		.key = d->key, .seq = (uint32_t) v->seq, .ack = (uint32_t) v->ack,
		.ip_id = (uint16_t) v->ip_id, .length = (uint16_t) v->total_len,
		.flags = (uint16_t) v->flags,
	};
	sample = (struct sync_sample) {
		.hash = sync_hash(&segment), .t_ns = step->event_ns, .key = d->key,
		.received = d->received,
	};
	while (sync_level(sample.hash) >= d->sync_level && !sync_has_room(&net->sync)) {
		const struct net_key busiest = sync_busiest(&net->sync);
		struct direction *most = keyed_find(&net->directions, &busiest);

		if (!most || most->sync_level == UINT8_MAX || net->sync.rounds == MAX_SYNC_ROUNDS)
			return;
		sync_thin(&net->sync, &busiest, ++most->sync_level);
	}
	if (sync_level(sample.hash) >= d->sync_level)
		sync_add(&net->sync, &sample);
}

static void
take_tcp(struct kernel_net *net, const struct step *step, const struct values *v, bool received)
{
	const uint64_t headers = 4 * (v->header_len + v->data_offset);
	struct net_key key = { .source_port = (uint16_t) v->source_port,
			       .destination_port = (uint16_t) v->destination_port };
	struct direction *d;

	if (v->source.size != sizeof key.source || v->destination.size != sizeof key.destination ||
	    headers > v->total_len) {
		net->unparsed++;
		return;
	}
	memcpy(key.source, v->source.s, sizeof key.source);
	memcpy(key.destination, v->destination.s, sizeof key.destination);
	d = direction(net, &key, step, v, received);
	if (!d)
		return;
	d->traffic.packets++;
	note_segment(net, d, step, v);
	if (v->flags & FLAG_SYN) {
		d->next_seq = (uint32_t) v->seq + 1;
		d->has_seq = true;
		d->pending_ns = 0;
	} else if (v->total_len > headers) {
		take_data(net, d, step->t_ns, (uint32_t) v->seq, (uint32_t) (v->total_len - headers));
	}
	if (v->flags & FLAG_ACK)
		take_ack(net, &key, step->t_ns, (uint32_t) v->ack);
}

static void
take_packet(struct kernel_net *net, const struct step *step, bool received)
{
	const struct values *v = step->values;
	struct net_interface *interface;
	char name[16] = { 0 };

	text_copy(name, sizeof name, &v->name);
	interface = keyed_get(&net->interfaces, name, NULL);
	if (!interface) {
		net->capped++;
	} else if (received) {
		interface->rx_packets++;
		interface->rx_bytes += v->len;
	} else {
		interface->tx_packets++;
		interface->tx_bytes += v->len;
	}
	if (v->family == FAMILY_IPV4 && v->transport == TRANSPORT_TCP)
		take_tcp(net, step, v, received);
	else if (v->family > FAMILY_IPV4)
		net->unparsed++;
}

/* -- Windows -------------------------------------------------------------------------- */

static int
by_weight(const void *a, const void *b)
{
	const struct direction *x = *(const struct direction *const *) a;
	const struct direction *y = *(const struct direction *const *) b;

	if (x->traffic.retransmitted_packets != y->traffic.retransmitted_packets)
		return x->traffic.retransmitted_packets > y->traffic.retransmitted_packets ? -1 : 1;
	if (x->traffic.bytes != y->traffic.bytes)
		return x->traffic.bytes > y->traffic.bytes ? -1 : 1;
	return memcmp(&x->key, &y->key, sizeof x->key);
}

static void
pack_traffic(const struct net_traffic *t, struct buf *out)
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

static void
pack_direction(const struct kernel_net *net, const struct direction *d, struct buf *out)
{
	uint64_t last_ns = net->window_ns, n = 0;

	buf_add(out, &d->key, sizeof d->key);
	varint_write(d->received, out);
	pack_text(out, d->interface);
	pack_traffic(&d->traffic, out);
	varint_write(!d->unlogged, out);
	for (uint32_t i = 0; i < net->n_log && !d->unlogged; i++)
		n += !memcmp(&net->log[i].key, &d->key, sizeof d->key);
	varint_write(n, out);
	for (uint32_t i = 0; i < net->n_log && n; i++) {
		const struct log_entry *entry = &net->log[i];

		if (memcmp(&entry->key, &d->key, sizeof d->key))
			continue;
		varint_write(entry->t_ns - MIN(last_ns, entry->t_ns), out);
		varint_write(entry->fresh, out);
		varint_write(entry->again, out);
		last_ns = MAX(last_ns, entry->t_ns);
	}
}

static void
pack_directions(struct kernel_net *net, struct buf *out)
{
	struct direction **list = xcalloc(net->directions.n + 1, sizeof *list);
	struct net_traffic others = { 0 };
	size_t n = 0, told;

	for (uint32_t i = 0; i < net->directions.n; i++) {
		struct direction *d = keyed_at(&net->directions, i);

		if (d->traffic.packets || d->traffic.rtts)
			list[n++] = d;
	}
	qsort(list, n, sizeof *list, by_weight);
	told = MIN(n, (size_t) MAX_TOLD);
	varint_write(told, out);
	for (size_t i = 0; i < n; i++) {
		if (i < told)
			pack_direction(net, list[i], out);
		else
			net_traffic_add(&others, &list[i]->traffic);
		memset(&list[i]->traffic, 0, sizeof list[i]->traffic);
		list[i]->unlogged = false;
	}
	pack_traffic(&others, out);
	net->capped += n - told;
	net->n_log = 0;
	free(list);
}

static void
pack_interfaces(struct kernel_net *net, struct buf *out)
{
	keyed_sort(&net->interfaces);
	varint_write(net->interfaces.n, out);
	for (uint32_t i = 0; i < net->interfaces.n; i++) {
		const struct net_interface *one = keyed_at(&net->interfaces, i);

		pack_text(out, one->name);
		varint_write(one->tx_packets, out);
		varint_write(one->tx_bytes, out);
		varint_write(one->rx_packets, out);
		varint_write(one->rx_bytes, out);
	}
	keyed_sort(&net->drops);
	varint_write(net->drops.n, out);
	for (uint32_t i = 0; i < net->drops.n; i++) {
		const struct net_drop *drop = keyed_at(&net->drops, i);

		varint_write(drop->reason, out);
		varint_write(drop->packets, out);
	}
	keyed_clear(&net->interfaces);
	keyed_clear(&net->drops);
}

/* Only of connections that end on this host: one way goes out, the other comes in.
 * What is forwarded is both on each host that it passes. */
static void
tell_sync(struct kernel_net *net, const struct step *step)
{
	_cleanup_(buf_done) struct buf blob = { 0 };
	struct fact fact = {
		.type = FACT_WINDOW, .kind = "sync", .key = "-", .start_ns = net->window_ns,
		.end_ns = step->t_ns,
	};
	uint32_t n = 0;

	for (uint32_t i = 0; i < net->sync.n; i++) {
		const struct sync_sample *sample = &net->sync.samples[i];
		const struct direction *d = keyed_find(&net->directions, &sample->key);
		const struct direction *other = other_way(net, &sample->key);

		if (d && other && !d->forwarded && !other->forwarded && d->received != other->received)
			net->sync.samples[n++] = *sample;
	}
	net->sync.n = n;
	if (!sync_pack(&net->sync, net->window_ns, &blob))
		return;
	fact.blob = blob.data;
	fact.blob_size = blob.size;
	native_tell(step, &fact);
}

static void
net_watermark(void *state, const struct step *step)
{
	struct kernel_net *net = state;
	_cleanup_(buf_done) struct buf blob = { 0 }, rest = { 0 };
	struct fact fact = {
		.type = FACT_WINDOW, .kind = "net", .key = "-", .start_ns = net->window_ns,
		.end_ns = step->t_ns,
	};

	pack_interfaces(net, &rest);
	pack_directions(net, &rest);
	buf_add_char(&blob, NET_WINDOW_VERSION);
	varint_write(net->late, &blob);
	varint_write(net->capped, &blob);
	varint_write(net->lost, &blob);
	varint_write(net->unparsed, &blob);
	buf_add(&blob, rest.data, rest.size);
	fact.blob = blob.data;
	fact.blob_size = blob.size;
	native_tell(step, &fact);
	tell_sync(net, step);
	net->late = net->capped = net->lost = net->unparsed = 0;
	net->window_ns = 0;          /* The next packet opens one. */
	net->changed = true;
}

static void
net_event(void *state, const struct step *step, unsigned event)
{
	const struct values *v = step->values;
	struct kernel_net *net = state;
	const uint32_t reason = (uint32_t) v->reason;
	struct net_drop *drop;

	net->changed = true;
	if (step->late) {
		net->late++;
		return;
	}
	if (!net->window_ns) {
		net->window_ns = step->t_ns / WINDOW_NS * WINDOW_NS;
		step_wake(step, net->window_ns + WINDOW_NS);
		sync_begin(&net->sync, net->window_ns, WINDOW_NS);
	}
	if (event != KFREE) {
		take_packet(net, step, event == RECEIVE);
		return;
	}
	drop = keyed_get(&net->drops, &reason, NULL);
	if (drop)
		drop->packets++;
	else
		net->capped++;
}

static void
net_loss(void *state, const struct step *step, const struct ctf_loss *loss)
{
	struct kernel_net *net = state;

	net->lost += loss->events + loss->packets;
	net->changed = true;
	for (uint32_t i = 0; i < net->directions.n; i++)
		((struct direction *) keyed_at(&net->directions, i))->pending_ns = 0;
}

static void
net_start(void *state, const struct step *step)
{
	struct kernel_net *net = state;

	net->interfaces = KEYED(struct net_interface, name, MAX_NET_INTERFACES);
	net->drops = KEYED(struct net_drop, reason, MAX_NET_DROPS);
	net->directions = KEYED(struct direction, key, MAX_DIRECTIONS);
	net->log = xcalloc(MAX_LOG, sizeof *net->log);
}

static void
net_stop(void *state)
{
	struct kernel_net *net = state;

	keyed_done(&net->interfaces);
	keyed_done(&net->drops);
	keyed_done(&net->directions);
	free(net->log);
}

/* -- Checkpoints -------------------------------------------------------------------- */

struct saved {
	uint64_t window_ns, late, capped, lost, unparsed;
	uint32_t n_interfaces, n_drops, n_directions, n_log;
	uint64_t sync_filled_ns;
	uint32_t sync_account, n_sync;
	uint64_t sync_rounds;
};

static void
net_save(void *state, void (*put)(void *context, uint64_t key, const void *record, size_t size),
	 void *context)
{
	struct kernel_net *net = state;
	_cleanup_(buf_done) struct buf buf = { 0 };
	const struct saved saved = {
		.window_ns = net->window_ns, .late = net->late, .capped = net->capped,
		.lost = net->lost, .unparsed = net->unparsed, .n_interfaces = net->interfaces.n,
		.n_drops = net->drops.n, .n_directions = net->directions.n, .n_log = net->n_log,
		.sync_filled_ns = net->sync.filled_ns, .sync_account = net->sync.account,
		.n_sync = net->sync.n, .sync_rounds = net->sync.rounds,
	};

	if (!net->changed)
		return;
	net->changed = false;
	buf_add(&buf, &saved, sizeof saved);
	buf_add(&buf, net->interfaces.records, net->interfaces.n * sizeof(struct net_interface));
	buf_add(&buf, net->drops.records, net->drops.n * sizeof(struct net_drop));
	buf_add(&buf, net->directions.records, net->directions.n * sizeof(struct direction));
	buf_add(&buf, net->log, net->n_log * sizeof *net->log);
	buf_add(&buf, net->sync.samples, net->sync.n * sizeof *net->sync.samples);
	put(context, 1, buf.data, buf.size);
}

static bool
restore_table(struct keyed *table, uint32_t n, const char **at)
{
	for (uint32_t i = 0; i < n; i++, *at += table->size) {
		bool is_new;
		void *record = keyed_get(table, *at, &is_new);

		if (!record || !is_new)
			return false;
		memcpy(record, *at, table->size);
	}
	return true;
}

static int
net_restore(void *state, uint64_t key, const void *record, size_t size)
{
	struct kernel_net *net = state;
	const char *at = record;
	struct saved saved;

	if (key != 1 || size < sizeof saved)
		return -EINVAL;
	memcpy(&saved, at, sizeof saved);
	at += sizeof saved;
	if (saved.n_interfaces > MAX_NET_INTERFACES || saved.n_drops > MAX_NET_DROPS ||
	    saved.n_directions > MAX_DIRECTIONS || saved.n_log > MAX_LOG ||
	    saved.n_sync > MAX_SYNC_SAMPLES || saved.sync_account > SYNC_ACCOUNT ||
	    saved.sync_rounds > MAX_SYNC_ROUNDS ||
	    saved.window_ns % WINDOW_NS ||
	    size != sizeof saved + saved.n_interfaces * sizeof(struct net_interface) +
		    saved.n_drops * sizeof(struct net_drop) +
		    saved.n_directions * sizeof(struct direction) + saved.n_log * sizeof *net->log +
		    saved.n_sync * sizeof *net->sync.samples)
		return -EINVAL;
	if (!restore_table(&net->interfaces, saved.n_interfaces, &at) ||
	    !restore_table(&net->drops, saved.n_drops, &at) ||
	    !restore_table(&net->directions, saved.n_directions, &at))
		return -EINVAL;
	for (uint32_t i = 0; i < net->interfaces.n; i++)
		if (!memchr(keyed_at(&net->interfaces, i), 0, 16))
			return -EINVAL;
	for (uint32_t i = 0; i < net->directions.n; i++)
		if (!memchr(((struct direction *) keyed_at(&net->directions, i))->interface, 0, 16))
			return -EINVAL;
	memcpy(net->log, at, saved.n_log * sizeof *net->log);
	at += saved.n_log * sizeof *net->log;
	memcpy(net->sync.samples, at, saved.n_sync * sizeof *net->sync.samples);
	net->sync.n = saved.n_sync;
	net->sync.account = saved.sync_account;
	net->sync.rounds = (uint32_t) saved.sync_rounds;
	net->sync.filled_ns = saved.sync_filled_ns;
	net->n_log = saved.n_log;
	net->window_ns = saved.window_ns;
	net->late = saved.late;
	net->capped = saved.capped;
	net->lost = saved.lost;
	net->unparsed = saved.unparsed;
	return 0;
}

static size_t
net_bytes(const void *state)
{
	const struct kernel_net *net = state;

	return net->directions.capacity * sizeof(struct direction) + MAX_LOG * sizeof *net->log +
		net->interfaces.capacity * sizeof(struct net_interface);
}

static const struct native native = {
	.events = events,
	.state_size = sizeof(struct kernel_net),
	.start = net_start,
	.stop = net_stop,
	.event = net_event,
	.loss = net_loss,
	.watermark = net_watermark,
	.save = net_save,
	.restore = net_restore,
	.bytes = net_bytes,
};

const struct analyzer kernel_net_analyzer = {
	.name = "kernel_net",
	.summary = "Packets by interface, TCP connections: bytes, retransmissions, round trips, drops",
	.version = 3,
	.roles = ROLE_COMPUTE | ROLE_NETWORK | ROLE_STORAGE | ROLE_CONTROLLER,
	.kernel = true,
	.rules = no_rules,
	.native = &native,
};
