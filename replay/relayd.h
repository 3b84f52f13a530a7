/* SPDX-License-Identifier: MIT
 *
 * relayd.h -- the producer's side of lttng-relayd: one live session, with its
 * control and data connections, on a libevent loop, without ever blocking.
 *
 * Speaks protocol 2.10 (lttng-tools src/common/sessiond-comm/relayd.h): the
 * last one without trace chunks, which every relayd since still takes.  It
 * knows nothing of CTF and of time: play.c says what to send and when. */
#ifndef REPLAY_RELAYD_H
#define REPLAY_RELAYD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/error.h"

struct event_base;
struct relayd_session;

/* Where a relayd listens; both ports of one host. */
struct relayd_address {
	char name[300];             /* "host:control", for messages. */
	struct sockaddr_storage control, data;
	socklen_t size;
};

/* Reads HOST[:CONTROL[:DATA]] (an IPv6 address goes in brackets; ports are
 * 5342 and 5343 by default) and looks the host up, which may block. */
int relayd_address_parse(const char *text, struct relayd_address *ret, struct error *error);

/* What an index says of a packet; times in clock cycles, sizes in bits. */
struct relayd_index {
	uint64_t packet_bits, content_bits;
	uint64_t begin, end;
	uint64_t discarded;
	uint64_t stream_class_id, stream_instance_id, seq;
};

struct relayd_ops {
	/* All streams exist and the metadata is out: packets may be sent. */
	void (*ready)(void *owner);
	/* There is room again. */
	void (*drained)(void *owner);
	/* The last call: everything was taken and closed in good order (NULL),
	 * or why not. */
	void (*ended)(void *owner, const struct error *error);
};

/* Strings are copied, 'address' and 'ops' are borrowed.  Names that are too
 * long for the protocol are cut. */
struct relayd_session *relayd_session_new(struct event_base *base,
		const struct relayd_address *address, const char *hostname,
		const char *session_name, uint32_t live_timer_us,
		const struct relayd_ops *ops, void *owner);
/* Accepts NULL; drops the connections if it has not ended. */
void relayd_session_free(struct relayd_session *session);

/* Before relayd_session_start(): adds a trace under 'path' with the whole of
 * its metadata text, then its streams.  Both return the number that names
 * the thing later, counted from 0. */
unsigned relayd_session_add_trace(struct relayd_session *session, const char *path,
		const char *metadata, size_t size, const uint8_t uuid[16], bool big_endian);
unsigned relayd_session_add_stream(struct relayd_session *session, unsigned trace,
		const char *channel);
/* Connects; the outcome comes through the ops. */
void relayd_session_start(struct relayd_session *session);

/* Sends the next packet of a stream with its index; 'size' bytes are followed by
 * zeros up to index->packet_bits. */
void relayd_session_send(struct relayd_session *session, unsigned stream,
		const struct relayd_index *index, const void *bytes, size_t size);
/* Tells that nothing before 'end' (clock cycles) will come in this stream. */
void relayd_session_beacon(struct relayd_session *session, unsigned stream, uint64_t end,
		uint64_t stream_class_id);
/* Whether more may be sent now, which bounds what waits in memory; if not,
 * ops->drained() will be called. */
bool relayd_session_has_room(struct relayd_session *session);
/* Closes all streams behind what was sent. */
void relayd_session_close(struct relayd_session *session);
/* To be called each second or so: ends the session when the relayd owes an
 * answer for too long. */
void relayd_session_tick(struct relayd_session *session, uint64_t now_mono_ns);

#endif /* relayd.h */
