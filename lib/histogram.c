/* SPDX-License-Identifier: MIT */
#include "lib/histogram.h"

#include "lib/util.h"

unsigned
histogram_bucket(uint64_t value)
{
	unsigned bit;

	if (value < UINT64_C(1) << HISTOGRAM_FIRST_BIT)
		return 0;
	bit = 63 - (unsigned) __builtin_clzll(value);
	if (bit >= HISTOGRAM_LAST_BIT)
		return HISTOGRAM_BUCKETS - 1;
	return 1 + (bit - HISTOGRAM_FIRST_BIT) * 4 + (unsigned) (value >> (bit - 2) & 3);
}

uint64_t
histogram_from(unsigned bucket)
{
	if (bucket == 0)
		return 0;
	bucket--;
	return (UINT64_C(4) + bucket % 4) << (HISTOGRAM_FIRST_BIT - 2 + bucket / 4);
}

uint64_t
histogram_to(unsigned bucket)
{
	return bucket >= HISTOGRAM_BUCKETS - 1 ? UINT64_MAX : histogram_from(bucket + 1);
}

void
histogram_add(struct histogram *histogram, uint64_t value)
{
	uint32_t *count = &histogram->counts[histogram_bucket(value)];

	histogram->n++;
	histogram->sum += MIN(value, UINT64_MAX - histogram->sum);
	histogram->max = MAX(histogram->max, value);
	*count += *count < UINT32_MAX;
}

uint64_t
histogram_percentile(const struct histogram *histogram, double percent)
{
	double left = (double) histogram->n * percent / 100;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		const double count = histogram->counts[i];
		const double from = (double) histogram_from(i);
		const uint64_t to = MIN(histogram_to(i), histogram->max);

		if (count > 0 && left <= count) {
			if ((double) to <= from)
				return to;
			return MIN((uint64_t) (from + ((double) to - from) * left / count),
				   histogram->max);
		}
		left -= count;
	}
	return histogram->max;
}

void
histogram_merge(struct histogram *to, const struct histogram *from)
{
	to->n += from->n;
	to->sum += MIN(from->sum, UINT64_MAX - to->sum);
	to->max = MAX(to->max, from->max);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		to->counts[i] += MIN(from->counts[i], UINT32_MAX - to->counts[i]);
}
