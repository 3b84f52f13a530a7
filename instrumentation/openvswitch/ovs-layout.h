/* SPDX-License-Identifier: GPL-2.0-only
 *
 * ovs-layout.h -- the beginnings of those structures of the kernel's
 * openvswitch module that the hooks look into.  They are in no package of
 * kernel headers, so they are declared here as far as they are read.  Other
 * kernels may have others: Kbuild lets through only the versions that were
 * checked, and ./check-layout compares the offsets below with the BTF of the
 * running kernel. */
#ifndef CLOUDTRACE_OVS_LAYOUT_H
#define CLOUDTRACE_OVS_LAYOUT_H

#include <linux/build_bug.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>
#include <linux/openvswitch.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <linux/version.h>
#include <net/ip_tunnels.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0) && !defined(OVS_LAYOUT_UNCHECKED)
#error "unknown layout of Open vSwitch: see \"Other kernels\" in the README"
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0) && !defined(OVS_LAYOUT_UNCHECKED)
#error "unknown layout of Open vSwitch: see \"Other kernels\" in the README"
#endif

struct datapath;
struct vport_portids;

struct vport {
	struct net_device *dev;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 17, 0)
	netdevice_tracker dev_tracker;
#endif
	struct datapath *dp;
	struct vport_portids __rcu *upcall_portids;
	u16 port_no;
};

struct sw_flow_actions {
	struct rcu_head rcu;
	size_t orig_len;
	u32 actions_len;
};

struct dp_upcall_info {
	struct ip_tunnel_info *egress_tun_info;
	const struct nlattr *userdata;
	const struct nlattr *actions;
	int actions_len;
	u32 portid;
	u8 cmd;
};

struct sw_flow_key {
	u8 tun_opts[IP_TUNNEL_OPTS_MAX];
	u8 tun_opts_len;
	struct ip_tunnel_key tun_key;
	struct {
		u32 priority;
		u32 skb_mark;
		u16 in_port;
	} __packed phy;
	u8 mac_proto;
	u8 tun_proto;
	u32 ovs_flow_hash;
	u32 recirc_id;
	struct {
		u8 src[ETH_ALEN];
		u8 dst[ETH_ALEN];
		__be16 vlan[2];
		__be16 cvlan[2];
		__be16 type;
	} eth;
};

/* check-layout reads these lines: structure, member, offset in bytes. */
#if defined(CONFIG_64BIT) && !defined(CONFIG_NET_DEV_REFCNT_TRACKER)
#define OVS_AT(type, member, offset) static_assert(offsetof(struct type, member) == (offset))
OVS_AT(vport, dev, 0);
OVS_AT(vport, port_no, 24);
OVS_AT(sw_flow_actions, actions_len, 24);
OVS_AT(dp_upcall_info, portid, 28);
OVS_AT(dp_upcall_info, cmd, 32);
OVS_AT(sw_flow_key, ovs_flow_hash, 324);
OVS_AT(sw_flow_key, recirc_id, 328);
OVS_AT(sw_flow_key, eth, 332);
#endif

#endif /* ovs-layout.h */
