/* SPDX-License-Identifier: MIT
 *
 * kernel_sync.h -- TCP segments by which two hosts' clocks are compared: each host
 * notes when it sent or received one, under a hash of all that makes it that very
 * segment.  windows of the kind "sync" carry them to whoever knows several hosts.
 *
 * Not every segment is noted, but both ends have to choose the same ones: those
 * whose hash ends in enough zero bits (the level of their connection).  Where more
 * come than there is room for, the level of the busiest connection is raised.  An
 * account that fills by so many a window lets a burst be noted whole. */
#ifndef ANALYZERS_KERNEL_SYNC_H
#define ANALYZERS_KERNEL_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/kernel_net_sum.h"
#include "lib/buf.h"

enum {
	SYNC_WINDOW_VERSION = 1,
	MAX_SYNC_SAMPLES = 256,      /* Of a window. */
	MAX_SYNC_ROUNDS = 128,       /* A window is thinned at most so often; then it is full. */
	SYNC_REFILL = 10,            /* What the account gains in a window of 100 ms... */
	SYNC_ACCOUNT = 8192,         /* and holds at most. */
};

struct sync_sample {
	uint64_t hash, t_ns;
	struct net_key key;
	uint32_t received;
};

/* Of a window that is open. */
struct sync_pool {
	uint64_t filled_ns;          /* Until when the account was filled. */
	uint32_t account, n;
	uint32_t rounds;             /* How often it was thinned. */
	struct sync_sample samples[MAX_SYNC_SAMPLES];
};

/* What makes a segment that one: it is sent again with another IP id, and what the
 * network cuts or joins has another length. */
struct sync_segment {
	struct net_key key;
	uint32_t seq, ack;
	uint16_t ip_id, length, flags, spare;
};
uint64_t sync_hash(const struct sync_segment *segment);

/* How many may be in this window. */
void sync_begin(struct sync_pool *pool, uint64_t window_ns, uint64_t span_ns);
/* Whether there is room for one more. */
bool sync_has_room(const struct sync_pool *pool);
/* Adds one; times must not go back. */
void sync_add(struct sync_pool *pool, const struct sync_sample *sample);
/* The connection, in one direction, that has most; the level that halves it. */
struct net_key sync_busiest(const struct sync_pool *pool);
/* Removes those of 'key' whose hash has a level below. */
void sync_thin(struct sync_pool *pool, const struct net_key *key, unsigned level);
unsigned sync_level(uint64_t hash);
/* Appends the blob of a window, takes what is in it off the account and empties the
 * pool.  False: there is nothing to tell. */
bool sync_pack(struct sync_pool *pool, uint64_t window_ns, struct buf *out);

/* Reads a blob: calls 'give' for each.  -EINVAL: damaged; what came before was given. */
int sync_each(const struct fact_window *window,
	      void (*give)(void *context, uint64_t hash, uint64_t t_ns, bool received),
	      void *context);

extern const struct window_kind sync_window_kind;

#endif /* kernel_sync.h */
