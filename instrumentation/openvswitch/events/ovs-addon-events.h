/* SPDX-License-Identifier: GPL-2.0-only
 *
 * ovs-addon-events.h -- the events of lttng-ovs-addon and their fields; the
 * README says what each means. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ovs

#if !defined(CLOUDTRACE_OVS_ADDON_EVENTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define CLOUDTRACE_OVS_ADDON_EVENTS_H

#include <lttng/tracepoint-event.h>
#include <linux/types.h>

#include "../packet.h"

/* A packet crosses the edge of a datapath. */
LTTNG_TRACEPOINT_EVENT_CLASS(ovs_packet_class,
	TP_PROTO(const struct ovs_packet *packet),
	TP_ARGS(packet),
	TP_FIELDS(
		ctf_integer(uint64_t, tag, packet->tag)
		ctf_integer(uint8_t, tag_state, packet->tag_state)
		ctf_integer_hex(const void *, skbaddr, packet->skb)
		ctf_integer(uint32_t, port_no, packet->port_no)
		ctf_integer(int32_t, ifindex, packet->ifindex)
		ctf_string(ifname, packet->ifname)
		ctf_integer(uint32_t, len, packet->len)
		ctf_integer(uint32_t, data_len, packet->data_len)
		ctf_integer_hex(uint16_t, eth_type, packet->eth_type)
		ctf_integer(uint16_t, vlan_tci, packet->vlan_tci)
		ctf_array_hex(uint8_t, src_mac, packet->src_mac, 6)
		ctf_array_hex(uint8_t, dst_mac, packet->dst_mac, 6)
		ctf_integer_network_hex(uint32_t, saddr, packet->saddr)
		ctf_integer_network_hex(uint32_t, daddr, packet->daddr)
		ctf_integer(uint8_t, l4_proto, packet->l4_proto)
		ctf_integer_network(uint16_t, sport, packet->sport)
		ctf_integer_network(uint16_t, dport, packet->dport)
		ctf_integer_network(uint16_t, ip_id, packet->ip_id)
		ctf_integer_network(uint32_t, tcp_seq, packet->tcp_seq)
		ctf_integer_network(uint32_t, tcp_ack, packet->tcp_ack)
		ctf_integer_hex(uint8_t, tcp_flags, packet->tcp_flags)
		ctf_integer_hex(uint32_t, pkt_hash, packet->hash)
	)
)

LTTNG_TRACEPOINT_EVENT_INSTANCE(ovs_packet_class, ovs_packet_receive,
	TP_PROTO(const struct ovs_packet *packet), TP_ARGS(packet))

LTTNG_TRACEPOINT_EVENT_INSTANCE(ovs_packet_class, ovs_packet_send,
	TP_PROTO(const struct ovs_packet *packet), TP_ARGS(packet))

/* The flow table. */
LTTNG_TRACEPOINT_EVENT(ovs_flow_lookup_begin,
	TP_PROTO(u64 tag, const void *skb),
	TP_ARGS(tag, skb),
	TP_FIELDS(
		ctf_integer(uint64_t, tag, tag)
		ctf_integer_hex(const void *, skbaddr, skb)
	)
)

LTTNG_TRACEPOINT_EVENT(ovs_flow_lookup_end,
	TP_PROTO(u64 tag, const void *skb, const void *flow, u32 n_mask_hit, u32 n_cache_hit),
	TP_ARGS(tag, skb, flow, n_mask_hit, n_cache_hit),
	TP_FIELDS(
		ctf_integer(uint64_t, tag, tag)
		ctf_integer_hex(const void *, skbaddr, skb)
		ctf_integer_hex(const void *, flow, flow)
		ctf_integer(uint8_t, hit, !!flow)
		ctf_integer(uint32_t, n_mask_hit, n_mask_hit)
		ctf_integer(uint32_t, n_cache_hit, n_cache_hit)
	)
)

/* The list of actions. */
LTTNG_TRACEPOINT_EVENT(ovs_actions_begin,
	TP_PROTO(const struct ovs_packet *packet, const void *actions, u32 actions_len,
		 u8 from_user),
	TP_ARGS(packet, actions, actions_len, from_user),
	TP_FIELDS(
		ctf_integer(uint64_t, tag, packet->tag)
		ctf_integer_hex(const void *, skbaddr, packet->skb)
		ctf_integer_hex(const void *, actions, actions)
		ctf_integer(uint32_t, actions_len, actions_len)
		ctf_integer(uint8_t, from_user, from_user)
		ctf_integer(uint8_t, tag_state, packet->tag_state)
	)
)

LTTNG_TRACEPOINT_EVENT(ovs_actions_end,
	TP_PROTO(u64 tag, const void *skb, int ret),
	TP_ARGS(tag, skb, ret),
	TP_FIELDS(
		ctf_integer(uint64_t, tag, tag)
		ctf_integer_hex(const void *, skbaddr, skb)
		ctf_integer(int32_t, ret, ret)
	)
)

LTTNG_TRACEPOINT_EVENT(ovs_action_output,
	TP_PROTO(u64 tag, const void *skb, u32 out_port),
	TP_ARGS(tag, skb, out_port),
	TP_FIELDS(
		ctf_integer(uint64_t, tag, tag)
		ctf_integer_hex(const void *, skbaddr, skb)
		ctf_integer(uint32_t, out_port, out_port)
	)
)

/* A packet goes to ovs-vswitchd ... */
LTTNG_TRACEPOINT_EVENT(ovs_upcall_begin,
	TP_PROTO(const struct ovs_packet *packet, u8 cmd, u32 portid),
	TP_ARGS(packet, cmd, portid),
	TP_FIELDS(
		ctf_integer(uint64_t, tag, packet->tag)
		ctf_integer_hex(const void *, skbaddr, packet->skb)
		ctf_integer(uint8_t, cmd, cmd)
		ctf_integer(uint32_t, portid, portid)
		ctf_integer(uint32_t, len, packet->len)
		ctf_integer_hex(uint16_t, eth_type, packet->eth_type)
		ctf_integer(uint8_t, l4_proto, packet->l4_proto)
		ctf_integer_network_hex(uint32_t, saddr, packet->saddr)
		ctf_integer_network_hex(uint32_t, daddr, packet->daddr)
		ctf_integer_network(uint16_t, sport, packet->sport)
		ctf_integer_network(uint16_t, dport, packet->dport)
		ctf_integer_hex(uint32_t, pkt_hash, packet->hash)
	)
)

LTTNG_TRACEPOINT_EVENT(ovs_upcall_end,
	TP_PROTO(u64 tag, const void *skb, int ret),
	TP_ARGS(tag, skb, ret),
	TP_FIELDS(
		ctf_integer(uint64_t, tag, tag)
		ctf_integer_hex(const void *, skbaddr, skb)
		ctf_integer(int32_t, ret, ret)
	)
)

/* ... and comes back. */
LTTNG_TRACEPOINT_EVENT(ovs_packet_execute,
	TP_PROTO(const struct ovs_packet *packet),
	TP_ARGS(packet),
	TP_FIELDS(
		ctf_integer(uint64_t, tag, packet->tag)
		ctf_integer(uint8_t, tag_state, packet->tag_state)
		ctf_integer(uint32_t, len, packet->len)
		ctf_integer_hex(uint16_t, eth_type, packet->eth_type)
		ctf_integer_hex(uint32_t, pkt_hash, packet->hash)
	)
)

/* A command of ovs-vswitchd over generic netlink. */
LTTNG_TRACEPOINT_EVENT(ovs_genl_cmd,
	TP_PROTO(const char *op, u8 phase, const char *name, u32 portid, int ret),
	TP_ARGS(op, phase, name, portid, ret),
	TP_FIELDS(
		ctf_string(op, op)
		ctf_integer(uint8_t, phase, phase)
		ctf_string(name, name)
		ctf_integer(uint32_t, portid, portid)
		ctf_integer(int32_t, ret, ret)
	)
)

#endif /* ovs-addon-events.h */

#include <lttng/define_trace.h>
