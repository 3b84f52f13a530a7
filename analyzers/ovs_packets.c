/* SPDX-License-Identifier: MIT
 *
 * ovs_packets.c -- the life of a packet in the datapath, by its tag: received,
 * looked up, up to ovs-vswitchd and back where no flow matched, actions, sent;
 * on the next bridge again.
 *
 * Packets are followed in a ring: the one that came first makes room.  What is
 * kept in the end is counters and histograms; the slowest stay whole. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "analyzers/ovs.h"

const char *const ovs_step_names[] = {
	[OVS_STEP_RECEIVE] = "receive", [OVS_STEP_LOOKUP] = "lookup", [OVS_STEP_HIT] = "hit",
	[OVS_STEP_MISS] = "miss", [OVS_STEP_ACTIONS] = "actions", [OVS_STEP_UPCALL] = "upcall",
	[OVS_STEP_QUEUED] = "queued", [OVS_STEP_READ] = "read",
	[OVS_STEP_EXECUTE] = "execute", [OVS_STEP_OUTPUT] = "output", [OVS_STEP_SEND] = "send",
	[OVS_STEP_DONE] = "done", [OVS_STEP_REFUSED] = "refused", [OVS_STEP_FREED] = "freed",
};

struct ovs_index {
	uint64_t id, seq;
};

void
ovs_packets_start(struct ovs *ovs)
{
	ovs->packets = xcalloc(OVS_MAX_PACKETS, sizeof *ovs->packets);
	ovs->packet_changed = xcalloc(OVS_MAX_PACKETS, 1);
	ovs->by_id = KEYED(struct ovs_index, id, OVS_MAX_PACKETS);
	ovs->by_skb = KEYED(struct ovs_index, id, OVS_MAX_PACKETS);
	ovs->main.next_seq = ovs->main.oldest_seq = 1;
}

static unsigned
slot_of(uint64_t seq)
{
	return (unsigned) (seq % OVS_MAX_PACKETS);
}

static void
changed(struct ovs *ovs, const struct ovs_packet *packet)
{
	ovs->packet_changed[slot_of(packet->seq)] |= 1;
}

struct ovs_packet *
ovs_packet_of_seq(struct ovs *ovs, uint64_t seq)
{
	struct ovs_packet *packet = &ovs->packets[slot_of(seq)];

	return (packet->flags & PACKET_THERE) && packet->seq == seq ? packet : NULL;
}

struct ovs_packet *
ovs_packet_find(struct ovs *ovs, uint64_t tag, uint64_t skb)
{
	const uint64_t id = tag ? tag : skb;
	const struct ovs_index *index = id ? keyed_find(&ovs->by_id, &id) : NULL;

	return index ? ovs_packet_of_seq(ovs, index->seq) : NULL;
}

static void
unlink_skb(struct ovs *ovs, const struct ovs_packet *packet)
{
	struct ovs_index *index = packet->skb ? keyed_find(&ovs->by_skb, &packet->skb) : NULL;

	if (index && index->seq == packet->seq)
		keyed_remove(&ovs->by_skb, index);
}

static void
link_skb(struct ovs *ovs, struct ovs_packet *packet, uint64_t skb)
{
	struct ovs_packet *other;
	struct ovs_index *index;

	if (packet->skb == skb)
		return;
	unlink_skb(ovs, packet);
	packet->skb = skb;
	index = skb ? keyed_get(&ovs->by_skb, &skb, NULL) : NULL;
	if (!index)
		return;
	other = ovs_packet_of_seq(ovs, index->seq);
	if (other && other != packet && other->skb == skb) {
		other->skb = 0;
		changed(ovs, other);
	}
	index->seq = packet->seq;
}

/* -- Counting --------------------------------------------------------------- */

static void
conversation_count(struct ovs *ovs, const struct ovs_packet *packet, uint32_t out, uint64_t len,
		   uint64_t latency_ns, bool known)
{
	struct ovs_conversation *c, key;

	if (packet->flags & PACKET_KPROBES)
		return;
	memset(&key, 0, sizeof key);
	memcpy(key.key.src_mac, packet->src_mac, sizeof key.key.src_mac);
	memcpy(key.key.dst_mac, packet->dst_mac, sizeof key.key.dst_mac);
	key.key.saddr = packet->saddr;
	key.key.daddr = packet->daddr;
	key.key.in_port = packet->in_port;
	key.key.out_port = out;
	key.key.eth_type = packet->eth_type;
	key.key.l4_proto = packet->l4_proto;
	key.key.hop = packet->hop;
	c = keyed_get(&ovs->window.conversations, &key.key, NULL);
	if (!c) {
		COUNT(ovs, EVICTED_CONVERSATIONS);
		return;
	}
	c->packets++;
	c->bytes += len;
	c->slow += (packet->flags & PACKET_SLOW) != 0;
	c->lost += out == OVS_NO_PORT;
	if (known)
		histogram_add(&c->latency, latency_ns);
}

/* Nothing of it came out. */
static void
packet_lost(struct ovs *ovs, struct ovs_packet *packet)
{
	if (!packet->sends && !(packet->flags & PACKET_DROPPED))
		conversation_count(ovs, packet, OVS_NO_PORT, packet->len, 0, false);
	packet->flags |= PACKET_DROPPED;
	changed(ovs, packet);
}

void
ovs_packet_drop(struct ovs *ovs, struct ovs_packet *packet, enum ovs_place place,
		uint32_t reason, uint32_t out_port)
{
	const uint32_t in_port = packet ? packet->in_port : OVS_NO_PORT;
	const uint32_t key[] = { place, reason, in_port, out_port };
	struct ovs_drop *drop = keyed_get(&ovs->window.drops, key, NULL);
	struct ovs_port *port = ovs_window_port(&ovs->window, out_port != OVS_NO_PORT ? out_port :
						in_port);

	COUNT(ovs, DROPPED);
	if (drop)
		drop->count++;
	else
		COUNT(ovs, EVICTED_OTHERS);
	if (port && port->port != OVS_NO_PORT)
		port->dropped++;
	/* One port did not take it: another may. */
	if (packet && place == OVS_AT_OUTPUT)
		packet->flags |= PACKET_REFUSED;
	else if (packet)
		packet_lost(ovs, packet);
}

/* -- Making and forgetting --------------------------------------------------- */

/* A crossing is over for good: whether its packet was lost in it.  'ending': it
 * is only that the trace is over. */
static void
judge(struct ovs *ovs, struct ovs_packet *packet, uint64_t t_ns, bool ending)
{
	const bool whole = packet->receive_ns > ovs->main.loss_ns && !packet->sends &&
			   !(packet->flags & (PACKET_NO_RECEIVE | PACKET_KPROBES | PACKET_DROPPED));
	const bool waiting = packet->flags & PACKET_WAITING;
	const uint64_t over_ns = waiting ? packet->upcall_ns + OVS_UPCALL_MAX_NS :
				 packet->last_ns + OVS_PACKET_MAX_NS;

	if (waiting && t_ns >= over_ns)
		COUNT(ovs, UPCALLS_UNANSWERED);
	if (whole && waiting && t_ns >= over_ns)
		ovs_packet_drop(ovs, packet, OVS_AT_VSWITCHD, 0, OVS_NO_PORT);
	else if (whole && !waiting && (packet->flags & PACKET_DONE) && (packet->flags & PACKET_REFUSED))
		packet_lost(ovs, packet);
	else if (whole && !waiting && (packet->flags & PACKET_DONE))
		ovs_packet_drop(ovs, packet, OVS_AT_ACTIONS, 0, OVS_NO_PORT);
	else if (whole && !waiting && t_ns >= over_ns && (packet->flags & PACKET_LOOKED_UP))
		ovs_packet_drop(ovs, packet, OVS_AT_LOOKUP, 0, OVS_NO_PORT);
	else if (!ending && t_ns < over_ns && (waiting || whole))
		COUNT(ovs, EVICTED_PACKETS);
	if (waiting)
		ovs_upcall_forget(ovs, packet);
}

static void
forget(struct ovs *ovs, struct ovs_packet *packet, uint64_t t_ns, bool ending)
{
	const unsigned slot = slot_of(packet->seq);
	struct ovs_index *index;

	judge(ovs, packet, t_ns, ending);
	if (packet->hop > 1 && packet->sent_ns)
		TOOK(ovs, JOURNEY, ovs_since(packet->sent_ns, packet->first_ns));
	unlink_skb(ovs, packet);
	index = keyed_find(&ovs->by_id, &packet->id);
	if (index && index->seq == packet->seq)
		keyed_remove(&ovs->by_id, index);
	packet->flags = 0;
	ovs->packet_changed[slot] |= 1;
}

void
ovs_packets_expire(struct ovs *ovs, const struct step *step, bool all)
{
	struct ovs_main *main = &ovs->main;

	for (uint64_t seq = main->oldest_seq; seq < main->next_seq; seq++) {
		struct ovs_packet *packet = ovs_packet_of_seq(ovs, seq);
		const uint64_t most = packet && (packet->flags & PACKET_WAITING) ?
				      OVS_UPCALL_MAX_NS : OVS_PACKET_MAX_NS;

		if (packet && (all || step->t_ns >= packet->last_ns + most))
			forget(ovs, packet, step->t_ns, all);
	}
	while (main->oldest_seq < main->next_seq && !ovs_packet_of_seq(ovs, main->oldest_seq))
		main->oldest_seq++;
}

struct ovs_packet *
ovs_packet_new(struct ovs *ovs, const struct step *step, uint64_t id)
{
	struct ovs_main *main = &ovs->main;
	const uint64_t seq = main->next_seq++;
	struct ovs_packet *packet = &ovs->packets[slot_of(seq)];
	struct ovs_index *index;

	if (packet->flags & PACKET_THERE)
		forget(ovs, packet, step->t_ns, false);
	if (main->next_seq - main->oldest_seq > OVS_MAX_PACKETS)
		main->oldest_seq = main->next_seq - OVS_MAX_PACKETS;
	memset(packet, 0, offsetof(struct ovs_packet, steps));
	packet->seq = seq;
	packet->id = id;
	packet->flags = PACKET_THERE;
	packet->in_port = packet->out_port = packet->pending_port = OVS_NO_PORT;
	packet->first_ns = packet->receive_ns = packet->last_ns = step->t_ns;
	packet->cpu = step->cpu;
	packet->hop = 1;
	index = keyed_get(&ovs->by_id, &id, NULL);
	if (index)
		index->seq = seq;
	ovs->packet_changed[slot_of(seq)] |= 1;
	return packet;
}

void
ovs_packet_step(struct ovs *ovs, struct ovs_packet *packet, const struct step *step,
		enum ovs_step_what what, uint32_t port)
{
	packet->last_ns = step->t_ns;
	packet->cpu = step->cpu;
	if (packet->n_steps < OVS_MAX_STEPS)
		packet->steps[packet->n_steps++] = (struct ovs_step) { step->t_ns, what, port };
	else
		packet->more_steps++;
	changed(ovs, packet);
}

/* -- Ends -------------------------------------------------------------------- */

void
ovs_packet_sent(struct ovs *ovs, struct ovs_packet *packet, const struct step *step,
		uint32_t port, uint64_t len)
{
	const bool slow = packet && (packet->flags & PACKET_SLOW);
	const bool known = packet && !(packet->flags & PACKET_NO_RECEIVE);
	const uint64_t took_ns = packet ? ovs_since(step->t_ns, packet->receive_ns) : 0;
	struct ovs_path *path = ovs_window_path(&ovs->window, packet ? packet->in_port :
						OVS_NO_PORT, port, slow);

	COUNT(ovs, SENT);
	ovs->window.counters[OVS_SENT_BYTES] += len;
	if (path) {
		path->packets++;
		path->bytes += len;
		if (known)
			histogram_add(&path->latency, took_ns);
	} else {
		COUNT(ovs, EVICTED_PATHS);
	}
	if (!packet) {
		COUNT(ovs, UNPAIRED);
		return;
	}
	if (known)
		histogram_add(&ovs->window.components[slow ? OVS_SLOW : OVS_FAST], took_ns);
	if (packet->execute_ns && !packet->sends)
		TOOK(ovs, REINJECT, ovs_since(step->t_ns, packet->execute_ns));
	packet->sends++;
	packet->sent_ns = step->t_ns;
	packet->out_port = port;
	if (OVS_PORT_NUMBER(packet->pending_port) == OVS_PORT_NUMBER(port))
		packet->pending_port = OVS_NO_PORT;
	conversation_count(ovs, packet, port, len, took_ns, known);
	ovs_packet_step(ovs, packet, step, OVS_STEP_SEND, port);
}

/* Whether it is one of the slowest, of which it takes the fastest's place. */
static void
keep_if_slow(struct ovs *ovs, const struct ovs_packet *packet)
{
	const uint64_t took_ns = ovs_since(packet->sent_ns, packet->receive_ns);
	unsigned least = 0;

	if (!packet->sends || (packet->flags & PACKET_NO_RECEIVE))
		return;
	if (ovs->n_slow < OVS_N_SLOW) {
		least = ovs->n_slow++;
	} else {
		for (unsigned i = 1; i < OVS_N_SLOW; i++)
			if (ovs->slow[i].latency_ns < ovs->slow[least].latency_ns)
				least = i;
		if (ovs->slow[least].latency_ns >= took_ns)
			return;
	}
	ovs->slow[least].latency_ns = took_ns;
	memcpy(&ovs->slow[least].packet, packet, offsetof(struct ovs_packet, steps) +
	       packet->n_steps * sizeof *packet->steps);
}

/* What was to be sent and was not: the port is down, or too small for it. */
static void
settle_output(struct ovs *ovs, struct ovs_packet *packet)
{
	if (packet->pending_port != OVS_NO_PORT)
		ovs_packet_drop(ovs, packet, OVS_AT_OUTPUT, 0, packet->pending_port);
	packet->pending_port = OVS_NO_PORT;
}

void
ovs_packet_done(struct ovs *ovs, struct ovs_packet *packet, const struct step *step)
{
	settle_output(ovs, packet);
	ovs_packet_step(ovs, packet, step, OVS_STEP_DONE, OVS_NO_PORT);
	packet->flags |= PACKET_DONE;
	keep_if_slow(ovs, packet);
}

/* -- Events ------------------------------------------------------------------ */

static void
take_mac(uint8_t to[6], const struct text *from)
{
	if (from->size == 6)
		memcpy(to, from->s, 6);
}

static uint32_t
port_of(const struct ovs_packet_fields *fields)
{
	return ovs_port_of(fields->port_no, fields->ifindex);
}

static void
note_port(struct ovs *ovs, const struct ovs_packet_fields *fields, bool sent)
{
	struct ovs_port *known = ovs_port_slot(ovs, port_of(fields));
	struct ovs_port *port = ovs_window_port(&ovs->window, port_of(fields));

	if (known->port != port_of(fields) || known->ifindex != fields->ifindex ||
	    !text_is(&fields->ifname, known->ifname)) {
		known->port = port_of(fields);
		known->ifindex = (int32_t) fields->ifindex;
		memset(known->ifname, 0, sizeof known->ifname);
		text_copy(known->ifname, sizeof known->ifname, &fields->ifname);
		known->received = 1;   /* Changed since the last save. */
	}
	if (!port) {
		COUNT(ovs, EVICTED_OTHERS);
		return;
	}
	port->ifindex = known->ifindex;
	memcpy(port->ifname, known->ifname, sizeof port->ifname);
	if (sent) {
		port->sent++;
		port->sent_bytes += fields->len;
	} else {
		port->received++;
		port->received_bytes += fields->len;
	}
}

/* A packet that is known comes to the next bridge, or a new one comes. */
static struct ovs_packet *
cross(struct ovs *ovs, const struct step *step, const struct ovs_packet_fields *fields)
{
	struct ovs_packet *packet = ovs_packet_find(ovs, fields->tag, fields->skbaddr);
	const bool same = packet && fields->tag && packet->hash == (uint32_t) fields->pkt_hash;

	if (packet && fields->tag && !same)
		COUNT(ovs, TWO_IDENTITIES);
	if (!same) {
		if (packet)
			forget(ovs, packet, step->t_ns, false);
		packet = ovs_packet_new(ovs, step, fields->tag ? fields->tag : fields->skbaddr);
		packet->hash = (uint32_t) fields->pkt_hash;
		COUNT(ovs, PACKETS);
		return packet;
	}
	settle_output(ovs, packet);
	if (packet->flags & PACKET_WAITING)
		ovs_upcall_forget(ovs, packet);
	packet->hop = (uint8_t) MIN(packet->hop + 1, 255);
	if (packet->hop == 2)
		COUNT(ovs, ACROSS);
	packet->flags = PACKET_THERE;
	packet->receive_ns = step->t_ns;
	packet->lookup_ns = packet->actions_ns = packet->upcall_ns = packet->queued_ns = 0;
	packet->read_ns = packet->execute_ns = 0;
	packet->sends = packet->depth = packet->n_steps = packet->more_steps = 0;
	packet->pending_port = OVS_NO_PORT;
	return packet;
}

void
ovs_receive(struct ovs *ovs, const struct step *step)
{
	const struct ovs_packet_fields *fields = step->values;
	struct ovs_packet *packet = cross(ovs, step, fields);

	COUNT(ovs, RECEIVED);
	ovs->window.counters[OVS_RECEIVED_BYTES] += fields->len;
	link_skb(ovs, packet, fields->skbaddr);
	packet->in_port = port_of(fields);
	packet->len = (uint32_t) fields->len;
	packet->saddr = (uint32_t) fields->saddr;
	packet->daddr = (uint32_t) fields->daddr;
	packet->eth_type = (uint16_t) fields->eth_type;
	packet->l4_proto = (uint8_t) fields->l4_proto;
	take_mac(packet->src_mac, &fields->src_mac);
	take_mac(packet->dst_mac, &fields->dst_mac);
	note_port(ovs, fields, false);
	ovs_packet_step(ovs, packet, step, OVS_STEP_RECEIVE, packet->in_port);
	/* On its first bridge of this node, the port is where its sender is. */
	if (packet->hop == 1 && fields->tag_state != 2)
		ovs_address_heard(ovs, step, fields);
}

void
ovs_send(struct ovs *ovs, const struct step *step)
{
	const struct ovs_packet_fields *fields = step->values;
	struct ovs_packet *packet = ovs_packet_find(ovs, fields->tag, fields->skbaddr);
	struct ovs_packet unknown;

	note_port(ovs, fields, true);
	ovs_packet_sent(ovs, packet, step, port_of(fields), fields->len);
	if (packet) {
		link_skb(ovs, packet, fields->skbaddr);
		ovs_address_forwarded(ovs, step, packet, port_of(fields));
		return;
	}
	memset(&unknown, 0, offsetof(struct ovs_packet, steps));
	unknown.in_port = OVS_NO_PORT;
	take_mac(unknown.src_mac, &fields->src_mac);
	take_mac(unknown.dst_mac, &fields->dst_mac);
	ovs_address_forwarded(ovs, step, &unknown, port_of(fields));
}

void
ovs_lookup_begin(struct ovs *ovs, const struct step *step)
{
	const struct ovs_brief_fields *fields = step->values;
	struct ovs_packet *packet = ovs_packet_find(ovs, fields->tag, fields->skbaddr);

	if (!packet)
		return;
	packet->lookup_ns = step->t_ns;
	ovs_packet_step(ovs, packet, step, OVS_STEP_LOOKUP, OVS_NO_PORT);
}

/* a: hit, b: masks, c: cache. */
void
ovs_lookup_end(struct ovs *ovs, const struct step *step)
{
	const struct ovs_brief_fields *fields = step->values;
	struct ovs_packet *packet = ovs_packet_find(ovs, fields->tag, fields->skbaddr);

	COUNT(ovs, LOOKUPS);
	if (fields->a)
		COUNT(ovs, HITS);
	else
		COUNT(ovs, MISSES);
	ovs->window.counters[OVS_MASKS] += fields->b;
	ovs->window.counters[OVS_CACHE_HITS] += fields->c;
	if (!packet)
		return;
	if (packet->lookup_ns)
		TOOK(ovs, LOOKUP, ovs_since(step->t_ns, packet->lookup_ns));
	packet->lookup_ns = 0;
	packet->flags |= PACKET_LOOKED_UP;
	ovs_packet_step(ovs, packet, step, fields->a ? OVS_STEP_HIT : OVS_STEP_MISS, OVS_NO_PORT);
}

void
ovs_actions_begin(struct ovs *ovs, const struct step *step)
{
	const struct ovs_brief_fields *fields = step->values;
	struct ovs_packet *packet = ovs_packet_find(ovs, fields->tag, fields->skbaddr);

	if (!packet)
		return;
	packet->actions_ns = step->t_ns;
	packet->depth = (uint8_t) MIN(packet->depth + 1, 255);
	packet->flags &= (uint16_t) ~PACKET_DONE;
	link_skb(ovs, packet, fields->skbaddr);
	ovs_packet_step(ovs, packet, step, OVS_STEP_ACTIONS, OVS_NO_PORT);
}

/* a: number of the port; its interface is taken to be the last one of that number. */
void
ovs_output(struct ovs *ovs, const struct step *step)
{
	const struct ovs_brief_fields *fields = step->values;
	struct ovs_packet *packet = ovs_packet_find(ovs, fields->tag, fields->skbaddr);
	const uint32_t number = ovs_port_of(fields->a, 0);
	const struct ovs_port *known = ovs_port_slot(ovs, number);

	if (!packet)
		return;
	settle_output(ovs, packet);
	packet->pending_port = OVS_PORT_NUMBER(known->port) == number ? known->port : number;
	ovs_packet_step(ovs, packet, step, OVS_STEP_OUTPUT, packet->pending_port);
}

void
ovs_actions_end(struct ovs *ovs, const struct step *step)
{
	const struct ovs_brief_fields *fields = step->values;
	struct ovs_packet *packet = ovs_packet_find(ovs, fields->tag, fields->skbaddr);

	if (!packet)
		return;
	if (packet->actions_ns)
		TOOK(ovs, ACTIONS, ovs_since(step->t_ns, packet->actions_ns));
	packet->actions_ns = 0;
	packet->depth = (uint8_t) (packet->depth ? packet->depth - 1 : 0);
	if (packet->depth)
		return;
	if (fields->ret < 0 && !packet->sends) {
		packet->pending_port = OVS_NO_PORT;
		ovs_packet_drop(ovs, packet, OVS_AT_ACTIONS, (uint32_t) -fields->ret, OVS_NO_PORT);
	}
	ovs_packet_done(ovs, packet, step);
}

/* The kernel throws a packet away: a = reason.  It counts while the packet is in
 * the datapath, or in the device that it was sent to (a tap that is full); what
 * becomes of it later is the receiver's, and addresses are used again. */
void
ovs_skb_kfree(struct ovs *ovs, const struct step *step)
{
	const struct ovs_brief_fields *fields = step->values;
	const struct ovs_index *index = keyed_find(&ovs->by_skb, &fields->skbaddr);
	struct ovs_packet *packet = index ? ovs_packet_of_seq(ovs, index->seq) : NULL;

	if (!packet || packet->cpu != step->cpu || (packet->flags & (PACKET_WAITING | PACKET_DONE)))
		return;
	ovs_packet_step(ovs, packet, step, OVS_STEP_FREED, packet->out_port);
	ovs_packet_drop(ovs, packet, OVS_AT_KERNEL, (uint32_t) fields->a,
			packet->sends ? packet->out_port : OVS_NO_PORT);
	unlink_skb(ovs, packet);
	packet->skb = 0;
}

/* -- The slowest ------------------------------------------------------------- */

static void
set_port(struct ovs *ovs, json_t *object, const char *number, const char *name, uint32_t port)
{
	const struct ovs_port *known = ovs_port_slot(ovs, port);

	json_object_set_new(object, number, ovs_number_json(port));
	json_object_set_new(object, name, ovs_text_json(known->port == port ? known->ifname : ""));
}

static json_t *
steps_json(const struct ovs_packet *packet)
{
	json_t *steps = json_array();

	for (uint32_t i = 0; i < packet->n_steps; i++) {
		const struct ovs_step *s = &packet->steps[i];

		json_array_append_new(steps, json_pack(
			"{s:s, s:I, s:o}", "what", ovs_step_names[s->what], "t_ns",
			(json_int_t) s->t_ns, "port_no", ovs_number_json(s->port)));
	}
	return steps;
}

static void
tell_slow(struct ovs *ovs, const struct step *step, const struct ovs_slow *slow)
{
	const struct ovs_packet *packet = &slow->packet;
	struct fact fact = { .type = FACT_SPAN, .kind = "ovs.packet", .status = "ok",
			     .start_ns = packet->receive_ns, .end_ns = packet->sent_ns };

	snprintf(fact.key, sizeof fact.key, "%" PRIu64, packet->id);
	fact.attributes = json_pack("{s:I, s:s, s:I, s:I, s:o}", "latency_ns",
				    (json_int_t) slow->latency_ns, "path",
				    packet->flags & PACKET_SLOW ? "slow" : "fast", "hop",
				    (json_int_t) packet->hop, "len", (json_int_t) packet->len,
				    "steps", steps_json(packet));
	if (packet->more_steps)
		json_object_set_new(fact.attributes, "more_steps", json_integer(packet->more_steps));
	set_port(ovs, fact.attributes, "in_port", "in_ifname", packet->in_port);
	set_port(ovs, fact.attributes, "out_port", "out_ifname", packet->out_port);
	if (!(packet->flags & PACKET_KPROBES)) {
		json_object_set_new(fact.attributes, "src_mac", ovs_mac_json(packet->src_mac));
		json_object_set_new(fact.attributes, "dst_mac", ovs_mac_json(packet->dst_mac));
		json_object_set_new(fact.attributes, "src_ip", ovs_ip_json(packet->saddr));
		json_object_set_new(fact.attributes, "dst_ip", ovs_ip_json(packet->daddr));
	}
	native_tell(step, &fact);
}

/* In the order of their times, whatever place each has. */
void
ovs_slow_tell(struct ovs *ovs, const struct step *step)
{
	while (ovs->n_slow) {
		unsigned first = 0;

		for (unsigned i = 1; i < ovs->n_slow; i++)
			if (ovs->slow[i].packet.seq < ovs->slow[first].packet.seq ||
			    (ovs->slow[i].packet.seq == ovs->slow[first].packet.seq &&
			     ovs->slow[i].packet.receive_ns < ovs->slow[first].packet.receive_ns))
				first = i;
		tell_slow(ovs, step, &ovs->slow[first]);
		ovs->slow[first] = ovs->slow[--ovs->n_slow];
	}
}

bool
ovs_packet_sound(const struct ovs_packet *packet)
{
	if (packet->n_steps > OVS_MAX_STEPS)
		return false;
	for (uint32_t i = 0; i < packet->n_steps; i++)
		if (packet->steps[i].what > OVS_STEP_FREED)
			return false;
	return true;
}

int
ovs_packet_restore(struct ovs *ovs, uint64_t slot, const void *record, size_t size)
{
	const size_t head = offsetof(struct ovs_packet, steps);
	struct ovs_packet *packet;
	struct ovs_index *index;

	if (slot >= OVS_MAX_PACKETS || size < head || size > sizeof *packet)
		return -EINVAL;
	packet = &ovs->packets[slot];
	memcpy(packet, record, size);
	if (!ovs_packet_sound(packet) || slot_of(packet->seq) != slot ||
	    size != head + packet->n_steps * sizeof *packet->steps ||
	    !(packet->flags & PACKET_THERE)) {
		packet->flags = 0;
		return -EINVAL;
	}
	index = keyed_get(&ovs->by_id, &packet->id, NULL);
	if (index)
		index->seq = MAX(index->seq, packet->seq);
	index = packet->skb ? keyed_get(&ovs->by_skb, &packet->skb, NULL) : NULL;
	if (index)
		index->seq = MAX(index->seq, packet->seq);
	ovs->packet_changed[slot] = 2;
	return 0;
}
