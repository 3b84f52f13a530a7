/* SPDX-License-Identifier: MIT
 *
 * viewer_private.h -- what the files of the viewer share.
 *
 *   viewer.c            the connection: name, socket, timer, back-off
 *   viewer_session.c    sessions; what to ask next
 *   viewer_apart.c      a connection for each session
 *   viewer_stream.c     traces and streams
 *   viewer_reply.c      reply bytes; what each reply means
 *   viewer_protocol.c   the wire
 *
 * Only viewer.c knows sockets and clocks: the others take bytes, leave bytes
 * in 'out' and go by 'now', so that tests and fuzzers drive them alone.
 *
 * Ownership: viewer > sessions > traces > streams.  Requests under way point to
 * their object; one that ends meanwhile is told as gone at once, and freed
 * when its reply has come. */
#ifndef CTF_VIEWER_PRIVATE_H
#define CTF_VIEWER_PRIVATE_H

#include <sys/queue.h>
#include <uthash.h>

#include "ctf/viewer.h"
#include "ctf/viewer_protocol.h"
#include "ctf/viewer_resolve.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/error.h"

enum {
	/* Requests under way; together they fit the smallest socket buffer, so
	 * that relayd, which blocks on a part of a request, never sees one. */
	VIEWER_MAX_REQUESTS = 1024,
	/* Of these, kept free for other things than indexes. */
	VIEWER_NON_INDEX_REQUESTS = 256,
	/* Counted for a reply whose size only relayd knows. */
	VIEWER_UNKNOWN_REPLY = 64 * 1024,
	VIEWER_MAX_FAILURES = 5,
	/* Names and paths of all sessions and streams of a relayd. */
	VIEWER_MAX_NAME_BYTES = 32 * 1024 * 1024,
};

enum stream_state {
	STREAM_ANNOUNCED,      /* Its trace has no metadata yet: unknown to the owner. */
	STREAM_IDLE,           /* Asks again at the session's next poll. */
	STREAM_WANTS_INDEX,
	STREAM_ASKED_INDEX,
	STREAM_HELD,           /* Has an index; metadata comes first. */
	STREAM_WANTS_PACKET,
	STREAM_ASKED_PACKET,
	STREAM_GONE,           /* Told as gone; a reply is still due. */
};

TAILQ_HEAD(stream_queue, viewer_stream);

struct viewer_stream {
	struct viewer_trace *trace;
	TAILQ_ENTRY(viewer_stream) in_trace, in_queue;
	enum stream_state state;
	uint64_t id;
	char *channel;               /* Until the owner was told. */
	size_t name_bytes;
	void *user;
	struct viewer_index index;   /* When has_index. */
	uint32_t length;             /* Bytes of its packet to ask for. */
	uint64_t beacon;             /* The last one told. */
	unsigned failures;           /* In a row. */
	bool has_index;
	bool accepted;               /* The owner wants the packet of that index. */
	bool asked;                  /* A reply is due. */
	bool found;                  /* The owner was told. */
};

enum trace_state {
	TRACE_ANNOUNCED,       /* No metadata stream yet. */
	TRACE_CURRENT,         /* All metadata that there was has been read. */
	TRACE_RETRY,           /* Asks again at the session's next poll. */
	TRACE_WANTS_METADATA,
	TRACE_ASKED_METADATA,
	TRACE_ENDED,           /* The metadata stream has ended; streams may go on. */
	TRACE_GONE,
};

TAILQ_HEAD(trace_queue, viewer_trace);

struct viewer_trace {
	struct viewer_session *session;
	UT_hash_handle hh;
	TAILQ_ENTRY(viewer_trace) in_queue;
	struct stream_queue streams;
	enum trace_state state;
	uint64_t id, metadata_id;
	char *path;
	size_t name_bytes;
	void *user;
	bool asked;
	bool found;
	bool delivered;        /* The owner has got metadata. */
	bool refused;          /* The owner cannot use it: kept to ignore its streams. */
};

enum session_phase {
	SESSION_DECLINED,      /* The owner does not want it. */
	SESSION_WAITING,       /* To be attached when due. */
	SESSION_ATTACHING,
	SESSION_ATTACHED,
	SESSION_APART,         /* On a connection of its own. */
	SESSION_ENDED,         /* Told as gone; remembered while it is listed. */
};

struct viewer_session {
	struct viewer *viewer;
	UT_hash_handle hh;
	enum session_phase phase;
	uint64_t id;
	char *hostname, *name;
	size_t name_bytes;
	uint32_t live_timer_us;
	void *user;
	struct viewer *apart;              /* When SESSION_APART. */
	struct viewer_trace *traces;       /* By id. */
	struct stream_queue idle;
	struct trace_queue retry;
	size_t n_streams;                  /* Data streams that are not gone. */
	uint64_t due;                      /* Next ATTACH or GET_NEW_STREAMS; 0: none. */
	uint64_t poll_due;                 /* When 'idle' and 'retry' ask; 0: nobody there. */
	uint64_t new_streams_ns;
	uint64_t backoff_ns;
	bool per_process;                  /* Has streams that end with their process. */
	bool asked;
	bool listed, seen;                 /* In the last list; in the one that comes. */
	bool closed;                       /* relayd will not announce streams any more. */
	int told_state;                    /* enum viewer_session_state; -1: nothing. */
	char *told_text;
};

struct viewer_request {
	enum viewer_command command;
	void *object;              /* Session, trace or stream by command, or NULL. */
	size_t reserve;            /* Reply bytes counted for it. */
	uint32_t length;           /* Of GET_PACKET. */
};

/* The reply that is coming in, part by part. */
struct viewer_part {
	uint8_t head[VIEWER_PART_MAX];     /* Gathers a fixed part. */
	uint8_t *body;                     /* Or the body (malloc). */
	size_t need, have;                 /* need 0: nothing of the reply came yet. */
	uint32_t entries, count;           /* List entries still to come, and all. */
	uint32_t status;
	bool started;                      /* The first part is in. */
};

enum viewer_link { LINK_WAITING, LINK_RESOLVING, LINK_CONNECTING, LINK_UP };

struct viewer {
	struct viewer_options options;
	const struct viewer_ops *ops;
	void *owner;
	char *host, *name;
	/* Itself, or whose session this connection is for: that one has the counters,
	 * the accounts of what is held, and the pause of all. */
	struct viewer *root;
	struct viewer_counters counters;
	uint64_t now;
	bool paused;
	/* Of a connection of one session: nothing is left to do (and the session had
	 * been attached; and has ended). */
	bool over, attached, gone;
	bool apart;                        /* Sessions have their own connections. */

	/* viewer.c */
	struct event_base *base;
	struct event *io, *timer;
	enum viewer_link link;
	int fd;
	struct viewer_addresses addresses;
	unsigned next_address;
	uint64_t link_due, link_since, backoff_ns;
	uint64_t timer_due;
	bool want_write;
	int told_state;
	char *told_text;
	uint8_t *input;

	/* viewer_session.c, viewer_stream.c */
	struct viewer_session *sessions;   /* By id. */
	size_t n_streams, name_bytes;
	struct stream_queue want_index, want_packet;
	struct trace_queue want_metadata;
	uint64_t list_due, next_due;
	uint32_t minor;
	bool ready;                        /* CREATE_SESSION was answered. */
	bool list_asked;
	bool blocked;                      /* Something is due that had no room. */
	struct viewer_request requests[VIEWER_MAX_REQUESTS];   /* Ring. */
	unsigned first_request, n_requests;
	size_t in_flight;
	uint64_t progress;                 /* Last sign of life while a reply is due. */
	struct buf out;

	/* viewer_reply.c */
	struct viewer_part part;
};

/* viewer.c */
/* Tells the owner, unless it is what was told last. */
void viewer_tell(struct viewer *viewer, enum viewer_state state, const char *text);
/* Without network, for tests of what is below; 'base' may then be NULL. */
struct viewer *viewer_alloc(const struct viewer_options *options, const struct viewer_ops *ops,
			    void *owner);
/* A delay between half of *backoff and all of it; doubles *backoff. */
uint64_t viewer_backoff(const struct viewer *viewer, uint64_t *backoff);

/* Another connection to the same relayd, for one session. */
struct viewer *viewer_open_apart(struct viewer *root);
/* Has the loop look at what is due. */
void viewer_wake(struct viewer *viewer);

/* viewer_apart.c: a connection for each session; 'session' is the root's */
void viewer_apart_start(struct viewer_session *session);
void viewer_apart_listed(struct viewer_session *session);
/* Takes it up again, or forgets it, when its connection is over. */
void viewer_apart_run(struct viewer_session *session);
/* The root's connection is gone. */
void viewer_apart_stop(struct viewer_session *session, const char *why);
/* Of the connection itself: its session ended; nothing holds it any more. */
void viewer_apart_ended(struct viewer_session *session, enum viewer_session_state state);
void viewer_apart_reaped(struct viewer *viewer);

/* viewer_session.c: what to ask, and sessions */
/* The connection is up: starts the conversation. */
void viewer_start(struct viewer *viewer);
/* The connection is gone: all sessions are lost. */
void viewer_stop(struct viewer *viewer, const char *why);
/* Writes all requests that are due and allowed to 'out'. */
void viewer_pump(struct viewer *viewer);
void viewer_ask(struct viewer *viewer, enum viewer_command command, void *object);
/* Takes the first request off the ring and returns it. */
struct viewer_request viewer_request_pop(struct viewer *viewer);
/* Makes sure that the next look at what is due comes no later. */
void viewer_note_due(struct viewer *viewer, uint64_t due);

struct viewer_session *viewer_session_new(struct viewer *viewer,
					  const struct viewer_wire_session *wire);
/* Tells all of it as gone. */
void viewer_session_end(struct viewer_session *session, enum viewer_session_state state,
			const char *text);
/* A session of the list; all of them were seen. */
int viewer_list_entry(struct viewer *viewer, const struct viewer_wire_session *wire,
		      struct error *error);
void viewer_list_end(struct viewer *viewer);
void viewer_session_attached(struct viewer_session *session);
/* Attaching failed: tells why, and tries again later. */
void viewer_session_retry(struct viewer_session *session, enum viewer_session_state state,
			  const char *text);
/* A reply to GET_NEW_STREAMS is complete; 'count' streams were in it. */
void viewer_session_polled(struct viewer_session *session, bool closed, uint32_t count);
/* Tells the owner, unless it is what was told last. */
void viewer_session_tell(struct viewer_session *session, enum viewer_session_state state,
			 const char *text);
/* Ends it when it is closed and read. */
void viewer_session_check(struct viewer_session *session);
/* Frees it when nothing holds it any more. */
void viewer_session_reap(struct viewer_session *session);

/* viewer_stream.c: traces and streams */
int viewer_stream_add(struct viewer_session *session, const struct viewer_wire_stream *wire,
		      struct error *error);
void viewer_stream_set(struct viewer_stream *stream, enum stream_state state);
/* Goes on with the index that it has, or holds until metadata is there. */
void viewer_stream_take_index(struct viewer_stream *stream);
/* The two below may free the stream, and viewer_trace_*() the trace. */
void viewer_stream_drop(struct viewer_stream *stream, bool hup);
void viewer_stream_reap(struct viewer_stream *stream);

void viewer_trace_set(struct viewer_trace *trace, enum trace_state state);
/* There is metadata to read before anything else of this trace. */
void viewer_trace_stale(struct viewer_trace *trace);
/* Metadata is complete for now: its streams go on. */
void viewer_trace_current(struct viewer_trace *trace);
/* No further metadata will come. */
void viewer_trace_ended(struct viewer_trace *trace);
/* The owner cannot use its metadata: remembered, to ignore its streams. */
void viewer_trace_refuse(struct viewer_trace *trace, const char *text);
void viewer_trace_drop(struct viewer_trace *trace, bool hup);
void viewer_trace_reap(struct viewer_trace *trace);

/* viewer_reply.c: the way in */
/* Takes reply bytes as they come.  Negative: the connection is of no use. */
int viewer_receive(struct viewer *viewer, const uint8_t *bytes, size_t size, struct error *error);
/* Where the next bytes can be put without copying: the rest of a body, or
 * nothing (returns 0).  viewer_received() tells how many were put there. */
size_t viewer_receive_space(struct viewer *viewer, uint8_t **ret);
int viewer_received(struct viewer *viewer, size_t size, struct error *error);
/* Forgets a reply that came in part. */
void viewer_part_reset(struct viewer *viewer);
/* Size of the first part of the reply to a command. */
size_t viewer_reply_size(enum viewer_command command);

#endif /* viewer_private.h */
