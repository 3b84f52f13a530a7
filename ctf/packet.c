/* SPDX-License-Identifier: MIT */
#include "ctf/packet.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ctf/interpret.h"
#include "ctf/trace_private.h"

enum { PACKET_MAGIC = 0xC1FC1FC1 };

static bool
has(const struct ctf_cursor *cursor, enum ctf_meaning meaning)
{
	return cursor->has_meanings & 1u << meaning;
}

static int
read_scope(struct ctf_trace *trace, struct ctf_cursor *cursor, const struct ctf_node *scope,
	   const char *what, struct error *error)
{
	int r = scope ? ctf_interpret(cursor, scope) : 0;

	if (r < 0)
		return error_set(error, -r, "%s: %s, field %.80s at byte %" PRIu64 ": %s",
				 trace->name, what, cursor->field ? cursor->field : "(none)",
				 cursor->at / 8, cursor->problem);
	return 0;
}

/* Checks the packet header and finds the stream class. */
static int
find_stream_class(struct ctf_trace *trace, const struct ctf_cursor *cursor,
		  const struct ctf_stream_class **ret, struct error *error)
{
	const uint64_t *meanings = cursor->meanings;

	if (has(cursor, CTF_MEANS_MAGIC) && meanings[CTF_MEANS_MAGIC] != PACKET_MAGIC)
		return error_set(error, EBADMSG, "%s: packet magic number is 0x%" PRIx64
				 ", not 0x%x: not a packet of this trace, or its file is damaged",
				 trace->name, meanings[CTF_MEANS_MAGIC], (unsigned) PACKET_MAGIC);
	if (cursor->uuid && trace->has_uuid && memcmp(cursor->uuid, trace->uuid, 16))
		return error_set(error, EBADMSG, "%s: packet carries another trace's uuid",
				 trace->name);
	if (has(cursor, CTF_MEANS_STREAM_ID))
		*ret = ctf_trace_find_stream_class(trace, meanings[CTF_MEANS_STREAM_ID]);
	else
		*ret = trace->stream_classes && !trace->stream_classes->next ?
			trace->stream_classes : NULL;
	if (!*ret || !(*ret)->ready)
		return error_set(error, EBADMSG, "%s: packet of stream %" PRIu64 ", which the "
				 "metadata does not declare", trace->name,
				 meanings[CTF_MEANS_STREAM_ID]);
	return 0;
}

static void
set_times(struct ctf_packet_head *head, const struct ctf_cursor *cursor, uint64_t cycles)
{
	const struct ctf_stream_class *class = head->stream_class;
	const uint64_t *meanings = cursor->meanings;
	uint64_t begin = cycles, end;

	if (!class->clock || !has(cursor, CTF_MEANS_BEGIN))
		return;
	if (class->begin_size == 64)
		begin = meanings[CTF_MEANS_BEGIN];
	end = begin;
	if (has(cursor, CTF_MEANS_END))
		ctf_clock_update(&end, meanings[CTF_MEANS_END], class->end_size);
	/* Tracers that crashed leave 0 there. */
	if (end < begin)
		end = begin;
	head->info.has_times = true;
	head->info.begin_raw_ns = ctf_clock_ns(class->clock, begin);
	head->info.end_raw_ns = ctf_clock_ns(class->clock, end);
	head->end_cycles = end;
}

static int
set_sizes(struct ctf_trace *trace, struct ctf_packet_head *head, const struct ctf_cursor *cursor,
	  struct error *error)
{
	uint64_t content = cursor->meanings[CTF_MEANS_CONTENT_SIZE];
	uint64_t whole = cursor->meanings[CTF_MEANS_PACKET_SIZE];

	/* Without sizes the packet is all there is; known to the caller only. */
	if (!has(cursor, CTF_MEANS_CONTENT_SIZE) && !has(cursor, CTF_MEANS_PACKET_SIZE))
		return 0;
	if (!has(cursor, CTF_MEANS_CONTENT_SIZE))
		content = whole;
	if (!has(cursor, CTF_MEANS_PACKET_SIZE))
		whole = content;
	if (content > whole || whole % 8 || content < cursor->at)
		return error_set(error, EBADMSG, "%s: packet of %" PRIu64 " bits with %" PRIu64
				 " bits of content, %" PRIu64 " of them header and context",
				 trace->name, whole, content, cursor->at);
	head->info.packet_bits = whole;
	head->info.content_bits = content;
	return 0;
}

int
ctf_packet_read(struct ctf_trace *trace, const uint8_t *bytes, size_t size, uint64_t *stored,
		uint64_t *clock, struct ctf_value *packet_values, struct ctf_packet_head *ret,
		struct error *error)
{
	uint64_t meanings[CTF_N_MEANINGS] = { 0 };
	struct ctf_packet_head head = { 0 };
	struct ctf_cursor cursor = {
		.bytes = bytes,
		.end = (uint64_t) size * 8,
		.stored = stored,
		.clock = clock,
		.meanings = meanings,
	};
	int r;

	if (!trace->ready)
		return error_set(error, EBADMSG, "%s: a packet comes before the metadata",
				 trace->name);
	r = read_scope(trace, &cursor, trace->packet_header, "packet header", error);
	if (r >= 0)
		r = find_stream_class(trace, &cursor, &head.stream_class, error);
	if (r < 0)
		return r;
	head.context_at = cursor.at;
	cursor.values = packet_values;
	r = read_scope(trace, &cursor, head.stream_class->packet_context, "packet context", error);
	if (r < 0)
		return r;
	head.events_at = cursor.at;
	head.info.stream_class_id = head.stream_class->id;
	head.info.has_instance = has(&cursor, CTF_MEANS_INSTANCE_ID);
	head.info.stream_instance_id = meanings[CTF_MEANS_INSTANCE_ID];
	head.info.has_seq = has(&cursor, CTF_MEANS_SEQUENCE_NUMBER);
	head.info.seq = meanings[CTF_MEANS_SEQUENCE_NUMBER];
	head.info.has_discarded = has(&cursor, CTF_MEANS_DISCARDED);
	head.info.discarded = meanings[CTF_MEANS_DISCARDED];
	set_times(&head, &cursor, *clock);
	r = set_sizes(trace, &head, &cursor, error);
	if (r < 0)
		return r;
	*ret = head;
	return 0;
}

int
ctf_packet_peek(struct ctf_trace *trace, const uint8_t *bytes, size_t size,
		struct ctf_packet_info *ret, struct error *error)
{
	uint64_t stored[CTF_STORE_END] = { 0 }, clock = 0;
	struct ctf_packet_head head;
	int r;

	r = ctf_packet_read(trace, bytes, size, stored, &clock, NULL, &head, error);
	if (r < 0)
		return r;
	*ret = head.info;
	return 0;
}

int
ctf_packet_places(struct ctf_trace *trace, const uint8_t *bytes, size_t size,
		  struct ctf_packet_place ret[CTF_N_PACKET_FIELDS], struct error *error)
{
	static const enum ctf_meaning meanings[CTF_N_PACKET_FIELDS] = {
		[CTF_PACKET_BEGIN] = CTF_MEANS_BEGIN,
		[CTF_PACKET_END] = CTF_MEANS_END,
		[CTF_PACKET_CONTENT_SIZE] = CTF_MEANS_CONTENT_SIZE,
		[CTF_PACKET_PACKET_SIZE] = CTF_MEANS_PACKET_SIZE,
		[CTF_PACKET_SEQ] = CTF_MEANS_SEQUENCE_NUMBER,
		[CTF_PACKET_DISCARDED] = CTF_MEANS_DISCARDED,
	};
	struct ctf_packet_place places[CTF_N_MEANINGS] = { 0 };
	uint64_t stored[CTF_STORE_END], clock = 0;
	struct ctf_packet_head head;
	struct ctf_cursor cursor = {
		.bytes = bytes,
		.end = (uint64_t) size * 8,
		.stored = stored,
		.places = places,
	};
	int r;

	r = ctf_packet_read(trace, bytes, size, stored, &clock, NULL, &head, error);
	if (r < 0)
		return r;
	cursor.at = head.context_at;
	r = read_scope(trace, &cursor, head.stream_class->packet_context, "packet context", error);
	if (r < 0)
		return r;
	for (int i = 0; i < CTF_N_PACKET_FIELDS; i++) {
		ret[i] = places[meanings[i]];
		if (ret[i].bit % 8 || ret[i].bits % 8)
			ret[i].bits = 0;
	}
	return 0;
}
