/* SPDX-License-Identifier: MIT
 *
 * stream_private.h -- a stream, between stream.c (packets, losses, positions)
 * and events.c (from event to event within a packet). */
#ifndef CTF_STREAM_PRIVATE_H
#define CTF_STREAM_PRIVATE_H

#include "ctf/packet.h"
#include "ctf/stream.h"
#include "ctf/trace_private.h"

struct queued_packet {
	const uint8_t *bytes;
	size_t size;
	void (*release)(void *context, const uint8_t *bytes);
	void *context;
};

struct ctf_stream {
	/* Walking through the events of a packet: */
	const uint8_t *bytes;            /* Of the packet; NULL: none is open. */
	uint64_t at, end;                /* Bits: the next event, and the end of content. */
	uint64_t clock;                  /* Cycles. */
	const struct ctf_stream_class *stream_class;
	uint64_t n_events;               /* Of this packet, up to 'at'. */
	uint64_t skip_events;            /* Of this packet, consumed before a restart. */
	bool want_all;
	bool simple;                     /* A packet with packed headers is open. */
	bool cycles_are_ns;              /* Of the clock, or there is none. */
	uint64_t offset_ns;              /* Of the clock, to 1970. */

	/* What comes next: */
	enum ctf_head head;
	uint64_t head_raw_ns;
	struct ctf_event event;
	struct ctf_loss loss;
	const struct ctf_event_class *event_class;   /* Of the event... */
	uint64_t event_at;               /* where it starts, and, */
	uint64_t body_at;                /* and where its contexts start, bits. */
	uint64_t last_raw_ns;            /* Latest time of any event that was given. */

	struct ctf_stream_counters counters;
	struct ctf_value values[CTF_MAX_SLOTS];
	struct ctf_value packet_values[CTF_MAX_SLOTS];
	uint32_t n_packet_values;        /* Of those that were read. */
	uint64_t stored[CTF_STORE_END];

	struct ctf_trace *trace;
	char *key;
	void *user;
	ctf_refill_fn *refill;
	void *refill_context;
	bool ended;

	/* Packets: the first one is open, or the next to be. */
	struct queued_packet *queue;
	size_t queue_first, queue_n, queue_capacity;
	size_t memory;

	/* The open packet: */
	struct ctf_packet_head packet;
	bool packet_bad;

	/* Across packets: */
	uint64_t previous_end_raw_ns;
	uint64_t previous_seq, previous_discarded;
	uint64_t max_discarded;
	bool has_previous, has_previous_seq, has_previous_discarded;
	uint64_t bound_raw_ns;           /* Nothing comes before it, as far as told. */
	struct ctf_position position;    /* But for what the next two tell. */
	uint64_t passed_events;          /* Consumed of the open packet; 0: none since it is open... */
	uint64_t passed_raw_ns;          /* and the latest time of any of them. */
	struct ctf_position resume;      /* Valid while packets are passed over. */

	struct error error;
	bool error_told;

	/* Set when somebody else decodes: then nothing above but 'key' is used. */
	const struct ctf_foreign_ops *foreign;
	void *foreign_context;
};

/* Walks on to the next event to be given.  Returns 1 if there is one (it is
 * the head then), 0 at the end of the packet, negative if its bytes make no
 * sense ('error' is filled). */
int ctf_events_next(struct ctf_stream *stream, struct error *error);

/* The same if it can be done without any detour: up to the next event to be
 * given (true), or to an event that needs ctf_events_next(), or to the end. */
bool ctf_events_next_simple(struct ctf_stream *stream);

/* Leaves an event that is the head. */
static inline void
ctf_stream_pass_event(struct ctf_stream *stream)
{
	stream->passed_events = stream->n_events;
	stream->passed_raw_ns = stream->last_raw_ns;
	stream->head = CTF_HEAD_NONE;
}

#endif /* stream_private.h */
