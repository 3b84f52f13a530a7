// SPDX-License-Identifier: GPL-2.0-only
/*
 * packet.c -- reads the headers of a packet: Ethernet, one VLAN tag, ARP, IPv4,
 * IPv6 without extension headers, TCP, UDP, ICMP.  Runs in a kprobe's handler:
 * no allocation, no sleep, every byte through a bounds check.
 *
 * The hash takes what no bridge changes and what differs from one packet to
 * the next: not the time to live, not a checksum, which offloading fills in
 * late, not the VLAN tag.
 */
#include <linux/icmp.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jhash.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>

#include "packet.h"

#define PAYLOAD_BYTES 16

struct source {
	const struct sk_buff *skb;	/* or, if NULL: */
	const u8 *frame;
	u32 len;
};

/* What goes into the hash; padding would too, so there is none. */
struct identity_key {
	u32 kind;			/* eth_type, l4_proto, icmp type */
	u32 length;
	u32 fragment;
	u32 addresses[2];
	u32 ports;
	u32 seq, ack;
	u8 payload[PAYLOAD_BYTES];
};

static const void *bytes_at(const struct source *source, u32 offset, u32 len, void *buffer)
{
	if (source->skb)
		return skb_header_pointer(source->skb, offset, len, buffer);
	return offset <= source->len && len <= source->len - offset ?
		source->frame + offset : NULL;
}

static void parse_payload(const struct source *source, u32 offset, struct identity_key *key)
{
	const u8 *payload = bytes_at(source, offset, PAYLOAD_BYTES, key->payload);

	if (payload && payload != key->payload)
		memcpy(key->payload, payload, PAYLOAD_BYTES);
}

static void parse_tcp(const struct source *source, u32 offset, struct ovs_packet *packet,
		      struct identity_key *key)
{
	struct tcphdr buffer;
	const struct tcphdr *tcp = bytes_at(source, offset, sizeof(buffer), &buffer);

	if (!tcp)
		return;
	packet->sport = tcp->source;
	packet->dport = tcp->dest;
	packet->tcp_seq = tcp->seq;
	packet->tcp_ack = tcp->ack_seq;
	packet->tcp_flags = ((const u8 *)tcp)[13];
	key->seq = (__force u32)tcp->seq;
	key->ack = (__force u32)tcp->ack_seq;
}

static void parse_udp(const struct source *source, u32 offset, struct ovs_packet *packet,
		      struct identity_key *key)
{
	struct udphdr buffer;
	const struct udphdr *udp = bytes_at(source, offset, sizeof(buffer), &buffer);

	if (!udp)
		return;
	packet->sport = udp->source;
	packet->dport = udp->dest;
	parse_payload(source, offset + sizeof(*udp), key);
}

/* The echo id and sequence are at the same place in ICMPv6. */
static void parse_icmp(const struct source *source, u32 offset, struct ovs_packet *packet,
		       struct identity_key *key)
{
	struct icmphdr buffer;
	const struct icmphdr *icmp = bytes_at(source, offset, sizeof(buffer), &buffer);

	if (!icmp)
		return;
	packet->sport = icmp->un.echo.id;
	packet->dport = icmp->un.echo.sequence;
	key->kind |= (u32)icmp->type << 24;
	parse_payload(source, offset + sizeof(*icmp), key);
}

static void parse_transport(const struct source *source, u32 offset, struct ovs_packet *packet,
			    struct identity_key *key)
{
	switch (packet->l4_proto) {
	case IPPROTO_TCP:
		parse_tcp(source, offset, packet, key);
		break;
	case IPPROTO_UDP:
		parse_udp(source, offset, packet, key);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		parse_icmp(source, offset, packet, key);
		break;
	}
}

static void parse_ipv4(const struct source *source, u32 offset, struct ovs_packet *packet,
		       struct identity_key *key)
{
	struct iphdr buffer;
	const struct iphdr *ip = bytes_at(source, offset, sizeof(buffer), &buffer);

	if (!ip || ip->ihl < 5)
		return;
	packet->saddr = ip->saddr;
	packet->daddr = ip->daddr;
	packet->l4_proto = ip->protocol;
	packet->ip_id = ip->id;
	key->addresses[0] = (__force u32)ip->saddr;
	key->addresses[1] = (__force u32)ip->daddr;
	key->length = ntohs(ip->tot_len);
	key->fragment = (__force u32)ip->id << 16 | (__force u16)ip->frag_off;
	if (!(ip->frag_off & htons(IP_OFFSET)))
		parse_transport(source, offset + ip->ihl * 4, packet, key);
}

static void parse_ipv6(const struct source *source, u32 offset, struct ovs_packet *packet,
		       struct identity_key *key)
{
	struct ipv6hdr buffer;
	const struct ipv6hdr *ip = bytes_at(source, offset, sizeof(buffer), &buffer);

	if (!ip)
		return;
	packet->l4_proto = ip->nexthdr;
	key->addresses[0] = jhash2((const u32 *)&ip->saddr, 4, 0);
	key->addresses[1] = jhash2((const u32 *)&ip->daddr, 4, 0);
	key->length = ntohs(ip->payload_len);
	parse_transport(source, offset + sizeof(*ip), packet, key);
}

static void parse_arp(const struct source *source, u32 offset, struct ovs_packet *packet,
		      struct identity_key *key)
{
	struct {
		struct arphdr head;
		u8 sender_mac[ETH_ALEN];
		__be32 sender;
		u8 target_mac[ETH_ALEN];
		__be32 target;
	} __packed buffer;
	const typeof(buffer) *arp = bytes_at(source, offset, sizeof(buffer), &buffer);

	if (!arp)
		return;
	packet->saddr = arp->sender;
	packet->daddr = arp->target;
	packet->l4_proto = ntohs(arp->head.ar_op);
	key->addresses[0] = (__force u32)arp->sender;
	key->addresses[1] = (__force u32)arp->target;
	memcpy(key->payload, packet->src_mac, ETH_ALEN);
}

static void parse(const struct source *source, struct ovs_packet *packet)
{
	struct identity_key key = { 0 };
	struct ethhdr buffer;
	struct vlan_hdr vlan_buffer;
	const struct ethhdr *eth = bytes_at(source, 0, sizeof(buffer), &buffer);
	u32 offset = sizeof(buffer);
	__be16 type;

	if (!eth)
		return;
	memcpy(packet->src_mac, eth->h_source, ETH_ALEN);
	memcpy(packet->dst_mac, eth->h_dest, ETH_ALEN);
	type = eth->h_proto;
	if (eth_type_vlan(type)) {
		const struct vlan_hdr *vlan = bytes_at(source, offset, sizeof(*vlan), &vlan_buffer);

		if (!vlan)
			return;
		packet->vlan_tci = ntohs(vlan->h_vlan_TCI);
		type = vlan->h_vlan_encapsulated_proto;
		offset += sizeof(*vlan);
	}
	packet->eth_type = ntohs(type);
	if (type == htons(ETH_P_IP)) {
		parse_ipv4(source, offset, packet, &key);
	} else if (type == htons(ETH_P_IPV6)) {
		parse_ipv6(source, offset, packet, &key);
	} else if (type == htons(ETH_P_ARP)) {
		parse_arp(source, offset, packet, &key);
	} else {
		key.length = packet->len;
		key.addresses[0] = jhash(packet->src_mac, ETH_ALEN, 0);
		key.addresses[1] = jhash(packet->dst_mac, ETH_ALEN, 0);
		parse_payload(source, offset, &key);
	}
	key.kind |= (u32)packet->eth_type << 8 | packet->l4_proto;
	key.ports = (__force u32)packet->sport << 16 | (__force u16)packet->dport;
	packet->hash = jhash2((const u32 *)&key, sizeof(key) / sizeof(u32), 0);
}

void packet_parse_skb(struct ovs_packet *packet, const struct sk_buff *skb)
{
	const struct source source = { .skb = skb };

	packet->skb = skb;
	packet->len = skb->len;
	packet->data_len = skb->data_len;
	if (skb_vlan_tag_present(skb))
		packet->vlan_tci = skb_vlan_tag_get(skb);
	parse(&source, packet);
}

void packet_parse_frame(struct ovs_packet *packet, const void *frame, u32 len)
{
	const struct source source = { .frame = frame, .len = len };

	packet->len = len;
	parse(&source, packet);
}
