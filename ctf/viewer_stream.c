/* SPDX-License-Identifier: MIT
 *
 * Traces and streams of a session.  Metadata comes before what needs it: a
 * stream is told once its trace has metadata, and holds an index until the
 * metadata that relayd flagged with it was handed over. */
#include "ctf/viewer_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

#define POLL_PROCESS_NS    (10 * NS_PER_MS)
#define POLL_MIN_NS        (25 * NS_PER_MS)
#define POLL_MAX_NS        (70 * NS_PER_MS)
/* At most 5,000 such requests a second. */
#define POLL_PER_STREAM_NS (350 * NS_PER_US)

static char *
take_name(struct viewer *viewer, const char *name, size_t length, size_t *ret_account)
{
	viewer->root->name_bytes += length;
	*ret_account = length;
	return xstrndup(name, length);
}

/* How long idle streams wait until they are asked again: the fewer, the less,
 * within what latency asks for (live timer + 100 ms in all).  Streams of one
 * process get the shortest: relayd 2.13 drops what was not read within some
 * 10 ms of the end of the process (live.c, viewer_get_next_index(): the stream
 * has lost its trace chunk).  Measured loss of last packets with real
 * processes: 25 % at 50 ms, 13 % at 25 ms, 1 % at 10 ms. */
static uint64_t
poll_interval(const struct viewer_session *session)
{
	uint64_t least = session->per_process ? POLL_PROCESS_NS : POLL_MIN_NS;
	uint64_t most = MIN(session->live_timer_us * NS_PER_US / 2, POLL_MAX_NS);
	uint64_t interval = session->viewer->root->n_streams * POLL_PER_STREAM_NS;

	interval = MAX(interval, least);
	interval = MIN(interval, most);
	return MAX(interval, POLL_PROCESS_NS);
}

static void
schedule_poll(struct viewer_session *session)
{
	struct viewer *viewer = session->viewer;
	uint64_t interval = poll_interval(session);

	if (session->poll_due)
		return;
	/* On a common grid, so that many sessions cost one wake-up. */
	session->poll_due = (viewer->now / interval + 1) * interval;
	viewer_note_due(viewer, session->poll_due);
}

/* Streams */

static struct stream_queue *
stream_queue_of(struct viewer_stream *stream)
{
	struct viewer_session *session = stream->trace->session;

	assert(session);
	switch (stream->state) {
	case STREAM_IDLE:
		return &session->idle;
	case STREAM_WANTS_INDEX:
		return &session->viewer->want_index;
	case STREAM_WANTS_PACKET:
		return &session->viewer->want_packet;
	default:
		return NULL;
	}
}

void
viewer_stream_set(struct viewer_stream *stream, enum stream_state state)
{
	struct stream_queue *queue = stream_queue_of(stream);

	if (queue)
		TAILQ_REMOVE(queue, stream, in_queue);
	stream->state = state;
	queue = stream_queue_of(stream);
	if (queue)
		TAILQ_INSERT_TAIL(queue, stream, in_queue);
	if (state == STREAM_IDLE)
		schedule_poll(stream->trace->session);
}

static void
stream_announce(struct viewer_stream *stream)
{
	struct viewer_trace *trace = stream->trace;
	struct viewer *viewer = trace->session->viewer;

	stream->found = true;
	stream->user = viewer->ops->stream_found(trace->user, stream, trace->path, stream->channel);
	viewer->root->name_bytes -= stream->name_bytes;
	stream->name_bytes = 0;
	free(stream->channel);
	stream->channel = NULL;
	viewer_stream_set(stream, STREAM_WANTS_INDEX);
}

void
viewer_stream_take_index(struct viewer_stream *stream)
{
	struct viewer *viewer = stream->trace->session->viewer;

	switch (stream->trace->state) {
	case TRACE_RETRY:
	case TRACE_WANTS_METADATA:
	case TRACE_ASKED_METADATA:
		viewer_stream_set(stream, STREAM_HELD);
		return;
	default:
		break;
	}
	if (stream->accepted || viewer->ops->index(stream->user, &stream->index)) {
		stream->accepted = true;
		viewer_stream_set(stream, STREAM_WANTS_PACKET);
		return;
	}
	viewer->root->counters.stepped_over++;
	stream->has_index = false;
	viewer_stream_set(stream, STREAM_WANTS_INDEX);
}

void
viewer_stream_drop(struct viewer_stream *stream, bool hup)
{
	struct viewer_session *session = stream->trace->session;

	if (stream->state != STREAM_GONE) {
		viewer_stream_set(stream, STREAM_GONE);
		session->n_streams--;
		if (stream->found)
			session->viewer->ops->stream_gone(stream->user, hup);
	}
	viewer_stream_reap(stream);
}

void
viewer_stream_reap(struct viewer_stream *stream)
{
	struct viewer_trace *trace = stream->trace;
	struct viewer *viewer = trace->session->viewer;

	if (stream->state != STREAM_GONE || stream->asked)
		return;
	TAILQ_REMOVE(&trace->streams, stream, in_trace);
	viewer->root->n_streams--;
	viewer->root->name_bytes -= stream->name_bytes;
	free(stream->channel);
	free(stream);
	viewer_trace_reap(trace);
}

/* Traces */

static struct trace_queue *
trace_queue_of(struct viewer_trace *trace)
{
	struct viewer_session *session = trace->session;

	assert(session);
	switch (trace->state) {
	case TRACE_RETRY:
		return &session->retry;
	case TRACE_WANTS_METADATA:
		return &session->viewer->want_metadata;
	default:
		return NULL;
	}
}

void
viewer_trace_set(struct viewer_trace *trace, enum trace_state state)
{
	struct trace_queue *queue = trace_queue_of(trace);

	if (queue)
		TAILQ_REMOVE(queue, trace, in_queue);
	trace->state = state;
	queue = trace_queue_of(trace);
	if (queue)
		TAILQ_INSERT_TAIL(queue, trace, in_queue);
	if (state == TRACE_RETRY)
		schedule_poll(trace->session);
}

static struct viewer_trace *
trace_new(struct viewer_session *session, const struct viewer_wire_stream *wire)
{
	struct viewer_trace *trace = xcalloc(1, sizeof *trace);

	trace->session = session;
	trace->id = wire->trace_id;
	trace->path = take_name(session->viewer, wire->path, wire->path_length, &trace->name_bytes);
	/* As LTTng names the folders of per-PID buffers. */
	if (strstr(trace->path, "ust/pid/"))
		session->per_process = true;
	TAILQ_INIT(&trace->streams);
	session->viewer->root->n_streams++;
	HASH_ADD(hh, session->traces, id, sizeof trace->id, trace);
	return trace;
}

void
viewer_trace_reap(struct viewer_trace *trace)
{
	struct viewer_session *session = trace->session;

	if (trace->asked || !TAILQ_EMPTY(&trace->streams))
		return;
	if (trace->state == TRACE_ENDED) {
		viewer_trace_drop(trace, true);
		return;
	}
	if (trace->state != TRACE_GONE)
		return;
	HASH_DEL(session->traces, trace);
	session->viewer->root->n_streams--;
	session->viewer->root->name_bytes -= trace->name_bytes;
	free(trace->path);
	free(trace);
	viewer_session_reap(session);
}

/* Tells all of it as gone. */
static void
trace_close(struct viewer_trace *trace, bool hup)
{
	struct viewer_stream *stream, *next;

	for (stream = TAILQ_FIRST(&trace->streams); stream; stream = next) {
		next = TAILQ_NEXT(stream, in_trace);
		viewer_stream_drop(stream, hup);
	}
	if (trace->found)
		trace->session->viewer->ops->trace_gone(trace->user);
	trace->found = false;
}

void
viewer_trace_drop(struct viewer_trace *trace, bool hup)
{
	/* Not yet GONE, so that its last stream does not free it. */
	if (trace->state != TRACE_GONE) {
		viewer_trace_set(trace, TRACE_CURRENT);
		trace_close(trace, hup);
		viewer_trace_set(trace, TRACE_GONE);
	}
	viewer_trace_reap(trace);
}

void
viewer_trace_refuse(struct viewer_trace *trace, const char *text)
{
	struct viewer_session *session = trace->session;
	struct viewer_trace *other;
	bool usable = false;

	trace->refused = true;
	viewer_trace_set(trace, TRACE_CURRENT);
	trace_close(trace, false);
	for (other = session->traces; other; other = other->hh.next)
		usable |= !other->refused && other->delivered;
	viewer_session_tell(session, usable ? VIEWER_SESSION_LIVE : VIEWER_SESSION_REFUSED, text);
}

void
viewer_trace_stale(struct viewer_trace *trace)
{
	if (trace->state == TRACE_CURRENT || trace->state == TRACE_RETRY)
		viewer_trace_set(trace, TRACE_WANTS_METADATA);
}

static void
streams_go_on(struct viewer_trace *trace)
{
	struct viewer_stream *stream;

	for (stream = TAILQ_FIRST(&trace->streams); stream; stream = TAILQ_NEXT(stream, in_trace)) {
		if (stream->state == STREAM_ANNOUNCED)
			stream_announce(stream);
		else if (stream->state == STREAM_HELD)
			viewer_stream_take_index(stream);
	}
}

void
viewer_trace_current(struct viewer_trace *trace)
{
	viewer_trace_set(trace, TRACE_CURRENT);
	if (!trace->refused)
		streams_go_on(trace);
}

void
viewer_trace_ended(struct viewer_trace *trace)
{
	if (!trace->delivered || trace->refused) {
		viewer_trace_drop(trace, true);
		return;
	}
	viewer_trace_set(trace, TRACE_ENDED);
	streams_go_on(trace);
	viewer_trace_reap(trace);
}

static void
trace_add_metadata(struct viewer_trace *trace, uint64_t id)
{
	struct viewer_session *session = trace->session;

	/* A second metadata stream of a trace would say the same. */
	if (trace->state != TRACE_ANNOUNCED)
		return;
	trace->metadata_id = id;
	trace->found = true;
	trace->user = session->viewer->ops->trace_found(session->user, trace, trace->path);
	viewer_trace_set(trace, TRACE_WANTS_METADATA);
}

int
viewer_stream_add(struct viewer_session *session, const struct viewer_wire_stream *wire,
		  struct error *error)
{
	struct viewer *viewer = session->viewer;
	struct viewer_stream *stream;
	struct viewer_trace *trace;

	if (viewer->root->n_streams + 2 > viewer->options.max_streams)
		return error_set(error, EPROTO, "more than %u streams",
				 viewer->options.max_streams);
	if (viewer->root->name_bytes >= VIEWER_MAX_NAME_BYTES)
		return error_set(error, EPROTO, "names take more than %d MiB",
				 VIEWER_MAX_NAME_BYTES >> 20);
	HASH_FIND(hh, session->traces, &wire->trace_id, sizeof wire->trace_id, trace);
	if (!trace)
		trace = trace_new(session, wire);
	if (wire->is_metadata) {
		trace_add_metadata(trace, wire->id);
		return 0;
	}
	if (trace->refused || trace->state == TRACE_GONE)
		return 0;
	stream = xcalloc(1, sizeof *stream);
	stream->trace = trace;
	stream->id = wire->id;
	stream->channel = take_name(viewer, wire->channel, wire->channel_length,
				    &stream->name_bytes);
	TAILQ_INSERT_TAIL(&trace->streams, stream, in_trace);
	viewer->root->n_streams++;
	session->n_streams++;
	if (trace->delivered)
		stream_announce(stream);
	return 0;
}
