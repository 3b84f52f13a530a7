/* SPDX-License-Identifier: MIT
 *
 * events.c -- from event to event within a packet: the loop that everything
 * else is made small for. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ctf/interpret.h"
#include "ctf/stream_private.h"
#include "lib/util.h"

static inline uint32_t
load_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof value);
	return le32toh(value);
}

static inline uint64_t
load_u64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof value);
	return le64toh(value);
}

/* The two packed headers of LTTng (see find_header_form() in trace.c); sets
 * *ret_id, moves the clock, and returns the header's end, NULL beyond 'end'. */
static inline const uint8_t *
large_header(const uint8_t *at, const uint8_t *end, uint64_t *clock, uint64_t *ret_id)
{
	uint32_t id;

	if (end - at < 6)
		return NULL;
	id = (uint32_t) at[0] | (uint32_t) at[1] << 8;
	if (id != 65535) {
		*ret_id = id;
		*clock += (uint32_t) (load_u32(at + 2) - (uint32_t) *clock);
		return at + 6;
	}
	if (end - at < 14)
		return NULL;
	*ret_id = load_u32(at + 2);
	*clock = load_u64(at + 6);
	return at + 14;
}

static inline const uint8_t *
compact_header(const uint8_t *at, const uint8_t *end, uint64_t *clock, uint64_t *ret_id)
{
	uint32_t word;

	if (end - at < 4)
		return NULL;
	word = load_u32(at);
	if ((word & 31) != 31) {
		*ret_id = word & 31;
		*clock += ((word >> 5) - *clock) & ((1u << 27) - 1);
		return at + 4;
	}
	if (end - at < 13)
		return NULL;
	*ret_id = load_u32(at + 1);
	*clock = load_u64(at + 5);
	return at + 13;
}

/* Where it went wrong, for people. */
static int
explain(const struct ctf_stream *stream, const struct ctf_event_class *class,
	const struct ctf_cursor *cursor, int r, struct error *error)
{
	return error_set(error, -r, "%s: packet %" PRIu64 " (begin %" PRIu64 " ns), byte %" PRIu64
			 ": event %.100s, field %.80s: %s", stream->key, stream->packet.info.seq,
			 stream->packet.info.begin_raw_ns, cursor->at / 8,
			 class ? class->name : "header", cursor->field ? cursor->field : "(none)",
			 cursor->problem);
}

static struct ctf_cursor
cursor_at(struct ctf_stream *stream, uint64_t at)
{
	return (struct ctf_cursor) {
		.bytes = stream->bytes,
		.at = at,
		.end = stream->end,
		.stored = stream->stored,
		.clock = &stream->clock,
	};
}

static int
any_header(struct ctf_stream *stream, uint64_t *ret_id, struct error *error)
{
	const struct ctf_stream_class *class = stream->stream_class;
	uint64_t meanings[CTF_N_MEANINGS];
	struct ctf_cursor cursor = cursor_at(stream, stream->at);
	int r;

	cursor.meanings = meanings;
	if (class->event_header) {
		r = ctf_interpret(&cursor, class->event_header);
		if (r < 0)
			return explain(stream, NULL, &cursor, r, error);
	}
	if (cursor.has_meanings & 1u << CTF_MEANS_EVENT_ID)
		*ret_id = meanings[CTF_MEANS_EVENT_ID];
	else if (class->n_classes == 1)
		*ret_id = class->only->id;
	else
		return error_set(error, EBADMSG, "%s: event headers have no id, but the metadata "
				 "declares %" PRIu32 " events", stream->key, class->n_classes);
	stream->at = cursor.at;
	return 0;
}

/* Reads the header at stream->at and moves behind it. */
static inline int
read_header(struct ctf_stream *stream, uint64_t *ret_id, struct error *error)
{
	const uint8_t *at = stream->bytes + stream->at / 8, *end = stream->bytes + stream->end / 8;
	enum ctf_header_form form = stream->stream_class->header_form;

	if (form == CTF_HEADER_ANY || stream->at % 8)
		return any_header(stream, ret_id, error);
	if (form == CTF_HEADER_LARGE)
		at = large_header(at, end, &stream->clock, ret_id);
	else
		at = compact_header(at, end, &stream->clock, ret_id);
	if (!at)
		return any_header(stream, ret_id, error);   /* It tells why. */
	stream->at = (uint64_t) (at - stream->bytes) * 8;
	return 0;
}

static int
interpret_body(struct ctf_stream *stream, const struct ctf_event_class *class,
	       struct ctf_value *values, struct error *error)
{
	const struct ctf_node *const scopes[] = {
		class->stream_context, class->context, class->payload };
	struct ctf_cursor cursor = cursor_at(stream, stream->at);
	int r;

	cursor.values = values;
	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
		r = scopes[i] ? ctf_interpret(&cursor, scopes[i]) : 0;
		if (r < 0)
			return explain(stream, class, &cursor, r, error);
	}
	stream->at = cursor.at;
	return 0;
}

/* Reads contexts and payload and moves behind them. */
static inline int
read_body(struct ctf_stream *stream, const struct ctf_event_class *class, struct error *error)
{
	const struct ctf_plan *plan = &class->plan;
	const uint8_t *end;

	if (plan->compiled && stream->at % 8 == 0 && stream->at >= CTF_PLAN_BEFORE * 8) {
		end = ctf_plan_run(plan, stream->bytes + stream->at / 8,
				   stream->bytes + stream->end / 8, stream->values, stream->stored);
		if (end) {
			stream->at = (uint64_t) (end - stream->bytes) * 8;
			return 0;
		}
	}
	/* The interpreter also tells what was wrong. */
	return interpret_body(stream, class, stream->values, error);
}

static void
fill_packet_values(struct ctf_stream *stream, const struct ctf_event_class *class)
{
	if (stream->n_packet_values != stream->stream_class->n_packet_values) {
		/* Classes that want more of them appeared meanwhile. */
		struct ctf_cursor cursor = cursor_at(stream, stream->packet.context_at);

		cursor.clock = NULL;
		cursor.values = stream->packet_values;
		ctf_interpret(&cursor, stream->stream_class->packet_context);
		stream->n_packet_values = stream->stream_class->n_packet_values;
	}
	for (uint32_t i = 0; i < class->n_packet_slots; i++)
		stream->values[class->packet_slots[i].slot] =
			stream->packet_values[class->packet_slots[i].index];
}

/* Makes the event of 'class' at 'cycles' the head. */
static inline void
set_event(struct ctf_stream *stream, const struct ctf_event_class *class, uint64_t cycles)
{
	struct ctf_event *event = &stream->event;
	uint64_t raw_ns = stream->cycles_are_ns ? cycles :
		ctf_clock_ns(stream->stream_class->clock, cycles);
	int64_t since_1970 = (int64_t) (raw_ns + stream->offset_ns);

	if (class->n_packet_slots)
		fill_packet_values(stream, class);
	event->wanted = (uint32_t) class->wanted;
	event->n_values = class->n_values;
	event->raw_ns = raw_ns;
	event->t_ns = since_1970 < 0 ? 0 : (uint64_t) since_1970;
	event->late = raw_ns < stream->last_raw_ns;
	if (event->late)
		stream->counters.late++;
	else
		stream->last_raw_ns = raw_ns;
	stream->counters.wanted++;
	stream->event_class = class;
	stream->head = CTF_HEAD_EVENT;
	stream->head_raw_ns = raw_ns;
}

static inline void
clear_values(struct ctf_stream *stream, const struct ctf_event_class *class)
{
	for (uint32_t i = 0; i < class->n_values; i++)
		stream->values[i].type = CTF_ABSENT;
}

static int
unknown_event(const struct ctf_stream *stream, uint64_t at, uint64_t id, struct error *error)
{
	return error_set(error, EBADMSG, "%s: packet %" PRIu64 " (begin %" PRIu64 " ns), byte %"
			 PRIu64 ": event id %" PRIu64 " is not declared by the metadata, or not "
			 "usably", stream->key, stream->packet.info.seq,
			 stream->packet.info.begin_raw_ns, at / 8, id);
}

/* Reads the event at stream->at in the general way.  Returns 1 if it is to be
 * given, 0 if it was stepped over. */
static int
next_event(struct ctf_stream *stream, struct error *error)
{
	const struct ctf_event_class *class;
	uint64_t id = 0, cycles, before = stream->at;
	bool give;
	int r;

	r = read_header(stream, &id, error);
	if (r < 0)
		return r;
	class = ctf_find_event_class(stream->stream_class, id);
	if (!class || !class->ready)
		return unknown_event(stream, before, id, error);
	give = (class->wanted >= 0 || stream->want_all) &&
		stream->n_events >= stream->skip_events;
	if (give)
		clear_values(stream, class);
	stream->event_at = before;
	stream->body_at = stream->at;
	cycles = stream->clock;
	r = read_body(stream, class, error);
	if (r < 0)
		return r;
	if (stream->at == before)
		return error_set(error, EBADMSG, "%s: events of no size fill the packet",
				 stream->key);
	stream->n_events++;
	stream->counters.events++;
	if (give)
		set_event(stream, class, cycles);
	return give;
}

/* See ctf_events_next_simple(), which this is for stream->simple at a byte border. */
static inline bool
walk_simple(struct ctf_stream *stream)
{
	const struct ctf_stream_class *stream_class = stream->stream_class;
	struct ctf_event_class *const *direct = stream_class->direct;
	const uint8_t *at = stream->bytes + stream->at / 8, *end = stream->bytes + stream->end / 8;
	const bool large = stream_class->header_form == CTF_HEADER_LARGE;
	const uint64_t n_direct = stream_class->n_direct;
	uint64_t clock = stream->clock, n = stream->n_events;
	const struct ctf_event_class *class;

	for (;;) {
		uint64_t id = 0, moved = clock;
		const uint8_t *body = large ? large_header(at, end, &moved, &id) :
			compact_header(at, end, &moved, &id);

		/* A packet that is at its end has no header there either. */
		class = body && id < n_direct ? direct[id] : NULL;
		if (!class || !class->plan.compiled)
			break;
		if (class->has_absent)
			clear_values(stream, class);
		body = ctf_plan_run(&class->plan, body, end, stream->values, stream->stored);
		if (!body)
			break;
		at = body;
		clock = moved;
		n++;
		if (class->wanted >= 0)
			goto found;
	}
	class = NULL;
found:
	stream->at = (uint64_t) (at - stream->bytes) * 8;
	stream->clock = clock;
	stream->counters.events += n - stream->n_events;
	stream->n_events = n;
	if (class)
		set_event(stream, class, clock);
	return class;
}

bool
ctf_events_next_simple(struct ctf_stream *stream)
{
	return stream->simple && stream->at % 8 == 0 && walk_simple(stream);
}

const struct ctf_event *
ctf_stream_next_event(struct ctf_stream *stream)
{
	if (stream->head != CTF_HEAD_EVENT) {
		ctf_stream_advance(stream);
		return NULL;
	}
	ctf_stream_pass_event(stream);
	if (!stream->simple || stream->at % 8 || !walk_simple(stream))
		return NULL;
	return &stream->event;
}

int
ctf_events_next(struct ctf_stream *stream, struct error *error)
{
	int r = 0;

	while (stream->at < stream->end && r == 0) {
		r = ctf_events_next_simple(stream);
		if (r == 0 && stream->at < stream->end)
			r = next_event(stream, error);
	}
	return r;
}

void
ctf_stream_event_bits(const struct ctf_stream *stream, uint64_t *ret_begin, uint64_t *ret_end)
{
	const struct ctf_node *header = stream->stream_class->event_header;
	uint64_t align = header ? MAX(header->align, (uint16_t) 1) : 1;

	*ret_begin = (stream->event_at + align - 1) / align * align;
	*ret_end = stream->at;
}

static int
visit_scope(struct ctf_cursor *cursor, const struct ctf_node *const *nodes, size_t n,
	    const char *scope, const struct ctf_visitor *visitor, void *context)
{
	int r = 0;

	visitor->scope_begin(context, scope);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = nodes[i] ? ctf_interpret_visit(cursor, nodes[i], visitor, context) : 0;
	if (r >= 0)
		visitor->scope_end(context);
	return r;
}

int
ctf_stream_visit(struct ctf_stream *stream, const struct ctf_visitor *visitor, void *context,
		 struct error *error)
{
	const struct ctf_event_class *class = stream->event_class;
	const struct ctf_node *packet;
	struct ctf_cursor cursor = cursor_at(stream, stream->packet.context_at);
	int r = 0;

	if (stream->foreign)
		return stream->foreign->visit(stream->foreign_context, visitor, context, error);
	if (stream->head != CTF_HEAD_EVENT)
		return error_set(error, EINVAL, "%s: there is no event to visit", stream->key);
	packet = stream->stream_class->packet_context;
	cursor.clock = NULL;
	visitor->event_begin(context, stream, class->name, stream->event.raw_ns,
			     stream->event.t_ns, stream->stream_class->clock);
	if (packet && !ctf_node_hidden(packet))
		r = visit_scope(&cursor, &packet, 1, "packet", visitor, context);
	cursor.at = stream->body_at;
	cursor.empty_elements = 0;
	if (r >= 0)
		r = visit_scope(&cursor, (const struct ctf_node *const []) {
			class->stream_context, class->context }, 2, "context", visitor, context);
	if (r >= 0)
		r = visit_scope(&cursor, (const struct ctf_node *const []) { class->payload }, 1,
				"payload", visitor, context);
	if (r < 0)
		return explain(stream, class, &cursor, r, error);
	visitor->event_end(context);
	return 0;
}
