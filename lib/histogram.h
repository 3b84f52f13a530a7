/* SPDX-License-Identifier: MIT
 *
 * histogram.h -- how often which value came: a log-linear histogram.
 *
 * Values below 32 have a bucket each; above, each power of two is cut into 32.
 * So any value is known to 1/64 of itself (1.6 %), over all of 64 bits.  Memory
 * is taken only for the range of buckets in use, about 1 KiB for times that
 * spread over three powers of ten.  Adding up is exact: the histogram of two
 * parts is the sum of theirs, in any order. */
#ifndef LIB_HISTOGRAM_H
#define LIB_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/buf.h"

enum {
	HISTOGRAM_SHIFT = 5,
	HISTOGRAM_BUCKETS = (64 - HISTOGRAM_SHIFT + 1) << HISTOGRAM_SHIFT,
};

/* All zero is an empty one. */
struct histogram {
	uint64_t count, sum, min, max;   /* 'sum' stops at UINT64_MAX. */
	uint32_t first, n;               /* Buckets that 'counts' has. */
	uint64_t *counts;
};

/* Frees the memory; the struct is empty afterwards.  For _cleanup_ too. */
void histogram_done(struct histogram *histogram);
/* Empties it and keeps the memory. */
void histogram_reset(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value);
/* 'value', 'times' times. */
void histogram_add_n(struct histogram *histogram, uint64_t value, uint64_t times);
/* Adds all of 'other'. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);
/* The value below which 'per_mille' of 1000 are, between two values what lies between
 * (the median of two is their mean); never outside of min and max.  0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, unsigned per_mille);

/* Which bucket a value is in, and the least value of a bucket. */
unsigned histogram_bucket(uint64_t value);
uint64_t histogram_low(unsigned bucket);
/* How many are in that bucket. */
static inline uint64_t
histogram_at(const struct histogram *histogram, unsigned bucket)
{
	return bucket - histogram->first < histogram->n ?
	       histogram->counts[bucket - histogram->first] : 0;
}

/* As bytes, the same for the same contents whatever their history; adds to 'out'. */
void histogram_write(const struct histogram *histogram, struct buf *out);
/* Reads what histogram_write() wrote, replacing the contents.  Returns how many
 * bytes that were, or -EINVAL (empty then) for what it can't have written. */
ssize_t histogram_read(struct histogram *histogram, const void *bytes, size_t size);

/* Numbers in 7 bits a byte, least first, the top bit saying that more follow;
 * for formats around it.  Returns bytes, or -EINVAL. */
void varint_write(uint64_t value, struct buf *out);
ssize_t varint_read(const void *bytes, size_t size, uint64_t *ret);

#endif /* histogram.h */
