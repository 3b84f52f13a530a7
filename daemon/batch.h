/* SPDX-License-Identifier: MIT
 *
 * batch.h -- what ingest hands to the hub: all that came out of the traces
 * between two checkpoints, and the checkpoint itself.
 *
 * A batch is committed as one transaction, so that positions in the streams,
 * the analyzers' flows and the facts from them can't disagree after a crash. */
#ifndef DAEMON_BATCH_H
#define DAEMON_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "analyzers/engine.h"
#include "daemon/hub.h"
#include "daemon/store.h"

struct batch;

struct batch *batch_new(void);
/* Accepts NULL. */
void batch_free(struct batch *batch);
bool batch_is_empty(const struct batch *batch);
/* Bytes held, roughly: for back-pressure. */
size_t batch_size(const struct batch *batch);

/* A sink whose facts go into '*batch' (the pointer may be exchanged later). */
struct fact_sink batch_sink(struct batch **batch);
/* Each copies what it is given. */
void batch_add_position(struct batch *batch, const char *stream_key,
			const struct ctf_position *position);
void batch_add_source(struct batch *batch, const struct store_source *source);
void batch_add_counter(struct batch *batch, const char *scope, const char *name, uint64_t value);
/* All that readers and engine count, live or from disk. */
void batch_add_counters(struct batch *batch, const struct ctf_stream_counters *input,
			const struct engine *engine);
void batch_add_horizon(struct batch *batch, const char *host, uint64_t t_ns);
/* A delivery is done with (store_unqueue()). */
void batch_add_delivered(struct batch *batch, uint64_t seq, bool keep);
/* A silence is kept, or forgotten if 'silence' is NULL. */
void batch_add_silence(struct batch *batch, const char *id, json_t *silence);
/* Adds the flows that changed. */
void batch_add_flows(struct batch *batch, struct engine *engine);

/* Applies all of it in one transaction.  On failure nothing is changed and the
 * batch can be committed again. */
int batch_commit(struct batch *batch, struct store *store, struct hub *hub, struct error *error);

#endif /* batch.h */
