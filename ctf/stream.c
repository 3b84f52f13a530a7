/* SPDX-License-Identifier: MIT
 *
 * stream.c -- a stream: its packets in order, what is lost between them, and
 * the position of its consumer.  events.c reads what is inside a packet. */
#include "ctf/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctf/stream_private.h"
#include "lib/clock.h"
#include "lib/util.h"

struct ctf_stream *
ctf_stream_new(struct ctf_trace *trace, const char *key)
{
	struct ctf_stream *stream = xcalloc(1, sizeof *stream);

	stream->trace = trace;
	stream->key = xstrdup(key);
	stream->event.stream = stream;
	stream->event.values = stream->values;
	return stream;
}

struct ctf_stream *
ctf_stream_new_foreign(const char *key, const struct ctf_foreign_ops *ops, void *context)
{
	struct ctf_stream *stream = ctf_stream_new(NULL, key);

	stream->foreign = ops;
	stream->foreign_context = context;
	return stream;
}

/* Gives the first packet of the queue back. */
static void
release_packet(struct ctf_stream *stream)
{
	struct queued_packet packet = stream->queue[stream->queue_first];

	stream->queue_first = (stream->queue_first + 1) % stream->queue_capacity;
	stream->queue_n--;
	stream->memory -= packet.size;
	stream->bytes = NULL;
	stream->simple = false;
	if (packet.release)
		packet.release(packet.context, packet.bytes);
}

void
ctf_stream_free(struct ctf_stream *stream)
{
	if (!stream)
		return;
	while (stream->queue_n)
		release_packet(stream);
	free(stream->queue);
	free(stream->key);
	free(stream);
}

struct ctf_trace *
ctf_stream_trace(const struct ctf_stream *stream)
{
	return stream->trace;
}

const void *
ctf_stream_origin(const struct ctf_stream *stream)
{
	return stream->foreign ? stream->foreign->origin(stream->foreign_context) : stream->trace;
}

const char *
ctf_stream_env(const struct ctf_stream *stream, const char *key)
{
	return stream->foreign ? stream->foreign->env(stream->foreign_context, key) :
		ctf_trace_env(stream->trace, key);
}

const char *
ctf_stream_key(const struct ctf_stream *stream)
{
	return stream->key;
}

void
ctf_stream_set_user(struct ctf_stream *stream, void *user)
{
	stream->user = user;
}

void *
ctf_stream_user(const struct ctf_stream *stream)
{
	return stream->user;
}

void
ctf_stream_set_refill(struct ctf_stream *stream, ctf_refill_fn *refill, void *context)
{
	stream->refill = refill;
	stream->refill_context = context;
}

void
ctf_stream_want_all(struct ctf_stream *stream)
{
	stream->want_all = true;
}

/* Keeps the first error since the last one was told. */
static void
note_error(struct ctf_stream *stream, const struct error *error)
{
	if (stream->error.code && !stream->error_told)
		return;
	stream->error = *error;
	stream->error_told = false;
}

const struct error *
ctf_stream_error(struct ctf_stream *stream)
{
	if (!stream->error.code || stream->error_told)
		return NULL;
	stream->error_told = true;
	return &stream->error;
}

static void
enqueue(struct ctf_stream *stream, const struct queued_packet *packet)
{
	if (stream->queue_n == stream->queue_capacity) {
		size_t capacity = MAX(stream->queue_capacity * 2, (size_t) 4);
		struct queued_packet *queue = xcalloc(capacity, sizeof *queue);

		for (size_t i = 0, from = stream->queue_first; i < stream->queue_n; i++) {
			queue[i] = stream->queue[from];
			from = (from + 1) % stream->queue_capacity;
		}
		free(stream->queue);
		stream->queue = queue;
		stream->queue_first = 0;
		stream->queue_capacity = capacity;
	}
	stream->queue[(stream->queue_first + stream->queue_n++) % stream->queue_capacity] = *packet;
	stream->memory += packet->size;
}

int
ctf_stream_push(struct ctf_stream *stream, const uint8_t *bytes, size_t size,
		void (*release)(void *context, const uint8_t *bytes), void *context,
		struct error *error)
{
	struct ctf_packet_info info;
	struct error problem = { 0 };
	int r;

	stream->counters.packets++;
	stream->counters.bytes += size;
	r = ctf_packet_peek(stream->trace, bytes, size, &info, &problem);
	if (r < 0) {
		stream->counters.bad_packets++;
		if (release)
			release(context, bytes);
		return error_set(error, problem.code == ENODATA ? EBADMSG : problem.code, "%s: %s",
				 stream->key, problem.text);
	}
	enqueue(stream, &(struct queued_packet) { bytes, size, release, context });
	return 0;
}

void
ctf_stream_beacon(struct ctf_stream *stream, uint64_t raw_ns)
{
	stream->bound_raw_ns = MAX(stream->bound_raw_ns, raw_ns);
}

void
ctf_stream_end(struct ctf_stream *stream)
{
	stream->ended = true;
}

/* Where the open packet stands among those that were consumed before a
 * restart: negative if all of it was. */
static int
compare_with_resume(const struct ctf_stream *stream)
{
	const struct ctf_packet_info *info = &stream->packet.info;
	const struct ctf_position *resume = &stream->resume;

	if (info->begin_raw_ns != resume->packet_begin_raw_ns)
		return info->begin_raw_ns < resume->packet_begin_raw_ns ? -1 : 1;
	if (info->seq != resume->packet_seq)
		return info->seq < resume->packet_seq ? -1 : 1;
	return 0;
}

static uint64_t
to_1970(const struct ctf_stream *stream, uint64_t raw_ns)
{
	int64_t t = (int64_t) (raw_ns + stream->offset_ns);

	return (uint64_t) MAX(t, INT64_C(0));
}

/* Number of the CPU whose buffer the open packet is of; -1: it has none. */
static int32_t
packet_cpu(const struct ctf_stream *stream)
{
	const struct ctf_stream_class *class = stream->stream_class;
	const struct ctf_value *first = &stream->packet_values[0];

	if (!class->n_packet_values || !streq(class->packet_paths[0], "cpu_id") ||
	    first->type != CTF_UNSIGNED || first->u > INT32_MAX)
		return -1;
	return (int32_t) first->u;
}

static bool
is_kernel(const struct ctf_stream *stream)
{
	const char *domain = ctf_stream_env(stream, "domain");

	return domain && streq(domain, "kernel");
}

/* The loss comes next, at 'raw_ns' in the order of events. */
static void
tell_loss(struct ctf_stream *stream, uint64_t raw_ns, uint64_t begin_raw_ns, uint64_t end_raw_ns,
	  uint64_t events, uint64_t packets)
{
	uint64_t end = end_raw_ns, begin = MIN(begin_raw_ns, end);

	stream->loss = (struct ctf_loss) {
		.stream = stream,
		.begin_raw_ns = begin,
		.end_raw_ns = end,
		.begin_t_ns = to_1970(stream, begin),
		.end_t_ns = to_1970(stream, end),
		.events = events,
		.packets = packets,
		.cpu = packet_cpu(stream),
		.kernel = is_kernel(stream),
	};
	stream->counters.discarded_events += events;
	stream->counters.missing_packets += packets;
	stream->last_raw_ns = MAX(stream->last_raw_ns, raw_ns);
	stream->head = CTF_HEAD_LOSS;
	stream->head_raw_ns = stream->last_raw_ns;
}

/* Puts 'position' behind 'n_events' of the open packet. */
static void
set_position(const struct ctf_stream *stream, struct ctf_position *position, uint64_t n_events,
	     uint64_t raw_ns)
{
	position->packet_begin_raw_ns = stream->packet.info.begin_raw_ns;
	position->packet_seq = stream->packet.info.seq;
	position->events_done = n_events;
	position->last_raw_ns = MAX(position->last_raw_ns, raw_ns);
	position->valid = true;
}

/* Puts the position behind all that was walked of the open packet. */
static void
move_position(struct ctf_stream *stream)
{
	set_position(stream, &stream->position, stream->n_events, stream->last_raw_ns);
	stream->passed_events = 0;
}

/* Takes over what the next packet is compared with. */
static void
remember_packet(struct ctf_stream *stream)
{
	const struct ctf_packet_info *info = &stream->packet.info;

	if (info->has_times) {
		stream->previous_end_raw_ns = info->end_raw_ns;
		stream->bound_raw_ns = MAX(stream->bound_raw_ns, info->end_raw_ns);
	}
	if (info->has_discarded) {
		stream->previous_discarded = info->discarded;
		stream->max_discarded = MAX(stream->max_discarded, info->discarded);
		stream->has_previous_discarded = true;
	}
	stream->previous_seq = info->seq;
	stream->has_previous_seq = info->has_seq;
	stream->has_previous = true;
}

/* Opens the first packet of the queue.  Tells the packets that are missing
 * before it. */
static void
open_packet(struct ctf_stream *stream)
{
	const struct queued_packet *packet = &stream->queue[stream->queue_first];
	struct ctf_packet_info *info = &stream->packet.info;
	const struct ctf_clock *clock;
	struct error error = { 0 };
	uint64_t bits = (uint64_t) packet->size * 8;
	int r, compared;

	memset(stream->packet_values, 0, sizeof stream->packet_values);
	r = ctf_packet_read(stream->trace, packet->bytes, packet->size, stream->stored,
			    &stream->clock, stream->packet_values, &stream->packet, &error);
	if (r < 0) {
		note_error(stream, &error);
		stream->counters.bad_packets++;
		release_packet(stream);
		return;
	}
	stream->bytes = packet->bytes;
	stream->stream_class = stream->packet.stream_class;
	stream->n_packet_values = stream->stream_class->n_packet_values;
	stream->at = stream->packet.events_at;
	stream->end = info->packet_bits ? MIN(info->content_bits, bits) : bits;
	stream->packet_bad = info->content_bits > bits;
	stream->n_events = 0;
	stream->passed_events = 0;
	stream->skip_events = 0;
	stream->simple = stream->stream_class->header_form != CTF_HEADER_ANY &&
		!stream->want_all && stream->at >= CTF_PLAN_BEFORE * 8;
	clock = stream->stream_class->clock;
	stream->cycles_are_ns = !clock || clock->frequency == NS_PER_S;
	stream->offset_ns = clock ? (uint64_t) clock->offset_ns : 0;
	if (stream->packet_bad) {
		error_set(&error, EBADMSG, "%s: packet %" PRIu64 " (begin %" PRIu64 " ns) is cut "
			  "off: %zu of %" PRIu64 " bytes", stream->key, info->seq,
			  info->begin_raw_ns, packet->size, info->packet_bits / 8);
		note_error(stream, &error);
	}
	if (stream->resume.valid) {
		compared = compare_with_resume(stream);
		if (compared < 0) {
			remember_packet(stream);
			release_packet(stream);
			return;
		}
		stream->resume.valid = false;
		stream->skip_events = compared ? 0 : stream->resume.events_done;
		if (!compared) {
			stream->simple &= !stream->skip_events;
			return;
		}
	}
	if (info->has_seq && stream->has_previous_seq && info->seq > stream->previous_seq &&
	    info->seq - stream->previous_seq > 1)
		tell_loss(stream, info->begin_raw_ns, stream->previous_end_raw_ns,
			  info->begin_raw_ns, 0, info->seq - stream->previous_seq - 1);
}

/* At the end of the open packet: tells the events that its tracer discarded
 * since the packet before.  LTTng takes its counter when it closes a packet,
 * and discards when there is no free one behind it: the loss is told right
 * behind the packet's last event. */
static void
close_packet(struct ctf_stream *stream)
{
	const struct ctf_packet_info *info = &stream->packet.info;
	const struct ctf_clock *clock = stream->stream_class->clock;
	uint64_t last_event = clock ? ctf_clock_ns(clock, stream->clock) : 0;
	uint64_t since = stream->has_previous ? stream->previous_end_raw_ns : info->begin_raw_ns;
	uint64_t known = stream->max_discarded;

	if (stream->packet_bad)
		stream->counters.bad_packets++;
	if (info->has_times && info->end_raw_ns >= info->begin_raw_ns &&
	    stream->packet.end_cycles > stream->clock)
		stream->clock = stream->packet.end_cycles;
	if (info->has_discarded && stream->has_previous_discarded &&
	    info->discarded < stream->previous_discarded)
		stream->counters.discarded_glitches++;
	move_position(stream);
	remember_packet(stream);
	if (info->has_discarded && info->discarded > known)
		tell_loss(stream, last_event, since, info->end_raw_ns, info->discarded - known, 0);
	else
		stream->position.discarded = stream->max_discarded;
	release_packet(stream);
}

/* Walks on in the open packet; closes it at its end. */
static int
walk(struct ctf_stream *stream)
{
	struct error error;
	int r;

	error.code = 0;      /* Its text need not be cleared for each event. */
	r = ctf_events_next(stream, &error);
	if (r > 0)
		return r;
	if (r < 0) {
		note_error(stream, &error);
		stream->packet_bad = true;
	}
	close_packet(stream);
	return 0;
}

/* Asks the owner for more: 1 if there is, 0 if not yet. */
static int
refill(struct ctf_stream *stream, struct error *error)
{
	int r;

	if (!stream->refill)
		return 0;
	r = stream->refill(stream, stream->refill_context, error);
	if (r == -EAGAIN)
		return 0;
	if (r < 0) {
		stream->ended = true;
		return r;
	}
	return stream->queue_n || stream->ended;
}

static int
find_head(struct ctf_stream *stream, struct error *error)
{
	int r;

	while (stream->head == CTF_HEAD_NONE) {
		if (stream->bytes) {
			walk(stream);
		} else if (stream->queue_n) {
			open_packet(stream);
		} else if (stream->ended) {
			stream->head = CTF_HEAD_END;
			stream->head_raw_ns = UINT64_MAX;
		} else {
			r = refill(stream, error);
			if (r < 0)
				return r;
			if (!r)
				break;
		}
	}
	return 0;
}

int
ctf_stream_head(struct ctf_stream *stream, uint64_t *ret_raw_ns, struct error *error)
{
	int r;

	if (stream->head == CTF_HEAD_NONE && ctf_events_next_simple(stream)) {
		*ret_raw_ns = stream->head_raw_ns;
		return CTF_HEAD_EVENT;
	}
	if (stream->head == CTF_HEAD_NONE) {
		if (stream->foreign)
			return stream->foreign->head(stream->foreign_context, ret_raw_ns, error);
		r = find_head(stream, error);
		if (r < 0)
			return r;
		if (stream->head == CTF_HEAD_NONE) {
			stream->bound_raw_ns = MAX(stream->bound_raw_ns, stream->last_raw_ns);
			stream->position.last_raw_ns = MAX(stream->position.last_raw_ns,
							   stream->bound_raw_ns);
			*ret_raw_ns = stream->bound_raw_ns;
			return CTF_HEAD_NONE;
		}
	}
	*ret_raw_ns = stream->head_raw_ns;
	return (int) stream->head;
}

const struct ctf_event *
ctf_stream_event(struct ctf_stream *stream)
{
	if (stream->head == CTF_HEAD_EVENT)
		return &stream->event;
	return stream->foreign ? stream->foreign->event(stream->foreign_context) : NULL;
}

const struct ctf_loss *
ctf_stream_loss(struct ctf_stream *stream)
{
	if (stream->head == CTF_HEAD_LOSS)
		return &stream->loss;
	return stream->foreign ? stream->foreign->loss(stream->foreign_context) : NULL;
}

void
ctf_stream_advance(struct ctf_stream *stream)
{
	if (stream->head == CTF_HEAD_EVENT) {
		ctf_stream_pass_event(stream);
	} else if (stream->head == CTF_HEAD_LOSS) {
		/* Missing packets are told before their successor's events. */
		if (stream->loss.packets)
			move_position(stream);
		else
			stream->position.discarded = stream->max_discarded;
	} else if (stream->foreign) {
		stream->foreign->advance(stream->foreign_context);
	}
	if (stream->head != CTF_HEAD_END)
		stream->head = CTF_HEAD_NONE;
}

void
ctf_stream_position(const struct ctf_stream *stream, struct ctf_position *ret)
{
	*ret = stream->position;
	if (stream->passed_events)
		set_position(stream, ret, stream->passed_events, stream->passed_raw_ns);
}

void
ctf_stream_resume(struct ctf_stream *stream, const struct ctf_position *position)
{
	if (!position->valid)
		return;
	stream->resume = stream->position = *position;
	stream->max_discarded = stream->previous_discarded = position->discarded;
	stream->has_previous_discarded = true;
	stream->previous_seq = position->packet_seq;
	stream->previous_end_raw_ns = position->last_raw_ns;
	stream->has_previous = stream->has_previous_seq = true;
	stream->bound_raw_ns = position->last_raw_ns;
}

void
ctf_counters_add(struct ctf_stream_counters *sum, const struct ctf_stream_counters *more)
{
	sum->packets += more->packets;
	sum->bytes += more->bytes;
	sum->events += more->events;
	sum->wanted += more->wanted;
	sum->discarded_events += more->discarded_events;
	sum->missing_packets += more->missing_packets;
	sum->discarded_glitches += more->discarded_glitches;
	sum->bad_packets += more->bad_packets;
	sum->late += more->late;
}

const struct ctf_stream_counters *
ctf_stream_counters(const struct ctf_stream *stream)
{
	return stream->foreign ? stream->foreign->counters(stream->foreign_context) :
		&stream->counters;
}

void
ctf_stream_count_late(struct ctf_stream *stream)
{
	struct ctf_stream_counters *counters = stream->foreign ?
		stream->foreign->counters(stream->foreign_context) : &stream->counters;

	counters->late++;
}

size_t
ctf_stream_memory(const struct ctf_stream *stream)
{
	return stream->memory;
}
