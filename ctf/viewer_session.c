/* SPDX-License-Identifier: MIT
 *
 * Sessions, and what to ask next.  Every object says by its state what it
 * wants; viewer_pump() turns wants into requests as long as there is room. */
#include "ctf/viewer_private.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

#define NEW_STREAMS_MIN_NS (100 * NS_PER_MS)
#define NEW_STREAMS_MAX_NS NS_PER_S

/* Requests */

static size_t
reply_reserve(const struct viewer *viewer, enum viewer_command command, uint32_t length)
{
	size_t size = viewer_reply_size(command), max = viewer->options.max_in_flight_bytes;

	switch (command) {
	case VIEWER_LIST_SESSIONS:
	case VIEWER_ATTACH_SESSION:
	case VIEWER_GET_METADATA:
	case VIEWER_GET_NEW_STREAMS:
		return MIN((size_t) VIEWER_UNKNOWN_REPLY, max / 4);
	default:
		/* A packet larger than the limit goes alone. */
		return MIN(size + length, max);
	}
}

static bool
has_room(const struct viewer *viewer, enum viewer_command command, uint32_t length)
{
	size_t reserve = reply_reserve(viewer, command, length);
	unsigned most = VIEWER_MAX_REQUESTS;

	if (command == VIEWER_GET_NEXT_INDEX)
		most -= VIEWER_NON_INDEX_REQUESTS;
	return viewer->n_requests < most &&
	       viewer->root->in_flight + reserve <= viewer->options.max_in_flight_bytes;
}

void
viewer_ask(struct viewer *viewer, enum viewer_command command, void *object)
{
	struct viewer_request request = { .command = command, .object = object };
	uint8_t bytes[VIEWER_REQUEST_MAX];
	uint64_t id = 0, offset = 0;
	unsigned at = (viewer->first_request + viewer->n_requests) % VIEWER_MAX_REQUESTS;

	if (command == VIEWER_ATTACH_SESSION || command == VIEWER_GET_NEW_STREAMS) {
		struct viewer_session *session = object;

		id = session->id;
		session->asked = true;
	} else if (command == VIEWER_GET_METADATA) {
		struct viewer_trace *trace = object;

		id = trace->metadata_id;
		trace->asked = true;
	} else if (command == VIEWER_GET_NEXT_INDEX || command == VIEWER_GET_PACKET) {
		struct viewer_stream *stream = object;

		id = stream->id;
		stream->asked = true;
		if (command == VIEWER_GET_PACKET) {
			offset = stream->index.offset;
			request.length = stream->length;
		}
	} else if (command == VIEWER_DETACH_SESSION) {
		id = ((struct viewer_session *) object)->id;
		request.object = NULL;
	}
	assert(viewer->n_requests < VIEWER_MAX_REQUESTS);
	request.reserve = reply_reserve(viewer, command, request.length);
	viewer->root->in_flight += request.reserve;
	if (!viewer->n_requests)
		viewer->progress = viewer->now;
	viewer->requests[at] = request;
	viewer->n_requests++;
	viewer->root->counters.requests++;
	buf_add(&viewer->out, bytes,
		viewer_write_request(bytes, command, id, offset, request.length));
}

struct viewer_request
viewer_request_pop(struct viewer *viewer)
{
	struct viewer_request request = viewer->requests[viewer->first_request];

	viewer->first_request = (viewer->first_request + 1) % VIEWER_MAX_REQUESTS;
	viewer->n_requests--;
	viewer->root->in_flight -= request.reserve;
	switch (request.command) {
	case VIEWER_ATTACH_SESSION:
	case VIEWER_GET_NEW_STREAMS:
		((struct viewer_session *) request.object)->asked = false;
		break;
	case VIEWER_GET_METADATA:
		((struct viewer_trace *) request.object)->asked = false;
		break;
	case VIEWER_GET_NEXT_INDEX:
	case VIEWER_GET_PACKET:
		((struct viewer_stream *) request.object)->asked = false;
		break;
	case VIEWER_LIST_SESSIONS:
		viewer->list_asked = false;
		break;
	default:
		break;
	}
	return request;
}

void
viewer_note_due(struct viewer *viewer, uint64_t due)
{
	viewer->next_due = MIN(viewer->next_due, due);
}

/* Whatever waits for the session's next poll becomes a want. */
static void
session_poll(struct viewer_session *session)
{
	struct viewer_stream *stream;
	struct viewer_trace *trace;

	session->poll_due = 0;
	while ((stream = TAILQ_FIRST(&session->idle)))
		if (stream->has_index)
			viewer_stream_take_index(stream);
		else
			viewer_stream_set(stream, STREAM_WANTS_INDEX);
	while ((trace = TAILQ_FIRST(&session->retry)))
		viewer_trace_set(trace, TRACE_WANTS_METADATA);
}

static void
session_ask(struct viewer_session *session)
{
	struct viewer_trace *trace;

	session->due = 0;
	if (session->phase == SESSION_WAITING && session->viewer->apart) {
		viewer_apart_start(session);
		return;
	}
	if (session->phase == SESSION_WAITING) {
		session->phase = SESSION_ATTACHING;
		viewer_ask(session->viewer, VIEWER_ATTACH_SESSION, session);
		return;
	}
	viewer_ask(session->viewer, VIEWER_GET_NEW_STREAMS, session);
	/* A trace without streams has nobody who would notice that it ended. */
	for (trace = session->traces; trace; trace = trace->hh.next)
		if (trace->state == TRACE_CURRENT && TAILQ_EMPTY(&trace->streams))
			viewer_trace_stale(trace);
}

/* Returns false when there was no room for what is due. */
static bool
session_run(struct viewer_session *session)
{
	struct viewer *viewer = session->viewer;
	bool fits = true;

	viewer_apart_run(session);
	if (session->poll_due && session->poll_due <= viewer->now)
		session_poll(session);
	if (session->poll_due)
		viewer_note_due(viewer, session->poll_due);
	if (session->due && session->due <= viewer->now) {
		fits = has_room(viewer, VIEWER_GET_NEW_STREAMS, 0);
		if (fits)
			session_ask(session);
	}
	if (session->due)
		viewer_note_due(viewer, session->due);
	return fits;
}

static bool
run_due(struct viewer *viewer)
{
	struct viewer_session *session;

	viewer->next_due = UINT64_MAX;
	viewer->blocked = false;
	if (!viewer->list_asked && viewer->list_due <= viewer->now) {
		if (has_room(viewer, VIEWER_LIST_SESSIONS, 0)) {
			viewer->list_asked = true;
			viewer->list_due = viewer->now + viewer->options.list_interval_ns;
			viewer_ask(viewer, VIEWER_LIST_SESSIONS, NULL);
		} else {
			viewer->blocked = true;
		}
	}
	if (!viewer->list_asked)
		viewer_note_due(viewer, viewer->list_due);
	for (session = viewer->sessions; session; session = session->hh.next)
		if (!session_run(session))
			viewer->blocked = true;
	return !viewer->blocked;
}

/* Asks for packets.  Returns false if one is still to be asked. */
static bool
pump_packets(struct viewer *viewer)
{
	struct viewer_stream *stream;

	if (viewer->root->paused)
		return true;
	while ((stream = TAILQ_FIRST(&viewer->want_packet))) {
		if (!has_room(viewer, VIEWER_GET_PACKET, stream->length))
			return false;
		viewer_stream_set(stream, STREAM_ASKED_PACKET);
		viewer_ask(viewer, VIEWER_GET_PACKET, stream);
	}
	return true;
}

void
viewer_pump(struct viewer *viewer)
{
	struct viewer_stream *stream;
	struct viewer_trace *trace;

	if (!viewer->ready)
		return;
	if ((viewer->blocked || viewer->next_due <= viewer->now) && !run_due(viewer))
		return;
	while ((trace = TAILQ_FIRST(&viewer->want_metadata))) {
		if (!has_room(viewer, VIEWER_GET_METADATA, 0))
			return;
		viewer_trace_set(trace, TRACE_ASKED_METADATA);
		viewer_ask(viewer, VIEWER_GET_METADATA, trace);
	}
	/* Nothing overtakes a packet that has no room, so that it gets some. */
	if (!pump_packets(viewer))
		return;
	while ((stream = TAILQ_FIRST(&viewer->want_index)) &&
	       has_room(viewer, VIEWER_GET_NEXT_INDEX, 0)) {
		viewer_stream_set(stream, STREAM_ASKED_INDEX);
		viewer_ask(viewer, VIEWER_GET_NEXT_INDEX, stream);
	}
}

void
viewer_start(struct viewer *viewer)
{
	viewer->list_due = viewer->root == viewer ? 0 : UINT64_MAX;
	viewer->next_due = 0;
	viewer->blocked = false;
	viewer_ask(viewer, VIEWER_CONNECT, NULL);
}

/* Sessions */

struct viewer_session *
viewer_session_new(struct viewer *viewer, const struct viewer_wire_session *wire)
{
	struct viewer_session *session = xcalloc(1, sizeof *session);
	const struct viewer_options *options = &viewer->options;
	uint64_t live_ns = wire->live_timer_us * NS_PER_US;

	session->viewer = viewer;
	session->id = wire->id;
	session->live_timer_us = wire->live_timer_us;
	session->hostname = xstrndup(wire->hostname, wire->hostname_length);
	session->name = xstrndup(wire->name, wire->name_length);
	session->name_bytes = wire->hostname_length + wire->name_length;
	viewer->root->name_bytes += session->name_bytes;
	session->told_state = -1;
	session->backoff_ns = options->backoff_min_ns;
	session->new_streams_ns = options->new_streams_interval_ns;
	if (!session->new_streams_ns) {
		live_ns = MIN(live_ns, NEW_STREAMS_MAX_NS);
		session->new_streams_ns = MAX(live_ns, NEW_STREAMS_MIN_NS);
	}
	TAILQ_INIT(&session->idle);
	TAILQ_INIT(&session->retry);
	HASH_ADD(hh, viewer->sessions, id, sizeof session->id, session);
	return session;
}

void
viewer_session_reap(struct viewer_session *session)
{
	struct viewer *viewer = session->viewer;

	if (session->phase != SESSION_ENDED || session->listed || session->asked ||
	    session->traces || session->apart)
		return;
	HASH_DEL(viewer->sessions, session);
	viewer->root->name_bytes -= session->name_bytes;
	free(session->hostname);
	free(session->name);
	free(session->told_text);
	free(session);
	viewer_apart_reaped(viewer);
}

void
viewer_session_tell(struct viewer_session *session, enum viewer_session_state state,
		    const char *text)
{
	struct viewer *viewer = session->viewer;

	if (session->told_state == (int) state && streq(session->told_text, text))
		return;
	session->told_state = (int) state;
	free(session->told_text);
	session->told_text = xstrdup(text);
	viewer->ops->session_state(viewer->owner, session->user, session->hostname, session->name,
				   state, session->told_text);
}

void
viewer_session_end(struct viewer_session *session, enum viewer_session_state state, const char *text)
{
	struct viewer *viewer = session->viewer;
	struct viewer_trace *trace, *next;
	bool attached = session->phase == SESSION_ATTACHED;

	if (session->phase == SESSION_ENDED)
		return;
	for (trace = session->traces; trace; trace = next) {
		next = trace->hh.next;
		viewer_trace_drop(trace, state == VIEWER_SESSION_GONE);
	}
	viewer_apart_ended(session, state);
	session->phase = SESSION_ENDED;
	session->due = session->poll_due = 0;
	if (attached || session->told_state >= 0)
		viewer_session_tell(session, state, text);
	if (attached)
		viewer->ops->session_gone(session->user);
	session->user = NULL;
	/* relayd keeps what was not read to its end until it is told so. */
	if (attached && state == VIEWER_SESSION_GONE && viewer->minor >= VIEWER_MINOR_DETACH &&
	    has_room(viewer, VIEWER_DETACH_SESSION, 0))
		viewer_ask(viewer, VIEWER_DETACH_SESSION, session);
}

int
viewer_list_entry(struct viewer *viewer, const struct viewer_wire_session *wire,
		  struct error *error)
{
	struct viewer_session *session;

	HASH_FIND(hh, viewer->sessions, &wire->id, sizeof wire->id, session);
	if (session) {
		session->seen = true;
		return 0;
	}
	/* Twice, because sessions that have ended are still being read. */
	if (HASH_COUNT(viewer->sessions) / 2 >= viewer->options.max_sessions)
		return error_set(error, EPROTO, "sessions come and go without being read; at most "
				 "%u are followed", viewer->options.max_sessions);
	if (viewer->root->name_bytes >= VIEWER_MAX_NAME_BYTES)
		return error_set(error, EPROTO, "names take more than %d MiB",
				 VIEWER_MAX_NAME_BYTES >> 20);
	session = viewer_session_new(viewer, wire);
	session->seen = true;
	if (!viewer->ops->session_found(viewer->owner, session->hostname, session->name,
					session->id, session->live_timer_us)) {
		session->phase = SESSION_DECLINED;
	} else if (!session->live_timer_us) {
		session->phase = SESSION_DECLINED;
		viewer_session_tell(session, VIEWER_SESSION_REFUSED,
				    "it is no live session (created without --live)");
	} else {
		session->phase = SESSION_WAITING;
		session->due = viewer->now;
		viewer_note_due(viewer, session->due);
	}
	return 0;
}

void
viewer_list_end(struct viewer *viewer)
{
	struct viewer_session *session, *next;

	for (session = viewer->sessions; session; session = next) {
		next = session->hh.next;
		session->listed = session->seen;
		session->seen = false;
		viewer_apart_listed(session);
		if (session->listed)
			continue;
		if (session->phase == SESSION_DECLINED || session->phase == SESSION_WAITING)
			viewer_session_end(session, VIEWER_SESSION_GONE, "the session was destroyed");
		viewer_session_reap(session);
	}
	viewer_note_due(viewer, viewer->list_due);
}

void
viewer_session_attached(struct viewer_session *session)
{
	struct viewer *viewer = session->viewer;

	session->phase = SESSION_ATTACHED;
	session->backoff_ns = viewer->options.backoff_min_ns;
	session->user = viewer->ops->session_attached(viewer->owner, session, session->hostname,
						      session->name, session->id,
						      session->live_timer_us);
	viewer_session_tell(session, VIEWER_SESSION_LIVE, "attached");
	session->due = viewer->now + session->new_streams_ns;
	viewer_note_due(viewer, session->due);
}

void
viewer_session_retry(struct viewer_session *session, enum viewer_session_state state,
		     const char *text)
{
	session->phase = SESSION_WAITING;
	session->due = session->viewer->now + viewer_backoff(session->viewer, &session->backoff_ns);
	viewer_note_due(session->viewer, session->due);
	viewer_session_tell(session, state, text);
}

void
viewer_session_polled(struct viewer_session *session, bool closed, uint32_t count)
{
	struct viewer_trace *trace, *next;

	if (session->phase != SESSION_ATTACHED) {
		viewer_session_reap(session);
		return;
	}
	/* relayd lists no session whose producer has left: nothing new comes. */
	session->closed = closed || (!session->listed && !count && !session->n_streams);
	for (trace = session->traces; trace; trace = next) {
		next = trace->hh.next;
		if (trace->state == TRACE_ANNOUNCED && (closed || !session->listed))
			viewer_trace_drop(trace, true);
	}
	if (!session->closed) {
		session->due = session->viewer->now + session->new_streams_ns;
		viewer_note_due(session->viewer, session->due);
	}
	viewer_session_check(session);
}

void
viewer_session_check(struct viewer_session *session)
{
	if (session->phase == SESSION_ATTACHED && session->closed && !session->n_streams)
		viewer_session_end(session, VIEWER_SESSION_GONE, "the session was destroyed");
	viewer_session_reap(session);
}

/* No reply comes for any request: what only waited for one is freed. */
static void
forget_requests(struct viewer *viewer)
{
	while (viewer->n_requests) {
		struct viewer_request request = viewer_request_pop(viewer);

		if (request.command == VIEWER_GET_METADATA)
			viewer_trace_reap(request.object);
		else if (request.command == VIEWER_GET_NEXT_INDEX ||
			 request.command == VIEWER_GET_PACKET)
			viewer_stream_reap(request.object);
	}
}

void
viewer_stop(struct viewer *viewer, const char *why)
{
	struct viewer_session *session, *next;

	viewer_part_reset(viewer);
	forget_requests(viewer);
	for (session = viewer->sessions; session; session = next) {
		next = session->hh.next;
		session->listed = false;
		viewer_apart_stop(session, why);
		viewer_session_end(session, VIEWER_SESSION_LOST, why);
		viewer_session_reap(session);
	}
	buf_clear(&viewer->out);
	viewer->ready = false;
	viewer->minor = 0;
}
