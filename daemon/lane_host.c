/* SPDX-License-Identifier: MIT
 *
 * lane_host.c -- merging the streams of one host and running its analyzers. */
#include <stdlib.h>
#include <string.h>

#include "daemon/lane_private.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/util.h"

/* Later than this behind the others is no delay, but another running of the clock. */
#define OTHER_EPOCH_NS (60 * NS_PER_S)
/* After this long, what relayd still has was listed and asked for. */
#define RELIST_NS (NS_PER_S / 2)

static bool
is_epoch_of(const struct lane_host *host, uint64_t end_raw_ns)
{
	return !end_raw_ns || end_raw_ns + OTHER_EPOCH_NS >= ctf_merge_watermark(host->merge);
}

/* The newest host of that name and clock to which 'end_raw_ns' (0: not known
 * yet) can belong; made when there is none. */
static struct lane_host *
host_get(struct lane *lane, const struct ctf_trace *trace, const char *hostname, uint64_t end_raw_ns)
{
	uint8_t uuid[16] = { 0 };
	struct lane_host *host, *found = NULL;

	ctf_trace_clock_uuid(trace, uuid);
	LL_FOREACH(lane->hosts, host)
		if (streq(host->hostname, hostname) && !memcmp(host->clock_uuid, uuid, sizeof uuid) &&
		    is_epoch_of(host, end_raw_ns))
			found = host;
	if (found)
		return found;
	if (lane->n_hosts >= lane->config->max_sessions) {
		lane->refused_hosts++;
		return NULL;
	}
	host = xcalloc(1, sizeof *host);
	host->lane = lane;
	host->hostname = xstrdup(hostname);
	memcpy(host->clock_uuid, uuid, sizeof uuid);
	host->epochs = (struct epochs) { .host = host->hostname, .clock_uuid = host->clock_uuid };
	host->merge = ctf_merge_new(lane->config->patience_ns);
	host->engine = engine_host(lane->engine, hostname);
	host->offset_ns = ctf_trace_clock_offset_ns(trace);
	host->progress_mono_ns = clock_mono_ns();
	LL_APPEND(lane->hosts, host);
	lane->n_hosts++;
	return host;
}

struct lane_host *
lane_host_get(struct lane *lane, const struct ctf_trace *trace, const char *hostname)
{
	return host_get(lane, trace, hostname, 0);
}

static void
merge_stream(struct lane_host *host, struct lane_stream *stream)
{
	stream->host = host;
	stream->waiting = false;
	DL_APPEND(host->streams, stream);
	ctf_merge_add(host->merge, stream->stream);
	host->unspoken += !stream->spoken;
	host->open = true;
	host->idle_since_mono_ns = 0;
}

void
lane_host_add(struct lane_host *host, struct lane_stream *stream)
{
	if (stream->trace->session->spoken) {
		merge_stream(host, stream);
		return;
	}
	stream->host = host;
	stream->waiting = true;
	DL_APPEND(host->waiting, stream);
}

void
lane_host_begin(struct lane_stream *stream, uint64_t end_raw_ns)
{
	struct lane_session *session = stream->trace->session;
	struct lane_host *from = stream->host, *to;
	struct lane_stream *other, *next;

	if (!stream->waiting)
		return;
	to = host_get(from->lane, stream->trace->trace, from->hostname, end_raw_ns);
	if (!to)
		to = from;
	DL_FOREACH_SAFE(from->waiting, other, next)
		if (other->trace->session == session) {
			DL_DELETE(from->waiting, other);
			merge_stream(to, other);
		}
	session->spoken = true;
	session->host = to;
}

void
lane_stream_free(struct lane_stream *stream)
{
	struct lane_host *host = stream->host;
	struct ctf_position position;

	ctf_stream_position(stream->stream, &position);
	if (position.valid) {
		lane_keep_position(host->lane, ctf_stream_key(stream->stream), &position);
		batch_add_position(host->lane->batch, ctf_stream_key(stream->stream), &position);
	}
	ctf_counters_add(&host->lane->done, ctf_stream_counters(stream->stream));
	if (stream->waiting) {
		DL_DELETE(host->waiting, stream);
	} else {
		host->unspoken -= !stream->spoken;
		ctf_merge_remove(host->merge, stream->stream);
		DL_DELETE(host->streams, stream);
	}
	ctf_stream_free(stream->stream);
	lane_trace_release(stream->trace);
	free(stream);
	if (!host->streams && !host->idle_since_mono_ns)
		host->idle_since_mono_ns = clock_mono_ns();
}

void
lane_stream_end(struct lane_stream *stream)
{
	stream->ended = true;
	ctf_stream_end(stream->stream);
	ctf_merge_touch(stream->host->merge, stream->stream);
	stream->host->dirty = true;
}

static void
count(struct lane_stream *stream, const struct ctf_merge_item *item)
{
	struct lane_session *session = stream->trace->session;

	stream->moved = true;
	if (!session)
		return;
	if (item->what == CTF_HEAD_LOSS) {
		session->lost += item->loss->events;
		return;
	}
	session->events++;
	session->late += item->event->late;
	session->last_event_ns = MAX(session->last_event_ns, item->event->t_ns);
}

static void
tell_error(struct lane_stream *stream)
{
	static struct log_limit limit = LOG_LIMIT(10, 60 * NS_PER_S);
	const struct error *error = ctf_stream_error(stream->stream);

	if (error && log_allowed(&limit))
		log_warning("%s", error->text);
}

static void
set_watermark(struct lane_host *host)
{
	uint64_t raw = ctf_merge_watermark(host->merge), t_ns;
	int64_t skew;

	if (!raw)
		return;
	t_ns = (uint64_t) ((int64_t) raw + host->offset_ns);
	if (t_ns <= host->watermark_ns)
		return;
	host->watermark_ns = t_ns;
	host->progress_mono_ns = clock_mono_ns();
	engine_watermark(host->engine, t_ns);
	skew = (int64_t) (clock_wall_ns() - t_ns);
	if (!host->has_skew || skew < host->skew_ns) {
		host->skew_ns = skew;
		host->has_skew = true;
	}
}

/* Streams that are gone leave when their last event was given.  Returns the
 * bytes that the others hold. */
static size_t
free_drained(struct lane_host *host)
{
	struct lane_stream *stream, *next;
	uint64_t raw_ns;
	size_t held = 0;

	DL_FOREACH_SAFE(host->streams, stream, next) {
		tell_error(stream);
		if (stream->ended && ctf_stream_head(stream->stream, &raw_ns, NULL) == CTF_HEAD_END)
			lane_stream_free(stream);
		else
			held += ctf_stream_memory(stream->stream);
	}
	return held;
}

void
lane_host_drain(struct lane_host *host)
{
	struct ctf_merge_item item;

	host->dirty = false;
	while (ctf_merge_next(host->merge, &item, NULL) > 0) {
		count(ctf_stream_user(item.stream), &item);
		if (item.what == CTF_HEAD_EVENT) {
			epochs_note(&host->epochs, host->lane->engine, item.event, &host->lane->sink);
			engine_event(host->engine, item.event);
		} else {
			engine_loss(host->engine, item.loss);
		}
	}
	set_watermark(host);
	host->lane->pending_bytes += free_drained(host);
}

void
lane_drain_dirty(struct lane *lane)
{
	struct lane_host *host;

	lane->pending_bytes = 0;
	LL_FOREACH(lane->hosts, host) {
		struct lane_stream *stream;

		if (host->dirty) {
			lane_host_drain(host);
			continue;
		}
		DL_FOREACH(host->streams, stream)
			lane->pending_bytes += ctf_stream_memory(stream->stream);
	}
}

/* relayd drops the beacons of a stream that never had a packet, so such a
 * stream can't say that it holds nothing.  All streams of a session are
 * flushed in one go: what the others have reached 'grace' ago, it has too. */
static void
host_grace(struct lane_host *host, uint64_t now_mono_ns)
{
	struct lane_stream *stream;
	uint64_t frontier = UINT64_MAX;

	if (!host->unspoken)
		return;
	if (host->grace_raw_ns && now_mono_ns - host->grace_mono_ns >= host->lane->now.grace_ns) {
		DL_FOREACH(host->streams, stream)
			if (!stream->spoken) {
				ctf_stream_beacon(stream->stream, host->grace_raw_ns);
				ctf_merge_touch(host->merge, stream->stream);
			}
		host->dirty = true;
		host->grace_raw_ns = 0;
	}
	DL_FOREACH(host->streams, stream)
		if (stream->spoken && !stream->ended)
			frontier = MIN(frontier, stream->frontier_raw_ns);
	if (!host->grace_raw_ns && frontier != UINT64_MAX && frontier > ctf_merge_watermark(host->merge)) {
		host->grace_raw_ns = frontier;
		host->grace_mono_ns = now_mono_ns;
	}
}

void
lane_grace_tick(struct lane *lane)
{
	uint64_t now = clock_mono_ns();
	struct timeval after = clock_timeval(lane->now.grace_ns);
	struct lane_host *host;
	bool again = false;

	LL_FOREACH(lane->hosts, host) {
		host_grace(host, now);
		again |= host->grace_raw_ns != 0;
	}
	lane_drain_dirty(lane);
	if (again && !event_pending(lane->grace, EV_TIMEOUT, NULL))
		event_add(lane->grace, &after);
}

/* Whether a stream whose connection broke may still be found anew: not when
 * patience is over, nor when relayd answers again and had the time to list it. */
static bool
may_come_again(const struct lane_stream *stream, uint64_t now_mono_ns)
{
	const struct lane_session *session = stream->trace->session;
	const struct lane_relay *relay = session->relay;

	if (now_mono_ns - stream->orphan_mono_ns >= stream->host->lane->config->patience_ns)
		return false;
	return relay->state != VIEWER_LIVE || now_mono_ns - relay->live_since_mono_ns < RELIST_NS ||
		(session->attached && now_mono_ns - session->attached_mono_ns < RELIST_NS);
}

static bool
is_quiet(const struct lane_session *session, uint64_t now_mono_ns)
{
	return session->relay->state != VIEWER_LIVE || session->state != VIEWER_SESSION_LIVE ||
	       now_mono_ns - session->heard_mono_ns > 2 * session->live_timer_ns + NS_PER_S / 2;
}

/* Whether somebody who should talk does not. */
static bool
is_cut_off(const struct lane_host *host, uint64_t now_mono_ns, uint64_t *ret_period_ns)
{
	const struct lane_relay *relay;
	const struct lane_session *session;
	bool cut_off = false;

	*ret_period_ns = NS_PER_S / 4;
	LL_FOREACH(host->lane->relays, relay)
		DL_FOREACH(relay->sessions, session)
			if (session->host == host) {
				*ret_period_ns = MAX(*ret_period_ns, session->live_timer_ns);
				cut_off |= is_quiet(session, now_mono_ns);
			}
	return cut_off || !host->streams;
}

void
lane_host_tick(struct lane_host *host, uint64_t now_mono_ns)
{
	uint64_t silent_ns = now_mono_ns - host->progress_mono_ns, period_ns;
	struct lane_stream *stream;

	DL_FOREACH(host->streams, stream)
		if (stream->orphan_mono_ns && !stream->ended && !may_come_again(stream, now_mono_ns))
			lane_stream_end(stream);
	ctf_merge_tick(host->merge, now_mono_ns);
	host->dirty = true;
	if (!host->open || !host->watermark_ns)
		return;
	if (host->idle_since_mono_ns &&
	    now_mono_ns - host->idle_since_mono_ns >= host->lane->now.lost_after_ns) {
		const struct lane_relay *relay;
		const struct lane_session *session;
		bool waiting = false;

		/* A relayd that can't be reached may bring the sessions back. */
		LL_FOREACH(host->lane->relays, relay)
			DL_FOREACH(relay->sessions, session)
				waiting |= session->host == host && session->state == VIEWER_SESSION_LOST &&
					   relay->state != VIEWER_LIVE;
		if (!waiting) {
			engine_host_end(host->engine, host->watermark_ns);
			host->open = false;
			return;
		}
	}
	if (is_cut_off(host, now_mono_ns, &period_ns) && silent_ns > period_ns)
		engine_guess(host->engine, host->watermark_ns + silent_ns - period_ns);
}

uint64_t
lane_host_lag(const struct lane_host *host)
{
	int64_t lag;

	if (!host || !host->has_skew)
		return 0;
	lag = (int64_t) (clock_wall_ns() - host->watermark_ns) - host->skew_ns;
	return lag > 0 ? (uint64_t) lag : 0;
}

static void
host_free(struct lane_host *host)
{
	struct lane *lane = host->lane;
	struct lane_relay *relay;
	struct lane_session *session;
	struct lane_stream *stream, *next;

	DL_FOREACH_SAFE(host->streams, stream, next)
		lane_stream_free(stream);
	DL_FOREACH_SAFE(host->waiting, stream, next)
		lane_stream_free(stream);
	LL_FOREACH(lane->relays, relay)
		DL_FOREACH(relay->sessions, session)
			if (session->host == host)
				session->host = NULL;
	LL_DELETE(lane->hosts, host);
	lane->n_hosts--;
	ctf_merge_free(host->merge);
	free(host->hostname);
	free(host);
}

void
lane_hosts_prune(struct lane *lane, uint64_t now_mono_ns)
{
	const uint64_t after_ns = MAX(10 * lane->now.lost_after_ns, 600 * NS_PER_S);
	struct lane_host *host, *next;

	LL_FOREACH_SAFE(lane->hosts, host, next)
		if (!host->streams && !host->waiting && !host->open && host->idle_since_mono_ns &&
		    now_mono_ns - host->idle_since_mono_ns > after_ns)
			host_free(host);
}

void
lane_hosts_free(struct lane *lane)
{
	struct lane_host *host, *next;

	LL_FOREACH_SAFE(lane->hosts, host, next)
		host_free(host);
}
