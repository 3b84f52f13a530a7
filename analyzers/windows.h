/* SPDX-License-Identifier: MIT
 *
 * windows.h -- windows: counters of many objects over a short time, packed.
 *
 * What is counted by the thousand a second is no fact each.  A native analyzer
 * sums it up for each window (100 ms) in one blob, which can be summed again
 * for any span after the fact, and joined with its neighbours when it is old. */
#ifndef ANALYZERS_WINDOWS_H
#define ANALYZERS_WINDOWS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

struct fact_window {
	uint64_t start_ns, end_ns;
	const void *blob;            /* Untrusted, as a store may be anybody's. */
	size_t size;
};

/* What is known of a kind ("cpu", "block", ...). */
struct window_kind {
	const char *kind;
	/* Appends the blob of all 'n' windows together, which follow each other by
	 * start_ns.  0, or -EINVAL: they can't be joined, and stay as they are. */
	int (*merge)(const struct fact_window *windows, size_t n, struct buf *ret);
	/* The contents as JSON, for tests and people; NULL: damaged. */
	json_t *(*json)(const struct fact_window *window);
};

/* All kinds, ended by NULL. */
extern const struct window_kind *const window_kinds[];
/* NULL for an unknown one. */
const struct window_kind *window_kind(const char *kind);

#endif /* windows.h */
