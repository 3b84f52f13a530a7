/* SPDX-License-Identifier: MIT
 *
 * kernel_net_sum.h -- windows of the kind "net": what they hold, and their sum
 * over any span.
 *
 * Of TCP, each direction of a connection is counted by itself, at the first
 * interface where it was seen, so that a packet that passes several (a bridge,
 * a tap, a card) counts once.  Each window has the packets with data of its
 * larger ones, so that a span is summed up exactly. */
#ifndef ANALYZERS_KERNEL_NET_SUM_H
#define ANALYZERS_KERNEL_NET_SUM_H

#include <stdint.h>

#include "analyzers/windows.h"
#include "lib/keyed.h"

enum {
	NET_WINDOW_VERSION = 1, MAX_NET_INTERFACES = 4096, MAX_NET_DROPS = 256,
	MAX_NET_CONNECTIONS = 8192,
};

struct net_interface {
	char name[16];
	uint64_t tx_packets, tx_bytes, rx_packets, rx_bytes;
};
struct net_drop {
	uint32_t reason, spare;
	uint64_t packets;
};
/* From here to there; addresses and ports as in the packet. */
struct net_key {
	uint8_t source[4], destination[4];
	uint16_t source_port, destination_port;
};
struct net_traffic {
	uint64_t packets;            /* With data or without. */
	uint64_t bytes;              /* Payload that was new by its sequence numbers. */
	uint64_t retransmitted_bytes, retransmitted_packets;
	uint64_t missing_bytes;      /* Sequence numbers that no packet was seen of. */
	uint64_t rtts, rtt_ns, rtt_min_ns, rtt_max_ns;   /* Data to its acknowledgement. */
};
struct net_connection {
	struct net_key key;
	uint32_t received;           /* Seen coming in, not going out. */
	char interface[16];
	struct net_traffic traffic;
};

struct net_sum {
	uint64_t from_ns, to_ns;     /* The span. */
	struct keyed interfaces, drops, connections;
	struct net_traffic others;   /* Of connections that were too many. */
	uint64_t late, capped, lost, unparsed;
};

void net_sum_init(struct net_sum *sum, uint64_t from_ns, uint64_t to_ns);
void net_sum_done(struct net_sum *sum);
void net_traffic_add(struct net_traffic *to, const struct net_traffic *from);
/* -EINVAL: damaged, and a part may have been taken. */
int net_sum_add(struct net_sum *sum, const struct fact_window *window);

extern const struct window_kind net_window_kind;

#endif /* kernel_net_sum.h */
