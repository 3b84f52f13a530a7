/* SPDX-License-Identifier: MIT
 *
 * ovs_upcalls.c -- packets that wait for ovs-vswitchd: queued in a netlink
 * socket, read by one of its threads, given back.
 *
 * Which upcall is given back is said by the tag.  Which one a thread reads is
 * said by nothing: a socket is a queue, so the oldest unread one of the sockets
 * of that thread.  Which sockets those are, and from which descriptor upcalls
 * come, is learnt from the answers. */
#include <string.h>

#include "analyzers/ovs.h"

/* A message with an upcall holds the packet and at least so many bytes more:
 * headers and the flow's key. */
enum { UPCALL_OVERHEAD = 60 };

static struct ovs_queue *
queue_get(struct ovs *ovs, uint64_t id)
{
	struct ovs_queue *queue = keyed_get(&ovs->queues, &id, NULL);

	if (!queue) {
		COUNT(ovs, EVICTED_OTHERS);
		keyed_clear(&ovs->queues);
		queue = keyed_get(&ovs->queues, &id, NULL);
	}
	return queue;
}

struct ovs_thread *
ovs_thread_get(struct ovs *ovs, uint64_t tid)
{
	bool is_new;
	struct ovs_thread *thread = keyed_get(&ovs->threads, &tid, &is_new);

	/* Threads come and go over months: all are learnt anew. */
	if (!thread) {
		COUNT(ovs, EVICTED_OTHERS);
		keyed_clear(&ovs->threads);
		thread = keyed_get(&ovs->threads, &tid, &is_new);
	}
	if (is_new)
		thread->fd = thread->upcall_fd = -1;
	return thread;
}

/* -- Queues ------------------------------------------------------------------ */

/* The oldest upcall of the queue that was not answered, or that was not even
 * read; NULL: none. */
static struct ovs_packet *
queue_first(struct ovs *ovs, struct ovs_queue *queue, bool unread)
{
	bool head = true;

	for (uint32_t i = 0; i < queue->n; ) {
		const uint64_t seq = queue->seqs[(queue->first + i) % OVS_QUEUE_LENGTH];
		struct ovs_packet *packet = ovs_packet_of_seq(ovs, seq);
		const bool waits = packet && (packet->flags & PACKET_WAITING) &&
				   packet->queue == queue->id;

		if (waits && !(unread && packet->read_ns))
			return packet;
		head &= !waits;
		if (head) {
			queue->first = (queue->first + 1) % OVS_QUEUE_LENGTH;
			queue->n--;
		} else {
			i++;
		}
	}
	return NULL;
}

static void
queue_push(struct ovs_queue *queue, uint64_t seq)
{
	if (queue->n == OVS_QUEUE_LENGTH) {
		queue->first = (queue->first + 1) % OVS_QUEUE_LENGTH;
		queue->n--;
	}
	queue->seqs[(queue->first + queue->n++) % OVS_QUEUE_LENGTH] = seq;
}

void
ovs_upcall_wait(struct ovs *ovs, struct ovs_packet *packet, uint64_t id)
{
	struct ovs_queue *queue = queue_get(ovs, id);

	packet->queue = id;
	packet->flags |= PACKET_WAITING;
	ovs->main.waiting++;
	ovs->window.counters[OVS_WAITING_MAX] =
		MAX(ovs->window.counters[OVS_WAITING_MAX], (uint64_t) ovs->main.waiting);
	queue_push(queue, packet->seq);
}

void
ovs_upcall_forget(struct ovs *ovs, struct ovs_packet *packet)
{
	if (!(packet->flags & PACKET_WAITING))
		return;
	packet->flags &= (uint16_t) ~PACKET_WAITING;
	if (ovs->main.waiting)
		ovs->main.waiting--;
}

struct ovs_packet *
ovs_upcall_next(struct ovs *ovs, uint64_t tid, bool unread)
{
	struct ovs_packet *oldest = NULL;

	for (uint32_t i = 0; i < ovs->queues.n; i++) {
		struct ovs_queue *queue = keyed_at(&ovs->queues, i);
		struct ovs_packet *packet = !tid || (uint64_t) queue->tid == tid ?
					    queue_first(ovs, queue, unread) : NULL;

		if (packet && (!oldest || packet->upcall_ns < oldest->upcall_ns ||
			       (packet->upcall_ns == oldest->upcall_ns &&
				packet->seq < oldest->seq)))
			oldest = packet;
	}
	return oldest;
}

/* -- Events ------------------------------------------------------------------ */

/* One whose receive was not seen: only upcalls are traced, or it was lost. */
static struct ovs_packet *
stranger(struct ovs *ovs, const struct step *step, const struct ovs_upcall_fields *fields)
{
	struct ovs_packet *packet = ovs_packet_new(ovs, step, fields->tag ? fields->tag :
						   fields->skbaddr);

	packet->flags |= PACKET_NO_RECEIVE;
	packet->hash = (uint32_t) fields->pkt_hash;
	packet->len = (uint32_t) fields->len;
	packet->eth_type = (uint16_t) fields->eth_type;
	packet->l4_proto = (uint8_t) fields->l4_proto;
	packet->saddr = (uint32_t) fields->saddr;
	packet->daddr = (uint32_t) fields->daddr;
	return packet;
}

void
ovs_upcall_begin(struct ovs *ovs, const struct step *step)
{
	const struct ovs_upcall_fields *fields = step->values;
	struct ovs_packet *packet = ovs_packet_find(ovs, fields->tag, fields->skbaddr);

	COUNT(ovs, UPCALLS);
	if (fields->cmd == 1)
		COUNT(ovs, UPCALLS_MISS);
	else
		COUNT(ovs, UPCALLS_ACTION);
	if (!packet && (fields->tag || fields->skbaddr))
		packet = stranger(ovs, step, fields);
	if (!packet)
		return;
	ovs_upcall_forget(ovs, packet);
	packet->flags |= PACKET_SLOW;
	packet->upcall_ns = step->t_ns;
	packet->queued_ns = packet->read_ns = packet->execute_ns = 0;
	ovs_packet_step(ovs, packet, step, OVS_STEP_UPCALL, OVS_NO_PORT);
	ovs_upcall_wait(ovs, packet, fields->portid);
}

void
ovs_upcall_end(struct ovs *ovs, const struct step *step)
{
	const struct ovs_upcall_fields *fields = step->values;
	struct ovs_packet *packet = ovs_packet_find(ovs, fields->tag, fields->skbaddr);

	if (fields->ret < 0)
		COUNT(ovs, UPCALLS_REFUSED);
	if (!packet || !packet->upcall_ns)
		return;
	if (fields->ret < 0) {
		ovs_upcall_forget(ovs, packet);
		ovs_packet_step(ovs, packet, step, OVS_STEP_REFUSED, OVS_NO_PORT);
		ovs_packet_drop(ovs, packet, OVS_AT_UPCALL, (uint32_t) -fields->ret, OVS_NO_PORT);
		return;
	}
	/* A thread on another CPU may have read it by now. */
	if (!(packet->flags & PACKET_WAITING))
		return;
	packet->queued_ns = step->t_ns;
	TOOK(ovs, ENQUEUE, ovs_since(step->t_ns, packet->upcall_ns));
	ovs_packet_step(ovs, packet, step, OVS_STEP_QUEUED, OVS_NO_PORT);
}

void
ovs_upcall_answered(struct ovs *ovs, struct ovs_packet *packet, const struct step *step,
		    struct ovs_thread *thread)
{
	struct ovs_queue *queue = keyed_find(&ovs->queues, &packet->queue);

	COUNT(ovs, UPCALLS_ANSWERED);
	TOOK(ovs, UPCALL, ovs_since(step->t_ns, packet->upcall_ns));
	if (packet->read_ns) {
		TOOK(ovs, WAIT, ovs_since(packet->read_ns, packet->queued_ns ? packet->queued_ns :
					  packet->upcall_ns));
		TOOK(ovs, SERVICE, ovs_since(step->t_ns, packet->read_ns));
	}
	ovs_upcall_forget(ovs, packet);
	packet->execute_ns = step->t_ns;
	packet->flags &= (uint16_t) ~PACKET_DONE;
	ovs_packet_step(ovs, packet, step, OVS_STEP_EXECUTE, OVS_NO_PORT);
	if (queue) {
		queue->tid = (int64_t) thread->tid;
		thread->reads_upcalls = 1;
	}
}

void
ovs_execute(struct ovs *ovs, const struct step *step)
{
	const struct ovs_execute_fields *fields = step->values;
	struct ovs_packet *packet = ovs_packet_find(ovs, fields->tag, 0);

	COUNT(ovs, EXECUTES);
	if (!packet || !(packet->flags & PACKET_WAITING)) {
		COUNT(ovs, EXECUTES_UNKNOWN);
		return;
	}
	ovs_upcall_answered(ovs, packet, step, ovs_thread_get(ovs, (uint64_t) fields->tid));
}

/* -- Reads ------------------------------------------------------------------- */

void
ovs_recvmsg_entry(struct ovs *ovs, const struct step *step)
{
	const struct ovs_recvmsg_fields *fields = step->values;
	struct ovs_thread *thread = keyed_find(&ovs->threads, &fields->tid);

	if (thread && thread->reads_upcalls)
		thread->fd = (int32_t) fields->value;
}

/* Whether upcalls come from this descriptor; each that fits is a vote for it. */
static bool
is_upcall_fd(struct ovs_thread *thread)
{
	if (thread->fd < 0)
		return thread->upcall_fd < 0;
	if (thread->fd == thread->upcall_fd)
		thread->fd_votes += thread->fd_votes < 1000;
	else if (thread->fd_votes)
		thread->fd_votes--;
	else
		thread->upcall_fd = thread->fd;
	return thread->fd == thread->upcall_fd;
}

static void
read_one(struct ovs *ovs, const struct step *step, struct ovs_packet *packet)
{
	packet->read_ns = step->t_ns;
	COUNT(ovs, READS);
	ovs_packet_step(ovs, packet, step, OVS_STEP_READ, OVS_NO_PORT);
}

void
ovs_recvmsg_exit(struct ovs *ovs, const struct step *step)
{
	const struct ovs_recvmsg_fields *fields = step->values;
	struct ovs_thread *thread = keyed_find(&ovs->threads, &fields->tid);
	struct ovs_packet *packet;

	if (!thread || !thread->reads_upcalls || fields->value <= 0)
		return;
	packet = ovs_upcall_next(ovs, thread->tid, true);
	if (packet && fields->value >= (int64_t) packet->len + UPCALL_OVERHEAD &&
	    is_upcall_fd(thread))
		read_one(ovs, step, packet);
}

/* ovs-vswitchd says itself that it took one. */
void
ovs_usdt_read(struct ovs *ovs, const struct step *step)
{
	const struct ovs_recvmsg_fields *fields = step->values;
	struct ovs_packet *packet = ovs_upcall_next(ovs, (uint64_t) fields->tid, true);

	if (packet)
		read_one(ovs, step, packet);
}
