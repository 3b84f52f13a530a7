/* SPDX-License-Identifier: MIT */
#include "lib/histogram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PER_POWER = 1 << HISTOGRAM_SHIFT };

void
histogram_done(struct histogram *histogram)
{
	free(histogram->counts);
	*histogram = (struct histogram) { 0 };
}

void
histogram_reset(struct histogram *histogram)
{
	if (histogram->n)
		memset(histogram->counts, 0, histogram->n * sizeof *histogram->counts);
	histogram->count = histogram->sum = histogram->min = histogram->max = 0;
}

unsigned
histogram_bucket(uint64_t value)
{
	unsigned power;

	if (value < PER_POWER)
		return (unsigned) value;
	power = 63 - (unsigned) __builtin_clzll(value) - HISTOGRAM_SHIFT;
	return (power + 1) * PER_POWER + (unsigned) (value >> power & (PER_POWER - 1));
}

uint64_t
histogram_low(unsigned bucket)
{
	const unsigned power = bucket / PER_POWER;

	if (!power)
		return bucket;
	return (uint64_t) (PER_POWER + bucket % PER_POWER) << (power - 1);
}

static uint64_t
width(unsigned bucket)
{
	const unsigned power = bucket / PER_POWER;

	return power < 2 ? 1 : UINT64_C(1) << (power - 1);
}

/* Makes buckets 'first' to 'last' be there. */
static void
cover(struct histogram *histogram, unsigned first, unsigned last)
{
	/* In steps, so that a range that grows does not move for each bucket. */
	const unsigned start = histogram->n ? histogram->first : first;
	const unsigned from = MIN(first, start) & ~7U;
	const unsigned end = histogram->n ? histogram->first + histogram->n : 0;
	const unsigned to = (MAX(last + 1, end) + 7) & ~7U;
	uint64_t *counts;

	if (histogram->n && from >= histogram->first && to <= end)
		return;
	counts = xcalloc(to - from, sizeof *counts);
	if (histogram->n)
		memcpy(counts + (histogram->first - from), histogram->counts,
		       histogram->n * sizeof *counts);
	free(histogram->counts);
	histogram->counts = counts;
	histogram->first = from;
	histogram->n = to - from;
}

static uint64_t
add_up(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

static void
note(struct histogram *histogram, uint64_t min, uint64_t max, uint64_t sum, uint64_t count)
{
	histogram->min = histogram->count ? MIN(histogram->min, min) : min;
	histogram->max = MAX(histogram->max, max);
	histogram->sum = add_up(histogram->sum, sum);
	histogram->count += count;
}

void
histogram_add_n(struct histogram *histogram, uint64_t value, uint64_t times)
{
	const unsigned bucket = histogram_bucket(value);
	uint64_t sum;

	if (!times)
		return;
	if (__builtin_mul_overflow(value, times, &sum))
		sum = UINT64_MAX;
	if (bucket - histogram->first >= histogram->n)
		cover(histogram, bucket, bucket);
	histogram->counts[bucket - histogram->first] += times;
	note(histogram, value, value, sum, times);
}

void
histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram_add_n(histogram, value, 1);
}

void
histogram_merge(struct histogram *histogram, const struct histogram *other)
{
	if (!other->count)
		return;
	cover(histogram, histogram_bucket(other->min), histogram_bucket(other->max));
	for (unsigned i = 0; i < other->n; i++)
		if (other->counts[i])
			histogram->counts[other->first + i - histogram->first] += other->counts[i];
	note(histogram, other->min, other->max, other->sum, other->count);
}

/* The value of that rank, from 0: those of a bucket are taken as spread evenly. */
static uint64_t
value_of_rank(const struct histogram *histogram, uint64_t rank)
{
	uint64_t before = 0;

	for (unsigned i = 0; i < histogram->n; i++) {
		const uint64_t here = histogram->counts[i];
		const unsigned bucket = histogram->first + i;
		uint64_t value;

		if (rank >= before + here) {
			before += here;
			continue;
		}
		value = histogram_low(bucket) +
			(uint64_t) ((__uint128_t) width(bucket) * (2 * (rank - before) + 1) /
				    (2 * here));
		value = MAX(value, histogram->min);
		return MIN(value, histogram->max);
	}
	return histogram->max;
}

uint64_t
histogram_quantile(const struct histogram *histogram, unsigned per_mille)
{
	const __uint128_t place = (__uint128_t) (histogram->count ? histogram->count - 1 : 0) *
				  MIN(per_mille, 1000U);
	const uint64_t rank = (uint64_t) (place / 1000), rest = (uint64_t) (place % 1000);
	uint64_t value, next_value;

	if (!per_mille || !histogram->count)
		return histogram->min;
	if (per_mille >= 1000)
		return histogram->max;
	value = value_of_rank(histogram, rank);
	if (!rest)
		return value;
	next_value = value_of_rank(histogram, rank + 1);
	return value + (uint64_t) ((__uint128_t) (next_value - value) * rest / 1000);
}

/* -- As bytes --------------------------------------------------------------- */

void
varint_write(uint64_t value, struct buf *out)
{
	unsigned char bytes[10];
	size_t n = 0;

	do
		bytes[n++] = (unsigned char) ((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
	while (value >>= 7);
	buf_add(out, bytes, n);
}

ssize_t
varint_read(const void *bytes_, size_t size, uint64_t *ret)
{
	const unsigned char *bytes = bytes_;
	uint64_t value = 0;

	for (size_t i = 0; i < MIN(size, (size_t) 10); i++) {
		if (i == 9 && bytes[i] > 1)
			return -EINVAL;
		value |= (uint64_t) (bytes[i] & 0x7f) << (7 * i);
		if (bytes[i] & 0x80)
			continue;
		*ret = value;
		return (ssize_t) i + 1;
	}
	return -EINVAL;
}

/* Sum, least, spread; then for each bucket in use its distance from the last one
 * and its count; a distance of 0 ends it. */
void
histogram_write(const struct histogram *histogram, struct buf *out)
{
	unsigned last = 0;

	varint_write(histogram->count, out);
	if (!histogram->count)
		return;
	varint_write(histogram->sum, out);
	varint_write(histogram->min, out);
	varint_write(histogram->max - histogram->min, out);
	for (unsigned i = 0; i < histogram->n; i++) {
		if (!histogram->counts[i])
			continue;
		varint_write(histogram->first + i + 1 - last, out);
		varint_write(histogram->counts[i], out);
		last = histogram->first + i + 1;
	}
	varint_write(0, out);
}

struct reader {
	const unsigned char *at;
	size_t left;
};

static uint64_t
next(struct reader *reader, bool *bad)
{
	uint64_t value = 0;
	const ssize_t n = varint_read(reader->at, reader->left, &value);

	if (n < 0) {
		*bad = true;
		return 0;
	}
	reader->at += n;
	reader->left -= (size_t) n;
	return value;
}

static bool
read_buckets(struct histogram *histogram, struct reader *reader)
{
	uint64_t bucket = 0, step, times, total = 0;
	bool bad = false;

	while ((step = next(reader, &bad)) && !bad) {
		if (step > HISTOGRAM_BUCKETS || (bucket += step) > HISTOGRAM_BUCKETS)
			return false;
		times = next(reader, &bad);
		if (bad || !times || total + times < total ||
		    bucket - 1 - histogram->first >= histogram->n)
			return false;
		total += times;
		histogram->counts[bucket - 1 - histogram->first] = times;
	}
	return !bad && total == histogram->count;
}

ssize_t
histogram_read(struct histogram *histogram, const void *bytes, size_t size)
{
	struct reader reader = { bytes, size };
	uint64_t count, sum, min, spread;
	bool bad = false;

	histogram_reset(histogram);
	count = next(&reader, &bad);
	if (bad)
		return -EINVAL;
	if (!count)
		return (ssize_t) (size - reader.left);
	sum = next(&reader, &bad);
	min = next(&reader, &bad);
	spread = next(&reader, &bad);
	if (bad || min + spread < min)
		return -EINVAL;
	cover(histogram, histogram_bucket(min), histogram_bucket(min + spread));
	note(histogram, min, min + spread, sum, count);
	if (!read_buckets(histogram, &reader)) {
		histogram_reset(histogram);
		return -EINVAL;
	}
	return (ssize_t) (size - reader.left);
}
