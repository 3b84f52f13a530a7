/* SPDX-License-Identifier: MIT
 *
 * test_store_windows.c -- windows in the store: kept, replaced, given for a
 * span, joined when they are old, forgotten. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/batch.h"
#include "daemon/settle.h"
#include "store_fixture.h"

/* A blob of a version and a number; joining adds, but not over 200. */
static int
merge_sums(const struct fact_window *windows, size_t n, struct buf *ret)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (windows[i].size != 2 || (i && windows[i].start_ns <= windows[i - 1].start_ns))
			return -EINVAL;
		sum += ((const unsigned char *) windows[i].blob)[1];
	}
	if (sum > 200)
		return -EINVAL;
	buf_add_char(ret, 1);
	buf_add_char(ret, (char) sum);
	return 0;
}

static const struct window_kind sums = { .kind = "sums", .merge = merge_sums };
static const struct window_kind *const kinds[] = { &sums, NULL };

static int
put(struct store *store, const char *host, const char *kind, uint64_t start_ns, uint64_t end_ns,
    unsigned char value)
{
	const unsigned char blob[] = { 1, value };
	const struct fact fact = {
		.type = FACT_WINDOW, .host = host, .kind = kind, .key = "-", .start_ns = start_ns,
		.end_ns = end_ns, .blob = blob, .blob_size = sizeof blob,
	};

	return store_put_fact(store, &fact, NULL);
}

struct seen {
	unsigned n, sum, most;
	uint64_t first_ns, last_ns, span_ns;
};

static bool
see(void *context, const char *host, const char *key, const struct fact_window *window)
{
	struct seen *seen = context;

	assert_string_equal(key, "-");
	assert_int_equal(window->size, 2);
	assert_int_equal(*(const unsigned char *) window->blob, 1);
	if (!seen->n++)
		seen->first_ns = window->start_ns;
	seen->last_ns = window->end_ns;
	seen->span_ns = window->end_ns - window->start_ns;
	seen->sum += ((const unsigned char *) window->blob)[1];
	return seen->n != seen->most;
}

static struct seen
look(struct store *store, const char *host, uint64_t from_ns, uint64_t to_ns)
{
	struct seen seen = { 0 };

	assert_int_equal(store_windows(store, host, "sums", NULL, from_ns, to_ns, see, &seen, NULL), 0);
	return seen;
}

static int
teardown(void **state)
{
	temporary_done();
	return 0;
}

static void
test_kept(void **state)
{
	struct store *store = open_store(temporary("w.db"), STORE_WRITE);
	struct seen seen = { .most = 3 };
	char *text;

	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(put(store, "c1", "sums", T0 + MS(100) * i, T0 + MS(100) * (i + 1), 2), 1);
	assert_int_equal(put(store, "c2", "sums", T0, T0 + MS(100), 50), 1);
	assert_int_equal(put(store, "c1", "other", T0, T0 + MS(100), 50), 1);
	/* The same again changes nothing; something else replaces it. */
	assert_int_equal(put(store, "c1", "sums", T0, T0 + MS(100), 2), 0);
	assert_int_equal(put(store, "c1", "sums", T0, T0 + MS(100), 3), 1);
	assert_int_equal(look(store, "c1", T0, T0 + S(1)).sum, 21);
	assert_int_equal(look(store, NULL, T0, T0 + S(1)).sum, 71);
	/* Those that touch the span, which does not hold its end. */
	assert_int_equal(look(store, "c1", T0 + MS(150), T0 + MS(300)).n, 2);
	assert_int_equal(look(store, "c1", T0 + MS(150), T0 + MS(300)).first_ns, T0 + MS(100));
	assert_int_equal(look(store, "c1", T0 + S(1), T0 + S(9)).n, 0);
	assert_int_equal(look(store, "c9", T0, T0 + S(1)).n, 0);
	assert_int_equal(store_windows(store, "c1", "sums", "-", T0, T0 + S(1), see, &seen, NULL), 0);
	assert_int_equal(seen.n, 3);
	text = dump(store);
	assert_non_null(strstr(text, "window\tc1\tsums\t-\t1700000000000000000\t1700000000100000000"
				     "\t0103\n"));
	free(text);
	store_close(store);
}

static void
test_thinned(void **state)
{
	struct store *store = open_store(temporary("t.db"), STORE_WRITE);
	struct seen seen;
	char *before, *after;

	for (unsigned i = 0; i < 200; i++)
		put(store, "c1", "sums", T0 + MS(100) * i, T0 + MS(100) * (i + 1), i < 100 ? 1 : 50);
	put(store, "c1", "other", T0, T0 + MS(100), 7);
	put(store, "c2", "sums", T0, T0 + MS(100), 7);
	before = dump(store);
	assert_int_equal(store_thin(store, kinds, NULL), 0);
	after = dump(store);
	assert_string_equal(before, after);
	free(before);
	free(after);

	/* An hour later: seconds; what can't be joined stays as it is. */
	put(store, "c1", "sums", T0 + S(3700), T0 + S(3700) + MS(100), 9);
	assert_int_equal(store_thin(store, kinds, NULL), 0);
	seen = look(store, "c1", T0, T0 + S(10));
	assert_int_equal(seen.n, 10);
	assert_int_equal(seen.sum, 100);
	assert_int_equal(seen.span_ns, S(1));
	assert_int_equal(seen.last_ns, T0 + S(10));
	assert_int_equal(look(store, "c1", T0 + S(10), T0 + S(20)).n, 100);
	/* By the newest of its own host. */
	assert_int_equal(look(store, "c2", T0, T0 + S(10)).span_ns, MS(100));

	/* A day later: ten seconds. */
	put(store, "c1", "sums", T0 + S(90000), T0 + S(90000) + MS(100), 9);
	assert_int_equal(store_thin(store, kinds, NULL), 0);
	seen = look(store, "c1", T0, T0 + S(10));
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.sum, 100);
	assert_int_equal(seen.last_ns, T0 + S(10));
	assert_int_equal(look(store, "c1", T0 + S(10), T0 + S(20)).n, 100);
	before = dump(store);
	assert_int_equal(store_thin(store, kinds, NULL), 0);
	after = dump(store);
	assert_string_equal(before, after);
	free(before);
	free(after);

	assert_int_equal(store_retain(store, T0 + S(80000), T0 + S(80000), NULL), 0);
	assert_int_equal(look(store, "c1", T0, T0 + S(100000)).n, 1);
	assert_int_equal(look(store, "c2", T0, T0 + S(100000)).n, 0);
	store_close(store);
}

/* A batch has its own copy. */
static void
test_batch(void **state)
{
	struct store *store = open_store(temporary("b.db"), STORE_WRITE);
	struct hub *hub = hub_new(store, NULL);
	struct batch *batch = batch_new();
	const struct fact_sink sink = batch_sink(&batch);
	unsigned char blob[2000] = { 1, 42 };
	const struct fact fact = {
		.type = FACT_WINDOW, .host = "c1", .kind = "sums", .key = "-", .start_ns = T0,
		.end_ns = T0 + MS(100), .blob = blob, .blob_size = 2,
	};
	struct fact large = fact;
	const size_t empty = batch_size(batch);

	sink.fact(sink.context, &fact);
	large.kind = "large";
	large.blob_size = sizeof blob;
	sink.fact(sink.context, &large);
	assert_true(batch_size(batch) >= empty + sizeof blob);
	memset(blob, 0, sizeof blob);
	assert_int_equal(batch_commit(batch, store, hub, NULL), 0);
	assert_int_equal(look(store, "c1", T0, T0 + S(1)).sum, 42);
	batch_free(batch);
	hub_free(hub);
	store_close(store);
}

/* -- Settled answers ------------------------------------------------------------ */

static unsigned asked;

static json_t *
sum_of(struct store *store, const struct settled_question *q)
{
	struct seen seen = { 0 };

	asked++;
	assert_int_equal(store_windows(store, q->host, "sums", NULL, q->from_ns, q->to_ns, see, &seen,
				       NULL), 0);
	return seen.n ? json_pack("{s:i, s:i}", "z", (int) seen.sum, "a", (int) seen.n) : NULL;
}

/* The answer as text, "-" for none; how often windows were asked. */
static void
expect_answer(struct store *store, const struct settled_question *q, const char *wanted,
	      unsigned wanted_asked)
{
	json_t *answer;
	char *text;

	asked = 0;
	answer = settled_ask(store, q, sum_of);
	text = answer ? json_dumps(answer, JSON_COMPACT) : strdup("-");
	assert_string_equal(text, wanted);
	assert_int_equal(asked, wanted_asked);
	free(text);
	json_decref(answer);
}

static void
test_settled(void **state)
{
	struct store *store = open_store(temporary("s.db"), STORE_WRITE);
	struct store_settling settling = { .keep_ns = T0 + S(100) };
	struct settled_question ripe = { .what = "sum", .host = "c1", .from_ns = T0, .to_ns = T0 + S(1) };
	struct settled_question none = { .what = "sum", .host = "c2", .from_ns = T0, .to_ns = T0 + S(1) };
	struct settled_question early = { .what = "sum", .host = "c1", .from_ns = T0 + S(1900),
					  .to_ns = T0 + S(2000) };
	struct settled_question open = { .what = "sum", .host = "c1", .from_ns = T0 };
	uint64_t oldest_ns, newest_ns;

	assert_false(store_fine_windows(store, &oldest_ns, &newest_ns));
	for (unsigned i = 0; i < 10; i++)
		put(store, "c1", "sums", T0 + MS(100) * i, T0 + MS(100) * (i + 1), 2);
	put(store, "c1", "sums", T0 + S(2000), T0 + S(2000) + MS(100), 9);
	assert_true(store_fine_windows(store, &oldest_ns, &newest_ns));
	assert_int_equal(oldest_ns, T0 + MS(100));
	assert_int_equal(newest_ns, T0 + S(2000) + MS(100));

	/* Nothing is kept unless it is being settled. */
	expect_answer(store, &ripe, "{\"z\":20,\"a\":10}", 1);
	expect_answer(store, &ripe, "{\"z\":20,\"a\":10}", 1);
	store_settle(store, &settling);
	expect_answer(store, &ripe, "{\"z\":20,\"a\":10}", 1);
	expect_answer(store, &none, "-", 1);
	assert_int_equal(settling.waiting, 0);
	/* What may be told of later is asked again; an open end never has an answer for good. */
	expect_answer(store, &early, "-", 1);
	expect_answer(store, &early, "-", 1);
	expect_answer(store, &open, "-", 1);
	assert_int_equal(settling.waiting, 2);
	assert_false(settling.failed);
	store_settle(store, NULL);
	expect_answer(store, &early, "-", 1);

	/* Answers do not follow the windows any more, nor does that there is none. */
	put(store, "c1", "sums", T0, T0 + MS(100), 100);
	put(store, "c2", "sums", T0, T0 + MS(100), 100);
	expect_answer(store, &ripe, "{\"z\":20,\"a\":10}", 0);
	expect_answer(store, &none, "-", 0);
	ripe.tid = 7;
	expect_answer(store, &ripe, "{\"z\":118,\"a\":10}", 1);

	/* They go with what they are of. */
	ripe.tid = 0;
	assert_int_equal(store_retain(store, T0 + S(99), T0, NULL), 0);
	expect_answer(store, &ripe, "{\"z\":20,\"a\":10}", 0);
	assert_int_equal(store_retain(store, T0 + S(101), T0, NULL), 0);
	expect_answer(store, &ripe, "{\"z\":118,\"a\":10}", 1);
	store_close(store);
}

/* Which records have answers to be kept, and until when. */
static void
test_unsettled(void **state)
{
	struct store *store = open_store(temporary("u.db"), STORE_WRITE);
	json_t *migration = json_pack("{s:s, s:I, s:I}", "status", "completed", "start_ns",
				      (json_int_t) T0, "end_ns", (json_int_t) (T0 + S(10)));
	json_t *running = json_pack("{s:s, s:I}", "status", "running", "start_ns", (json_int_t) T0);
	json_t *list;

	assert_int_equal(store_put_migration(store, "m1", migration, NULL), 0);
	assert_int_equal(store_put_migration(store, "m2", running, NULL), 0);
	list = store_unsettled(store, T0 + S(5), T0 + S(10), 10, NULL);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(member(json_array_get(list, 0), "id"), "m2");
	json_decref(list);
	list = store_unsettled(store, T0 + S(5), T0 + S(11), 10, NULL);
	assert_int_equal(json_array_size(list), 2);
	json_decref(list);
	list = store_unsettled(store, T0 + S(11), T0 + S(20), 10, NULL);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);

	assert_int_equal(store_put_settled_owner(store, "migration", "m1", T0 + S(10), NULL), 0);
	list = store_unsettled(store, T0 + S(5), T0 + S(11), 10, NULL);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	/* The same again changes nothing; something else has to be settled anew. */
	assert_int_equal(store_put_migration(store, "m1", migration, NULL), 0);
	list = store_unsettled(store, T0 + S(5), T0 + S(11), 10, NULL);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	json_object_set_new(migration, "reason", json_string("late"));
	assert_int_equal(store_put_migration(store, "m1", migration, NULL), 0);
	list = store_unsettled(store, T0 + S(5), T0 + S(11), 10, NULL);
	assert_int_equal(json_array_size(list), 2);
	json_decref(list);
	json_decref(migration);
	json_decref(running);
	store_close(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_kept, teardown),
		cmocka_unit_test_teardown(test_thinned, teardown),
		cmocka_unit_test_teardown(test_batch, teardown),
		cmocka_unit_test_teardown(test_settled, teardown),
		cmocka_unit_test_teardown(test_unsettled, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
