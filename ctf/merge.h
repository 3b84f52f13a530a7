/* SPDX-License-Identifier: MIT
 *
 * merge.h -- the streams of one host in the order of their common clock.
 *
 * A host here is one clock: streams whose traces have the same hostname and
 * clock uuid.  The next event is given once every stream has shown that it
 * holds nothing older (by an event, a beacon or its end).  Equal times are
 * ordered by stream key, so that the order does not depend on arrival.
 *
 * A stream that has said nothing for 'patience_ns' of wall time, while others
 * had to wait for it as long, no longer holds them back; what it brings later
 * is given at once, marked late and counted. */
#ifndef CTF_MERGE_H
#define CTF_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "ctf/stream.h"

struct ctf_merge;

struct ctf_merge_item {
	enum ctf_head what;               /* CTF_HEAD_EVENT or CTF_HEAD_LOSS */
	const struct ctf_event *event;    /* Valid until the next call. */
	const struct ctf_loss *loss;
	struct ctf_stream *stream;
	uint64_t watermark_raw_ns;        /* ctf_merge_watermark() behind it. */
};

/* 'patience_ns' 0: never give up waiting (reading from disk). */
struct ctf_merge *ctf_merge_new(uint64_t patience_ns);
/* Streams are not freed. */
void ctf_merge_free(struct ctf_merge *merge);
void ctf_merge_add(struct ctf_merge *merge, struct ctf_stream *stream);
void ctf_merge_remove(struct ctf_merge *merge, struct ctf_stream *stream);
/* To be called after packets, a beacon or an end reached 'stream'. */
void ctf_merge_touch(struct ctf_merge *merge, struct ctf_stream *stream);

/* Steps over the item given before (only then ctf_stream_position() is behind
 * it) and gives the next: 1; 0 when it has to wait for some stream, or all are at
 * their end (see ctf_merge_ended()); negative errno from a refill. */
int ctf_merge_next(struct ctf_merge *merge, struct ctf_merge_item *ret, struct error *error);
bool ctf_merge_ended(const struct ctf_merge *merge);
/* Raw time up to which everything has been given: nothing but late events can
 * come before it.  Monotonic. */
uint64_t ctf_merge_watermark(const struct ctf_merge *merge);
/* The stream that holds the others back, or NULL; for "who are we waiting for". */
struct ctf_stream *ctf_merge_waiting_for(const struct ctf_merge *merge);
uint64_t ctf_merge_late(const struct ctf_merge *merge);
/* Tells the wall clock (monotonic ns), for patience; live readers call it from a timer. */
void ctf_merge_tick(struct ctf_merge *merge, uint64_t now_mono_ns);

#endif /* merge.h */
