/* SPDX-License-Identifier: MIT
 *
 * lane_live.c -- what the live viewers bring, turned into streams of a host. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lane_private.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/util.h"

/* Sessions that are listed this soon after connecting were there before. */
#define EXISTED_WITHIN_NS (NS_PER_S / 2)

static void
on_state(void *owner, enum viewer_state state, const char *text)
{
	struct lane_relay *relay = owner;
	struct lane_session *session;

	if (relay->removed)
		return;
	if (state == VIEWER_LIVE && relay->state != VIEWER_LIVE) {
		relay->live_since_mono_ns = clock_mono_ns();
		log_info("relayd %s: connected", relay->name);
	} else if ((state != relay->state || (text && strncmp(text, relay->text, sizeof relay->text - 1))) &&
		   log_allowed(&relay->log_limit)) {
		log_warning("relayd %s: %s", relay->name, text ? text : "not reachable");
	}
	relay->state = state;
	snprintf(relay->text, sizeof relay->text, "%s", text ? text : "");
	DL_FOREACH(relay->sessions, session)
		lane_put_session(session, session->hostname, true);
	lane_submit(relay->lane, true);
}

static struct lane_session *
find_session(struct lane_relay *relay, const char *hostname, const char *name)
{
	struct lane_session *session;

	DL_FOREACH(relay->sessions, session)
		if (streq(session->hostname, hostname) && streq(session->name, name))
			return session;
	return NULL;
}

/* The session of that name, made when it is new: a session that was destroyed
 * and created again is the same one to people. */
static struct lane_session *
get_session(struct lane_relay *relay, const char *hostname, const char *name)
{
	struct lane_session *session = find_session(relay, hostname, name);

	if (!session) {
		session = xcalloc(1, sizeof *session);
		session->relay = relay;
		session->hostname = xstrdup(hostname);
		session->name = xstrdup(name);
		session->state = VIEWER_SESSION_LOST;
		session->heard_mono_ns = clock_mono_ns();
		DL_APPEND(relay->sessions, session);
	}
	return session;
}

static bool
on_session_found(void *owner, const char *hostname, const char *name, uint64_t id,
		 uint32_t live_timer_us)
{
	struct lane_relay *relay = owner;
	struct lane_session *session = get_session(relay, hostname, name);

	session->existed_before = clock_mono_ns() - relay->live_since_mono_ns < EXISTED_WITHIN_NS;
	session->live_timer_ns = live_timer_us * NS_PER_US;
	return true;
}

static void *
on_session_attached(void *owner, struct viewer_session *viewer_session, const char *hostname,
		    const char *name, uint64_t id, uint32_t live_timer_us)
{
	struct lane_session *session = get_session(owner, hostname, name);

	session->id = id;
	session->spoken = false;
	session->live_timer_ns = live_timer_us * NS_PER_US;
	session->attached = true;
	session->attached_mono_ns = clock_mono_ns();
	session->state = VIEWER_SESSION_LIVE;
	session->heard_mono_ns = clock_mono_ns();
	session->text[0] = '\0';
	log_info("relayd %s: attached to session %s of %s", session->relay->name, name, hostname);
	lane_put_session(session, hostname, true);
	return session;
}

static void
on_session_state(void *owner, void *session_user, const char *hostname, const char *name,
		 enum viewer_session_state state, const char *text)
{
	struct lane_relay *relay = owner;
	struct lane_session *session;
	bool changed;

	if (relay->removed)
		return;
	session = session_user ? session_user : get_session(relay, hostname, name);
	changed = state != session->state;
	session->state = state;
	snprintf(session->text, sizeof session->text, "%s", text ? text : "");
	if (changed && state == VIEWER_SESSION_GONE)
		log_info("relayd %s: session %s of %s ended", session->relay->name, name, hostname);
	else if (changed && state != VIEWER_SESSION_LIVE)
		log_warning("relayd %s: session %s of %s: %s", session->relay->name, name, hostname,
			    text ? text : "not readable");
	lane_put_session(session, session->hostname, true);
	lane_submit(session->relay->lane, true);
}

static void *
on_trace_found(void *session_user, struct viewer_trace *viewer_trace, const char *path_name)
{
	struct lane_session *session = session_user;
	struct lane_trace *trace = xcalloc(1, sizeof *trace);
	char *name = xasprintf("relayd %s: %s", session->relay->name, path_name);

	trace->session = session;
	session->n_traces++;
	trace->lane = session->relay->lane;
	trace->path = xstrdup(path_name);
	trace->trace = ctf_trace_new(name, engine_interest(trace->lane->engine));
	free(name);
	return trace;
}

static int
on_metadata(void *trace_user, const uint8_t *bytes, size_t size, struct error *error)
{
	struct lane_trace *trace = trace_user;
	struct error first = { 0 };
	int r = ctf_trace_add_metadata(trace->trace, bytes, size, &first);

	if (r < 0) {
		log_warning("%s", first.text);
		if (trace->session) {
			snprintf(trace->session->text, sizeof trace->session->text, "%.*s",
				 (int) sizeof trace->session->text - 1, first.text);
			trace->session->state = VIEWER_SESSION_REFUSED;
			lane_put_session(trace->session, trace->session->hostname, true);
		}
		error_set(error, -r, "%s", first.text);
	}
	return r;
}

/* The same stream may still be draining from before a reconnection: what it
 * holds comes again.  One that is still being read is never forgotten: the
 * viewer has it, and one trace may be published twice at a time. */
static void
forget_older(struct lane_host *host, const char *key)
{
	struct lane_stream *stream;

	lane_host_drain(host);
	for (unsigned i = 0; i < 2; i++)
		DL_FOREACH(i ? host->waiting : host->streams, stream)
			if ((stream->orphan_mono_ns || stream->ended) &&
			    streq(ctf_stream_key(stream->stream), key)) {
				lane_stream_free(stream);
				return;
			}
}

/* Path and channel alone do not tell apart two sessions of one node: a node
 * with two roles, or a session that was made again. */
static char *
stream_key(const struct ctf_trace *trace, const char *hostname, const char *path_name,
	   const char *channel_name)
{
	uint8_t uuid[16] = { 0 };
	char hex[2 * sizeof uuid + 1];

	ctf_trace_uuid(trace, uuid);
	for (unsigned i = 0; i < sizeof uuid; i++)
		sprintf(hex + 2 * i, "%02x", uuid[i]);
	return xasprintf("%s/%s/%s/%s", hostname, path_name, channel_name, hex);
}

static void *
on_stream_found(void *trace_user, struct viewer_stream *viewer_stream, const char *path_name,
		const char *channel_name)
{
	struct lane_trace *trace = trace_user;
	struct lane_session *session = trace->session;
	const char *hostname = ctf_trace_hostname(trace->trace);
	struct lane_stream *stream;
	struct lane_host *host;
	char *key;

	if (!hostname)
		hostname = session->hostname;
	host = lane_host_get(trace->lane, trace->trace, hostname);
	if (!host)
		return NULL;
	session->host = host;
	key = stream_key(trace->trace, hostname, path_name, channel_name);
	forget_older(host, key);
	stream = xcalloc(1, sizeof *stream);
	stream->trace = trace;
	trace->n_streams++;
	stream->stream = ctf_stream_new(trace->trace, key);
	ctf_stream_set_user(stream->stream, stream);
	if (lane_find_position(trace->lane, key, &stream->resume))
		ctf_stream_resume(stream->stream, &stream->resume);
	stream->caught_up = !session->existed_before || stream->resume.valid;
	lane_host_add(host, stream);
	free(key);
	return stream;
}

/* Old packets are stepped over by their index alone. */
static bool
on_index(void *stream_user, const struct viewer_index *index)
{
	struct lane_stream *stream = stream_user;
	uint64_t end_ns;

	if (!stream)
		return false;
	end_ns = ctf_trace_cycles_to_ns(stream->trace->trace, index->end);
	stream->trace->session->heard_mono_ns = clock_mono_ns();
	if (stream->resume.valid && end_ns < stream->resume.packet_begin_raw_ns)
		return false;
	if (!stream->caught_up &&
	    (int64_t) end_ns + stream->host->offset_ns + (int64_t) stream->host->lane->now.history_ns <
	    (int64_t) clock_wall_ns()) {
		stream->trace->session->stepped_over++;
		return false;
	}
	stream->caught_up = true;
	return true;
}

static void
speak(struct lane_stream *stream, uint64_t frontier_raw_ns)
{
	struct lane_host *host;

	lane_host_begin(stream, frontier_raw_ns);
	host = stream->host;
	if (!stream->spoken) {
		stream->spoken = true;
		host->unspoken--;
	}
	stream->frontier_raw_ns = MAX(stream->frontier_raw_ns, frontier_raw_ns);
	if (stream->trace->session)
		stream->trace->session->heard_mono_ns = clock_mono_ns();
	ctf_merge_touch(host->merge, stream->stream);
	host->dirty = true;
}

static void
release_packet(void *context, const uint8_t *bytes)
{
	free((uint8_t *) bytes);
}

static void
on_packet(void *stream_user, uint8_t *bytes, size_t size, const struct viewer_index *index)
{
	static struct log_limit limit = LOG_LIMIT(10, 60 * NS_PER_S);
	struct lane_stream *stream = stream_user;
	struct error error = { 0 };

	if (!stream) {
		free(bytes);
		return;
	}
	if (ctf_stream_push(stream->stream, bytes, size, release_packet, NULL, &error) < 0 &&
	    log_allowed(&limit))
		log_warning("%s", error.text);
	speak(stream, ctf_trace_cycles_to_ns(stream->trace->trace, index->end));
}

static void
on_beacon(void *stream_user, uint64_t end_cycles)
{
	struct lane_stream *stream = stream_user;
	uint64_t raw_ns;

	if (!stream)
		return;
	raw_ns = ctf_trace_cycles_to_ns(stream->trace->trace, end_cycles);
	stream->caught_up = true;
	ctf_stream_beacon(stream->stream, raw_ns);
	speak(stream, raw_ns);
}

static void
on_stream_gone(void *stream_user, bool hup)
{
	struct lane_stream *stream = stream_user;

	if (!stream)
		return;
	/* After a broken connection the same stream mostly comes again within
	 * moments: until then it goes on holding back the others, so that their
	 * order stays right. */
	if (stream->waiting || stream->trace->session->relay->removed)
		lane_stream_free(stream);
	else if (hup)
		lane_stream_end(stream);
	else
		stream->orphan_mono_ns = clock_mono_ns();
}

void
lane_trace_release(struct lane_trace *trace)
{
	if (trace->n_streams)
		trace->n_streams--;
	if (trace->n_streams || !trace->gone)
		return;
	trace->session->n_traces--;
	ctf_trace_free(trace->trace);
	free(trace->path);
	free(trace);
}

static void
on_trace_gone(void *trace_user)
{
	struct lane_trace *trace = trace_user;

	trace->gone = true;
	if (!trace->n_streams) {
		trace->n_streams = 1;
		lane_trace_release(trace);
	}
}

static void
on_session_gone(void *session_user)
{
	struct lane_session *session = session_user;

	session->attached = false;
	session->id = 0;
}

static void
on_batch(void *owner)
{
	struct lane_relay *relay = owner;

	/* Many connections are answered in one turn of the loop: once for all. */
	event_active(relay->lane->work, EV_TIMEOUT, 0);
}

const struct viewer_ops lane_viewer_ops = {
	.state = on_state,
	.session_found = on_session_found,
	.session_attached = on_session_attached,
	.session_state = on_session_state,
	.trace_found = on_trace_found,
	.metadata = on_metadata,
	.stream_found = on_stream_found,
	.index = on_index,
	.packet = on_packet,
	.beacon = on_beacon,
	.stream_gone = on_stream_gone,
	.trace_gone = on_trace_gone,
	.session_gone = on_session_gone,
	.batch = on_batch,
};

void
lane_session_free(struct lane_session *session)
{
	DL_DELETE(session->relay->sessions, session);
	free(session->hostname);
	free(session->name);
	free(session);
}
