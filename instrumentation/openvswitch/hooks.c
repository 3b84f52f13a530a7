// SPDX-License-Identifier: GPL-2.0-only
/*
 * hooks.c -- lttng-ovs-addon: kprobes on the Open vSwitch datapath that record
 * LTTng events which say which packet they are about.  What a packet is says
 * packet.c, which one it is says identity.c; events/ has the events.
 *
 * While no session records any of them the hooks do nothing.  LTTng holds a
 * reference on this module while a session has its events enabled, so it can't
 * be unloaded under a session.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hash.h>
#include <linux/kprobes.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/openvswitch.h>
#include <linux/preempt.h>
#include <linux/skbuff.h>
#include <net/genetlink.h>

#include <wrapper/tracepoint.h>
#include <lttng/events.h>

#include "counters.h"
#include "identity.h"
#include "ovs-layout.h"
#include "packet.h"

#define TP_MODULE_NOAUTOLOAD
#define LTTNG_PACKAGE_BUILD
#define CREATE_TRACE_POINTS
#define TRACE_INCLUDE_PATH events
#define TRACE_INCLUDE_FILE ovs-addon-events
#define LTTNG_INSTRUMENTATION
#include "events/ovs-addon-events.h"

LTTNG_DEFINE_TRACE(ovs_packet_receive,
	PARAMS(const struct ovs_packet *packet), PARAMS(packet));
LTTNG_DEFINE_TRACE(ovs_packet_send,
	PARAMS(const struct ovs_packet *packet), PARAMS(packet));
LTTNG_DEFINE_TRACE(ovs_flow_lookup_begin,
	PARAMS(u64 tag, const void *skb), PARAMS(tag, skb));
LTTNG_DEFINE_TRACE(ovs_flow_lookup_end,
	PARAMS(u64 tag, const void *skb, const void *flow, u32 n_mask_hit, u32 n_cache_hit),
	PARAMS(tag, skb, flow, n_mask_hit, n_cache_hit));
LTTNG_DEFINE_TRACE(ovs_actions_begin,
	PARAMS(const struct ovs_packet *packet, const void *actions, u32 actions_len,
	       u8 from_user),
	PARAMS(packet, actions, actions_len, from_user));
LTTNG_DEFINE_TRACE(ovs_actions_end,
	PARAMS(u64 tag, const void *skb, int ret), PARAMS(tag, skb, ret));
LTTNG_DEFINE_TRACE(ovs_action_output,
	PARAMS(u64 tag, const void *skb, u32 out_port), PARAMS(tag, skb, out_port));
LTTNG_DEFINE_TRACE(ovs_upcall_begin,
	PARAMS(const struct ovs_packet *packet, u8 cmd, u32 portid),
	PARAMS(packet, cmd, portid));
LTTNG_DEFINE_TRACE(ovs_upcall_end,
	PARAMS(u64 tag, const void *skb, int ret), PARAMS(tag, skb, ret));
LTTNG_DEFINE_TRACE(ovs_packet_execute,
	PARAMS(const struct ovs_packet *packet), PARAMS(packet));
LTTNG_DEFINE_TRACE(ovs_genl_cmd,
	PARAMS(const char *op, u8 phase, const char *name, u32 portid, int ret),
	PARAMS(op, phase, name, portid, ret));

#define ARG(type, n) ((type)regs_get_kernel_argument(regs, n))

/* ---- parameters and counters ---- */

DEFINE_PER_CPU(struct ovs_counters, ovs_counters);

static unsigned int upcall_slots = 4096;
module_param(upcall_slots, uint, 0444);
MODULE_PARM_DESC(upcall_slots, "packets whose tags are kept during upcalls (64 to 65536)");

static bool write_tags = true;
module_param(write_tags, bool, 0644);
MODULE_PARM_DESC(write_tags, "write tags in the tail room of packets");

static int get_counter(char *buffer, const struct kernel_param *param)
{
	const size_t offset = (size_t)param->arg;
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += *(u64 *)((char *)per_cpu_ptr(&ovs_counters, cpu) + offset);
	return sysfs_emit(buffer, "%llu\n", sum);
}

static const struct kernel_param_ops counter_ops = { .get = get_counter };

#define COUNTER_PARAM(name) \
	module_param_cb(n_##name, &counter_ops, (void *)offsetof(struct ovs_counters, name), 0444);
OVS_COUNTERS(COUNTER_PARAM)

/* ---- who is where ---- */

/* The packet that this CPU's softirq works on: its tag without another look at
 * its bytes, and still known where it couldn't be written. */
struct current_packet {
	u64 tag;
	const void *skb;
};
static DEFINE_PER_CPU(struct current_packet, current_packet);

static void set_current_packet(u64 tag, const void *skb)
{
	this_cpu_write(current_packet.tag, tag);
	this_cpu_write(current_packet.skb, skb);
}

/* The packet is given away or freed: its address may be the next one's. */
static void forget_current_packet(const void *skb)
{
	if (this_cpu_read(current_packet.skb) == skb)
		this_cpu_write(current_packet.skb, NULL);
}

/* The threads in ovs_packet_cmd_execute().  When two want one place, one of
 * them isn't known to be there, no more. */
#define N_EXECUTING 256
static struct task_struct *executing[N_EXECUTING];

static struct task_struct **executing_place(void)
{
	return &executing[hash_ptr(current, ilog2(N_EXECUTING))];
}

static bool is_executing(void)
{
	return !in_serving_softirq() && READ_ONCE(*executing_place()) == current;
}

static bool anyone_records(void)
{
	return trace_ovs_packet_receive_enabled() || trace_ovs_packet_send_enabled() ||
		trace_ovs_flow_lookup_begin_enabled() || trace_ovs_flow_lookup_end_enabled() ||
		trace_ovs_actions_begin_enabled() || trace_ovs_actions_end_enabled() ||
		trace_ovs_action_output_enabled() || trace_ovs_upcall_begin_enabled() ||
		trace_ovs_upcall_end_enabled() || trace_ovs_packet_execute_enabled() ||
		trace_ovs_genl_cmd_enabled();
}

static void describe(struct ovs_packet *packet, const struct sk_buff *skb)
{
	memset(packet, 0, sizeof(*packet));
	packet_parse_skb(packet, skb);
	identity_read(packet, skb);
	if (!packet->tag && this_cpu_read(current_packet.skb) == skb)
		packet->tag = this_cpu_read(current_packet.tag);
}

static void describe_port(struct ovs_packet *packet, const struct vport *vport)
{
	if (!vport)
		return;
	packet->port_no = vport->port_no;
	if (vport->dev) {
		packet->ifindex = vport->dev->ifindex;
		strscpy(packet->ifname, vport->dev->name, IFNAMSIZ);
	}
}

static u64 tag_of(const struct sk_buff *skb)
{
	struct ovs_packet packet;

	if (this_cpu_read(current_packet.skb) == skb)
		return this_cpu_read(current_packet.tag);
	describe(&packet, skb);
	return packet.tag;
}

/* ---- the packet's way ---- */

/* void ovs_vport_receive(struct vport *, struct sk_buff *, const struct ip_tunnel_info *) */
static int on_receive(struct kprobe *probe, struct pt_regs *regs)
{
	struct ovs_packet packet;
	struct sk_buff *skb = ARG(struct sk_buff *, 1);

	if (!anyone_records())
		return 0;
	forget_current_packet(skb);
	describe(&packet, skb);
	describe_port(&packet, ARG(struct vport *, 0));
	count(received);
	if (skb->data_len)
		count(nonlinear);
	if (skb_cloned(skb))
		count(cloned);
	if (packet.tag)
		count(read);
	else if (READ_ONCE(write_tags))
		identity_make(&packet, skb);
	set_current_packet(packet.tag, skb);
	trace_ovs_packet_receive(&packet);
	return 0;
}

/* int ovs_vport_send(struct vport *, struct sk_buff *, u8 mac_proto) */
static int on_send(struct kprobe *probe, struct pt_regs *regs)
{
	struct ovs_packet packet;
	struct sk_buff *skb = ARG(struct sk_buff *, 1);

	if (!anyone_records())
		return 0;
	describe(&packet, skb);
	describe_port(&packet, ARG(struct vport *, 0));
	trace_ovs_packet_send(&packet);
	forget_current_packet(skb);
	return 0;
}

/* void ovs_dp_process_packet(struct sk_buff *, struct sw_flow_key *) */
static int on_process(struct kprobe *probe, struct pt_regs *regs)
{
	struct sk_buff *skb = ARG(struct sk_buff *, 0);
	u64 tag;

	if (!anyone_records())
		return 0;
	tag = tag_of(skb);
	set_current_packet(tag, skb);
	trace_ovs_flow_lookup_begin(tag, skb);
	return 0;
}

/* static void do_output(struct datapath *, struct sk_buff *, int out_port, struct sw_flow_key *) */
static int on_output(struct kprobe *probe, struct pt_regs *regs)
{
	struct sk_buff *skb = ARG(struct sk_buff *, 1);

	if (trace_ovs_action_output_enabled())
		trace_ovs_action_output(tag_of(skb), skb, ARG(int, 2));
	return 0;
}

/* struct sw_flow *ovs_flow_tbl_lookup_stats(struct flow_table *, const struct sw_flow_key *,
 *                                           u32 skb_hash, u32 *n_mask_hit, u32 *n_cache_hit) */
struct lookup {
	const u32 *n_mask_hit;
	const u32 *n_cache_hit;
};

static int lookup_entry(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct lookup *lookup = (void *)instance->data;

	lookup->n_mask_hit = ARG(const u32 *, 3);
	lookup->n_cache_hit = ARG(const u32 *, 4);
	return !trace_ovs_flow_lookup_end_enabled();
}

static int lookup_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	const struct lookup *lookup = (void *)instance->data;

	trace_ovs_flow_lookup_end(this_cpu_read(current_packet.tag),
				  this_cpu_read(current_packet.skb),
				  (void *)regs_return_value(regs),
				  *lookup->n_mask_hit, *lookup->n_cache_hit);
	return 0;
}

struct tagged {
	u64 tag;
	const void *skb;
};

/* int ovs_execute_actions(struct datapath *, struct sk_buff *, const struct sw_flow_actions *,
 *                         struct sw_flow_key *) */
static int actions_entry(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct tagged *tagged = (void *)instance->data;
	struct sk_buff *skb = ARG(struct sk_buff *, 1);
	const struct sw_flow_actions *actions = ARG(const struct sw_flow_actions *, 2);
	const bool from_user = is_executing();
	struct ovs_packet packet;

	if (!anyone_records())
		return 1;
	if (from_user)
		forget_current_packet(skb);
	describe(&packet, skb);
	if (!packet.tag && from_user && identity_find(&packet) && READ_ONCE(write_tags))
		identity_restore(&packet, skb);
	set_current_packet(packet.tag, skb);
	*tagged = (struct tagged) { packet.tag, skb };
	trace_ovs_actions_begin(&packet, actions, actions ? actions->actions_len : 0, from_user);
	return 0;
}

static int actions_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	const struct tagged *tagged = (void *)instance->data;

	forget_current_packet(tagged->skb);
	trace_ovs_actions_end(tagged->tag, tagged->skb, (int)regs_return_value(regs));
	return 0;
}

/* int ovs_dp_upcall(struct datapath *, struct sk_buff *, const struct sw_flow_key *,
 *                   const struct dp_upcall_info *, u32 cutlen) */
static int upcall_entry(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct tagged *tagged = (void *)instance->data;
	struct sk_buff *skb = ARG(struct sk_buff *, 1);
	const struct dp_upcall_info *upcall = ARG(const struct dp_upcall_info *, 3);
	struct ovs_packet packet;

	if (!anyone_records())
		return 1;
	describe(&packet, skb);
	if (packet.tag)
		identity_keep(&packet);
	*tagged = (struct tagged) { packet.tag, skb };
	trace_ovs_upcall_begin(&packet, upcall->cmd, upcall->portid);
	return 0;
}

/* After a miss the caller frees the packet; a sampled one goes on. */
static int upcall_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	const struct tagged *tagged = (void *)instance->data;

	trace_ovs_upcall_end(tagged->tag, tagged->skb, (int)regs_return_value(regs));
	return 0;
}

/* ---- commands: int ovs_X_cmd_Y(struct sk_buff *, struct genl_info *) ---- */

struct command {
	const char *op;
	u32 portid;
	char name[IFNAMSIZ];
};

static int command_begin(struct kretprobe_instance *instance, const struct genl_info *info,
			 const struct nlattr *name)
{
	struct command *command = (void *)instance->data;
	const struct kretprobe *probe = get_kretprobe(instance);

	if (!probe || !anyone_records())
		return 1;
	command->op = probe->kp.symbol_name;
	command->portid = info->snd_portid;
	command->name[0] = '\0';
	if (name)
		nla_strscpy(command->name, name, IFNAMSIZ);
	trace_ovs_genl_cmd(command->op, 0, command->name, command->portid, 0);
	return 0;
}

static int command_entry(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	return command_begin(instance, ARG(const struct genl_info *, 1), NULL);
}

static int vport_entry(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	const struct genl_info *info = ARG(const struct genl_info *, 1);

	return command_begin(instance, info,
			     info->attrs ? info->attrs[OVS_VPORT_ATTR_NAME] : NULL);
}

static int execute_entry(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	const struct genl_info *info = ARG(const struct genl_info *, 1);
	const struct nlattr *frame = info->attrs ? info->attrs[OVS_PACKET_ATTR_PACKET] : NULL;

	if (!anyone_records())
		return 1;
	WRITE_ONCE(*executing_place(), current);
	if (frame) {
		struct ovs_packet packet = { 0 };

		packet_parse_frame(&packet, nla_data(frame), nla_len(frame));
		identity_find(&packet);
		trace_ovs_packet_execute(&packet);
	}
	return command_begin(instance, info, NULL);
}

static int command_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	const struct command *command = (void *)instance->data;

	trace_ovs_genl_cmd(command->op, 1, command->name, command->portid,
			   (int)regs_return_value(regs));
	return 0;
}

static int execute_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	if (READ_ONCE(*executing_place()) == current)
		WRITE_ONCE(*executing_place(), NULL);
	return command_return(instance, regs);
}

/* ---- the tables of hooks ---- */

static struct kprobe probes[] = {
	{ .symbol_name = "ovs_vport_receive", .pre_handler = on_receive },
	{ .symbol_name = "ovs_vport_send", .pre_handler = on_send },
	{ .symbol_name = "ovs_dp_process_packet", .pre_handler = on_process },
	{ .symbol_name = "do_output", .pre_handler = on_output },
};

#define RETURN_PROBE(symbol, on_entry, on_return, type)	\
	{ .kp.symbol_name = symbol, .entry_handler = on_entry, .handler = on_return, \
	  .data_size = sizeof(type) }

static struct kretprobe return_probes[] = {
	RETURN_PROBE("ovs_flow_tbl_lookup_stats", lookup_entry, lookup_return, struct lookup),
	RETURN_PROBE("ovs_execute_actions", actions_entry, actions_return, struct tagged),
	RETURN_PROBE("ovs_dp_upcall", upcall_entry, upcall_return, struct tagged),
	RETURN_PROBE("ovs_packet_cmd_execute", execute_entry, execute_return, struct command),
	RETURN_PROBE("ovs_flow_cmd_new", command_entry, command_return, struct command),
	RETURN_PROBE("ovs_flow_cmd_set", command_entry, command_return, struct command),
	RETURN_PROBE("ovs_flow_cmd_del", command_entry, command_return, struct command),
	RETURN_PROBE("ovs_vport_cmd_new", vport_entry, command_return, struct command),
	RETURN_PROBE("ovs_vport_cmd_del", vport_entry, command_return, struct command),
};

static bool probe_on[ARRAY_SIZE(probes)], return_probe_on[ARRAY_SIZE(return_probes)];

/* Returns that weren't seen because too many were under way. */
static int get_missed(char *buffer, const struct kernel_param *param)
{
	unsigned long sum = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(return_probes); i++)
		sum += return_probes[i].nmissed;
	return sysfs_emit(buffer, "%lu\n", sum);
}

static int get_hooks(char *buffer, const struct kernel_param *param)
{
	unsigned int on = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		on += probe_on[i];
	for (i = 0; i < ARRAY_SIZE(return_probes); i++)
		on += return_probe_on[i];
	return sysfs_emit(buffer, "%u of %zu\n", on,
			  ARRAY_SIZE(probes) + ARRAY_SIZE(return_probes));
}

static const struct kernel_param_ops missed_ops = { .get = get_missed };
static const struct kernel_param_ops hooks_ops = { .get = get_hooks };
module_param_cb(n_missed, &missed_ops, NULL, 0444);
module_param_cb(hooks, &hooks_ops, NULL, 0444);

static void unhook(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(return_probes); i++)
		if (return_probe_on[i])
			unregister_kretprobe(&return_probes[i]);
	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (probe_on[i])
			unregister_kprobe(&probes[i]);
}

/* A function that the compiler has inlined or renamed costs its events only;
 * without the one where packets come in, there is no use. */
static int hook(void)
{
	const int in_flight = max_t(int, 64, 2 * num_possible_cpus());
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		ret = register_kprobe(&probes[i]);
		probe_on[i] = !ret;
		if (ret)
			pr_warn("no kprobe on %s: error %d\n", probes[i].symbol_name, ret);
		if (ret && i == 0)
			return ret;
	}
	for (i = 0; i < ARRAY_SIZE(return_probes); i++) {
		return_probes[i].maxactive = in_flight;
		ret = register_kretprobe(&return_probes[i]);
		return_probe_on[i] = !ret;
		if (ret)
			pr_warn("no kretprobe on %s: error %d\n",
				return_probes[i].kp.symbol_name, ret);
	}
	return 0;
}

static int __init ovs_addon_init(void)
{
	int ret = identity_init(upcall_slots);

	if (ret)
		return ret;
	ret = __lttng_events_init__ovs();
	if (ret)
		goto no_events;
	ret = hook();
	if (ret)
		goto no_hooks;
	return 0;

no_hooks:
	unhook();
	__lttng_events_exit__ovs();
no_events:
	identity_exit();
	return ret;
}

static void __exit ovs_addon_exit(void)
{
	unhook();
	__lttng_events_exit__ovs();
	identity_exit();
}

module_init(ovs_addon_init);
module_exit(ovs_addon_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The cloudtraced authors");
MODULE_DESCRIPTION("LTTng events of the Open vSwitch datapath with the identity of packets");
MODULE_SOFTDEP("pre: openvswitch");
