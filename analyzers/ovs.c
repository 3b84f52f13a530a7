/* SPDX-License-Identifier: MIT
 *
 * ovs.c -- the Open vSwitch of a node: events in, a window of counters each
 * second out (ovs.h says where the rest is).
 *
 * Two sources: the events of our module, which say which packet it is, and
 * kprobes (instrumentation/openvswitch/kprobes.profile), which do not.  Once the
 * module's are there, kprobes on the same functions say nothing new and are left
 * alone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/ovs.h"
#include "analyzers/windows.h"

#define CONTEXT .scope = CTF_EVENT_CONTEXT, .optional = true

static const struct field packet_fields[] = {
	FIELD(U64, struct ovs_packet_fields, tag, "tag"),
	FIELD(U64, struct ovs_packet_fields, tag_state, "tag_state", .optional = true),
	FIELD(U64, struct ovs_packet_fields, skbaddr, "skbaddr"),
	FIELD(U64, struct ovs_packet_fields, port_no, "port_no"),
	FIELD(I64, struct ovs_packet_fields, ifindex, "ifindex", .optional = true),
	FIELD(TEXT, struct ovs_packet_fields, ifname, "ifname", .optional = true),
	FIELD(U64, struct ovs_packet_fields, len, "len", .optional = true),
	FIELD(U64, struct ovs_packet_fields, eth_type, "eth_type", .optional = true),
	FIELD(BYTES, struct ovs_packet_fields, src_mac, "src_mac", .optional = true),
	FIELD(BYTES, struct ovs_packet_fields, dst_mac, "dst_mac", .optional = true),
	FIELD(U64, struct ovs_packet_fields, saddr, "saddr", .optional = true),
	FIELD(U64, struct ovs_packet_fields, daddr, "daddr", .optional = true),
	FIELD(U64, struct ovs_packet_fields, l4_proto, "l4_proto", .optional = true),
	FIELD(U64, struct ovs_packet_fields, pkt_hash, "pkt_hash", .optional = true),
	FIELD(I64, struct ovs_packet_fields, pid, "pid", CONTEXT),
	FIELD(I64, struct ovs_packet_fields, tid, "tid", CONTEXT),
	FIELD(TEXT, struct ovs_packet_fields, comm, "procname", CONTEXT),
	{ 0 }
};

static const struct field brief_fields[] = {
	FIELD(U64, struct ovs_brief_fields, tag, "tag"),
	FIELD(U64, struct ovs_brief_fields, skbaddr, "skbaddr"),
	{ 0 }
};
static const struct field lookup_end_fields[] = {
	FIELD(U64, struct ovs_brief_fields, tag, "tag"),
	FIELD(U64, struct ovs_brief_fields, skbaddr, "skbaddr"),
	FIELD(U64, struct ovs_brief_fields, a, "hit"),
	FIELD(U64, struct ovs_brief_fields, b, "n_mask_hit", .optional = true),
	FIELD(U64, struct ovs_brief_fields, c, "n_cache_hit", .optional = true),
	{ 0 }
};
static const struct field actions_end_fields[] = {
	FIELD(U64, struct ovs_brief_fields, tag, "tag"),
	FIELD(U64, struct ovs_brief_fields, skbaddr, "skbaddr"),
	FIELD(I64, struct ovs_brief_fields, ret, "ret", .optional = true),
	{ 0 }
};
static const struct field output_fields[] = {
	FIELD(U64, struct ovs_brief_fields, tag, "tag"),
	FIELD(U64, struct ovs_brief_fields, skbaddr, "skbaddr"),
	FIELD(U64, struct ovs_brief_fields, a, "out_port"),
	{ 0 }
};
static const struct field kfree_fields[] = {
	FIELD(U64, struct ovs_brief_fields, skbaddr, "skbaddr"),
	FIELD(U64, struct ovs_brief_fields, a, "reason", .optional = true),
	{ 0 }
};

static const struct field upcall_begin_fields[] = {
	FIELD(U64, struct ovs_upcall_fields, tag, "tag"),
	FIELD(U64, struct ovs_upcall_fields, skbaddr, "skbaddr"),
	FIELD(U64, struct ovs_upcall_fields, cmd, "cmd"),
	FIELD(U64, struct ovs_upcall_fields, portid, "portid"),
	FIELD(U64, struct ovs_upcall_fields, len, "len", .optional = true),
	FIELD(U64, struct ovs_upcall_fields, eth_type, "eth_type", .optional = true),
	FIELD(U64, struct ovs_upcall_fields, l4_proto, "l4_proto", .optional = true),
	FIELD(U64, struct ovs_upcall_fields, saddr, "saddr", .optional = true),
	FIELD(U64, struct ovs_upcall_fields, daddr, "daddr", .optional = true),
	FIELD(U64, struct ovs_upcall_fields, pkt_hash, "pkt_hash", .optional = true),
	{ 0 }
};
static const struct field upcall_end_fields[] = {
	FIELD(U64, struct ovs_upcall_fields, tag, "tag"),
	FIELD(U64, struct ovs_upcall_fields, skbaddr, "skbaddr"),
	FIELD(I64, struct ovs_upcall_fields, ret, "ret"),
	{ 0 }
};

static const struct field execute_fields[] = {
	FIELD(U64, struct ovs_execute_fields, tag, "tag"),
	FIELD(I64, struct ovs_execute_fields, tid, "tid", CONTEXT),
	{ 0 }
};

static const struct field genl_fields[] = {
	FIELD(U64, struct ovs_genl_fields, phase, "phase"),
	FIELD(I64, struct ovs_genl_fields, ret, "ret", .optional = true),
	FIELD(I64, struct ovs_genl_fields, tid, "tid", CONTEXT),
	FIELD(TEXT, struct ovs_genl_fields, op, "op"),
	FIELD(TEXT, struct ovs_genl_fields, name, "name", .optional = true),
	FIELD(TEXT, struct ovs_genl_fields, comm, "procname", CONTEXT),
	{ 0 }
};

static const struct field recvmsg_entry_fields[] = {
	FIELD(I64, struct ovs_recvmsg_fields, tid, "tid", .scope = CTF_EVENT_CONTEXT),
	FIELD(I64, struct ovs_recvmsg_fields, value, "fd"),
	{ 0 }
};
static const struct field recvmsg_exit_fields[] = {
	FIELD(I64, struct ovs_recvmsg_fields, tid, "tid", .scope = CTF_EVENT_CONTEXT),
	FIELD(I64, struct ovs_recvmsg_fields, value, "ret"),
	{ 0 }
};

static const struct field kprobe_fields[] = {
	FIELD(I64, struct ovs_kprobe_fields, tid, "tid", .scope = CTF_EVENT_CONTEXT),
	FIELD(TEXT, struct ovs_kprobe_fields, comm, "procname", CONTEXT),
	{ 0 }
};

static const struct field usdt_fields[] = {
	FIELD(I64, struct ovs_recvmsg_fields, tid, "tid", .scope = CTF_EVENT_CONTEXT),
	{ 0 }
};

/* -- Events ------------------------------------------------------------------ */

enum event_source { OF_MODULE, OF_PATH, OF_COMMAND, OF_KERNEL };

/* All that is read: name, fields, whether it is not asked for, and what it does. Of
 * the module and of the kernel itself: a function; of the kprobes on a packet's
 * path: which; of those on commands: which, and 0 entry, 1 return, 2 call.  Kprobes
 * are asked for by their profile only, where there is no module. */
#define MODULE(X, NAME, FIELDS, RUN) X(NAME, FIELDS, false, OF_MODULE, RUN, 0, 0)
#define KERNEL(X, NAME, FIELDS, RUN) X(NAME, FIELDS, false, OF_KERNEL, RUN, 0, 0)
#define PATH(X, NAME, WHICH) X(NAME, kprobe_fields, true, OF_PATH, NULL, WHICH, 0)
#define COMMAND(X, NAME, OP, PHASE) X(NAME, kprobe_fields, true, OF_COMMAND, NULL, OP, PHASE)
#define EVENTS(X) \
	MODULE(X, "ovs_packet_receive", packet_fields, ovs_receive) \
	MODULE(X, "ovs_packet_send", packet_fields, ovs_send) \
	MODULE(X, "ovs_flow_lookup_begin", brief_fields, ovs_lookup_begin) \
	MODULE(X, "ovs_flow_lookup_end", lookup_end_fields, ovs_lookup_end) \
	MODULE(X, "ovs_actions_begin", brief_fields, ovs_actions_begin) \
	MODULE(X, "ovs_actions_end", actions_end_fields, ovs_actions_end) \
	MODULE(X, "ovs_action_output", output_fields, ovs_output) \
	MODULE(X, "ovs_upcall_begin", upcall_begin_fields, ovs_upcall_begin) \
	MODULE(X, "ovs_upcall_end", upcall_end_fields, ovs_upcall_end) \
	MODULE(X, "ovs_packet_execute", execute_fields, ovs_execute) \
	MODULE(X, "ovs_genl_cmd", genl_fields, ovs_genl_cmd) \
	KERNEL(X, "skb_kfree", kfree_fields, ovs_skb_kfree) \
	KERNEL(X, "syscall_entry_recvmsg", recvmsg_entry_fields, ovs_recvmsg_entry) \
	KERNEL(X, "syscall_exit_recvmsg", recvmsg_exit_fields, ovs_recvmsg_exit) \
	X("usdt_recv_upcall", usdt_fields, true, OF_KERNEL, ovs_usdt_read, 0, 0) \
	PATH(X, "kp_ovs_vport_receive", KP_RECEIVE) \
	PATH(X, "kp_ovs_flow_tbl_lookup_stats", KP_LOOKUP) \
	PATH(X, "kp_ovs_execute_actions", KP_ACTIONS) \
	PATH(X, "kp_ovs_vport_send", KP_SEND) \
	PATH(X, "kp_ovs_dp_upcall", KP_UPCALL) \
	PATH(X, "kr_ovs_dp_upcall_entry", KR_UPCALL_ENTRY) \
	PATH(X, "kr_ovs_dp_upcall_exit", KR_UPCALL_EXIT) \
	PATH(X, "kp_ovs_packet_cmd_execute", KP_EXECUTE) \
	PATH(X, "kr_ovs_packet_cmd_execute_entry", KR_EXECUTE_ENTRY) \
	PATH(X, "kr_ovs_packet_cmd_execute_exit", KR_EXECUTE_EXIT) \
	PATH(X, "kp_ovs_flow_tbl_insert", KP_INSERT) \
	PATH(X, "kp_ovs_flow_tbl_remove", KP_REMOVE) \
	COMMAND(X, "kp_ovs_flow_cmd_new", OVS_FLOW_NEW, 2) \
	COMMAND(X, "kr_ovs_flow_cmd_new_entry", OVS_FLOW_NEW, 0) \
	COMMAND(X, "kr_ovs_flow_cmd_new_exit", OVS_FLOW_NEW, 1) \
	COMMAND(X, "kp_ovs_flow_cmd_set", OVS_FLOW_SET, 2) \
	COMMAND(X, "kp_ovs_flow_cmd_del", OVS_FLOW_DEL, 2) \
	COMMAND(X, "kp_ovs_vport_cmd_new", OVS_VPORT_NEW, 2) \
	COMMAND(X, "kr_ovs_vport_cmd_new_entry", OVS_VPORT_NEW, 0) \
	COMMAND(X, "kr_ovs_vport_cmd_new_exit", OVS_VPORT_NEW, 1) \
	COMMAND(X, "kp_ovs_vport_cmd_del", OVS_VPORT_DEL, 2) \
	COMMAND(X, "kr_ovs_vport_cmd_del_entry", OVS_VPORT_DEL, 0) \
	COMMAND(X, "kr_ovs_vport_cmd_del_exit", OVS_VPORT_DEL, 1) \
	COMMAND(X, "kp_ovs_vport_cmd_set", OVS_VPORT_SET, 2) \
	COMMAND(X, "kp_ovs_dp_cmd_new", OVS_DP_NEW, 2) \
	COMMAND(X, "kp_ovs_dp_cmd_set", OVS_DP_SET, 2) \
	COMMAND(X, "kp_ovs_dp_cmd_del", OVS_DP_DEL, 2)

struct handler {
	enum event_source source;
	void (*run)(struct ovs *ovs, const struct step *step);
	unsigned which, phase;
};

#define AS_EVENT(NAME, FIELDS, SILENT, SOURCE, RUN, WHICH, PHASE) \
	{ .name = (NAME), .reads = (FIELDS), .silent = (SILENT) },
#define AS_HANDLER(NAME, FIELDS, SILENT, SOURCE, RUN, WHICH, PHASE) \
	{ (SOURCE), (RUN), (WHICH), (PHASE) },

static const struct native_event events[] = { EVENTS(AS_EVENT) { 0 } };
static const struct handler handlers[] = { EVENTS(AS_HANDLER) };

struct ovs_port *
ovs_port_slot(struct ovs *ovs, uint32_t port)
{
	return &ovs->ports[OVS_PORT_NUMBER(port) % OVS_MAX_PORTS];
}

/* -- Windows ----------------------------------------------------------------- */

static void
tell_window(struct ovs *ovs, const struct step *step)
{
	_cleanup_(buf_done) struct buf blob = { 0 };
	struct fact fact = { .type = FACT_WINDOW, .kind = "ovs",
			     .start_ns = ovs->main.window_ns,
			     .end_ns = ovs->main.window_ns + OVS_WINDOW_NS };

	ovs->window.counters[OVS_SOURCES] = ovs->main.sources;
	if (!ovs_window_empty(&ovs->window)) {
		ovs_window_trim(&ovs->window);
		ovs_window_write(&ovs->window, &blob);
		fact.blob = blob.data;
		fact.blob_size = blob.size;
		native_tell(step, &fact);
	}
	ovs_window_clear(&ovs->window);
}

/* At the end of a second: what it leads to is told, then what it held. */
static void
close_window(struct ovs *ovs, const struct step *step, bool all)
{
	struct ovs_main *main = &ovs->main;

	ovs_packets_expire(ovs, step, all);
	ovs_addresses_tell(ovs, step, all);
	ovs_storm_window(ovs, step, main->window_ns, main->window_ns + OVS_WINDOW_NS);
	if (all || step->t_ns >= main->slow_ns + OVS_SLOW_WINDOW_NS) {
		ovs_slow_tell(ovs, step);
		main->slow_ns = 0;
	}
	tell_window(ovs, step);
	main->window_ns = 0;
}

/* What came late or was lost goes to the window after: whether the one before was
 * closed by then depends on watermarks. */
static void
begin_window(struct ovs *ovs, const struct step *step)
{
	struct ovs_main *main = &ovs->main;

	main->window_ns = step->t_ns - step->t_ns % OVS_WINDOW_NS;
	ovs->window.counters[OVS_LATE_EVENTS] += main->late;
	ovs->window.counters[OVS_LOST_EVENTS] += main->lost;
	main->late = main->lost = 0;
}

static void
open_window(struct ovs *ovs, const struct step *step)
{
	struct ovs_main *main = &ovs->main;

	begin_window(ovs, step);
	if (!main->slow_ns)
		main->slow_ns = main->window_ns;
	step_wake(step, main->window_ns + OVS_WINDOW_NS);
}

/* -- The engine's calls -------------------------------------------------------- */

static void
start(void *state, const struct step *step)
{
	struct ovs *ovs = state;

	(void) step;
	ovs_packets_start(ovs);
	ovs_addresses_start(ovs);
	ovs_window_init(&ovs->window);
	ovs->queues = KEYED(struct ovs_queue, id, OVS_MAX_QUEUES);
	ovs->threads = KEYED(struct ovs_thread, tid, OVS_MAX_THREADS);
	ovs->cpus = xcalloc(OVS_MAX_CPUS, sizeof *ovs->cpus);
}

static void
stop(void *state)
{
	struct ovs *ovs = state;

	free(ovs->packets);
	free(ovs->packet_changed);
	free(ovs->addresses);
	free(ovs->cpus);
	keyed_done(&ovs->by_id);
	keyed_done(&ovs->by_skb);
	keyed_done(&ovs->queues);
	keyed_done(&ovs->threads);
	ovs_window_done(&ovs->window);
}

static void
event(void *state, const struct step *step, unsigned number)
{
	const struct handler *handler = &handlers[number];
	struct ovs *ovs = state;

	/* The life of a packet can't be told out of order. */
	if (step->late) {
		ovs->main.late += handler->source != OF_KERNEL;
		return;
	}
	/* Of the many threads that read messages, those of ovs-vswitchd matter; it
	 * has none before its first command. */
	if (handler->source == OF_KERNEL && !ovs->main.window_ns && !ovs->threads.n)
		return;
	if (handler->source == OF_PATH || handler->source == OF_COMMAND) {
		if (ovs->main.sources & OVS_BY_MODULE)
			return;
		ovs->main.sources |= OVS_BY_KPROBES;
	} else if (handler->source == OF_MODULE) {
		ovs->main.sources |= OVS_BY_MODULE;
	}
	if (!ovs->main.window_ns)
		open_window(ovs, step);
	if (handler->source == OF_PATH) {
		ovs_kprobe(ovs, step, (enum ovs_kprobe) handler->which);
	} else if (handler->source == OF_COMMAND) {
		const struct ovs_kprobe_fields *fields = step->values;

		ovs_command(ovs, step, (enum ovs_op) handler->which, handler->phase,
			    (uint64_t) fields->tid, &fields->comm, NULL, 0, false);
	} else {
		handler->run(ovs, step);
	}
}

/* What is under way may lack events now: it proves no drop. */
static void
loss(void *state, const struct step *step, const struct ctf_loss *lost)
{
	struct ovs *ovs = state;

	ovs->main.loss_ns = step->t_ns;
	ovs->main.lost += lost->events + lost->packets;
	if (step->cpu >= 0 && step->cpu < OVS_MAX_CPUS)
		ovs->cpus[step->cpu].seq = 0;
	else
		memset(ovs->cpus, 0, OVS_MAX_CPUS * sizeof *ovs->cpus);
	for (uint32_t i = 0; i < ovs->threads.n; i++) {
		struct ovs_thread *thread = keyed_at(&ovs->threads, i);

		thread->op_ns = 0;
		thread->executing = 0;
		thread->fd = -1;
	}
}

static void
watermark(void *state, const struct step *step)
{
	struct ovs *ovs = state;

	if (ovs->main.window_ns)
		close_window(ovs, step, false);
}

static void
end(void *state, const struct step *step)
{
	struct ovs *ovs = state;

	if (!ovs->main.next_seq)
		return;
	if (!ovs->main.window_ns)
		begin_window(ovs, step);
	close_window(ovs, step, true);
	ovs_storm_end(ovs, step);
}

/* -- Checkpoints ---------------------------------------------------------------- */

enum {
	KEY_MAIN, KEY_WINDOW, KEY_SLOW, KEY_CPUS, KEY_PORTS = 0x1000, KEY_PACKETS = 0x10000,
	KEY_ADDRESSES = 0x20000, KEY_QUEUES = 0x30000, KEY_THREADS = 0x31000,
};
typedef void put_fn(void *context, uint64_t key, const void *record, size_t size);

static void
save_packets(struct ovs *ovs, put_fn *put, void *context)
{
	for (unsigned i = 0; i < OVS_MAX_PACKETS; i++) {
		const struct ovs_packet *packet = &ovs->packets[i];
		unsigned char *state = &ovs->packet_changed[i];

		if (!(*state & 1))
			continue;
		if (packet->flags & PACKET_THERE) {
			put(context, KEY_PACKETS + i, packet, offsetof(struct ovs_packet, steps) +
			    packet->n_steps * sizeof *packet->steps);
			*state = 2;
		} else {
			if (*state & 2)
				put(context, KEY_PACKETS + i, NULL, 0);
			*state = 0;
		}
	}
}

static void
save_keyed(const struct keyed *keyed, uint64_t base, uint32_t *saved, put_fn *put, void *context)
{
	for (uint32_t i = 0; i < keyed->n; i++)
		put(context, base + i, keyed_at(keyed, i), keyed->size);
	for (uint32_t i = keyed->n; i < *saved; i++)
		put(context, base + i, NULL, 0);
	*saved = keyed->n;
}

static void
save_small(struct ovs *ovs, put_fn *put, void *context)
{
	unsigned n_cpus = OVS_MAX_CPUS;

	for (unsigned i = 0; i < OVS_MAX_PORTS; i++)
		if (ovs->ports[i].received) {
			ovs->ports[i].received = 0;
			put(context, KEY_PORTS + i, &ovs->ports[i], sizeof ovs->ports[i]);
		}
	for (unsigned i = 0; i < OVS_ADDRESS_SETS * OVS_ADDRESS_WAYS; i++)
		if (ovs->addresses[i].changed) {
			ovs->addresses[i].changed = 0;
			put(context, KEY_ADDRESSES + i, &ovs->addresses[i],
			    sizeof ovs->addresses[i]);
		}
	while (n_cpus && !ovs->cpus[n_cpus - 1].tid)
		n_cpus--;
	if (n_cpus)
		put(context, KEY_CPUS, ovs->cpus, n_cpus * sizeof *ovs->cpus);
}

static void
save(void *state, put_fn *put, void *context)
{
	_cleanup_(buf_done) struct buf blob = { 0 };
	struct ovs *ovs = state;

	put(context, KEY_MAIN, &ovs->main, sizeof ovs->main);
	ovs_window_write(&ovs->window, &blob);
	put(context, KEY_WINDOW, blob.data, blob.size);
	if (ovs->n_slow || ovs->slow_saved)
		put(context, KEY_SLOW, ovs->n_slow ? ovs->slow : NULL,
		    ovs->n_slow * sizeof *ovs->slow);
	ovs->slow_saved = ovs->n_slow != 0;
	save_packets(ovs, put, context);
	save_keyed(&ovs->queues, KEY_QUEUES, &ovs->queues_saved, put, context);
	save_keyed(&ovs->threads, KEY_THREADS, &ovs->threads_saved, put, context);
	save_small(ovs, put, context);
}

static int
restore_slow(struct ovs *ovs, const void *record, size_t size)
{
	const unsigned n = (unsigned) (size / sizeof *ovs->slow);

	if (size > sizeof ovs->slow || size % sizeof *ovs->slow)
		return -EINVAL;
	if (size)
		memcpy(ovs->slow, record, size);
	for (unsigned i = 0; i < n; i++)
		if (!ovs_packet_sound(&ovs->slow[i].packet))
			return -EINVAL;
	ovs->n_slow = n;
	ovs->slow_saved = true;
	return 0;
}

static int
restore_queue(struct ovs *ovs, const void *record, size_t size)
{
	struct ovs_queue queue, *place;

	if (size != sizeof queue)
		return -EINVAL;
	memcpy(&queue, record, sizeof queue);
	if (queue.n > OVS_QUEUE_LENGTH || queue.first >= OVS_QUEUE_LENGTH)
		return -EINVAL;
	place = keyed_get(&ovs->queues, &queue.id, NULL);
	if (!place)
		return -EINVAL;
	*place = queue;
	ovs->queues_saved = ovs->queues.n;
	return 0;
}

static int
restore_thread(struct ovs *ovs, const void *record, size_t size)
{
	struct ovs_thread thread, *place;

	if (size != sizeof thread)
		return -EINVAL;
	memcpy(&thread, record, sizeof thread);
	if (thread.op >= OVS_N_OPS || thread.comm[15])
		return -EINVAL;
	place = keyed_get(&ovs->threads, &thread.tid, NULL);
	if (!place)
		return -EINVAL;
	*place = thread;
	ovs->threads_saved = ovs->threads.n;
	return 0;
}

static int
restore_main(struct ovs *ovs, const void *record, size_t size)
{
	struct ovs_main restored;

	if (size != sizeof restored)
		return -EINVAL;
	memcpy(&restored, record, size);
	if (!restored.next_seq || restored.oldest_seq > restored.next_seq ||
	    restored.next_seq - restored.oldest_seq > OVS_MAX_PACKETS ||
	    restored.next_seq > UINT64_MAX / 2)
		return -EINVAL;
	ovs->main = restored;
	return 0;
}

static int
restore_port(struct ovs *ovs, uint64_t i, const void *record, size_t size)
{
	struct ovs_port port;

	if (i >= OVS_MAX_PORTS || size != sizeof port)
		return -EINVAL;
	memcpy(&port, record, sizeof port);
	if (port.ifname[15])
		return -EINVAL;
	ovs->ports[i] = port;
	return 0;
}

static int
restore_address(struct ovs *ovs, uint64_t i, const void *record, size_t size)
{
	struct ovs_address address;

	if (i >= OVS_ADDRESS_SETS * OVS_ADDRESS_WAYS || size != sizeof address)
		return -EINVAL;
	memcpy(&address, record, sizeof address);
	if (address.ifname[15] || address.from_ifname[15] || address.n_ips > OVS_MAX_IPS)
		return -EINVAL;
	ovs->addresses[i] = address;
	return 0;
}

static int
restore(void *state, uint64_t key, const void *record, size_t size)
{
	struct ovs *ovs = state;

	if (key >= KEY_THREADS)
		return restore_thread(ovs, record, size);
	if (key >= KEY_QUEUES)
		return restore_queue(ovs, record, size);
	if (key >= KEY_ADDRESSES)
		return restore_address(ovs, key - KEY_ADDRESSES, record, size);
	if (key >= KEY_PACKETS)
		return ovs_packet_restore(ovs, key - KEY_PACKETS, record, size);
	if (key >= KEY_PORTS)
		return restore_port(ovs, key - KEY_PORTS, record, size);
	switch (key) {
	case KEY_MAIN:
		return restore_main(ovs, record, size);
	case KEY_WINDOW:
		return ovs_window_read(&ovs->window, record, size);
	case KEY_SLOW:
		return restore_slow(ovs, record, size);
	case KEY_CPUS:
		if (size > OVS_MAX_CPUS * sizeof *ovs->cpus)
			return -EINVAL;
		memcpy(ovs->cpus, record, size);
		return 0;
	}
	return -EINVAL;
}

static size_t
bytes(const void *state)
{
	const struct ovs *ovs = state;

	return sizeof *ovs + OVS_MAX_PACKETS * (sizeof *ovs->packets + 1) +
	       OVS_ADDRESS_SETS * OVS_ADDRESS_WAYS * sizeof *ovs->addresses +
	       OVS_MAX_CPUS * sizeof *ovs->cpus + ovs_window_size(&ovs->window) +
	       (ovs->by_id.capacity + ovs->by_skb.capacity) * (ovs->by_id.size + 8) +
	       ovs->queues.capacity * ovs->queues.size + ovs->threads.capacity * ovs->threads.size;
}

static const struct native native = {
	.events = events,
	.state_size = sizeof(struct ovs),
	.start = start,
	.stop = stop,
	.event = event,
	.loss = loss,
	.watermark = watermark,
	.end = end,
	.save = save,
	.restore = restore,
	.bytes = bytes,
};

const struct analyzer ovs_analyzer = {
	.name = "ovs",
	.summary = "What Open vSwitch does with packets, and who is behind which port",
	.version = 2,
	.roles = ROLE_COMPUTE | ROLE_NETWORK,
	.kernel = true,
	.rules = no_rules,
	.native = &native,
};
