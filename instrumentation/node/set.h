/* SPDX-License-Identifier: MIT
 *
 * set.h -- things of one kind as they were last told: finds out what is new,
 * changed or gone, and tells only that.
 *
 * An item is an event's struct (events.h), compared byte by byte: to be zeroed
 * before it is filled.  Items lie sorted by their key, the first 'key_size'
 * bytes. */
#ifndef INSTRUMENTATION_NODE_SET_H
#define INSTRUMENTATION_NODE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void emit_fn(const char *reason, const void *event);

struct set_kind {
	size_t size, key_size;
	unsigned max;            /* More are counted in node_counters.left_out. */
	emit_fn *emit;
};

struct set {
	const struct set_kind *kind;
	char *items;
	uint32_t *generations;   /* When each was last put. */
	unsigned n, capacity;
	uint32_t generation;
};

/* What is counted over all of the program. */
struct node_counters {
	uint64_t left_out, malformed;
};
extern struct node_counters node_counters;

/* Adds or replaces an item; tells "new" or "change".  False: left out. */
bool set_put(struct set *set, const void *item);
/* The item of that key, or NULL; valid until the next change of the set. */
const void *set_find(const struct set *set, const void *key);
const void *set_item(const struct set *set, unsigned i);
/* Whether the i-th was put since the last set_sweep(). */
bool set_is_fresh(const struct set *set, unsigned i);
/* Takes the i-th out and tells "gone". */
void set_remove(struct set *set, unsigned i);
/* Removes all that were not put since the last sweep. */
void set_sweep(struct set *set);
/* Removes all; tells "gone" of each if 'tell'.  The set can be used again. */
void set_done(struct set *set, bool tell);
/* Tells all as they are. */
void set_dump(const struct set *set);

#endif /* set.h */
