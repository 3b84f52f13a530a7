/* SPDX-License-Identifier: MIT
 *
 * Replies.  They carry no header: the oldest request under way tells what the
 * bytes are.  A reply is a fixed part, then list entries or a body; each part
 * is checked before the next is waited for, so that no count or length of a
 * peer is believed beyond the limits. */
#include "ctf/viewer_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

typedef int reply_fn(struct viewer *viewer, const struct viewer_request *request,
		     const uint8_t *bytes, struct error *error);

/* Announces a body behind the fixed part. */
static int
expect_body(struct viewer *viewer, size_t size, struct error *error)
{
	struct viewer_part *part = &viewer->part;

	part->body = malloc(size);
	if (!part->body)
		return error_set(error, ENOMEM, "no memory for %zu bytes", size);
	part->need = size;
	part->have = 0;
	return 0;
}

static uint8_t *
take_body(struct viewer *viewer, size_t *ret_size)
{
	uint8_t *body = viewer->part.body;

	*ret_size = viewer->part.need;
	viewer->part.body = NULL;
	return body;
}

static int
unknown_status(uint32_t status, struct error *error)
{
	return error_set(error, EPROTO, "unknown status %" PRIu32, status);
}

/* The handshake */

static int
on_connect(struct viewer *viewer, const struct viewer_request *request, const uint8_t *bytes,
	   struct error *error)
{
	uint32_t major = viewer_get_u32(bytes + 8), minor = viewer_get_u32(bytes + 12);

	if (major != VIEWER_MAJOR || minor < VIEWER_MINOR_MIN)
		return error_set(error, EPROTO, "relayd speaks version %" PRIu32 ".%" PRIu32
				 " of the live protocol; needed is 2.%d or a later 2.x", major,
				 minor, VIEWER_MINOR_MIN);
	viewer->minor = MIN(minor, (uint32_t) VIEWER_MINOR_MAX);
	viewer_ask(viewer, VIEWER_CREATE_SESSION, NULL);
	return 0;
}

static int
on_create(struct viewer *viewer, const struct viewer_request *request, const uint8_t *bytes,
	  struct error *error)
{
	uint32_t status = viewer_get_u32(bytes);
	char text[64];

	if (status != VIEWER_CREATE_OK)
		return error_set(error, EPROTO, "relayd made no viewer session: status %" PRIu32,
				 status);
	viewer->ready = true;
	snprintf(text, sizeof text, "connected, live protocol 2.%" PRIu32, viewer->minor);
	viewer_tell(viewer, VIEWER_LIVE, text);
	return 0;
}

/* Lists */

static int
on_list(struct viewer *viewer, const struct viewer_request *request, const uint8_t *bytes,
	struct error *error)
{
	uint32_t count = viewer_get_u32(bytes);

	if (count > viewer->options.max_sessions)
		return error_set(error, EPROTO, "%" PRIu32 " sessions, more than the limit of %u",
				 count, viewer->options.max_sessions);
	viewer->part.entries = count;
	return 0;
}

static int
on_list_entry(struct viewer *viewer, const struct viewer_request *request, const uint8_t *bytes,
	      struct error *error)
{
	struct viewer_wire_session wire;

	viewer_read_session(bytes, &wire);
	return viewer_list_entry(viewer, &wire, error);
}

static void
list_done(struct viewer *viewer, const struct viewer_request *request)
{
	viewer_list_end(viewer);
}

/* Streams of ATTACH_SESSION and GET_NEW_STREAMS. */
static int
expect_streams(struct viewer *viewer, uint32_t count, struct error *error)
{
	if (count > viewer->options.max_streams - viewer->root->n_streams)
		return error_set(error, EPROTO, "%" PRIu32 " streams besides %zu, more than the "
				 "limit of %u", count, viewer->root->n_streams,
				 viewer->options.max_streams);
	viewer->part.entries = viewer->part.count = count;
	return 0;
}

static int
on_attach(struct viewer *viewer, const struct viewer_request *request, const uint8_t *bytes,
	  struct error *error)
{
	viewer->part.status = viewer_get_u32(bytes);
	if (viewer->part.status != VIEWER_ATTACH_OK)
		return 0;
	viewer_session_attached(request->object);
	return expect_streams(viewer, viewer_get_u32(bytes + 4), error);
}

static int
on_new_streams(struct viewer *viewer, const struct viewer_request *request, const uint8_t *bytes,
	       struct error *error)
{
	uint32_t status = viewer_get_u32(bytes);

	viewer->part.status = status;
	switch (status) {
	case VIEWER_STREAMS_OK:
		return expect_streams(viewer, viewer_get_u32(bytes + 4), error);
	case VIEWER_STREAMS_NO_NEW:
	case VIEWER_STREAMS_ERR:
	case VIEWER_STREAMS_HUP:
		return 0;
	default:
		return unknown_status(status, error);
	}
}

static int
on_stream_entry(struct viewer *viewer, const struct viewer_request *request, const uint8_t *bytes,
		struct error *error)
{
	struct viewer_wire_stream wire;

	viewer_read_stream(bytes, &wire);
	return viewer_stream_add(request->object, &wire, error);
}

static void
attach_done(struct viewer *viewer, const struct viewer_request *request)
{
	uint32_t status = viewer->part.status;
	char text[128];

	if (status == VIEWER_ATTACH_OK)
		return;
	snprintf(text, sizeof text, "%s (status %" PRIu32 ")", viewer_attach_text(status), status);
	viewer_session_retry(request->object, status == VIEWER_ATTACH_ALREADY ?
			     VIEWER_SESSION_BUSY : VIEWER_SESSION_REFUSED, text);
}

static void
new_streams_done(struct viewer *viewer, const struct viewer_request *request)
{
	uint32_t status = viewer->part.status;

	viewer_session_polled(request->object, status == VIEWER_STREAMS_HUP ||
			      status == VIEWER_STREAMS_ERR, viewer->part.count);
}

/* Indexes and packets */

static void
note_flags(struct viewer *viewer, struct viewer_trace *trace, uint32_t flags)
{
	struct viewer_session *session = trace->session;

	if (flags & VIEWER_FLAG_NEW_METADATA)
		viewer_trace_stale(trace);
	if (flags & VIEWER_FLAG_NEW_STREAM && session->due) {
		session->due = viewer->now;
		viewer_note_due(viewer, session->due);
	}
}

/* A packet that cannot be had; the stream goes on behind it. */
static void
refuse_packet(struct viewer *viewer, struct viewer_stream *stream, const char *why)
{
	char text[256];

	snprintf(text, sizeof text, "attached; a packet of %s was left out: %s",
		 stream->trace->path, why);
	viewer_session_tell(stream->trace->session, VIEWER_SESSION_LIVE, text);
	viewer->root->counters.refused_packets++;
	stream->has_index = false;
	stream->failures = 0;
	viewer_stream_set(stream, STREAM_WANTS_INDEX);
}

/* The index comes from the traced node, not from relayd: a bad one is no
 * reason to leave relayd. */
static void
index_ok(struct viewer *viewer, struct viewer_stream *stream, const struct viewer_index *index)
{
	uint64_t bits = index->content_bits ? index->content_bits : index->packet_bits;
	uint64_t size = bits / 8 + (bits % 8 != 0);

	stream->failures = 0;
	if (!size || index->content_bits > index->packet_bits) {
		refuse_packet(viewer, stream, "its index makes no sense");
		return;
	}
	if (size > viewer->options.max_packet_bytes) {
		refuse_packet(viewer, stream, "it is larger than the limit");
		return;
	}
	stream->index = *index;
	stream->length = (uint32_t) size;
	stream->has_index = true;
	stream->accepted = false;
	viewer_stream_take_index(stream);
}

static void
index_inactive(struct viewer *viewer, struct viewer_stream *stream, uint64_t end)
{
	stream->failures = 0;
	viewer_stream_set(stream, STREAM_IDLE);
	/* relayd repeats a beacon until the next one comes. */
	if (end == UINT64_MAX || end <= stream->beacon)
		return;
	stream->beacon = end;
	viewer->root->counters.beacons++;
	viewer->ops->beacon(stream->user, end);
}

static void
index_hup(struct viewer_stream *stream, bool hup)
{
	struct viewer_session *session = stream->trace->session;

	/* Its reply is not done: nothing is freed yet. */
	viewer_stream_drop(stream, hup);
	viewer_session_check(session);
}

static void
index_error(struct viewer_stream *stream)
{
	struct viewer_session *session = stream->trace->session;
	bool over = session->closed || !session->listed;

	if (!over && ++stream->failures < VIEWER_MAX_FAILURES)
		viewer_stream_set(stream, STREAM_IDLE);
	else
		index_hup(stream, over);
}

static int
on_index(struct viewer *viewer, const struct viewer_request *request, const uint8_t *bytes,
	 struct error *error)
{
	struct viewer_stream *stream = request->object;
	struct viewer_index index;
	uint32_t status, flags;

	viewer_read_index(bytes, &index, &status, &flags);
	if (status < VIEWER_INDEX_OK || status > VIEWER_INDEX_EOF)
		return unknown_status(status, error);
	if (stream->state == STREAM_GONE)
		return 0;
	note_flags(viewer, stream->trace, flags);
	switch (status) {
	case VIEWER_INDEX_OK:
		index_ok(viewer, stream, &index);
		break;
	case VIEWER_INDEX_INACTIVE:
		index_inactive(viewer, stream, index.end);
		break;
	case VIEWER_INDEX_HUP:
		index_hup(stream, true);
		break;
	case VIEWER_INDEX_ERR:
		index_error(stream);
		break;
	default:
		viewer->root->counters.retries++;
		viewer_stream_set(stream, STREAM_IDLE);
		break;
	}
	return 0;
}

static int
on_packet(struct viewer *viewer, const struct viewer_request *request, const uint8_t *bytes,
	  struct error *error)
{
	struct viewer_stream *stream = request->object;
	uint32_t status = viewer_get_u32(bytes), length = viewer_get_u32(bytes + 4);

	if (status == VIEWER_PACKET_OK) {
		if (length != request->length)
			return error_set(error, EPROTO, "%" PRIu32 " bytes came where %" PRIu32
					 " were asked for", length, request->length);
		return expect_body(viewer, length, error);
	}
	if (status < VIEWER_PACKET_OK || status > VIEWER_PACKET_EOF)
		return unknown_status(status, error);
	if (stream->state == STREAM_GONE)
		return 0;
	note_flags(viewer, stream->trace, viewer_get_u32(bytes + 8));
	viewer->root->counters.retries++;
	if (++stream->failures < VIEWER_MAX_FAILURES)
		viewer_stream_set(stream, STREAM_IDLE);
	else
		refuse_packet(viewer, stream, "relayd could not read it");
	return 0;
}

static int
on_packet_body(struct viewer *viewer, const struct viewer_request *request, const uint8_t *bytes,
	       struct error *error)
{
	struct viewer_stream *stream = request->object;
	size_t size;
	uint8_t *body = take_body(viewer, &size);

	if (stream->state == STREAM_GONE) {
		free(body);
		return 0;
	}
	viewer->root->counters.packets++;
	stream->failures = 0;
	stream->has_index = false;
	viewer_stream_set(stream, STREAM_WANTS_INDEX);
	viewer->ops->packet(stream->user, body, size, &stream->index);
	return 0;
}

static void
stream_done(struct viewer *viewer, const struct viewer_request *request)
{
	viewer_stream_reap(request->object);
}

/* Metadata */

static void
metadata_ended(struct viewer_trace *trace)
{
	struct viewer_session *session = trace->session;

	viewer_trace_ended(trace);
	viewer_session_check(session);
}

static void
metadata_no_new(struct viewer_trace *trace)
{
	const struct viewer_session *session = trace->session;

	if (trace->delivered || trace->refused)
		viewer_trace_current(trace);
	else if (session->closed || !session->listed)
		metadata_ended(trace);
	else
		viewer_trace_set(trace, TRACE_RETRY);
}

static int
on_metadata(struct viewer *viewer, const struct viewer_request *request, const uint8_t *bytes,
	    struct error *error)
{
	struct viewer_trace *trace = request->object;
	uint64_t size = viewer_get_u64(bytes);
	uint32_t status = viewer_get_u32(bytes + 8);

	if (status == VIEWER_METADATA_OK && size > viewer->options.max_metadata_bytes)
		return error_set(error, EPROTO, "%" PRIu64 " bytes of metadata, more than the "
				 "limit of %zu", size, viewer->options.max_metadata_bytes);
	if (status == VIEWER_METADATA_OK && size)
		return expect_body(viewer, size, error);
	if (status < VIEWER_METADATA_OK || status > VIEWER_METADATA_ERR)
		return unknown_status(status, error);
	if (trace->state == TRACE_GONE)
		return 0;
	if (status == VIEWER_METADATA_NO_NEW)
		metadata_no_new(trace);
	else if (status == VIEWER_METADATA_ERR)
		metadata_ended(trace);
	else
		viewer_trace_set(trace, TRACE_RETRY);
	return 0;
}

static int
on_metadata_body(struct viewer *viewer, const struct viewer_request *request, const uint8_t *bytes,
		 struct error *error)
{
	struct viewer_trace *trace = request->object;
	struct error refusal = { 0 };
	size_t size;
	_cleanup_(freep) uint8_t *body = take_body(viewer, &size);

	if (trace->state == TRACE_GONE)
		return 0;
	/* relayd says when there is no more, and only then all of it is here. */
	viewer_trace_set(trace, TRACE_WANTS_METADATA);
	if (trace->refused)
		return 0;
	if (viewer->ops->metadata(trace->user, body, size, &refusal) < 0)
		viewer_trace_refuse(trace, refusal.code ? refusal.text : "unusable metadata");
	else
		trace->delivered = true;
	return 0;
}

static void
metadata_done(struct viewer *viewer, const struct viewer_request *request)
{
	viewer_trace_reap(request->object);
}

/* The parts of each reply: the first of 'size' bytes, then entries of
 * 'entry_size' each or one body; 'done' when all of it is in. */
static const struct {
	size_t size, entry_size;
	reply_fn *first, *next;
	void (*done)(struct viewer *viewer, const struct viewer_request *request);
} replies[VIEWER_N_COMMANDS] = {
	[VIEWER_CONNECT] = { 20, 0, on_connect, NULL, NULL },
	[VIEWER_LIST_SESSIONS] = { 4, VIEWER_SESSION_SIZE, on_list, on_list_entry, list_done },
	[VIEWER_ATTACH_SESSION] = { 8, VIEWER_STREAM_SIZE, on_attach, on_stream_entry,
				    attach_done },
	[VIEWER_GET_NEXT_INDEX] = { VIEWER_INDEX_SIZE, 0, on_index, NULL, stream_done },
	[VIEWER_GET_PACKET] = { 12, 0, on_packet, on_packet_body, stream_done },
	[VIEWER_GET_METADATA] = { 12, 0, on_metadata, on_metadata_body, metadata_done },
	[VIEWER_GET_NEW_STREAMS] = { 8, VIEWER_STREAM_SIZE, on_new_streams, on_stream_entry,
				     new_streams_done },
	[VIEWER_CREATE_SESSION] = { 4, 0, on_create, NULL, NULL },
	[VIEWER_DETACH_SESSION] = { 4, 0, NULL, NULL, NULL },
};

size_t
viewer_reply_size(enum viewer_command command)
{
	return replies[command].size;
}

void
viewer_part_reset(struct viewer *viewer)
{
	struct viewer_part *part = &viewer->part;

	free(part->body);
	part->body = NULL;
	part->need = part->have = 0;
	part->entries = part->count = part->status = 0;
	part->started = false;
}

/* All bytes of a part are there. */
static int
part_complete(struct viewer *viewer, const uint8_t *bytes, struct error *error)
{
	struct viewer_part *part = &viewer->part;
	const struct viewer_request *oldest = &viewer->requests[viewer->first_request];
	enum viewer_command command = oldest->command;
	reply_fn *fn = part->started ? replies[command].next : replies[command].first;
	struct viewer_request request;
	int r;

	if (part->started && part->entries)
		part->entries--;
	part->started = true;
	r = fn ? fn(viewer, oldest, bytes, error) : 0;
	if (r < 0)
		return error_prefix(error, "%s: wrong reply to %s", viewer->name,
				    viewer_command_name(command));
	if (part->body)
		return 0;
	if (part->entries) {
		part->need = replies[command].entry_size;
		part->have = 0;
		return 0;
	}
	request = viewer_request_pop(viewer);
	viewer->root->counters.replies++;
	if (replies[command].done)
		replies[command].done(viewer, &request);
	viewer_part_reset(viewer);
	return 0;
}

int
viewer_receive(struct viewer *viewer, const uint8_t *bytes, size_t size, struct error *error)
{
	struct viewer_part *part = &viewer->part;

	while (size) {
		const uint8_t *whole = bytes;
		size_t n;
		int r;

		if (!viewer->n_requests)
			return error_set(error, EPROTO, "%s: %zu bytes came that nobody asked for",
					 viewer->name, size);
		if (!part->need)
			part->need = replies[viewer->requests[viewer->first_request].command].size;
		n = MIN(size, part->need - part->have);
		/* Most parts are small and come whole: no need to gather them. */
		if (part->body || n < part->need) {
			whole = part->body ? part->body : part->head;
			memcpy((part->body ? part->body : part->head) + part->have, bytes, n);
		}
		part->have += n;
		bytes += n;
		size -= n;
		viewer->root->counters.bytes += n;
		if (part->have < part->need)
			return 0;
		r = part_complete(viewer, whole, error);
		if (r < 0)
			return r;
	}
	return 0;
}

size_t
viewer_receive_space(struct viewer *viewer, uint8_t **ret)
{
	const struct viewer_part *part = &viewer->part;

	if (!part->body)
		return 0;
	*ret = part->body + part->have;
	return part->need - part->have;
}

int
viewer_received(struct viewer *viewer, size_t size, struct error *error)
{
	struct viewer_part *part = &viewer->part;

	part->have += size;
	viewer->root->counters.bytes += size;
	return part->have < part->need ? 0 : part_complete(viewer, part->body, error);
}
