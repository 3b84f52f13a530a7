/* SPDX-License-Identifier: MIT
 *
 * facts.h -- what analyzers find out.
 *
 * A fact's identity (type, host, kind, key, start) follows from the trace
 * alone, so the same events always give the same facts; giving a fact again
 * with the same identity replaces what was said before. */
#ifndef ANALYZERS_FACTS_H
#define ANALYZERS_FACTS_H

#include <jansson.h>
#include <stdint.h>

enum fact_type {
	FACT_SPAN,      /* Something that lasted, or lasts (end_ns 0). */
	FACT_SAMPLE,    /* Numbers at a time: start_ns. */
	FACT_ENTITY,    /* A thing and what is known of it. */
	FACT_LINK,      /* Two things belong together. */
	FACT_MARK,      /* A point in time worth keeping. */
	FACT_RETRACT,   /* The span of this identity was a wrong guess: forget it. */
	FACT_WINDOW,    /* Counters of many things over [start_ns, end_ns), packed in 'blob'. */
};

enum { FACT_KEY_SIZE = 96, FACT_ID_SIZE = 17 };

struct fact {
	enum fact_type type;
	const char *host;
	const char *kind;        /* "migration.source", ... doc/analyzers lists them. */
	char key[FACT_KEY_SIZE]; /* Which of its kind on that host: a pid, ... */
	uint64_t start_ns;       /* Since 1970, by the node's clock. */
	uint64_t end_ns;         /* 0: still open. */
	const char *status;      /* "running", "completed", ...; NULL if it has none. */
	char parent[FACT_ID_SIZE]; /* Id of the fact it belongs to, or "". */
	json_t *attributes;      /* Object or NULL; given away: the receiver owns one
				  * reference and nobody changes it afterwards. */
	const void *blob;        /* FACT_WINDOW: borrowed; its first byte is the version of its */
	size_t blob_size;        /* kind (windows.h), which the rest depends on. */
};

/* The identity as 16 hexadecimal digits: XXH64 over type, host, kind, key and
 * start_ns. */
void fact_id(const struct fact *fact, char ret[FACT_ID_SIZE]);

/* Where facts go. */
struct fact_sink {
	void (*fact)(void *context, const struct fact *fact);
	void *context;
};

#endif /* facts.h */
