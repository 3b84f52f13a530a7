/* SPDX-License-Identifier: GPL-2.0-only
 *
 * packet.h -- what the events say of a packet, and the hash that tells packets
 * apart.  Knows nothing of tags (identity.h) or of Open vSwitch. */
#ifndef CLOUDTRACE_OVS_PACKET_H
#define CLOUDTRACE_OVS_PACKET_H

#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/skbuff.h>
#include <linux/types.h>

/* How the packet came by its tag. */
enum tag_state {
	TAG_NONE,	/* it has none */
	TAG_NEW,	/* made here */
	TAG_READ,	/* read from the tail room */
	TAG_RECOVERED,	/* put back after an upcall */
	TAG_UNWRITTEN,	/* made here, but nothing after this bridge will know it */
};

struct ovs_packet {
	u64 tag;		/* identity, 0: none */
	const void *skb;
	u32 len;		/* bytes */
	u32 data_len;		/* of which not in the linear part */
	u32 hash;
	u8 tag_state;		/* enum tag_state */
	u8 l4_proto;		/* or the operation of ARP */
	u8 tcp_flags;
	u16 eth_type;		/* host order, that below a VLAN tag */
	u16 vlan_tci;
	u16 port_no;		/* of the datapath */
	s32 ifindex;
	char ifname[IFNAMSIZ];
	u8 src_mac[ETH_ALEN];
	u8 dst_mac[ETH_ALEN];
	__be32 saddr;		/* of IPv4, or ARP's sender and target */
	__be32 daddr;
	__be16 sport;		/* of TCP and UDP, or ICMP's id and sequence */
	__be16 dport;
	__be16 ip_id;
	__be32 tcp_seq;
	__be32 tcp_ack;
};

/* Fills in what the packet's own bytes tell, and its hash. */
void packet_parse_skb(struct ovs_packet *packet, const struct sk_buff *skb);
/* The same for a whole Ethernet frame in plain memory. */
void packet_parse_frame(struct ovs_packet *packet, const void *frame, u32 len);

#endif /* packet.h */
