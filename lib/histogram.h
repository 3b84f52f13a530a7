/* SPDX-License-Identifier: MIT
 *
 * histogram.h -- counts of values by size, log-linear: four buckets for each
 * doubling, so that a bucket is at most a quarter wide of where it begins.  Made
 * for times in ns: below a microsecond all are one, above 73 minutes too. */
#ifndef LIB_HISTOGRAM_H
#define LIB_HISTOGRAM_H

#include <stdint.h>

enum {
	HISTOGRAM_FIRST_BIT = 10,   /* The first bucket is [0, 2^10). */
	HISTOGRAM_LAST_BIT = 42,    /* The last one begins at 2^42. */
	HISTOGRAM_BUCKETS = (HISTOGRAM_LAST_BIT - HISTOGRAM_FIRST_BIT) * 4 + 2,
};

struct histogram {
	uint64_t n, sum, max;
	uint32_t counts[HISTOGRAM_BUCKETS];   /* They stay at their largest. */
};

/* Bucket of a value, and the range of a bucket: from <= value < to. */
unsigned histogram_bucket(uint64_t value);
uint64_t histogram_from(unsigned bucket);
uint64_t histogram_to(unsigned bucket);

void histogram_add(struct histogram *histogram, uint64_t value);
/* The value below which 'percent' (0 to 100) of all are, within its bucket by
 * straight line, and at most the maximum; 0 when there is none. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);
void histogram_merge(struct histogram *to, const struct histogram *from);

#endif /* histogram.h */
