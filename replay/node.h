/* SPDX-License-Identifier: MIT
 *
 * node.h -- one live session of one host, while it is being published.
 *
 * Takes packets from packets.h when they are due and hands them to relayd.h;
 * play.c has all nodes and the clock that they share. */
#ifndef REPLAY_NODE_H
#define REPLAY_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "replay/options.h"
#include "replay/packets.h"
#include "replay/relayd.h"
#include "replay/sources.h"

struct event;
struct event_base;

/* What all nodes share. */
struct stage {
	const struct options *options;
	struct event_base *base;
	const struct relayd_address *address;
	uint64_t start_mono_ns;       /* When trace time was 'start_ns'. */
	uint64_t start_ns, end_ns;    /* Trace time of first event and last packet's end. */
	int64_t shift_ns;             /* Added to all clocks (--now). */
	char date[32];                /* Part of the sessions' folders. */
	void (*ended)(struct stage *stage, const struct error *error);
};

struct node_stream {
	unsigned number;              /* The relayd session's. */
	struct packets *packets;
	struct stream_file *file;
	uint64_t offset;              /* From clock value to trace time. */
	uint64_t said;                /* Clock value up to which the relayd knows all. */
	uint64_t stream_class_id;
	bool begun;                   /* Has had a packet. */
};

struct node {
	struct stage *stage;
	struct relayd_session *session;
	struct event *timer;
	char *hostname, *name;
	struct node_stream *streams;
	unsigned n_streams;
	bool ready, closing, ended;
	bool done;                    /* All packets are published... */
	uint64_t done_mono_ns;        /* ...since then. */
	uint64_t time_ns;             /* Trace time reached. */
	uint64_t next_tick_ns;        /* Trace time of the next beacons. */
	uint64_t packets, beacons, bytes;  /* Published. */
	struct buf scratch;
};

/* Makes a node of 'n' traces of the same host and session and connects it.
 * 'copy' 0: as it is; else under the host name NAME-copy. */
int node_start(struct node *node, struct stage *stage, const struct source *sources, unsigned n,
	       unsigned copy, struct error *error);
/* Closes the session in good order; stage->ended() follows. */
void node_close(struct node *node);
void node_done(struct node *node);
/* Share of the recorded bytes that is published, 0 to 100. */
unsigned node_percent(const struct node *node);

#endif /* node.h */
