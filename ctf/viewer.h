/* SPDX-License-Identifier: MIT
 *
 * viewer.h -- LTTng live viewer: one relayd, all its live sessions, each on a
 * connection of its own, on a libevent loop, without ever blocking.
 *
 * Source: lttng-tools 2.13 src/bin/lttng-relayd/lttng-viewer-abi.h (protocol
 * 2.4 to 2.14, announced as 2.14; a relayd >= 2.15 then does not list its
 * CTF 2 sessions).  The viewer discovers sessions, attaches to those that the
 * owner accepts, fetches metadata, indexes and packets, and reconnects by
 * itself; then everything comes again from the beginning of what relayd has.
 * It knows nothing of CTF contents: bytes go to the owner through struct
 * viewer_ops, all called on the loop's thread.  Reply bytes are untrusted: a
 * malformed reply is told with what was wrong and the connection is made anew.
 * Names of hosts are resolved in a short-lived thread (viewer_resolve.h). */
#ifndef CTF_VIEWER_H
#define CTF_VIEWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

struct event_base;
struct viewer;
struct viewer_session;
struct viewer_trace;    /* One metadata stream and its data streams. */
struct viewer_stream;

enum viewer_state {
	VIEWER_CONNECTING,   /* Trying, or between two attempts (back-off). */
	VIEWER_LIVE,         /* Answers. */
	VIEWER_FROZEN,       /* Connected, but a reply is overdue. */
};

enum viewer_session_state {
	VIEWER_SESSION_LIVE,
	VIEWER_SESSION_BUSY,    /* Another viewer holds it; tried again. */
	VIEWER_SESSION_GONE,    /* Destroyed, and everything was read. */
	VIEWER_SESSION_LOST,    /* The connection broke; it may come back. */
	VIEWER_SESSION_REFUSED, /* relayd or we can't: the text says why (CTF 2...). */
};

struct viewer_index {
	uint64_t offset, packet_bits, content_bits;
	uint64_t begin, end;            /* Clock cycles. */
	uint64_t discarded, stream_class_id;
};

struct viewer_ops {
	/* 'text' says why, for people. */
	void (*state)(void *owner, enum viewer_state state, const char *text);
	/* A session appeared.  Returns whether to attach. */
	bool (*session_found)(void *owner, const char *hostname, const char *session_name,
			      uint64_t id, uint32_t live_timer_us);
	/* Attached: returns the owner's pointer for it. */
	void *(*session_attached)(void *owner, struct viewer_session *session,
				  const char *hostname, const char *session_name, uint64_t id,
				  uint32_t live_timer_us);
	/* 'session_user' is NULL if it was never attached (then the names tell which). */
	void (*session_state)(void *owner, void *session_user, const char *hostname,
			      const char *session_name, enum viewer_session_state state,
			      const char *text);
	/* A trace with its metadata stream appeared: returns the owner's pointer. */
	void *(*trace_found)(void *session_user, struct viewer_trace *trace, const char *path_name);
	/* The next bytes of its metadata.  Negative: unusable, its streams are dropped. */
	int (*metadata)(void *trace_user, const uint8_t *bytes, size_t size, struct error *error);
	void *(*stream_found)(void *trace_user, struct viewer_stream *stream, const char *path_name,
			      const char *channel_name);
	/* Called once for each index, when the metadata that it needs was handed over
	 * and before its packet is asked for; false steps over it. */
	bool (*index)(void *stream_user, const struct viewer_index *index);
	/* One packet up to the end of its content, without the padding (all of it
	 * if the index gives no content size).  'bytes' (malloc) becomes the owner's. */
	void (*packet)(void *stream_user, uint8_t *bytes, size_t size,
		       const struct viewer_index *index);
	/* Nothing of this stream is older than 'end_cycles'; each time is told once. */
	void (*beacon)(void *stream_user, uint64_t end_cycles);
	/* The stream ended and everything was read (hup) or its connection broke. */
	void (*stream_gone)(void *stream_user, bool hup);
	/* After all streams of it are gone and no metadata will come. */
	void (*trace_gone)(void *trace_user);
	void (*session_gone)(void *session_user);
	/* A batch of replies has been handed over: time to decode. */
	void (*batch)(void *owner);
};

struct viewer_options {
	const char *host;               /* Name or address. */
	uint16_t port;                  /* 5344 */
	uint64_t list_interval_ns;      /* LIST_SESSIONS; 1 s */
	uint64_t new_streams_interval_ns; /* 0: each live period, at most 1 s */
	uint64_t reply_timeout_ns;      /* Then VIEWER_FROZEN; 5 s */
	uint64_t dead_timeout_ns;       /* Then reconnect; 30 s */
	uint64_t backoff_min_ns, backoff_max_ns;  /* 100 ms, 1 s */
	size_t max_in_flight_bytes;     /* Of GET_PACKET replies; 8 MiB */
	size_t max_packet_bytes;        /* Larger packets are refused; 64 MiB */
	size_t max_metadata_bytes;      /* 64 MiB per chunk */
	unsigned max_sessions, max_streams; /* 4096, 65536 per relayd */
};
extern const struct viewer_options viewer_defaults;

struct viewer_counters {
	uint64_t connects, requests, replies, bytes, packets, stepped_over, beacons, retries;
	uint64_t refused_packets;    /* Beyond a limit, or relayd could not give them. */
	uint64_t protocol_errors, timeouts;
};

/* Starts at once; never fails for what the network does. */
struct viewer *viewer_new(struct event_base *base, const struct viewer_options *options,
			  const struct viewer_ops *ops, void *owner);
/* Tells stream_gone(hup=false)... for all that is open, then frees.  Accepts
 * NULL.  Not from within a callback. */
void viewer_free(struct viewer *viewer);
/* While paused no packets are asked for (the owner is behind); those under way
 * (max_in_flight_bytes) still come, and so do beacons.  May be called from
 * within a callback. */
void viewer_pause(struct viewer *viewer, bool paused);
const struct viewer_counters *viewer_counters(const struct viewer *viewer);

#endif /* viewer.h */
