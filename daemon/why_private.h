/* SPDX-License-Identifier: MIT
 *
 * why_private.h -- shared by the files of why.h. */
#ifndef DAEMON_WHY_PRIVATE_H
#define DAEMON_WHY_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/why.h"
#include "lib/clock.h"
#include "lib/util.h"

struct why {
	struct store *store;
	const json_t *subject;       /* A migration, or a request with its spans. */
	uint64_t start_ns, end_ns;   /* Open: as far as is known. */
	uint64_t total_ns;           /* At least 1. */
	json_t *findings;
};

struct why_rule {
	const char *name;
	const char *layer;           /* application, virtualization, kernel, network, storage. */
	/* What counts as much: both a share of the span it is about, and a time. */
	double share;
	uint64_t least_ns;
	void (*find)(struct why *why, const struct why_rule *rule);
};

/* Runs a table of rules, ended by a NULL name, in its order. */
void why_run(struct why *why, const struct why_rule *rules);
/* Says it, with the share of the whole that it explains; takes text (may not be NULL) and
 * evidence.  'node' may be NULL. */
void why_add(struct why *why, const struct why_rule *rule, const char *node, double weight,
	     json_t *evidence, char *text);
/* Puts those that explain most first; of the same weight the order stays. */
void why_sort(json_t *findings);

/* Whether that much of a span is over the rule's thresholds. */
bool why_is_much(const struct why_rule *rule, uint64_t ns, uint64_t of_ns);
/* The share of the whole. */
double why_share(const struct why *why, uint64_t ns);

const char *why_text(const json_t *object, const char *name);  /* NULL: none. */
uint64_t why_ns(const json_t *object, const char *name);       /* 0: none. */
/* For people: "6.5 s", "567 ms"; "1.9 MB/s".  To be freed. */
char *why_duration(uint64_t ns);
char *why_rate(double bytes_s);
/* How far a span has got: its end, or as far as its host's trace goes. */
uint64_t why_end(struct store *store, const json_t *span, const char *host);

extern const struct why_rule why_qemu_rules[], why_kernel_rules[], why_flow_rules[];

#endif /* why_private.h */
