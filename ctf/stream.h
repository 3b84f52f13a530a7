/* SPDX-License-Identifier: MIT
 *
 * stream.h -- one data stream of a trace: packets in, events out.
 *
 * A stream holds whole packets, in order.  Events that nobody wants are
 * stepped over inside; what comes out are wanted events and losses, each with
 * its raw time.  Packet bytes are untrusted: an error ends the packet (not the
 * stream), is counted and told once through ctf_stream_error(). */
#ifndef CTF_STREAM_H
#define CTF_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctf/event.h"
#include "ctf/trace.h"
#include "lib/error.h"

struct ctf_stream;

/* What a packet says of itself; absent members are 0 and has_* false. */
struct ctf_packet_info {
	uint64_t stream_class_id;
	uint64_t stream_instance_id;
	uint64_t packet_bits, content_bits;
	uint64_t begin_raw_ns, end_raw_ns;   /* Full clock values, ns. */
	uint64_t seq;                        /* packet_seq_num */
	uint64_t discarded;                  /* events_discarded: running total */
	bool has_instance, has_times, has_seq, has_discarded;
};

/* Where a consumer stands: everything before is consumed.  Identified by the
 * packet's begin time and sequence number, as both survive a re-attach. */
struct ctf_position {
	uint64_t packet_begin_raw_ns;
	uint64_t packet_seq;
	uint64_t events_done;     /* Events (wanted or not) consumed of that packet. */
	uint64_t last_raw_ns;     /* Raw time of the last consumed event or beacon. */
	uint64_t discarded;       /* Last running total seen, so loss is not told twice. */
	bool valid;
};

/* Something that went missing.  Missing packets are told before the events of
 * the packet behind them; discarded events behind the last event of the packet
 * whose counter shows them (LTTng counts when it closes a packet). */
struct ctf_loss {
	struct ctf_stream *stream;
	uint64_t begin_raw_ns, end_raw_ns;   /* It happened between these. */
	uint64_t begin_t_ns, end_t_ns;       /* The same since 1970. */
	uint64_t events;                     /* Discarded events; 0 if packets are missing. */
	uint64_t packets;                    /* Missing packets (sequence gap). */
	int32_t cpu;                         /* "cpu_id" of the stream's packets; -1: not known. */
	bool kernel;                         /* Of the kernel's tracer, not of a program's. */
};

struct ctf_stream_counters {
	uint64_t packets, bytes;
	uint64_t events;          /* All events walked, wanted or not. */
	uint64_t wanted;
	uint64_t discarded_events, missing_packets, discarded_glitches;
	uint64_t bad_packets;     /* Packets with an error inside. */
	uint64_t late;            /* Events given out of order. */
};
void ctf_counters_add(struct ctf_stream_counters *sum, const struct ctf_stream_counters *more);

/* 'key' names the stream for ever ("host/path/channel_0"): ties in time are
 * broken by it and positions are kept under it.  Copied. */
struct ctf_stream *ctf_stream_new(struct ctf_trace *trace, const char *key);
void ctf_stream_free(struct ctf_stream *stream);
/* NULL if it is decoded elsewhere (ctf_stream_new_foreign()). */
struct ctf_trace *ctf_stream_trace(const struct ctf_stream *stream);
/* The same for streams of one trace; only to be compared. */
const void *ctf_stream_origin(const struct ctf_stream *stream);
/* What the trace's environment says of 'key', numbers in decimal; NULL: nothing.
 * Valid until the next call. */
const char *ctf_stream_env(const struct ctf_stream *stream, const char *key);
const char *ctf_stream_key(const struct ctf_stream *stream);
/* For the owner. */
void ctf_stream_set_user(struct ctf_stream *stream, void *user);
void *ctf_stream_user(const struct ctf_stream *stream);

/* Asked when the stream has used up its packets: pushes one or more packets
 * or calls ctf_stream_end(), and returns 0; -EAGAIN when there is nothing yet
 * (live); another negative errno ends the stream with that error. */
typedef int ctf_refill_fn(struct ctf_stream *stream, void *context, struct error *error);
void ctf_stream_set_refill(struct ctf_stream *stream, ctf_refill_fn *refill, void *context);

/* Hands over one whole packet.  'release(context, bytes)' is called when it is
 * used up (NULL: never).  Only the header and context are read now.  On error
 * the packet is released and counted as bad; the stream goes on. */
int ctf_stream_push(struct ctf_stream *stream, const uint8_t *bytes, size_t size,
		    void (*release)(void *context, const uint8_t *bytes), void *context,
		    struct error *error);
/* Nothing of this stream is older than 'raw_ns' any more (live beacon). */
void ctf_stream_beacon(struct ctf_stream *stream, uint64_t raw_ns);
/* No further packets will come. */
void ctf_stream_end(struct ctf_stream *stream);

/* Reads the header and context of a packet without keeping it; 'size' may be
 * less than the packet as long as header and context are in it (-ENODATA
 * otherwise). */
int ctf_packet_peek(struct ctf_trace *trace, const uint8_t *bytes, size_t size,
		    struct ctf_packet_info *ret, struct error *error);

/* Fields of a packet that somebody who cuts packets has to renew. */
enum ctf_packet_field {
	CTF_PACKET_BEGIN, CTF_PACKET_END, CTF_PACKET_CONTENT_SIZE, CTF_PACKET_PACKET_SIZE,
	CTF_PACKET_SEQ, CTF_PACKET_DISCARDED, CTF_N_PACKET_FIELDS
};
/* Where an integer of whole bytes lies, in bits from the begin of its packet. */
struct ctf_packet_place {
	uint32_t bit;
	uint8_t bits;            /* 0: the packet has no such field. */
	bool big_endian;
};
/* Finds them.  Errors as ctf_packet_peek(). */
int ctf_packet_places(struct ctf_trace *trace, const uint8_t *bytes, size_t size,
		      struct ctf_packet_place ret[CTF_N_PACKET_FIELDS], struct error *error);

enum ctf_head { CTF_HEAD_NONE, CTF_HEAD_EVENT, CTF_HEAD_LOSS, CTF_HEAD_END };

/* What comes next, decoding it if need be.  *ret_raw_ns is its raw time; for
 * CTF_HEAD_NONE (nothing there yet) the time before which nothing can come.
 * Negative errno only for a refill error. */
int ctf_stream_head(struct ctf_stream *stream, uint64_t *ret_raw_ns, struct error *error);
/* The head as what it is; valid until ctf_stream_advance(). */
const struct ctf_event *ctf_stream_event(struct ctf_stream *stream);
const struct ctf_loss *ctf_stream_loss(struct ctf_stream *stream);
/* Where the head event lies in its packet, in bits: from its header, behind
 * the padding that aligns it, to the end of its payload.  Only after
 * ctf_stream_want_all(). */
void ctf_stream_event_bits(const struct ctf_stream *stream, uint64_t *ret_begin,
			   uint64_t *ret_end);
void ctf_stream_advance(struct ctf_stream *stream);
/* Advances, and gives the next event if that is the head now, without much
 * ado: as merging does it.  NULL: ctf_stream_head() tells what is next. */
const struct ctf_event *ctf_stream_next_event(struct ctf_stream *stream);

/* Position behind the last advanced head. */
void ctf_stream_position(const struct ctf_stream *stream, struct ctf_position *ret);
/* Before the first packet: everything up to 'position' is passed over in
 * silence. */
void ctf_stream_resume(struct ctf_stream *stream, const struct ctf_position *position);
const struct ctf_stream_counters *ctf_stream_counters(const struct ctf_stream *stream);
/* The first decoding error since the last call, or NULL. */
const struct error *ctf_stream_error(struct ctf_stream *stream);
/* Bytes of packets held. */
size_t ctf_stream_memory(const struct ctf_stream *stream);

/* Walks over every event of a packet-filled stream with all its fields, for
 * --dump and the oracle.  Calls are nested; 'name' is NULL in arrays. */
struct ctf_visitor {
	void (*event_begin)(void *context, struct ctf_stream *stream, const char *name,
			    uint64_t raw_ns, uint64_t t_ns, bool has_time);
	void (*event_end)(void *context);
	/* One of "packet" (packet context), "context" (stream event context, then
	 * event specific context, merged), "payload". */
	void (*scope_begin)(void *context, const char *scope);
	void (*scope_end)(void *context);
	void (*unsigned_integer)(void *context, const char *name, uint64_t value);
	void (*signed_integer)(void *context, const char *name, int64_t value);
	void (*real)(void *context, const char *name, double value, bool single);
	void (*string)(void *context, const char *name, const char *bytes, size_t size);
	void (*structure_begin)(void *context, const char *name);
	void (*structure_end)(void *context);
	void (*array_begin)(void *context, const char *name);
	void (*array_end)(void *context);
};
/* After this every event is wanted: the head's event has no values, and
 * ctf_stream_visit() gives all of it. */
void ctf_stream_want_all(struct ctf_stream *stream);
int ctf_stream_visit(struct ctf_stream *stream, const struct ctf_visitor *visitor, void *context,
		     struct error *error);

/* Counts an event that came out of order; for the merge. */
void ctf_stream_count_late(struct ctf_stream *stream);

/* A stream that is decoded elsewhere (libbabeltrace2): every question about it
 * goes to 'ops'.  It has no trace and no position, and no packets can be
 * pushed; freeing it does not free 'context'. */
struct ctf_foreign_ops {
	int (*head)(void *context, uint64_t *ret_raw_ns, struct error *error);
	const struct ctf_event *(*event)(void *context);
	const struct ctf_loss *(*loss)(void *context);
	void (*advance)(void *context);
	int (*visit)(void *context, const struct ctf_visitor *visitor, void *visitor_context,
		     struct error *error);
	struct ctf_stream_counters *(*counters)(void *context);
	const char *(*env)(void *context, const char *key);
	const void *(*origin)(void *context);
};
struct ctf_stream *ctf_stream_new_foreign(const char *key, const struct ctf_foreign_ops *ops,
					  void *context);

#endif /* stream.h */
