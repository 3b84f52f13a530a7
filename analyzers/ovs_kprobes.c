/* SPDX-License-Identifier: MIT
 *
 * ovs_kprobes.c -- the same views from plain kprobes on functions of the
 * datapath, which say nothing of the packet.
 *
 * A CPU works on one packet at a time: from ovs_vport_receive() on, what the
 * same thread of the same CPU does is that packet's.  Soft interrupts come in
 * between only where a packet was sent already.  An upcall is matched with the
 * packet that comes back by order: the socket is a queue, each CPU's upcalls go
 * to one thread (which thread, is learnt while just one upcall is under way).
 * What can't be matched for sure is counted (OVS_UNPAIRED) and has no latency. */
#include <string.h>

#include "analyzers/ovs.h"

/* A flow and the packet that it was made for come in one batch of messages. */
#define TOGETHER_NS (100 * NS_PER_MS)

static struct ovs_packet *
current(struct ovs *ovs, const struct ovs_cpu *cpu, int64_t tid)
{
	return cpu->seq && cpu->tid == tid ? ovs_packet_of_seq(ovs, cpu->seq - 1) : NULL;
}

static void
receive(struct ovs *ovs, const struct step *step, struct ovs_cpu *cpu, int64_t tid)
{
	/* No id that a tag or an address could be. */
	struct ovs_packet *packet = ovs_packet_new(ovs, step, UINT64_C(1) << 62 |
						   ovs->main.next_seq);

	COUNT(ovs, RECEIVED);
	COUNT(ovs, PACKETS);
	packet->flags |= PACKET_KPROBES;
	cpu->seq = packet->seq + 1;
	cpu->tid = (int32_t) tid;
	cpu->in_upcall = false;
	ovs_packet_step(ovs, packet, step, OVS_STEP_RECEIVE, OVS_NO_PORT);
}

/* The flow table was asked; what it answered shows by what is called next. */
static void
lookup(struct ovs *ovs, const struct step *step, struct ovs_packet *packet)
{
	COUNT(ovs, LOOKUPS);
	if (!packet)
		return;
	packet->lookup_ns = step->t_ns;
	ovs_packet_step(ovs, packet, step, OVS_STEP_LOOKUP, OVS_NO_PORT);
}

static void
looked_up(struct ovs *ovs, const struct step *step, struct ovs_packet *packet, bool hit)
{
	if (!packet || !packet->lookup_ns)
		return;
	if (hit)
		COUNT(ovs, HITS);
	else
		COUNT(ovs, MISSES);
	TOOK(ovs, LOOKUP, ovs_since(step->t_ns, packet->lookup_ns));
	packet->lookup_ns = 0;
	packet->flags |= PACKET_LOOKED_UP;
	ovs_packet_step(ovs, packet, step, hit ? OVS_STEP_HIT : OVS_STEP_MISS, OVS_NO_PORT);
}

static void
actions(struct ovs *ovs, const struct step *step, struct ovs_packet *packet)
{
	looked_up(ovs, step, packet, true);
	if (!packet)
		return;
	packet->actions_ns = step->t_ns;
	ovs_packet_step(ovs, packet, step, OVS_STEP_ACTIONS, OVS_NO_PORT);
}

static void
sent(struct ovs *ovs, const struct step *step, struct ovs_packet *packet)
{
	/* Only what was to be done with it says that this send is its own. */
	if (packet && !packet->actions_ns)
		packet = NULL;
	ovs_packet_sent(ovs, packet, step, OVS_NO_PORT, 0);
	if (!packet)
		return;
	if (packet->sends == 1)
		TOOK(ovs, ACTIONS, ovs_since(step->t_ns, packet->actions_ns));
	ovs_packet_done(ovs, packet, step);
}

/* -- Upcalls ----------------------------------------------------------------- */

static void
upcall(struct ovs *ovs, const struct step *step, struct ovs_packet *packet)
{
	COUNT(ovs, UPCALLS);
	if (!packet || packet->lookup_ns)
		COUNT(ovs, UPCALLS_MISS);
	else
		COUNT(ovs, UPCALLS_ACTION);
	looked_up(ovs, step, packet, false);
	if (!packet)
		return;
	ovs_upcall_forget(ovs, packet);
	packet->flags |= PACKET_SLOW;
	packet->upcall_ns = step->t_ns;
	packet->queued_ns = packet->read_ns = packet->execute_ns = 0;
	ovs_packet_step(ovs, packet, step, OVS_STEP_UPCALL, OVS_NO_PORT);
	ovs_upcall_wait(ovs, packet, OVS_CPU_QUEUE(step->cpu));
}

static void
upcall_over(struct ovs *ovs, const struct step *step, struct ovs_packet *packet)
{
	if (!packet || !(packet->flags & PACKET_WAITING) || packet->queued_ns)
		return;
	packet->queued_ns = step->t_ns;
	TOOK(ovs, ENQUEUE, ovs_since(step->t_ns, packet->upcall_ns));
	ovs_packet_step(ovs, packet, step, OVS_STEP_QUEUED, OVS_NO_PORT);
}

/* The upcall that this thread answers: the oldest of its queues, else the only
 * one there is. */
static struct ovs_packet *
answered_by(struct ovs *ovs, uint64_t tid)
{
	struct ovs_packet *packet = ovs_upcall_next(ovs, tid, false);

	return packet || ovs->main.waiting != 1 ? packet : ovs_upcall_next(ovs, 0, false);
}

/* ovs-vswitchd answers upcalls in their order: each by a flow, by its packet, or by the flow
 * and then the packet.  A flow alone drops its packet. */
static void
put_alone(struct ovs *ovs, struct ovs_thread *thread)
{
	struct ovs_packet *packet = thread->put_ns ? answered_by(ovs, thread->tid) : NULL;

	thread->put_ns = 0;
	if (packet)
		ovs_upcall_forget(ovs, packet);
}

static void
insert(struct ovs *ovs, const struct step *step, int64_t tid_)
{
	const uint64_t tid = (uint64_t) tid_;
	struct ovs_thread *thread = keyed_find(&ovs->threads, &tid);

	if (!thread || !thread->reads_upcalls)
		return;
	put_alone(ovs, thread);
	thread->put_ns = step->t_ns;
}

static void
execute(struct ovs *ovs, const struct step *step, struct ovs_cpu *cpu, int64_t tid)
{
	struct ovs_thread *thread = ovs_thread_get(ovs, (uint64_t) tid);
	struct ovs_packet *packet;

	if (step->t_ns - MIN(thread->put_ns, step->t_ns) > TOGETHER_NS)
		put_alone(ovs, thread);
	thread->put_ns = 0;
	packet = answered_by(ovs, (uint64_t) tid);
	COUNT(ovs, EXECUTES);
	cpu->tid = (int32_t) tid;
	cpu->seq = packet ? packet->seq + 1 : 0;
	cpu->in_upcall = false;
	if (packet)
		ovs_upcall_answered(ovs, packet, step, thread);
	else
		COUNT(ovs, EXECUTES_UNKNOWN);
}

/* -- Dispatch ---------------------------------------------------------------- */

/* Where both a probe at the entry and one for entry and return are on a function,
 * the second comes first and is the one that counts. */
static void
execute_probe(struct ovs *ovs, const struct step *step, struct ovs_cpu *cpu, int64_t tid,
	      enum ovs_kprobe what)
{
	struct ovs_thread *thread = ovs_thread_get(ovs, (uint64_t) tid);

	if (what == KR_EXECUTE_EXIT) {
		thread->executing = 0;
		if (cpu->tid == tid)
			cpu->seq = 0;
		return;
	}
	if (what == KP_EXECUTE && thread->executing)
		return;
	thread->executing = what == KR_EXECUTE_ENTRY;
	execute(ovs, step, cpu, tid);
}

static void
upcall_probe(struct ovs *ovs, const struct step *step, struct ovs_cpu *cpu, int64_t tid,
	     enum ovs_kprobe what)
{
	struct ovs_packet *packet = current(ovs, cpu, tid);

	if (what == KR_UPCALL_EXIT) {
		cpu->in_upcall = false;
		upcall_over(ovs, step, packet);
	} else if (what == KR_UPCALL_ENTRY || !cpu->in_upcall) {
		cpu->in_upcall = what == KR_UPCALL_ENTRY;
		upcall(ovs, step, packet);
	}
}

void
ovs_kprobe(struct ovs *ovs, const struct step *step, enum ovs_kprobe what)
{
	const int64_t tid = ((const struct ovs_kprobe_fields *) step->values)->tid;
	struct ovs_cpu *cpu;

	if (what == KP_INSERT)
		COUNT(ovs, FLOWS_ADDED);
	if (what == KP_REMOVE)
		COUNT(ovs, FLOWS_REMOVED);
	if (step->cpu < 0 || step->cpu >= OVS_MAX_CPUS)
		return;
	cpu = &ovs->cpus[step->cpu];
	switch (what) {
	case KP_RECEIVE:
		receive(ovs, step, cpu, tid);
		break;
	case KP_LOOKUP:
		lookup(ovs, step, current(ovs, cpu, tid));
		break;
	case KP_ACTIONS:
		actions(ovs, step, current(ovs, cpu, tid));
		break;
	case KP_SEND:
		sent(ovs, step, current(ovs, cpu, tid));
		break;
	case KP_UPCALL:
	case KR_UPCALL_ENTRY:
	case KR_UPCALL_EXIT:
		upcall_probe(ovs, step, cpu, tid, what);
		break;
	case KP_EXECUTE:
	case KR_EXECUTE_ENTRY:
	case KR_EXECUTE_EXIT:
		execute_probe(ovs, step, cpu, tid, what);
		break;
	case KP_INSERT:
		insert(ovs, step, tid);
		break;
	case KP_REMOVE:
		break;
	}
}
