/* SPDX-License-Identifier: MIT
 *
 * engine_private.h -- what the parts of the engine share: the compiled tables
 * (engine_compile.c), hosts and flows (engine.c), checkpoints (engine_save.c).
 * Nobody else includes it. */
#ifndef ANALYZERS_ENGINE_PRIVATE_H
#define ANALYZERS_ENGINE_PRIVATE_H

#include <uthash.h>

#include "analyzers/analyzer.h"

enum { MAX_ANALYZERS = 32, MAX_DECODERS = 4, MAX_FIELDS = 16, KEY_TEXT_SIZE = 24 };
/* Over so many flows of a host, those at rest make room for new ones. */
#define KEEP_FLOWS 512u

/* Tables, compiled (engine_compile.c). */

/* A rule with its fields as slots of the event. */
struct action {
	const struct rule *rule;
	int slots[MAX_FIELDS], older_slots[MAX_FIELDS]; /* -1: none. */
	struct action *next;   /* To try if this one's guard says no. */
};

/* How one analyzer takes one event name. */
struct route {
	struct route *next;    /* Another analyzer's, of the same event. */
	unsigned analyzer;     /* Index. */
	unsigned event;        /* Index of the event's name in the analyzer. */
	int key_slot, selector_slot;
	const struct source *source;  /* Or NULL. */
	const char **values;   /* Selector values; column 0 is any other. */
	unsigned n_columns;
	unsigned *buckets;     /* Hash of selector values to columns, 0: free. */
	unsigned n_buckets;    /* A power of two. */
	struct action **cells; /* [column * n_states + state] */
};

struct program {
	const struct analyzer *analyzer;
	uint64_t hash;         /* Of everything a blob depends on. */
	const char **events;   /* Names, by first mention in the rules. */
	unsigned n_events;
};

/* A decoder with its fields as slots, and who takes what it derives. */
struct deriver {
	const struct decoder *decoder;
	void *state;
	unsigned wanted;       /* Index of its event in the interest. */
	struct rule rule;      /* For 'action': only 'reads'. */
	struct action *action;
	struct route **routes; /* By number of the derived event. */
};

int compile_tables(struct engine *engine);
void compile_free(struct engine *engine);
/* Column of the selector's value in this event. */
unsigned route_column(const struct route *route, const struct ctf_event *event);
/* Reads the fields of a rule into 'values'.  Returns false if one is missing. */
bool action_read(const struct action *action, const struct ctf_event *event, void *values);
bool value_u64(const struct ctf_value *value, uint64_t *ret);

/* Hosts and flows (engine.c). */

struct unexpected {
	uint64_t id;           /* Analyzer, event, column, state. */
	const struct route *route;
	uint64_t count;
	UT_hash_handle hh;
};

enum order { BY_DEADLINE, BY_REST, N_ORDERS };

struct entry {
	struct { uint64_t key, analyzer; } id;
	struct flow *flow;     /* analyzer->flow_size bytes. */
	bool changed;          /* Since engine_save(). */
	bool saved;            /* Some blob of it was given out. */
	bool untold;           /* 'told' waits for engine_flush(). */
	struct flow *told;     /* As it was when its span last changed; NULL before. */
	size_t at[N_ORDERS];   /* Place in each heap, from 1; 0: in none. */
	uint64_t time[N_ORDERS]; /* Its time there: that of the flow may be about to change. */
	UT_hash_handle hh;
};

/* Entries of a host by one of their times (engine_heap.c). */
struct heap {
	enum order order;
	struct entry **entries;
	size_t n, size;
};

/* Flows that share limits. */
struct pool {
	unsigned n_flows;
	struct heap resting;   /* By last_ns: who makes room first. */
};

/* A flow that ended and whose blob has to be forgotten. */
struct gone {
	struct { uint64_t key, analyzer; } id;
	UT_hash_handle hh;
};

/* A native analyzer on one host (engine_native.c). */
struct native_run {
	void *state;           /* NULL: it has seen no event. */
	uint64_t last_ns;      /* Of the last call: time does not go back. */
	uint64_t wake_ns;      /* 0: none. */
	bool woken;            /* By the watermark, since the last event. */
	bool restored;         /* No event came since: its streams may not be there yet. */
	bool changed;          /* Since engine_save(). */
	struct gone *saved;    /* Keys of records that were given out... */
	struct gone *gone;     /* and of those of an earlier run, to be forgotten. */
};

struct engine_host {
	struct engine *engine;
	char *name;
	struct entry *flows;
	struct gone *gone;
	struct heap timers;         /* Those with a deadline. */
	struct pool pools[MAX_ANALYZERS + 1]; /* By engine_pool(). */
	struct twice *twice;        /* What may come once more; NULL before the first event. */
	struct native_run *natives; /* By analyzer; NULL before the first event of any. */
	UT_hash_handle hh;
};

struct engine {
	const struct analyzer *const *table;
	struct engine_options options;
	struct fact_sink sink;
	struct ctf_interest *interest;
	struct program programs[MAX_ANALYZERS];
	unsigned n_programs;
	struct route **routes;      /* By index of the event in the interest. */
	unsigned n_routes;
	struct deriver derivers[MAX_DECODERS];
	unsigned n_derivers;
	struct native_route **native_routes; /* Like routes, for native analyzers. */
	bool has_natives;
	struct engine_host *hosts;
	struct unexpected *unexpected;
	struct engine_counters counters;
};

/* Orders entries by analyzer and key, so that what follows from several flows
 * at once does not depend on their history. */
int entry_compare(const struct entry *a, const struct entry *b);
/* Takes an entry into the heap or moves it to its place, or takes it out. */
void heap_update(struct heap *heap, struct entry *entry, bool in);
struct entry *heap_first(const struct heap *heap);
void heap_free(struct heap *heap);
/* To be called when a flow has changed: its deadline, and whether it rests. */
void entry_settle(struct engine_host *host, struct entry *entry);
/* Bytes of a flow that matter. */
size_t flow_used(const struct analyzer *analyzer, const struct flow *flow);
struct entry *entry_find(struct engine_host *host, unsigned analyzer, uint64_t key);
/* NULL when the host has all it may have. */
struct entry *entry_new(struct engine_host *host, unsigned analyzer, uint64_t key);

/* Whether another trace has had the same event right now (engine_twice.c). */
bool told_twice(struct engine_host *host, const struct ctf_event *event);

/* Native analyzers (engine_native.c). */

/* Their events and fields, before the routes are made; then their routes. */
void natives_declare(struct engine *engine);
int natives_compile(struct engine *engine);
void natives_compile_free(struct engine *engine);
void natives_host_free(struct engine_host *host);
void natives_event(struct engine_host *host, const struct ctf_event *event);
void natives_loss(struct engine_host *host, const struct ctf_loss *loss);
void natives_watermark(struct engine_host *host, uint64_t t_ns);
void natives_end(struct engine_host *host);
void natives_save(struct engine_host *host, engine_save_fn *save, void *context);
/* -ENOENT: that is no native analyzer; else as engine_restore(). */
int natives_restore(struct engine *engine, const char *hostname, const char *analyzer,
		    const char *key, const void *blob, size_t size);
/* Prints the native analyzers' events for --print-events. */
void natives_print_events(const struct analyzer *const *table, unsigned roles, FILE *file);

#endif /* engine_private.h */
