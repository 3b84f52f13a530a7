/* SPDX-License-Identifier: MIT
 *
 * test_clocks.c -- clocks of two hosts from the segments between them: hulls against
 * all points, lines against a search by brute force, the store in any order. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/kernel_sync.h"
#include "daemon/clock_hull.h"
#include "daemon/clock_relation.h"
#include "lib/util.h"
#include "store_fixture.h"

static uint64_t seed;

static uint64_t
draw(uint64_t limit)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 33) % limit;
}

/* -- Hulls ---------------------------------------------------------------------- */

/* Whether a point is on or above each line between hull points that spans it. */
static bool
is_covered(const struct clock_hull *hull, const struct clock_point *p)
{
	for (uint32_t i = 0; i < hull->n; i++) {
		const struct clock_point *a = &hull->points[i], *b = a + 1;

		if (a->x == p->x)
			return p->y >= a->y;
		if (i + 1 < hull->n && a->x < p->x && p->x < b->x)
			return ((__int128) p->y - a->y) * ((__int128) b->x - a->x) >=
				((__int128) b->y - a->y) * ((__int128) p->x - a->x);
	}
	return false;
}

static void
shuffle(struct clock_point *points, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		const size_t k = draw(i);
		const struct clock_point other = points[k];

		points[k] = points[i - 1];
		points[i - 1] = other;
	}
}

static void
assert_same_hull(const struct clock_hull *a, const struct clock_hull *b)
{
	assert_int_equal(a->n, b->n);
	assert_memory_equal(a->points, b->points, a->n * sizeof *a->points);
}

static void
test_hull_order(void **state)
{
	enum { N = 200 };
	static const struct { int64_t x, y; } scales[] = {
		{ 10, 10 }, { 1000000, 1000 }, { INT64_MAX / 3, INT64_MAX / 3 },
	};

	(void) state;
	seed = 5;
	for (uint64_t run = 1; run < 300; run++) {
		struct clock_point points[N];
		struct clock_hull first = { 0 }, second = { 0 }, third = { 0 };
		_cleanup_(buf_done) struct buf blob = { 0 };
		const unsigned scale = draw(ARRAY_SIZE(scales));

		for (size_t i = 0; i < N; i++) {
			points[i].x = (int64_t) (((draw(1u << 31) << 31) + draw(1u << 31)) %
						 (uint64_t) scales[scale].x);
			points[i].y = (int64_t) (((draw(1u << 31) << 31) + draw(1u << 31)) %
						 (uint64_t) scales[scale].y) - scales[scale].y / 2;
		}
		for (size_t i = 0; i < N; i++)
			clock_hull_add(&first, points[i].x, points[i].y);
		shuffle(points, N);
		for (size_t i = 0; i < N; i++)
			clock_hull_add(&second, points[i].x, points[i].y);
		for (size_t i = 0; i < N; i++)
			assert_true(is_covered(&first, &points[i]));
		/* Of the halves' hulls, and twice. */
		for (int half = 0; half < 4; half++) {
			struct clock_hull part = { 0 };

			for (size_t i = 0; i < N; i++)
				if (i % 2 == (size_t) half % 2)
					clock_hull_add(&part, points[i].x, points[i].y);
			for (uint32_t i = 0; i < part.n; i++)
				clock_hull_add(&third, part.points[i].x, part.points[i].y);
			clock_hull_done(&part);
		}
		assert_same_hull(&first, &second);
		assert_same_hull(&first, &third);
		clock_hull_done(&second);
		clock_hull_write(&first, &blob);
		assert_int_equal(clock_hull_read(&second, blob.data, blob.size), blob.size);
		assert_same_hull(&first, &second);
		clock_hull_done(&first);
		clock_hull_done(&second);
		clock_hull_done(&third);
	}
}

static void
test_hull_hostile(void **state)
{
	static const int64_t edges[] = { 0, 1, INT64_MAX - 1, INT64_MAX, INT64_MIN + 1, -1, INT64_MIN };
	struct clock_hull hull = { 0 };

	(void) state;
	for (unsigned i = 0; i < 343; i++)
		clock_hull_add(&hull, edges[i % 7], edges[i / 7 % 7]);
	assert_int_equal(hull.points[0].x, 0);
	assert_int_equal(hull.points[0].y, INT64_MIN + 1);
	for (uint32_t i = 1; i < hull.n; i++)
		assert_true(hull.points[i - 1].x < hull.points[i].x);
	clock_hull_done(&hull);
	/* A parabola: no point can go. */
	for (int64_t i = 0; i < 2 * MAX_HULL_POINTS; i++)
		clock_hull_add(&hull, i, i * i);
	assert_int_equal(hull.n, MAX_HULL_POINTS);
	clock_hull_done(&hull);
	for (uint64_t run = 1; run < 20000; run++) {
		unsigned char blob[40];
		const size_t size = draw(sizeof blob);

		for (size_t i = 0; i < size; i++)
			blob[i] = (unsigned char) draw(256);
		clock_hull_read(&hull, blob, size);
		for (uint32_t i = 1; i < hull.n; i++)
			assert_true(hull.points[i - 1].x < hull.points[i].x);
		clock_hull_done(&hull);
	}
}

/* Messages of a long time, almost in order: the work does not grow with the hull. */
static void
test_hull_cost(void **state)
{
	struct clock_hull hull = { 0 };
	enum { N = 200000 };

	(void) state;
	seed = 7;
	for (int64_t i = 0; i < N; i++)
		clock_hull_add(&hull, i * 1000 + (int64_t) draw(3000), (int64_t) draw(1000000) + i / 10);
	assert_true(hull.steps < UINT64_C(20) * N);
	assert_true(hull.n > 5);
	clock_hull_done(&hull);
}

/* -- Lines ---------------------------------------------------------------------- */

struct world {
	struct clock_hull above, below;
	struct clock_point points[2][64];
	unsigned n[2];
};

static void
add(struct world *world, int kind, int64_t x, int64_t y)
{
	world->points[kind][world->n[kind]++] = (struct clock_point) { x, y };
	clock_hull_add(kind ? &world->below : &world->above, x, y);
}

static void
world_done(struct world *world)
{
	clock_hull_done(&world->above);
	clock_hull_done(&world->below);
	*world = (struct world) { 0 };
}

/* The highest line at t over all slopes, from all points: of the lines through two
 * points (and the steepest ones), which are the corners of what is possible. */
static long double
brute(const struct world *world, int kind, int64_t t)
{
	long double best = -INFINITY;
	long double slopes[128 * 128 + 2];
	unsigned n = 0;

	slopes[n++] = 1e-3L;
	slopes[n++] = -1e-3L;
	for (unsigned i = 0; i < world->n[0] + world->n[1]; i++)
		for (unsigned k = 0; k < i; k++) {
			const bool a = i >= world->n[0], b = k >= world->n[0];
			const struct clock_point *p = &world->points[a][i - (a ? world->n[0] : 0)];
			const struct clock_point *q = &world->points[b][k - (b ? world->n[0] : 0)];
			const long double m = p->x == q->x ? INFINITY :
				(long double) ((b ? -q->y : q->y) - (a ? -p->y : p->y)) /
				(long double) (q->x - p->x);

			if (fabsl(m) <= 1e-3L)
				slopes[n++] = m;
		}
	for (unsigned s = 0; s < n; s++) {
		long double height[2] = { INFINITY, INFINITY };

		for (int h = 0; h < 2; h++)
			for (unsigned i = 0; i < world->n[h]; i++)
				height[h] = fminl(height[h], (long double) world->points[h][i].y -
						  (h ? -slopes[s] : slopes[s]) *
						  (long double) (world->points[h][i].x - t));
		/* Under valgrind a long double has but 53 bits. */
		if (height[0] + height[1] >= -1e-4L)
			best = fmaxl(best, height[kind]);
	}
	return best;
}

static void
test_lines(void **state)
{
	static const int64_t x0 = 1795400000000000000;
	unsigned possible = 0;

	(void) state;
	seed = 5;
	for (uint64_t run = 1; run < 2000; run++) {
		const int64_t offset = (int64_t) draw(2000000000) - 1000000000;
		const int64_t drift = (int64_t) draw(400000) - 200000;   /* ppb */
		const int64_t span = (int64_t) draw(120) * 500000000 + 1000000;
		const int64_t t = x0 + (int64_t) draw(60) * 1000000000;
		const int64_t truth = offset + drift * ((t - x0) / 1000) / 1000000;
		const uint64_t n = 2 + draw(40);
		const long double rounding = 10 + (long double) (t - x0) / 1e9L;
		struct world world = { 0 };
		struct clock_range range = { 0 };
		int r;

		for (uint64_t i = 0; i < n; i++) {
			const int64_t x = x0 + (int64_t) draw(1u << 31) % 1000000 * (span / 1000000);
			const int64_t now = offset + drift * ((x - x0) / 1000) / 1000000;
			const int64_t delay = 10 + (int64_t) (draw(1000) * draw(1000) * draw(3));
			const int kind = draw(2) != 0;

			add(&world, kind, x, (kind ? -now : now) + delay);
		}
		r = clock_hull_range(&world.above, &world.below, t, &range);
		if (world.n[0] && world.n[1]) {
			assert_int_equal(r, 0);
			assert_true(range.least_ns <= truth && truth <= range.most_ns);
			assert_true(range.least_ppb <= drift && drift <= range.most_ppb + 1);
			assert_true((long double) range.most_ns >= brute(&world, 0, t) - 1);
			assert_true((long double) -range.least_ns >= brute(&world, 1, t) - 1);
			assert_true((long double) range.most_ns <= brute(&world, 0, t) + rounding);
			assert_true((long double) -range.least_ns <= brute(&world, 1, t) + rounding);
			possible++;
		} else {
			assert_int_equal(r, -ENOENT);
		}
		world_done(&world);
	}
	assert_true(possible > 1000);
}

static void
test_lines_impossible(void **state)
{
	struct world world = { 0 };
	struct clock_range range;

	(void) state;
	assert_int_equal(clock_hull_range(&world.above, &world.below, 0, &range), -ENOENT);
	add(&world, 0, 1000, 50);
	add(&world, 1, 1000, -60);
	assert_int_equal(clock_hull_range(&world.above, &world.below, 1000, &range), -ERANGE);
	world_done(&world);
	/* No clock leaps by a second within one. */
	add(&world, 0, 0, -1000000000);
	add(&world, 1, 1000000000, 0);
	assert_int_equal(clock_hull_range(&world.above, &world.below, 0, &range), -ERANGE);
	world_done(&world);
	/* Times of the edge. */
	add(&world, 0, INT64_MAX, INT64_MAX);
	add(&world, 1, INT64_MAX, INT64_MAX);
	add(&world, 1, 0, INT64_MIN + 1);
	assert_int_equal(clock_hull_range(&world.above, &world.below, INT64_MAX, &range), 0);
	assert_true(range.least_ns < range.most_ns);
	world_done(&world);
}

static void
test_slack(void **state)
{
	(void) state;
	assert_int_equal(clock_slack_ns(0), 1);
	assert_int_equal(clock_slack_ns(S(1)), 51);
	assert_int_equal(clock_slack_ns(S(30)), 45001);
	assert_int_equal(clock_slack_ns(S(3600)), 360000001);
	assert_int_equal(clock_slack_ns(UINT64_MAX), 360000001);
}

/* -- In the store ---------------------------------------------------------------- */

enum { WINDOWS = 300, PER_WINDOW = 8 };

struct told {
	const char *host;
	uint64_t start_ns;
	struct buf blob;
};

static void
tell(struct told *told, const char *host, uint64_t start_ns, uint64_t hash, uint64_t t_ns, bool received)
{
	struct sync_pool *pool = xcalloc(1, sizeof *pool);
	const struct sync_sample sample = { .hash = hash, .t_ns = t_ns, .received = received };

	sync_begin(pool, start_ns, MS(100));
	sync_add(pool, &sample);
	assert_true(sync_pack(pool, start_ns, &told->blob));
	told->host = host;
	told->start_ns = start_ns;
	free(pool);
}

/* By how much the second host of a pair is ahead. */
static int64_t
ahead(const char *host, uint64_t t_ns)
{
	const int64_t s = (int64_t) (t_ns - T0) / 1000000;

	return streq(host, "b") ? 5000000000 + s * 3 / 2 : streq(host, "c") ? -2000000000 - s : 0;
}

/* a talks to b, b to c; each message is told by both, some are lost. */
static size_t
make_messages(struct told *told)
{
	static const char *const pairs[][2] = { { "a", "b" }, { "b", "c" } };
	size_t n = 0;

	for (unsigned i = 0; i < WINDOWS; i++) {
		const bool back = draw(2);
		const char *const *pair = pairs[draw(2)];
		const uint64_t sent = T0 + MS(100) * i + draw(1000), received = sent + 60000 + draw(4000000);
		const char *from = pair[back], *to = pair[!back];
		const uint64_t there = received + (uint64_t) ahead(to, received);
		const uint64_t here = sent + (uint64_t) ahead(from, sent);

		if (draw(10))
			tell(&told[n++], from, here / MS(100) * MS(100), i + 1, here, false);
		if (draw(10))
			tell(&told[n++], to, there / MS(100) * MS(100), i + 1, there, true);
		/* It is sent and received again. */
		if (!draw(20))
			tell(&told[n++], to, (there / MS(100) + 1) * MS(100), i + 1, there + MS(100), true);
	}
	return n;
}

static void
put_told(struct store *store, const struct told *told)
{
	const struct fact fact = {
		.type = FACT_WINDOW, .host = told->host, .kind = "sync", .key = "-",
		.start_ns = told->start_ns, .end_ns = told->start_ns + MS(100), .blob = told->blob.data,
		.blob_size = told->blob.size,
	};

	assert_int_equal(store_put_fact(store, &fact, NULL), 0);
}

static void
assert_related(struct store *store, const char *a, const char *b, uint64_t error_ns)
{
	struct clock_relation relation, turned;
	const uint64_t t_ns = T0 + S(15);
	const int64_t truth = ahead(b, t_ns) - ahead(a, t_ns);

	assert_int_equal(clock_relation(store, a, b, t_ns + (uint64_t) ahead(a, t_ns), &relation), 0);
	assert_true(relation.error_ns < error_ns);
	assert_true(llabs(relation.offset_ns - truth) <= (int64_t) relation.error_ns);
	assert_int_equal(relation.how, CLOCK_PACKETS);
	assert_int_equal(clock_relation(store, b, a, t_ns + (uint64_t) ahead(b, t_ns), &turned), 0);
	assert_true(llabs(turned.offset_ns + truth) <= (int64_t) turned.error_ns);
	assert_true(turned.error_ns < error_ns);
}

static void
test_store_order(void **state)
{
	struct told *told = xcalloc(3 * WINDOWS, sizeof *told);
	_cleanup_(freep) char *first = NULL;
	struct clock_relation relation;
	size_t n;

	(void) state;
	seed = 11;
	n = make_messages(told);
	/* By time, host by host, and shuffled (but copies after what they copy). */
	for (int order = 0; order < 3; order++) {
		struct store *store = open_store(temporary("clocks.db"), STORE_WRITE);
		_cleanup_(freep) char *text = NULL;

		assert_int_equal(store_begin(store, NULL), 0);
		for (const char *host = "abc"; *host; host++)
			for (size_t i = 0; i < n; i++) {
				const struct told *one = &told[order == 2 ? (i % 3) * (n / 3) + i / 3 : i];

				if (order == 2 && i >= n / 3 * 3)
					one = &told[i];
				if (order != 1 ? *host == 'a' : *one->host == *host)
					put_told(store, one);
			}
		assert_int_equal(store_commit(store, NULL), 0);
		assert_related(store, "a", "b", 400000);
		assert_related(store, "b", "c", 400000);
		assert_related(store, "a", "c", 800000);
		assert_int_equal(clock_relation(store, "a", "d", T0, &relation), -ENOENT);
		assert_int_equal(clock_relation(store, "d", "d", T0, &relation), 0);
		assert_int_equal(relation.error_ns, 0);
		text = dump(store);
		assert_non_null(strstr(text, "clock"));
		if (first)
			assert_string_equal(first, text);
		else
			first = xstrdup(text);
		store_close(store);
		temporary_done();
	}
	for (size_t i = 0; i < n; i++)
		buf_done(&told[i].blob);
	free(told);
}

/* What is old takes less room, and is still right. */
static void
test_store_age(void **state)
{
	struct store *store = open_store(temporary("clocks.db"), STORE_WRITE);
	struct clock_relation relation = { 0 };
	uint64_t n = 0;

	(void) state;
	seed = 17;
	assert_int_equal(store_begin(store, NULL), 0);
	for (unsigned i = 0; i < 3000; i++)
		for (unsigned back = 0; back < 2; back++) {
			const uint64_t sent = T0 + S(2) * i + draw(1000);
			const uint64_t received = sent + 60000 + draw(1000000);
			const char *from = back ? "b" : "a", *to = back ? "a" : "b";
			struct told told[2] = { { 0 } };

			n++;
			tell(&told[0], from, sent + (uint64_t) ahead(from, sent) - 5, n,
			     sent + (uint64_t) ahead(from, sent), false);
			tell(&told[1], to, received + (uint64_t) ahead(to, received) - 5, n,
			     received + (uint64_t) ahead(to, received), true);
			for (int k = 0; k < 2; k++) {
				put_told(store, &told[k]);
				buf_done(&told[k].blob);
			}
		}
	assert_int_equal(store_commit(store, NULL), 0);
	for (int aged = 0; aged < 2; aged++) {
		unsigned lines = 0;
		_cleanup_(freep) char *text = dump(store);

		for (const char *at = text; (at = strstr(at, "clock\ta\tb\t")); at++)
			lines++;
		assert_true(aged ? lines < 450 : lines == 600);
		for (uint64_t t_ns = T0 + S(5); t_ns < T0 + S(6000); t_ns += S(100)) {
			assert_int_equal(clock_relation(store, "a", "b", t_ns, &relation), 0);
			assert_true(relation.error_ns < 300000);
			assert_true(llabs(relation.offset_ns - ahead("b", t_ns)) <=
				    (int64_t) relation.error_ns);
		}
		assert_true(relation.drift_ppb > -20000 && relation.drift_ppb < 23000);
		assert_int_equal(store_retain(store, 1, 1, NULL), 0);
	}
	store_close(store);
	temporary_done();
}

/* A clock that was set: each side of it is right, though together they can't be. */
static void
test_store_step(void **state)
{
	struct store *store = open_store(temporary("clocks.db"), STORE_WRITE);
	struct clock_relation relation;

	(void) state;
	assert_int_equal(store_begin(store, NULL), 0);
	for (unsigned i = 0; i < 120; i++) {
		const uint64_t t = T0 + MS(500) * i, there = t + (i < 60 ? S(3) : S(8));
		struct told told[2] = { { 0 } };

		tell(&told[0], i % 2 ? "b" : "a", (i % 2 ? there : t) - 5, i + 1, i % 2 ? there : t, false);
		tell(&told[1], i % 2 ? "a" : "b", (i % 2 ? t : there) - 5, i + 1,
		     (i % 2 ? t : there) + 100000, true);
		for (int k = 0; k < 2; k++) {
			put_told(store, &told[k]);
			buf_done(&told[k].blob);
		}
	}
	assert_int_equal(store_commit(store, NULL), 0);
	assert_int_equal(clock_relation(store, "a", "b", T0 + S(5), &relation), 0);
	assert_true(llabs(relation.offset_ns - (int64_t) S(3)) <= (int64_t) relation.error_ns);
	assert_true(relation.error_ns < 200000);
	assert_int_equal(clock_relation(store, "a", "b", T0 + S(55), &relation), 0);
	assert_true(llabs(relation.offset_ns - (int64_t) S(8)) <= (int64_t) relation.error_ns);
	assert_true(relation.error_ns < 200000);
	store_close(store);
	temporary_done();
}

static void
see_segment(void *context, uint64_t hash, uint64_t t_ns, bool received)
{
	(void) hash;
	(void) received;
	assert_true(t_ns >= T0 && t_ns <= T0 + MS(100));
	++*(unsigned *) context;
}

static void
test_hostile_windows(void **state)
{
	unsigned n = 0;

	(void) state;
	seed = 5;
	for (uint64_t run = 1; run < 20000; run++) {
		unsigned char blob[60] = { SYNC_WINDOW_VERSION };
		const size_t size = 1 + draw(sizeof blob - 1);
		const struct fact_window window = { T0, T0 + MS(100), blob, size };

		for (size_t i = 1; i < size; i++)
			blob[i] = (unsigned char) draw(i == 1 ? 5 : i % 11 == 0 ? 40 : 128);
		sync_each(&window, see_segment, &n);
	}
	assert_true(n > 1000);
}

/* -- Choosing segments ------------------------------------------------------------- */

/* Both ends choose the same where one has more to choose from. */
static void
test_choice(void **state)
{
	struct sync_pool *pools = xcalloc(2, sizeof *pools);
	unsigned levels[2][2] = { { 0 } }, shared = 0;

	(void) state;
	seed = 3;
	for (int p = 0; p < 2; p++)
		sync_begin(&pools[p], T0, MS(100));
	for (unsigned i = 0; i < 4000; i++)
		for (unsigned p = 0; p < 2; p++)
			for (unsigned c = 0; c <= p; c++) {
				const struct sync_segment segment = { .key = { .source_port = (uint16_t) c },
								      .seq = i };
				struct sync_sample sample = { .t_ns = T0 + i, .key = segment.key };

				sample.hash = sync_hash(&segment);
				while (sync_level(sample.hash) >= levels[p][c] && !sync_has_room(&pools[p])) {
					const struct net_key key = sync_busiest(&pools[p]);

					sync_thin(&pools[p], &key, ++levels[p][key.source_port]);
				}
				if (sync_level(sample.hash) >= levels[p][c])
					sync_add(&pools[p], &sample);
			}
	for (uint32_t i = 0; i < pools[0].n; i++)
		for (uint32_t k = 0; k < pools[1].n; k++)
			shared += pools[0].samples[i].hash == pools[1].samples[k].hash;
	assert_true(pools[0].n > MAX_SYNC_SAMPLES / 3 && pools[1].n > MAX_SYNC_SAMPLES / 3);
	/* What has the higher level is in the other too. */
	assert_true(shared > MAX_SYNC_SAMPLES / 6);
	free(pools);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hull_order),
		cmocka_unit_test(test_hull_hostile),
		cmocka_unit_test(test_hull_cost),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_lines_impossible),
		cmocka_unit_test(test_slack),
		cmocka_unit_test(test_store_order),
		cmocka_unit_test(test_store_age),
		cmocka_unit_test(test_store_step),
		cmocka_unit_test(test_hostile_windows),
		cmocka_unit_test(test_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
