/* SPDX-License-Identifier: MIT
 *
 * lane_private.h -- the lane's objects, shared by lane.c (thread, batches,
 * timers), lane_live.c (what the viewers bring) and lane_host.c (merging). */
#ifndef DAEMON_LANE_PRIVATE_H
#define DAEMON_LANE_PRIVATE_H

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <uthash.h>
#include <utlist.h>

#include "analyzers/engine.h"
#include "ctf/merge.h"
#include "ctf/viewer.h"
#include "daemon/epochs.h"
#include "daemon/lane.h"
#include "lib/log.h"

struct lane_stream {
	struct lane_trace *trace;
	struct lane_host *host;
	struct ctf_stream *stream;
	struct lane_stream *prev, *next;  /* In its host. */
	struct ctf_position resume;       /* Where an earlier reading ended. */
	uint64_t frontier_raw_ns;         /* Nothing older can come. */
	bool waiting;                     /* In its host's 'waiting', not merged yet. */
	bool spoken;                      /* Had a packet or a beacon. */
	bool caught_up;                   /* 'history' no longer applies. */
	uint64_t orphan_mono_ns;          /* Its connection broke then; it may come back. */
	bool ended;                       /* No more will come; leaves when drained. */
	bool moved;                       /* Position not yet in a batch. */
};

struct lane_trace {
	struct lane_session *session;     /* NULL once the session is gone. */
	struct lane *lane;
	struct ctf_trace *trace;
	char *path;
	unsigned n_streams;               /* Lane streams that use it. */
	bool gone;
};

struct lane_session {
	struct lane_relay *relay;
	struct lane_session *prev, *next; /* In its relay. */
	char *hostname, *name;
	uint64_t id, live_timer_ns;
	enum viewer_session_state state;
	char text[160];
	bool attached, existed_before;
	unsigned n_traces;                /* That point to it. */
	bool spoken;                      /* One of its streams has. */
	uint64_t events, lost, late, stepped_over;
	uint64_t last_event_ns, heard_mono_ns, attached_mono_ns;
	struct lane_host *host;           /* Where its streams are merged; the last seen. */
	uint64_t put_events, put_lost, put_mono_ns;  /* As last written. */
	const char *put_state;
};

struct lane_relay {
	struct lane *lane;
	struct lane_relay *next;
	struct viewer *viewer;
	char *name;
	enum viewer_state state;
	char text[160];
	bool removed;                     /* No more configured: left when its sessions are. */
	struct log_limit log_limit;
	uint64_t live_since_mono_ns;
	struct lane_session *sessions;
};

struct lane_host {
	struct lane *lane;
	struct lane_host *next;
	char *hostname;
	uint8_t clock_uuid[16];
	struct ctf_merge *merge;
	struct engine_host *engine;
	struct lane_stream *streams;      /* In the merge. */
	struct lane_stream *waiting;      /* Of sessions that have not said anything yet. */
	int64_t offset_ns;                /* Raw to 1970, of its first trace. */
	uint64_t watermark_ns;            /* Since 1970; as seen by the engine. */
	uint64_t progress_mono_ns;        /* When that last moved. */
	uint64_t idle_since_mono_ns;      /* No stream since then; 0: has some. */
	bool open;                        /* engine_host_end() not yet called. */
	int64_t skew_ns;                  /* Least wall time minus watermark so far. */
	bool has_skew, dirty;
	unsigned unspoken;                /* Streams without a first packet. */
	uint64_t grace_raw_ns, grace_mono_ns;
	struct epochs epochs;
};

/* Where streams that are not attached now were read to, until the store has it. */
struct lane_memory {
	char *key;
	struct ctf_position position;
	uint64_t mono_ns;                 /* When it was put here. */
	UT_hash_handle hh;
};

/* What SIGHUP may change. */
struct lane_change {
	char *relayd[CONFIG_MAX_RELAYDS];
	unsigned n_relayds;
	uint64_t history_ns, grace_ns, lost_after_ns, max_pending_bytes;
};

struct lane {
	const struct config *config;
	struct lane_change now;           /* As it was taken over last; without relayds. */
	struct lane_change *change;       /* To be taken over; NULL: nothing. */
	pthread_mutex_t change_lock;
	struct writer *writer;
	struct event_base *base;
	struct event *housekeeping, *grace, *stop, *retry, *work, *reload;
	pthread_t thread;
	struct engine *engine;
	struct fact_sink sink;
	struct batch *batch;
	struct store *store;              /* Read-only; for positions. */
	struct lane_memory *memory;
	struct lane_relay *relays;
	struct lane_host *hosts;
	unsigned n_hosts, refused_hosts;
	size_t pending_bytes;
	bool paused_writer, paused_pending;
	bool ignore_positions;            /* Flows could not be taken back. */
	bool stopping;
	uint64_t submitted_mono_ns, put_mono_ns;
	struct ctf_stream_counters done;  /* Of streams that are gone. */
	_Atomic uint64_t alive_ns;
};

/* lane.c */
void lane_submit(struct lane *lane, bool force);
void lane_update_pause(struct lane *lane);
bool lane_find_position(struct lane *lane, const char *key, struct ctf_position *ret);
void lane_keep_position(struct lane *lane, const char *key, const struct ctf_position *position);
void lane_put_session(struct lane_session *session, const char *hostname, bool force);

/* lane_live.c */
extern const struct viewer_ops lane_viewer_ops;
void lane_trace_release(struct lane_trace *trace);
void lane_session_free(struct lane_session *session);

/* lane_host.c */
struct lane_host *lane_host_get(struct lane *lane, const struct ctf_trace *trace,
				const char *hostname);
/* Lets it wait until its session says something, or merges it at once if that
 * has. */
void lane_host_add(struct lane_host *host, struct lane_stream *stream);
/* The first packet or beacon of a session reaches 'end_raw_ns': its streams are
 * merged from now on.  A clock does not go back, but a recording that is
 * published after a later one of the same host looks like it: what lies long
 * before all that was given there gets a merge of its own. */
void lane_host_begin(struct lane_stream *stream, uint64_t end_raw_ns);
/* Takes it out of the merge and frees it; its position is kept. */
void lane_stream_free(struct lane_stream *stream);
/* No more packets will come: it leaves when what it holds was given. */
void lane_stream_end(struct lane_stream *stream);
/* Gives to the analyzers all that can be given now. */
void lane_host_drain(struct lane_host *host);
void lane_drain_dirty(struct lane *lane);
/* Five times a second: patience, timers by the wall clock, hosts that are gone. */
void lane_host_tick(struct lane_host *host, uint64_t now_mono_ns);
void lane_hosts_free(struct lane *lane);
/* Forgets hosts that have been without streams for long. */
void lane_hosts_prune(struct lane *lane, uint64_t now_mono_ns);
void lane_grace_tick(struct lane *lane);
uint64_t lane_host_lag(const struct lane_host *host);

#endif /* lane_private.h */
