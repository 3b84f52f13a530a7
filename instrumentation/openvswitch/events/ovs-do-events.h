/* SPDX-License-Identifier: GPL-2.0-only
 *
 * ovs-do-events.h -- the kernel's own tracepoint ovs_do_execute_action. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ovs_do

#if !defined(CLOUDTRACE_OVS_DO_EVENTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define CLOUDTRACE_OVS_DO_EVENTS_H

#include <lttng/tracepoint-event.h>
#include <linux/skbuff.h>
#include <net/netlink.h>

#include "../ovs-layout.h"

LTTNG_TRACEPOINT_EVENT(ovs_do_execute_action,
	TP_PROTO(struct datapath *dp, struct sk_buff *skb, struct sw_flow_key *key,
		 const struct nlattr *a, int rem),
	TP_ARGS(dp, skb, key, a, rem),
	TP_FIELDS(
		ctf_integer_hex(void *, dpaddr, dp)
		ctf_string(dev, skb->dev ? skb->dev->name : "")
		ctf_integer_hex(void *, skbaddr, skb)
		ctf_integer(uint32_t, len, skb->len)
		ctf_integer_hex(uint32_t, flow_hash, key->ovs_flow_hash)
		ctf_integer(uint32_t, recirc_id, key->recirc_id)
		ctf_integer_network_hex(uint16_t, eth_type, key->eth.type)
		ctf_integer(uint32_t, action_type, nla_type(a))
		ctf_integer(uint32_t, action_len, nla_len(a))
		ctf_integer(uint32_t, action_arg, nla_len(a) >= 4 ? *(u32 *)nla_data(a) : 0)
		ctf_integer(uint8_t, is_last, nla_is_last(a, rem))
	)
)

#endif /* ovs-do-events.h */

#include <lttng/define_trace.h>
