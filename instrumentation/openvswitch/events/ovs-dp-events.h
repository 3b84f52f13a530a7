/* SPDX-License-Identifier: GPL-2.0-only
 *
 * ovs-dp-events.h -- the kernel's own tracepoint ovs_dp_upcall. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ovs_dp

#if !defined(CLOUDTRACE_OVS_DP_EVENTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define CLOUDTRACE_OVS_DP_EVENTS_H

#include <lttng/tracepoint-event.h>
#include <linux/skbuff.h>
#include <net/netlink.h>

#include "../ovs-layout.h"

LTTNG_TRACEPOINT_EVENT(ovs_dp_upcall,
	TP_PROTO(struct datapath *dp, struct sk_buff *skb, const struct sw_flow_key *key,
		 const struct dp_upcall_info *upcall_info),
	TP_ARGS(dp, skb, key, upcall_info),
	TP_FIELDS(
		ctf_integer_hex(void *, dpaddr, dp)
		ctf_string(dev, skb->dev ? skb->dev->name : "")
		ctf_integer_hex(void *, skbaddr, skb)
		ctf_integer(uint32_t, len, skb->len)
		ctf_integer_hex(uint32_t, flow_hash, key->ovs_flow_hash)
		ctf_integer(uint32_t, recirc_id, key->recirc_id)
		ctf_integer_network_hex(uint16_t, eth_type, key->eth.type)
		ctf_integer(uint8_t, upcall_cmd, upcall_info->cmd)
		ctf_integer(uint32_t, upcall_portid, upcall_info->portid)
	)
)

#endif /* ovs-dp-events.h */

#include <lttng/define_trace.h>
