/* SPDX-License-Identifier: MIT
 *
 * test_histogram.c -- lib/histogram.h and lib/keyed.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/histogram.h"
#include "lib/keyed.h"

/* The same numbers in each run. */
static uint64_t
random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void
buckets_cover_everything_once(void **state)
{
	(void) state;
	for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) {
		assert_int_equal(histogram_bucket(histogram_low(b)), b);
		if (b)
			assert_int_equal(histogram_bucket(histogram_low(b) - 1), b - 1);
	}
	assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static int
compare_u64(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

	return x < y ? -1 : x > y;
}

static void
quantiles_are_near(void **state)
{
	static const unsigned asked[] = { 0, 10, 500, 900, 990, 1000 };
	struct histogram histogram = { 0 };
	uint64_t seed = 88172645463325252u, values[5001];

	(void) state;
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
		/* Spread over many powers of two. */
		values[i] = random_next(&seed) >> (24 + random_next(&seed) % 36);
		histogram_add(&histogram, values[i]);
	}
	qsort(values, ARRAY_SIZE(values), sizeof *values, compare_u64);
	for (unsigned i = 0; i < ARRAY_SIZE(asked); i++) {
		const double real = (double) values[asked[i] * 5];
		const double got = (double) histogram_quantile(&histogram, asked[i]);

		assert_true(got >= real * (1 - 1.0 / 31) - 1 && got <= real * (1 + 1.0 / 31) + 1);
	}
	assert_int_equal(histogram_quantile(&histogram, 0), values[0]);
	assert_int_equal(histogram_quantile(&histogram, 1000), values[5000]);
	assert_int_equal(histogram.min, values[0]);
	assert_int_equal(histogram.max, values[5000]);
	histogram_done(&histogram);
	assert_int_equal(histogram_quantile(&histogram, 500), 0);
}

static void
assert_same_bytes(const struct histogram *a, const struct histogram *b)
{
	struct buf x = { 0 }, y = { 0 };

	histogram_write(a, &x);
	histogram_write(b, &y);
	assert_int_equal(x.size, y.size);
	assert_memory_equal(x.data, y.data, x.size);
	buf_done(&x);
	buf_done(&y);
}

static void
parts_add_up(void **state)
{
	struct histogram all = { 0 }, parts[3] = { { 0 } }, sum = { 0 };
	uint64_t seed = 1234567;

	(void) state;
	for (unsigned i = 0; i < 3000; i++) {
		const uint64_t value = random_next(&seed) >> (10 + i % 50);

		histogram_add(&all, value);
		histogram_add(&parts[i % 3], value);
	}
	for (int i = 2; i >= 0; i--)
		histogram_merge(&sum, &parts[i]);
	assert_same_bytes(&all, &sum);
	/* Used again, it holds nothing of before. */
	histogram_reset(&all);
	histogram_add_n(&all, 77, 3);
	histogram_done(&sum);
	histogram_add_n(&sum, 77, 3);
	assert_same_bytes(&all, &sum);
	assert_int_equal(all.sum, 231);
	histogram_add_n(&all, UINT64_MAX, 2);
	assert_true(all.sum == UINT64_MAX);
	for (unsigned i = 0; i < 3; i++)
		histogram_done(&parts[i]);
	histogram_done(&all);
	histogram_done(&sum);
}

static void
bytes_come_back(void **state)
{
	struct histogram before = { 0 }, after = { 0 };
	struct buf bytes = { 0 };

	(void) state;
	histogram_write(&before, &bytes);
	assert_int_equal(histogram_read(&after, bytes.data, bytes.size), bytes.size);
	assert_int_equal(after.count, 0);
	buf_clear(&bytes);
	histogram_add_n(&before, 0, 2);
	histogram_add_n(&before, 15400, 1414);
	histogram_add(&before, UINT64_MAX);
	histogram_write(&before, &bytes);
	histogram_add(&after, 3);
	assert_int_equal(histogram_read(&after, bytes.data, bytes.size), bytes.size);
	assert_same_bytes(&before, &after);
	for (size_t n = 0; n < bytes.size; n++) {
		assert_int_equal(histogram_read(&after, bytes.data, n), -EINVAL);
		assert_int_equal(after.count, 0);
	}
	histogram_done(&before);
	histogram_done(&after);
	buf_done(&bytes);
}

/* Whatever the bytes, what was read can be walked and is sound. */
static void
hostile_bytes_are_harmless(void **state)
{
	struct histogram histogram = { 0 };
	uint64_t seed = 42;
	unsigned char bytes[40];
	unsigned taken = 0;

	(void) state;
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t total = 0;

		for (unsigned k = 0; k < sizeof bytes; k++)
			bytes[k] = (unsigned char) (random_next(&seed) % (i % 2 ? 256 : 5));
		if (histogram_read(&histogram, bytes, sizeof bytes) < 0)
			continue;
		taken++;
		for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++)
			total += histogram_at(&histogram, b);
		assert_true(total == histogram.count);
		assert_true(histogram_quantile(&histogram, 500) <= histogram.max);
	}
	assert_true(taken > 0);
	histogram_done(&histogram);
}

struct pair {
	uint32_t key;
	uint32_t value;
};

static void
records_are_found(void **state)
{
	struct keyed keyed = KEYED(struct pair, key, 1000);
	uint64_t seed = 99;
	bool there[4000] = { false };
	uint32_t n = 0;

	(void) state;
	for (unsigned i = 0; i < 100000; i++) {
		const uint32_t key = (uint32_t) (random_next(&seed) % ARRAY_SIZE(there));
		struct pair *pair = keyed_find(&keyed, &key);
		bool is_new;

		assert_true(!pair == !there[key]);
		if (pair && i % 2) {
			assert_int_equal(pair->value, key * 3);
			keyed_remove(&keyed, pair);
			there[key] = false;
			n--;
		} else if (!pair) {
			pair = keyed_get(&keyed, &key, &is_new);
			assert_true(!pair == (n == 1000));
			if (!pair)
				continue;
			assert_true(is_new && !pair->value);
			pair->value = key * 3;
			there[key] = true;
			n++;
		}
		assert_int_equal(keyed.n, n);
	}
	keyed_sort(&keyed);
	for (uint32_t i = 0; i < keyed.n; i++) {
		const struct pair *pair = keyed_at(&keyed, i);

		assert_ptr_equal(keyed_find(&keyed, &pair->key), pair);
	}
	keyed_clear(&keyed);
	assert_null(keyed_find(&keyed, &(uint32_t) { 5 }));
	keyed_done(&keyed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_cover_everything_once),
		cmocka_unit_test(quantiles_are_near),
		cmocka_unit_test(parts_add_up),
		cmocka_unit_test(bytes_come_back),
		cmocka_unit_test(hostile_bytes_are_harmless),
		cmocka_unit_test(records_are_found),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
