/* SPDX-License-Identifier: MIT
 *
 * test_merge.c -- the merge, fed by streams that are made up here: the
 * functions of stream.h that it calls are this file's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctf/merge.h"
#include "lib/util.h"

enum { MAX_ITEMS = 64 };

struct ctf_stream {
	const char *key;
	struct {
		enum ctf_head what;
		uint64_t raw;
	} items[MAX_ITEMS];
	size_t n, at;
	bool live;               /* More may come: NONE behind the last item. */
	uint64_t bound;          /* Of NONE. */
	int error;               /* Behind the last item, once. */
	struct ctf_event event;
	struct ctf_loss loss;
	unsigned late;
};

int
ctf_stream_head(struct ctf_stream *stream, uint64_t *ret_raw_ns, struct error *error)
{
	if (stream->at < stream->n) {
		*ret_raw_ns = stream->items[stream->at].raw;
		return (int) stream->items[stream->at].what;
	}
	if (stream->error) {
		int code = stream->error;

		stream->error = 0;
		return error_set(error, code, "made up");
	}
	*ret_raw_ns = stream->bound;
	return stream->live ? CTF_HEAD_NONE : CTF_HEAD_END;
}

const struct ctf_event *
ctf_stream_event(struct ctf_stream *stream)
{
	stream->event = (struct ctf_event) {
		.raw_ns = stream->items[stream->at].raw, .stream = stream };
	return &stream->event;
}

const struct ctf_loss *
ctf_stream_loss(struct ctf_stream *stream)
{
	stream->loss = (struct ctf_loss) {
		.stream = stream, .end_raw_ns = stream->items[stream->at].raw };
	return &stream->loss;
}

void
ctf_stream_advance(struct ctf_stream *stream)
{
	assert_true(stream->at < stream->n);
	stream->at++;
}

const struct ctf_event *
ctf_stream_next_event(struct ctf_stream *stream)
{
	ctf_stream_advance(stream);
	return stream->at < stream->n && stream->items[stream->at].what == CTF_HEAD_EVENT ?
		ctf_stream_event(stream) : NULL;
}

const char *
ctf_stream_key(const struct ctf_stream *stream)
{
	return stream->key;
}

void
ctf_stream_count_late(struct ctf_stream *stream)
{
	stream->late++;
}

static void
add(struct ctf_stream *stream, uint64_t raw)
{
	stream->items[stream->n].what = CTF_HEAD_EVENT;
	stream->items[stream->n++].raw = raw;
}

/* What the merge gives until it has to wait, as "a10 b11 !..." ('!': late,
 * '-': loss), and then "." at the end of all. */
static const char *
given(struct ctf_merge *merge)
{
	static char text[1024];
	struct ctf_merge_item item;
	size_t length = 0;
	struct error error = { 0 };
	int r;

	text[0] = '\0';
	while ((r = ctf_merge_next(merge, &item, &error)) > 0) {
		bool loss = item.what == CTF_HEAD_LOSS;

		if (loss)
			assert_ptr_equal(item.loss->stream, item.stream);
		else
			assert_ptr_equal(item.event->stream, item.stream);
		length += (size_t) snprintf(text + length, sizeof text - length, "%s%s%llu%s",
			length ? " " : "", item.stream->key,
			(unsigned long long) (loss ? item.loss->end_raw_ns : item.event->raw_ns),
			loss ? "-" : item.event->late ? "!" : "");
	}
	if (r < 0)
		snprintf(text + length, sizeof text - length, " error");
	else if (ctf_merge_ended(merge))
		snprintf(text + length, sizeof text - length, ".");
	return text;
}

static void
orders_by_time_then_key(void **state)
{
	struct ctf_stream a = { .key = "a" }, b = { .key = "b" }, c = { .key = "c" };
	struct ctf_merge *merge = ctf_merge_new(0);

	assert_true(ctf_merge_ended(merge));
	add(&a, 10);
	add(&a, 10);
	add(&a, 30);
	add(&b, 10);
	add(&b, 20);
	add(&c, 5);
	add(&c, 30);
	c.items[1].what = CTF_HEAD_LOSS;
	/* The order of adding makes no difference. */
	ctf_merge_add(merge, &c);
	ctf_merge_add(merge, &b);
	ctf_merge_add(merge, &a);
	assert_false(ctf_merge_ended(merge));
	assert_string_equal(given(merge), "c5 a10 a10 b10 b20 a30 c30-.");
	assert_int_equal(ctf_merge_watermark(merge), 30);
	assert_int_equal(ctf_merge_late(merge), 0);
	ctf_merge_free(merge);
}

static void
random_streams_come_sorted(void **state)
{
	enum { N = 40 };
	static struct ctf_stream streams[N];
	static char keys[N][8];
	struct ctf_merge *merge = ctf_merge_new(0);
	struct ctf_merge_item item;
	uint64_t last = 0;
	unsigned n = 0;
	const char *last_key = "";

	srandom(1);
	for (unsigned i = 0; i < N; i++) {
		uint64_t raw = 0;

		snprintf(keys[i], sizeof keys[i], "s%02u", i);
		streams[i] = (struct ctf_stream) { .key = keys[i] };
		for (unsigned j = 0; j < MAX_ITEMS; j++)
			add(&streams[i], raw += (uint64_t) random() % 4);
		ctf_merge_add(merge, &streams[i]);
	}
	while (ctf_merge_next(merge, &item, NULL) > 0) {
		assert_true(item.event->raw_ns > last ||
			    (item.event->raw_ns == last &&
			     strcmp(item.stream->key, last_key) >= 0));
		assert_false(item.event->late);
		last = item.event->raw_ns;
		last_key = item.stream->key;
		n++;
	}
	assert_int_equal(n, N * MAX_ITEMS);
	assert_true(ctf_merge_ended(merge));
	ctf_merge_free(merge);
}

static void
waits_for_live_streams(void **state)
{
	struct ctf_stream a = { .key = "a", .live = true }, b = { .key = "b", .live = true };
	struct ctf_merge *merge = ctf_merge_new(1000);

	ctf_merge_tick(merge, 5000);
	add(&a, 10);
	add(&a, 20);
	ctf_merge_add(merge, &a);
	ctf_merge_add(merge, &b);
	assert_string_equal(given(merge), "");
	assert_ptr_equal(ctf_merge_waiting_for(merge), &b);
	/* A beacon lets through what is older, and at the same time if its key is lower. */
	b.bound = 20;
	ctf_merge_touch(merge, &b);
	a.bound = 20;
	assert_string_equal(given(merge), "a10 a20");
	assert_int_equal(ctf_merge_watermark(merge), 20);
	/* Nobody is held back now. */
	assert_null(ctf_merge_waiting_for(merge));
	add(&b, 25);
	ctf_merge_touch(merge, &b);
	assert_string_equal(given(merge), "");
	assert_ptr_equal(ctf_merge_waiting_for(merge), &a);
	a.live = false;
	ctf_merge_touch(merge, &a);
	b.live = false;
	assert_string_equal(given(merge), "b25.");
	ctf_merge_free(merge);
}

static void
gives_up_on_silent_streams(void **state)
{
	struct ctf_stream a = { .key = "a", .live = true }, b = { .key = "b", .live = true };
	struct ctf_merge *merge = ctf_merge_new(1000);

	ctf_merge_tick(merge, 5000);
	ctf_merge_add(merge, &a);
	ctf_merge_add(merge, &b);
	/* Nobody waits: silence of all is not counted against b. */
	assert_string_equal(given(merge), "");
	ctf_merge_tick(merge, 9000);
	add(&a, 10);
	a.bound = 10;
	ctf_merge_touch(merge, &a);
	assert_string_equal(given(merge), "");
	ctf_merge_tick(merge, 9500);
	assert_string_equal(given(merge), "");
	/* It says something, but not enough: alive. */
	ctf_merge_touch(merge, &b);
	ctf_merge_tick(merge, 10200);
	assert_string_equal(given(merge), "");
	ctf_merge_tick(merge, 10500);
	assert_string_equal(given(merge), "a10");
	assert_false(ctf_merge_ended(merge));
	/* What it brings later is late, unless it is younger. */
	add(&b, 7);
	add(&b, 12);
	b.bound = 12;
	ctf_merge_touch(merge, &b);
	assert_string_equal(given(merge), "b7!");
	assert_int_equal(b.late, 1);
	a.bound = 20;
	ctf_merge_touch(merge, &a);
	assert_string_equal(given(merge), "b12");
	assert_int_equal(ctf_merge_late(merge), 1);
	assert_int_equal(ctf_merge_watermark(merge), 12);
	ctf_merge_free(merge);
}

static void
late_events_are_given(void **state)
{
	struct ctf_stream a = { .key = "a" }, b = { .key = "b" };
	struct ctf_merge *merge = ctf_merge_new(0);

	add(&a, 10);
	add(&a, 8);
	add(&a, 9);
	add(&a, 11);
	add(&b, 10);
	ctf_merge_add(merge, &a);
	ctf_merge_add(merge, &b);
	assert_string_equal(given(merge), "a10 a8! a9! b10 a11.");
	assert_int_equal(a.late, 2);
	ctf_merge_free(merge);
}

static void
errors_end_one_stream(void **state)
{
	struct ctf_stream a = { .key = "a", .error = EIO }, b = { .key = "b" };
	struct ctf_merge *merge = ctf_merge_new(0);

	add(&a, 10);
	add(&b, 20);
	ctf_merge_add(merge, &a);
	ctf_merge_add(merge, &b);
	assert_string_equal(given(merge), "a10 error");
	assert_string_equal(given(merge), "b20.");
	ctf_merge_free(merge);
}

static void
streams_come_and_go(void **state)
{
	struct ctf_stream a = { .key = "a", .live = true }, b = { .key = "b", .live = true };
	struct ctf_merge *merge = ctf_merge_new(0);
	struct ctf_merge_item item;

	add(&a, 10);
	ctf_merge_add(merge, &a);
	ctf_merge_add(merge, &a);   /* Twice is once. */
	ctf_merge_add(merge, &b);
	assert_string_equal(given(merge), "");
	ctf_merge_remove(merge, &b);
	assert_int_equal(ctf_merge_next(merge, &item, NULL), 1);
	/* What was given is consumed by removing. */
	ctf_merge_remove(merge, &a);
	assert_int_equal(a.at, 1);
	assert_string_equal(given(merge), ".");
	assert_null(ctf_merge_waiting_for(merge));
	ctf_merge_remove(merge, &a);
	ctf_merge_touch(merge, &a);
	ctf_merge_add(merge, &b);
	ctf_merge_remove(merge, &b);
	assert_string_equal(given(merge), ".");
	ctf_merge_free(merge);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_by_time_then_key),
		cmocka_unit_test(random_streams_come_sorted),
		cmocka_unit_test(waits_for_live_streams),
		cmocka_unit_test(gives_up_on_silent_streams),
		cmocka_unit_test(late_events_are_given),
		cmocka_unit_test(errors_end_one_stream),
		cmocka_unit_test(streams_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
