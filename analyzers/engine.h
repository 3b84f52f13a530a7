/* SPDX-License-Identifier: MIT
 *
 * engine.h -- runs the analyzers over the merged events of each host.
 *
 * The engine keeps one flow per (host, analyzer, key): a plain struct without
 * pointers whose state moves by the analyzer's rule table (analyzer.h).  Time
 * is trace time; timers run on the host's watermark.  One thread. */
#ifndef ANALYZERS_ENGINE_H
#define ANALYZERS_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "analyzers/facts.h"
#include "ctf/event.h"
#include "ctf/stream.h"
#include "lib/error.h"

struct engine;
struct engine_host;
struct analyzer;

/* All analyzers, ended by NULL (analyzers/analyzers.c). */
extern const struct analyzer *const analyzers[];

struct engine_options {
	unsigned max_flows_per_host;   /* 4096; more are counted and left out. */
	/* A stop-and-copy may be open for stall_factor times the downtime limit of
	 * its migration, but at least and at most for: */
	unsigned stall_factor;         /* 3 */
	uint64_t stall_min_ns;         /* 2 s */
	uint64_t stall_max_ns;         /* 2.5 s */
	/* Spans are given by engine_flush() as they were when they last changed,
	 * instead of at each change. */
	bool spans_when_flushed;
};
extern const struct engine_options engine_defaults;

struct engine_counters {
	uint64_t used;         /* Events that moved a flow. */
	uint64_t ignored;      /* Wanted by a table, but of no flow (other process...). */
	uint64_t unexpected;   /* (event, state) pairs that no table has. */
	uint64_t incomplete;   /* Events without a field that their rule needs. */
	uint64_t late;
	uint64_t twice;        /* Left out, as another session's trace has them too. */
	uint64_t capped;       /* Flows that were not made: max_flows_per_host. */
	uint64_t facts;
};

struct engine *engine_new(const struct analyzer *const *table, const struct engine_options *options,
			  const struct fact_sink *sink);
void engine_free(struct engine *engine);
/* What the readers have to fetch; made by engine_new(), owned by the engine. */
const struct ctf_interest *engine_interest(const struct engine *engine);

/* The host of that name: made when first asked for. */
struct engine_host *engine_host(struct engine *engine, const char *hostname);
const char *engine_host_name(const struct engine_host *host);

/* Feeds one item of the host's merge, in its order. */
void engine_event(struct engine_host *host, const struct ctf_event *event);
/* Whether the event is one of a kernel's, as far as an analyzer knows. */
bool engine_is_kernel(const struct engine *engine, const struct ctf_event *event);
void engine_loss(struct engine_host *host, const struct ctf_loss *loss);
/* Everything up to t_ns (since 1970) has been seen: runs timers. */
void engine_watermark(struct engine_host *host, uint64_t t_ns);
/* The same for the trace time that should have been reached by the wall clock,
 * when the sources of a host are lost or silent without beacons.  Native
 * analyzers are not told, as what they tell is not taken back. */
void engine_guess(struct engine_host *host, uint64_t t_ns);
/* The trace of this host is at its end (its sessions are gone, the directory is
 * read): open flows become "lost". */
void engine_host_end(struct engine_host *host, uint64_t t_ns);

/* Gives the spans that changed since the last call, with spans_when_flushed;
 * to be called before the facts are handed on. */
void engine_flush(struct engine *engine);

/* Checkpoints: gives each flow that changed since the last call as one blob,
 * and NULL for those that ended.  The blob's first 8 bytes are a hash of the
 * analyzer's name, version and flow size. */
typedef void engine_save_fn(void *context, const char *hostname, const char *analyzer,
			    const char *key, const void *blob, size_t size);
void engine_save(struct engine *engine, engine_save_fn *save, void *context);
/* Takes back one blob before any event of that host.  -ESTALE when it was made
 * by another version; -EINVAL when its contents can't be. */
int engine_restore(struct engine *engine, const char *hostname, const char *analyzer,
		   const char *key, const void *blob, size_t size);
/* Start of the oldest open flow of the host (since 1970), or 0: where to
 * decode from when blobs can't be taken back. */
uint64_t engine_horizon(const struct engine_host *host);

const struct engine_counters *engine_counters(const struct engine *engine);
/* Memory that native analyzers hold, all hosts together. */
size_t engine_native_bytes(const struct engine *engine);
/* Unexpected (event, state) pairs with their counts, a line each. */
void engine_print_unexpected(const struct engine *engine, FILE *file);

/* The LTTng events that the tables read on a node of 'role' (compute, network,
 * storage, controller), a line each: "DOMAIN EVENT", DOMAIN ust or kernel.
 * -EINVAL for another role. */
int engine_print_events(const struct analyzer *const *table, const char *role, FILE *file,
			struct error *error);
/* Checks tables for unreachable states, states without a way out, two rules
 * for one case.  Returns the number of mistakes; tells each on 'file'. */
unsigned engine_check_tables(const struct analyzer *const *table, FILE *file);
/* Draws a state machine as Graphviz text.  -ENOENT for an unknown name,
 * -ENOTSUP for an analyzer that is no table. */
int engine_print_graph(const struct analyzer *const *table, const char *analyzer, FILE *file);

#endif /* engine.h */
