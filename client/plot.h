/* SPDX-License-Identifier: MIT
 *
 * plot.h -- bars on a time axis and a filled curve, in text. */
#ifndef CLIENT_PLOT_H
#define CLIENT_PLOT_H

#include <stddef.h>

#include "client/screen.h"

struct plot_axis {
	uint64_t start_ns, end_ns;
	unsigned width;       /* Columns of text; at least 1. */
};

struct plot_point {
	uint64_t t_ns, value;
};

/* "0 s      5 s      10 s": marks at round times since the start. */
void plot_axis_labels(const struct plot_axis *axis, struct buf *out);
/* A bar from 'start_ns' to 'end_ns'; an 'open' one ends in '>'.  What lasted too
 * short to be seen is one column. */
void plot_bar(const struct screen *screen, const struct plot_axis *axis, uint64_t start_ns,
	      uint64_t end_ns, bool open, struct buf *out);
/* Several bars in one line, in any order; the last may be open. */
struct plot_span {
	uint64_t start_ns, end_ns;
};
void plot_bars(const struct screen *screen, const struct plot_axis *axis,
	       const struct plot_span *spans, size_t count, bool open, struct buf *out);
/* A bar of value / max. */
void plot_share(const struct screen *screen, uint64_t value, uint64_t max, unsigned width,
		struct buf *out);
/* 'height' lines of the curve through 'points' (ordered by time), each after a
 * label of 'label_width' columns: the largest value in bytes, and 0. */
void plot_curve(const struct screen *screen, const struct plot_axis *axis,
		const struct plot_point *points, size_t count, unsigned height,
		unsigned label_width, struct buf *out);

/* Shares of a whole in one bar, each in a shade of its own, darkest first. */
void plot_stack(const struct screen *screen, const uint64_t *shares, size_t count,
		unsigned width, struct buf *out);
/* One column for each of 'values', scaled to the largest. */
void plot_sparkline(const struct screen *screen, const uint64_t *values, size_t count,
		    struct buf *out);

/* What lies from 'from' up to 'to' (in ns or bytes), so often. */
struct plot_bucket {
	uint64_t from, to, count;
};
enum plot_unit { PLOT_NS, PLOT_BYTES };
/* A line for each step of 1, 2, 5, 10 ... with how many lie there, their share, a
 * bar, and where p50, p90 and p99 lie.  'buckets' are ordered; finer ones are
 * joined by their middle. */
void plot_histogram(const struct screen *screen, const struct plot_bucket *buckets, size_t count,
		    enum plot_unit unit, struct buf *out);

#endif /* plot.h */
