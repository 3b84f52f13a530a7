/* SPDX-License-Identifier: MIT
 *
 * clock_hull.h -- what messages between two hosts say of their clocks.
 *
 * A message from a to b, sent at x by a's clock and received at r by b's, says that b
 * is ahead of a by at most r - x at x: a point that the offset stays below ("above").
 * One from b to a, sent at s and received at x, says that b is ahead by at least
 * s - x ("below").  Only the convex hull of each kind matters to a line between them.
 *
 * The hull of a union is that of the hulls, whatever their order, so messages may come
 * late, twice, or in any order. */
#ifndef DAEMON_CLOCK_HULL_H
#define DAEMON_CLOCK_HULL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/buf.h"

enum { MAX_HULL_POINTS = 256 };

struct clock_point {
	int64_t x;                   /* Never negative. */
	int64_t y;                   /* Never INT64_MIN; of the kind "below" the negative. */
};

/* The lower hull, ascending, strictly convex.  Zeroed: empty. */
struct clock_hull {
	struct clock_point *points;
	uint32_t n, capacity;
	uint64_t steps;              /* Points that were looked at, for tests. */
};

void clock_hull_done(struct clock_hull *hull);
/* O(1) on average for points in order of x, else O(log n) and the moving.  Whether the
 * hull changed.  A point beyond MAX_HULL_POINTS is left out: bounds are wider then. */
bool clock_hull_add(struct clock_hull *hull, int64_t x, int64_t y);
/* Appends it to 'out', and reads it without trust, adding it to a hull.  Returns how many
 * bytes that were, or -EINVAL (a part may have been added). */
void clock_hull_write(const struct clock_hull *hull, struct buf *out);
ssize_t clock_hull_read(struct clock_hull *hull, const void *bytes, size_t size);

struct clock_range {
	int64_t least_ns, most_ns;   /* The offset is in between. */
	int32_t least_ppb, most_ppb; /* So are their drifts. */
};

/* Adds the points of one hull to another, each loosened by clock_slack_ns() of its
 * distance from t_ns: what they say of t_ns though drifts change. */
void clock_hull_loosen(struct clock_hull *hull, const struct clock_hull *from, int64_t t_ns);
/* The offsets at t_ns of all lines that no point contradicts: exact but for rounding
 * to the outside, by 10 ns and one for each second that t_ns is away from the points.
 * -ENOENT: one of the hulls is empty; -ERANGE: no line is possible. */
int clock_hull_range(const struct clock_hull *above, const struct clock_hull *below, int64_t t_ns,
		     struct clock_range *ret);

/* By how much two clocks may leave the line that they are on at one moment, so long
 * before or after: a drift that changes by 0.1 ppm a second, and not by more than
 * 100 ppm in all. */
uint64_t clock_slack_ns(uint64_t distance_ns);

#endif /* clock_hull.h */
