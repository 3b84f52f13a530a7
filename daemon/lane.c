/* SPDX-License-Identifier: MIT
 *
 * lane.c -- the lane's thread: start, timers, batches to the writer, stop. */
#include "daemon/lane.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lane_private.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/util.h"

/* Without facts, positions are committed this often. */
#define SUBMIT_EVERY_NS NS_PER_S
#define PRUNE_AFTER_NS (60 * NS_PER_S)
/* Granularity of timers that run by the wall clock. */
#define HOUSEKEEPING_NS (200 * NS_PER_MS)
#define RETRY_SUBMIT_NS (20 * NS_PER_MS)

static const char *
source_state(const struct lane_session *session, uint64_t lag_ns)
{
	const struct lane_relay *relay = session->relay;
	uint64_t period = MAX(session->live_timer_ns, NS_PER_S);

	if (session->state == VIEWER_SESSION_GONE)
		return "gone";
	if (relay->state != VIEWER_LIVE || session->state == VIEWER_SESSION_LOST ||
	    session->state == VIEWER_SESSION_REFUSED)
		return "lost";
	if (session->state == VIEWER_SESSION_BUSY)
		return "busy";
	if (clock_mono_ns() - session->heard_mono_ns > 10 * period)
		return "silent";
	return lag_ns > 3 * period ? "behind" : "live";
}

void
lane_put_session(struct lane_session *session, const char *hostname, bool force)
{
	uint64_t lag = lane_host_lag(session->host), now = clock_mono_ns();
	const char *state = source_state(session, lag);
	const char *text = *session->text ? session->text :
		session->relay->state != VIEWER_LIVE ? session->relay->text : NULL;
	struct store_source source = {
		.host = hostname, .relayd = session->relay->name, .session = session->name,
		.state = state, .text = text && *text ? text : NULL,
		.events = session->events, .lost_events = session->lost, .late_events = session->late,
		.last_event_ns = session->last_event_ns, .lag_ns = lag, .seen_ns = clock_wall_ns(),
	};

	if (session->relay->lane->stopping)
		return;
	if (!force && session->put_state == state && session->put_events == session->events &&
	    session->put_lost == session->lost && now - session->put_mono_ns < 10 * NS_PER_S)
		return;
	session->put_state = state;
	session->put_events = session->events;
	session->put_lost = session->lost;
	session->put_mono_ns = now;
	batch_add_source(session->relay->lane->batch, &source);
}

void
lane_keep_position(struct lane *lane, const char *key, const struct ctf_position *position)
{
	struct lane_memory *memory;

	HASH_FIND_STR(lane->memory, key, memory);
	if (!memory) {
		memory = xcalloc(1, sizeof *memory);
		memory->key = xstrdup(key);
		HASH_ADD_KEYPTR(hh, lane->memory, memory->key, strlen(memory->key), memory);
	}
	memory->position = *position;
	memory->mono_ns = clock_mono_ns();
}

static void
memory_free(struct lane *lane, struct lane_memory *memory)
{
	HASH_DEL(lane->memory, memory);
	free(memory->key);
	free(memory);
}

bool
lane_find_position(struct lane *lane, const char *key, struct ctf_position *ret)
{
	struct lane_memory *memory;

	HASH_FIND_STR(lane->memory, key, memory);
	if (memory) {
		*ret = memory->position;
		return true;
	}
	return !lane->ignore_positions && lane->store && store_position(lane->store, key, ret);
}

static void
add_counters(struct lane *lane)
{
	struct ctf_stream_counters sum = lane->done;
	struct lane_stream *stream;
	struct lane_host *host;

	LL_FOREACH(lane->hosts, host)
		DL_FOREACH(host->streams, stream) {
			const struct ctf_stream_counters *s = ctf_stream_counters(stream->stream);

			sum.events += s->events;
			sum.discarded_events += s->discarded_events;
			sum.missing_packets += s->missing_packets;
			sum.bad_packets += s->bad_packets;
			sum.late += s->late;
		}
	batch_add_counters(lane->batch, &sum, lane->engine);
	batch_add_counter(lane->batch, "input", "refused_hosts", lane->refused_hosts);
}

static void
add_checkpoint(struct lane *lane)
{
	struct lane_stream *stream;
	struct lane_host *host;
	struct ctf_position position;

	LL_FOREACH(lane->hosts, host) {
		bool moved = false;

		DL_FOREACH(host->streams, stream) {
			if (!stream->moved)
				continue;
			ctf_stream_position(stream->stream, &position);
			batch_add_position(lane->batch, ctf_stream_key(stream->stream), &position);
			stream->moved = false;
			moved = true;
		}
		if (moved)
			batch_add_horizon(lane->batch, host->hostname, engine_horizon(host->engine));
	}
	batch_add_flows(lane->batch, lane->engine);
}

void
lane_submit(struct lane *lane, bool force)
{
	uint64_t now = clock_mono_ns();

	if (lane->stopping)
		return;
	engine_flush(lane->engine);
	if (!force && batch_is_empty(lane->batch) && now - lane->submitted_mono_ns < SUBMIT_EVERY_NS)
		return;
	add_checkpoint(lane);
	if (batch_is_empty(lane->batch)) {
		lane->submitted_mono_ns = now;
		return;
	}
	if (writer_submit(lane->writer, lane->batch)) {
		lane->batch = batch_new();
		lane->submitted_mono_ns = now;
		lane->paused_writer = false;
		return;
	}
	lane->paused_writer = batch_size(lane->batch) > (1 << 20);
	if (!event_pending(lane->retry, EV_TIMEOUT, NULL)) {
		struct timeval after = clock_timeval(RETRY_SUBMIT_NS);

		event_add(lane->retry, &after);
	}
}

void
lane_update_pause(struct lane *lane)
{
	struct lane_relay *relay;

	if (lane->pending_bytes > lane->now.max_pending_bytes)
		lane->paused_pending = true;
	else if (lane->pending_bytes < lane->now.max_pending_bytes / 2)
		lane->paused_pending = false;
	LL_FOREACH(lane->relays, relay)
		if (relay->viewer)
			viewer_pause(relay->viewer, lane->paused_writer || lane->paused_pending);
}

static void
on_retry(evutil_socket_t fd, short what, void *user)
{
	lane_submit(user, true);
	lane_update_pause(user);
}

static void
on_work(evutil_socket_t fd, short what, void *user)
{
	struct lane *lane = user;

	lane->alive_ns = clock_mono_ns();
	lane_grace_tick(lane);
	lane_submit(lane, false);
	lane_update_pause(lane);
}

static void
on_grace(evutil_socket_t fd, short what, void *user)
{
	lane_grace_tick(user);
	lane_submit(user, false);
}

static void
free_relay(struct lane *lane, struct lane_relay *relay)
{
	struct lane_session *session, *next;

	DL_FOREACH_SAFE(relay->sessions, session, next)
		lane_session_free(session);
	LL_DELETE(lane->relays, relay);
	free(relay->name);
	free(relay);
}

/* What ended long ago is in the store; names of sessions and nodes are given by
 * others, so nothing is kept for each of them for ever. */
static void
prune(struct lane *lane)
{
	uint64_t now = clock_mono_ns();
	struct lane_session *session, *next_session;
	struct lane_relay *relay, *next_relay;
	struct lane_memory *memory, *next;

	LL_FOREACH_SAFE(lane->relays, relay, next_relay) {
		DL_FOREACH_SAFE(relay->sessions, session, next_session)
			if (session->state == VIEWER_SESSION_GONE && !session->attached &&
			    !session->n_traces && now - session->put_mono_ns > PRUNE_AFTER_NS)
				lane_session_free(session);
		if (relay->removed && !relay->sessions)
			free_relay(lane, relay);
	}
	HASH_ITER(hh, lane->memory, memory, next)
		if (now - memory->mono_ns > PRUNE_AFTER_NS && !lane->paused_writer)
			memory_free(lane, memory);
	lane_hosts_prune(lane, now);
}

static void
put_sessions(struct lane *lane)
{
	struct lane_session *session;
	struct lane_relay *relay;

	LL_FOREACH(lane->relays, relay)
		DL_FOREACH(relay->sessions, session)
			if (session->state != VIEWER_SESSION_GONE)
				lane_put_session(session, session->hostname, false);
	prune(lane);
	if (!batch_is_empty(lane->batch))
		add_counters(lane);
	lane_submit(lane, true);
}

static void
on_housekeeping(evutil_socket_t fd, short what, void *user)
{
	struct lane *lane = user;
	struct lane_host *host;

	lane->alive_ns = clock_mono_ns();
	LL_FOREACH(lane->hosts, host)
		lane_host_tick(host, lane->alive_ns);
	lane_grace_tick(lane);
	if (lane->alive_ns - lane->put_mono_ns >= NS_PER_S) {
		lane->put_mono_ns = lane->alive_ns;
		put_sessions(lane);
	} else {
		lane_submit(lane, false);
	}
	lane_update_pause(lane);
}

static void
on_stop(evutil_socket_t fd, short what, void *user)
{
	event_base_loopbreak(((struct lane *) user)->base);
}

static void *
run(void *user)
{
	struct lane *lane = user;
	struct timeval often = clock_timeval(HOUSEKEEPING_NS);

	event_add(lane->housekeeping, &often);
	event_base_dispatch(lane->base);
	return NULL;
}

static void
take_flow(void *context, const char *host, const char *analyzer, const char *key, const void *blob,
	  size_t size)
{
	struct lane *lane = context;

	if (engine_restore(lane->engine, host, analyzer, key, blob, size) < 0)
		lane->ignore_positions = true;
}

/* Flows and positions of an earlier run. */
static int
recover(struct lane *lane, const struct engine_options *options, struct error *error)
{
	int r = store_open(lane->config->store, STORE_READ, &lane->store, error);

	if (r >= 0)
		r = store_flows(lane->store, take_flow, lane, error);
	if (r >= 0 && lane->ignore_positions) {
		log_warning("the analyzers changed since the last run: sessions are read from the beginning");
		/* What was taken back stands where the positions were. */
		engine_free(lane->engine);
		lane->engine = engine_new(analyzers, options, &lane->sink);
	}
	return r;
}

static void
start_viewer(struct lane *lane, const char *relayd)
{
	const struct config *config = lane->config;
	struct viewer_options options = viewer_defaults;
	struct lane_relay *relay;
	char host[256];

	if (config_parse_relayd(relayd, host, sizeof host, &options.port, NULL) < 0)
		return;
	options.host = host;
	options.list_interval_ns = config->list_interval_ns;
	options.reply_timeout_ns = config->reply_timeout_ns;
	options.dead_timeout_ns = config->dead_timeout_ns;
	options.backoff_min_ns = config->backoff_min_ns;
	options.backoff_max_ns = config->backoff_max_ns;
	options.max_in_flight_bytes = config->max_in_flight_bytes;
	options.max_packet_bytes = config->max_packet_bytes;
	options.max_sessions = (unsigned) config->max_sessions;
	options.max_streams = (unsigned) config->max_streams;
	relay = xcalloc(1, sizeof *relay);
	relay->lane = lane;
	relay->name = xstrdup(relayd);
	relay->log_limit = (struct log_limit) LOG_LIMIT(5, 60 * NS_PER_S);
	LL_APPEND(lane->relays, relay);
	relay->viewer = viewer_new(lane->base, &options, &lane_viewer_ops, relay);
}

/* -- SIGHUP --------------------------------------------------------------- */

static bool
has_relayd(const struct lane_change *change, const char *name)
{
	for (unsigned i = 0; i < change->n_relayds; i++)
		if (streq(change->relayd[i], name))
			return true;
	return false;
}

static bool
reads_relayd(const struct lane *lane, const char *name)
{
	const struct lane_relay *relay;

	LL_FOREACH(lane->relays, relay)
		if (!relay->removed && streq(relay->name, name))
			return true;
	return false;
}

/* As with a crash: what was given is kept, and where its streams were read to, so
 * whoever adds it again goes on at the very event. */
static void
remove_viewer(struct lane_relay *relay)
{
	struct lane_session *session;

	log_info("relayd %s: it is no more in the configuration", relay->name);
	relay->removed = true;
	viewer_free(relay->viewer);
	relay->viewer = NULL;
	DL_FOREACH(relay->sessions, session) {
		session->state = VIEWER_SESSION_GONE;
		session->attached = false;
		snprintf(session->text, sizeof session->text,
			 "its relayd was taken out of the configuration");
		lane_put_session(session, session->hostname, true);
	}
	lane_drain_dirty(relay->lane);
	lane_submit(relay->lane, true);
}

static void
change_free(struct lane_change *change)
{
	for (unsigned i = 0; change && i < change->n_relayds; i++)
		free(change->relayd[i]);
	free(change);
}

static struct lane_change *
change_of(const struct config *config)
{
	struct lane_change *change = xcalloc(1, sizeof *change);

	*change = (struct lane_change) {
		.n_relayds = config->n_relayds, .history_ns = config->history_ns,
		.grace_ns = config->grace_ns, .lost_after_ns = config->lost_after_ns,
		.max_pending_bytes = config->max_pending_bytes,
	};
	for (unsigned i = 0; i < config->n_relayds; i++)
		change->relayd[i] = xstrdup(config->relayd[i]);
	return change;
}

static void
take_over(struct lane *lane, const struct lane_change *change)
{
	struct lane_relay *relay;

	lane->now = *change;
	lane->now.n_relayds = 0;
	LL_FOREACH(lane->relays, relay)
		if (!relay->removed && !has_relayd(change, relay->name))
			remove_viewer(relay);
	for (unsigned i = 0; i < change->n_relayds; i++)
		if (!reads_relayd(lane, change->relayd[i]))
			start_viewer(lane, change->relayd[i]);
	lane_update_pause(lane);
}

static void
on_reload(evutil_socket_t fd, short what, void *user)
{
	struct lane *lane = user;
	struct lane_change *change;

	pthread_mutex_lock(&lane->change_lock);
	change = lane->change;
	lane->change = NULL;
	pthread_mutex_unlock(&lane->change_lock);
	if (change)
		take_over(lane, change);
	change_free(change);
}

void
lane_reconfigure(struct lane *lane, const struct config *config)
{
	struct lane_change *change = change_of(config), *old;

	pthread_mutex_lock(&lane->change_lock);
	old = lane->change;
	lane->change = change;
	pthread_mutex_unlock(&lane->change_lock);
	change_free(old);
	event_active(lane->reload, EV_TIMEOUT, 0);
}

/* -- Starting and stopping ------------------------------------------------ */

static void
lane_free(struct lane *lane)
{
	struct lane_relay *relay, *next_relay;
	struct lane_memory *memory, *next;

	/* Stopping is like a crash: the checkpoint is made; what the streams
	 * still hold is read again after the next start. */
	lane->stopping = true;
	LL_FOREACH(lane->relays, relay)
		viewer_free(relay->viewer);
	lane_hosts_free(lane);
	LL_FOREACH_SAFE(lane->relays, relay, next_relay)
		free_relay(lane, relay);
	if (lane->housekeeping)
		event_free(lane->housekeeping);
	if (lane->grace)
		event_free(lane->grace);
	if (lane->stop)
		event_free(lane->stop);
	if (lane->retry)
		event_free(lane->retry);
	if (lane->work)
		event_free(lane->work);
	if (lane->reload)
		event_free(lane->reload);
	change_free(lane->change);
	pthread_mutex_destroy(&lane->change_lock);
	if (lane->base)
		event_base_free(lane->base);
	HASH_ITER(hh, lane->memory, memory, next)
		memory_free(lane, memory);
	engine_free(lane->engine);
	batch_free(lane->batch);
	store_close(lane->store);
	free(lane);
}

int
lane_start(const struct config *config, struct writer *writer, struct lane **ret,
	   struct error *error)
{
	struct lane *lane = xcalloc(1, sizeof *lane);
	struct engine_options engine = engine_defaults;
	struct lane_change *change;
	int r;

	pthread_mutex_init(&lane->change_lock, NULL);
	lane->config = config;
	lane->writer = writer;
	lane->batch = batch_new();
	lane->sink = batch_sink(&lane->batch);
	lane->alive_ns = clock_mono_ns();
	engine.max_flows_per_host = (unsigned) config->max_flows;
	engine.stall_min_ns = config->stall_min_ns;
	engine.stall_max_ns = config->stall_max_ns;
	engine.stall_factor = (unsigned) config->stall_factor;
	engine.spans_when_flushed = true;
	lane->engine = engine_new(analyzers, &engine, &lane->sink);
	r = recover(lane, &engine, error);
	if (r < 0) {
		lane_free(lane);
		return r;
	}
	lane->base = event_base_new();
	if (!lane->base) {
		lane_free(lane);
		return error_set(error, ENOMEM, "the event loop can't be made");
	}
	lane->housekeeping = event_new(lane->base, -1, EV_PERSIST, on_housekeeping, lane);
	lane->grace = event_new(lane->base, -1, 0, on_grace, lane);
	lane->retry = event_new(lane->base, -1, 0, on_retry, lane);
	lane->work = event_new(lane->base, -1, 0, on_work, lane);
	lane->stop = event_new(lane->base, -1, 0, on_stop, lane);
	lane->reload = event_new(lane->base, -1, 0, on_reload, lane);
	change = change_of(config);
	take_over(lane, change);
	change_free(change);
	r = pthread_create(&lane->thread, NULL, run, lane);
	if (r) {
		lane_free(lane);
		return error_set(error, r, "the lane's thread can't be started");
	}
	*ret = lane;
	return 0;
}

void
lane_stop(struct lane *lane)
{
	if (!lane)
		return;
	event_active(lane->stop, EV_TIMEOUT, 0);
	pthread_join(lane->thread, NULL);
	lane_drain_dirty(lane);
	lane_submit(lane, true);
	lane_free(lane);
}

uint64_t
lane_alive_ns(const struct lane *lane)
{
	return lane->alive_ns;
}
