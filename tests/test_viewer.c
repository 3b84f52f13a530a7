/* SPDX-License-Identifier: MIT
 *
 * The viewer without a network: reply bytes in, requests and calls to the
 * owner out.  Each case is a script of replies and the transcript that must
 * come of it. */
#include "tests/viewer_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/util.h"

static void
test_requests(void **state)
{
	static const uint8_t connect[] = {
		0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0,
		255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 2, 0, 0, 0, 14, 0, 0, 0, 1,
	};
	static const uint8_t attach_request[] = {
		0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	};
	static const uint8_t packet[] = {
		0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 5, 0, 0, 0, 0,
		1, 2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 0, 0,
	};
	uint8_t bytes[VIEWER_REQUEST_MAX];

	assert_int_equal(viewer_write_request(bytes, VIEWER_CONNECT, 0, 0, 0), sizeof connect);
	assert_memory_equal(bytes, connect, sizeof connect);
	assert_int_equal(viewer_write_request(bytes, VIEWER_ATTACH_SESSION, 0x102, 0, 0), 36);
	assert_memory_equal(bytes, attach_request, sizeof attach_request);
	assert_int_equal(viewer_write_request(bytes, VIEWER_GET_PACKET, 0x0102030405060708,
					      0x0807060504030201, 65536), 36);
	assert_memory_equal(bytes, packet, sizeof packet);
	assert_int_equal(viewer_write_request(bytes, VIEWER_LIST_SESSIONS, 0, 0, 0), 16);
	assert_int_equal(viewer_write_request(bytes, VIEWER_GET_METADATA, 1, 0, 0), 24);
}

/* A whole life of a session; the same transcript whatever the pieces. */
static void
whole_life(struct fixture *f)
{
	expect_commands(f, "CONNECT");
	reply_connect(f, 2, 13);
	expect_commands(f, "CREATE_SESSION");
	reply_words(f, 1, 1);
	expect_log(f, "state 1\n");
	expect_commands(f, "LIST_SESSIONS");
	reply_list(f, 1, "live1");
	expect_log(f, "found node/live1\n");
	expect_commands(f, "ATTACH_SESSION(1)");
	reply_streams(f, 2);
	expect_log(f, "attached live1\nsession live1 live: attached\ntrace t1\n");
	expect_commands(f, "GET_METADATA(10)");
	reply_metadata(f, VIEWER_METADATA_OK, 100);
	expect_commands(f, "GET_METADATA(10)");
	expect_log(f, "metadata t1 100\n");
	reply_metadata(f, VIEWER_METADATA_NO_NEW, 0);
	expect_log(f, "stream ch_0\nstream ch_1\n");
	expect_commands(f, "GET_NEXT_INDEX(11) GET_NEXT_INDEX(12)");
	reply_index(f, VIEWER_INDEX_OK, VIEWER_FLAG_NEW_METADATA, 50, 1, 2);
	expect_commands(f, "GET_METADATA(10)");
	reply_index(f, VIEWER_INDEX_INACTIVE, 0, 0, 0, 77);
	expect_log(f, "beacon ch_1 77\n");
	reply_metadata(f, VIEWER_METADATA_OK, 7);
	reply_metadata(f, VIEWER_METADATA_NO_NEW, 0);
	expect_log(f, "metadata t1 7\n");
	expect_commands(f, "GET_METADATA(10) GET_PACKET(11)");
	reply_packet(f, 50);
	expect_log(f, "packet ch_0 50 at 1\n");
	expect_commands(f, "GET_NEXT_INDEX(11)");
	reply_index(f, VIEWER_INDEX_RETRY, 0, 0, 0, 0);
	expect_commands(f, "");
	pass_time(f, 25);
	expect_commands(f, "GET_NEXT_INDEX(12) GET_NEXT_INDEX(11)");
	reply_index(f, VIEWER_INDEX_INACTIVE, 0, 0, 0, 77);
	reply_index(f, VIEWER_INDEX_HUP, 0, 0, 0, 0);
	expect_log(f, "stream ch_0 gone\n");
	pass_time(f, 25);
	expect_commands(f, "GET_NEXT_INDEX(12)");
	reply_index(f, VIEWER_INDEX_HUP, 0, 0, 0, 0);
	expect_log(f, "stream ch_1 gone\n");
	pass_time(f, 100);
	expect_commands(f, "GET_NEW_STREAMS(1) GET_METADATA(10)");
	reply_words(f, 2, VIEWER_STREAMS_HUP, 0);
	expect_log(f, "trace t1 gone\nsession live1 gone: the session was destroyed\n"
		   "session live1 gone\n");
	expect_commands(f, "DETACH_SESSION(1)");
	reply_metadata(f, VIEWER_METADATA_ERR, 0);
	reply_words(f, 1, 1);
	pass_time(f, 1000);
	expect_commands(f, "LIST_SESSIONS");
	/* Still listed: it is not attached again. */
	reply_list(f, 1, "live1");
	expect_commands(f, "");
	pass_time(f, 1000);
	reply_list(f, 0, "");
	assert_null(f->viewer->sessions);
	assert_int_equal(f->viewer->n_streams, 0);
	assert_int_equal(f->viewer->name_bytes, 0);
	assert_int_equal(f->viewer->in_flight, 0);
	expect_log(f, "");
}

static void
test_whole_life(void **state)
{
	whole_life(*state);
}

static void
test_whole_life_byte_by_byte(void **state)
{
	struct fixture *f = *state;

	f->at_once = 1;
	whole_life(f);
	teardown(state);
	setup(state);
	f = *state;
	f->at_once = 61;
	whole_life(f);
}

static void
cut_at(void **state, size_t cut)
{
	struct fixture *f = *state;
	struct viewer *v = f->viewer;

	f->cut = cut;
	if (!setjmp(f->on_cut)) {
		whole_life(f);
		fail();
	}
	viewer_stop(v, "cut");
	assert_null(v->sessions);
	assert_int_equal(v->n_streams + v->name_bytes + v->in_flight + v->n_requests, 0);
	assert_true(TAILQ_EMPTY(&v->want_index) && TAILQ_EMPTY(&v->want_packet) &&
		    TAILQ_EMPTY(&v->want_metadata));
	assert_int_equal(current->n_things, 0);
}

/* The connection breaks behind every byte: all that was opened is told as
 * gone, nothing leaks, and nothing is left. */
static void
test_cut_everywhere(void **state)
{
	struct fixture *f = *state;
	size_t size;

	whole_life(f);
	size = f->fed;
	for (size_t cut = 1; cut < size; cut += cut > 500 && cut < size - 700 ? 97 : 1) {
		teardown(state);
		setup(state);
		cut_at(state, cut);
	}
}

struct hostile {
	const char *what;
	enum { AT_CONNECT, AT_CREATE, AT_LIST, AT_ATTACH, AT_METADATA, AT_INDEX, AT_PACKET,
	       AT_NEW_STREAMS } at;
	unsigned n_words;
	uint32_t words[16];
	const char *expected;
};

static const struct hostile hostiles[] = {
	{ "wrong major", AT_CONNECT, 5, { 0, 1, 3, 4, 1 }, "version 3.4" },
	{ "old minor", AT_CONNECT, 5, { 0, 1, 2, 3, 1 }, "version 2.3" },
	{ "no viewer session", AT_CREATE, 1, { 2 }, "reply to CREATE_SESSION: relayd made no" },
	{ "too many sessions", AT_LIST, 1, { 0xffffffff }, "reply to LIST_SESSIONS: 4294967295 " },
	{ "too many streams", AT_ATTACH, 2, { 1, 0x7fffffff }, "to ATTACH_SESSION: 2147483647 " },
	{ "huge metadata", AT_METADATA, 3, { 1, 0, 1 }, "4294967296 bytes of metadata" },
	{ "metadata status", AT_METADATA, 3, { 0, 0, 9 }, "GET_METADATA: unknown status 9" },
	{ "metadata status 0", AT_METADATA, 3, { 0, 0, 0 }, "GET_METADATA: unknown status 0" },
	{ "index status", AT_INDEX, 16, { [14] = 7 }, "GET_NEXT_INDEX: unknown status 7" },
	{ "index status 0", AT_INDEX, 16, { 0 }, "GET_NEXT_INDEX: unknown status 0" },
	{ "longer packet", AT_PACKET, 3, { 1, 51, 0 }, "GET_PACKET: 51 bytes came where 50 were" },
	{ "shorter packet", AT_PACKET, 3, { 1, 0, 0 }, "GET_PACKET: 0 bytes came where 50 were" },
	{ "huge packet", AT_PACKET, 3, { 1, 0xffffffff, 0 }, "GET_PACKET: 4294967295 bytes" },
	{ "packet status", AT_PACKET, 3, { 77, 0, 0 }, "GET_PACKET: unknown status 77" },
	{ "streams status", AT_NEW_STREAMS, 2, { 5, 0 }, "GET_NEW_STREAMS: unknown status 5" },
	{ "new streams", AT_NEW_STREAMS, 2, { 1, 70000 }, "GET_NEW_STREAMS: 70000 streams" },
};

static void
run_hostile(struct fixture *f, const struct hostile *h)
{
	struct buf bytes = { 0 };
	int r;

	if (h->at > AT_CONNECT)
		reply_connect(f, 2, 15);
	if (h->at > AT_CREATE)
		reply_words(f, 1, 1);
	if (h->at > AT_LIST)
		reply_list(f, 1, "live1");
	if (h->at > AT_ATTACH)
		reply_streams(f, 1);
	if (h->at > AT_METADATA) {
		reply_metadata(f, VIEWER_METADATA_OK, 100);
		reply_metadata(f, VIEWER_METADATA_NO_NEW, 0);
	}
	if (h->at > AT_INDEX)
		reply_index(f, VIEWER_INDEX_OK, 0, 50, 1, 2);
	for (unsigned i = 0; i < h->n_words; i++)
		put(&bytes, h->words[i], 4);
	r = feed(f, bytes.data, bytes.size);
	buf_done(&bytes);
	assert_int_equal(r, -EPROTO);
	if (!strstr(f->error.text, h->expected))
		fail_msg("%s: %s", h->what, f->error.text);
	assert_true(starts_with(f->error.text, "localhost:5344: wrong reply to "));
	viewer_stop(f->viewer, f->error.text);
}

static void
test_hostile_replies(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(hostiles); i++) {
		if (hostiles[i].at == AT_NEW_STREAMS)
			continue;
		run_hostile(*state, &hostiles[i]);
		teardown(state);
		setup(state);
	}
}

static void
test_hostile_new_streams(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(hostiles); i++) {
		struct fixture *f = *state;
		struct buf bytes = { 0 };

		if (hostiles[i].at != AT_NEW_STREAMS)
			continue;
		attach(f, 0);
		pass_time(f, 100);
		expect_commands(f, "GET_NEW_STREAMS(1) GET_METADATA(10)");
		put(&bytes, hostiles[i].words[0], 4);
		put(&bytes, hostiles[i].words[1], 4);
		assert_int_equal(feed(f, bytes.data, bytes.size), -EPROTO);
		assert_non_null(strstr(f->error.text, hostiles[i].expected));
		buf_done(&bytes);
		teardown(state);
		setup(state);
	}
}

static void
test_unasked_bytes(void **state)
{
	struct fixture *f = *state;

	reply_connect(f, 2, 4);
	reply_words(f, 1, 1);
	reply_list(f, 0, "");
	assert_int_equal(feed(f, "surprise", 8), -EPROTO);
	assert_non_null(strstr(f->error.text, "8 bytes came that nobody asked for"));
}

/* Names may fill their fields to the last byte, without NUL. */
static void
test_names_without_end(void **state)
{
	struct fixture *f = *state;
	struct buf to = { 0 };
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	reply_connect(f, 2, 13);
	reply_words(f, 1, 1);
	buf_clear(&f->log);
	put(&to, 1, 4);
	put(&to, 9, 8);
	put(&to, 100000, 4);
	put(&to, 0, 8);
	put_name(&to, name + 191, 64);
	put_name(&to, name, 255);
	reply(f, &to);
	assert_int_equal(f->log.size, strlen("found /\n") + 64 + 255);
}

static void
test_attach_statuses(void **state)
{
	struct fixture *f = *state;

	reply_connect(f, 2, 13);
	reply_words(f, 1, 1);
	reply_list(f, 1, "live1");
	reply_words(f, 2, VIEWER_ATTACH_ALREADY, 0);
	buf_clear(&f->viewer->out);
	expect_log(f, "state 1\nfound node/live1\n"
		   "session live1 busy: another viewer is attached to it (status 2)\n");
	pass_time(f, 100);
	expect_commands(f, "ATTACH_SESSION(1)");
	/* Told once only. */
	reply_words(f, 2, VIEWER_ATTACH_ALREADY, 0);
	expect_log(f, "");
	pass_time(f, 90);
	expect_commands(f, "");
	pass_time(f, 110);
	expect_commands(f, "ATTACH_SESSION(1)");
	reply_words(f, 2, 42, 0);
	expect_log(f, "session live1 refused: relayd refuses it with a status that this protocol "
		   "version does not have (status 42)\n");
	pass_time(f, 800);
	expect_commands(f, "LIST_SESSIONS ATTACH_SESSION(1)");
}

static void
test_declined_and_gone(void **state)
{
	struct fixture *f = *state;

	reply_connect(f, 2, 13);
	reply_words(f, 1, 1);
	reply_list(f, 1, "unwanted");
	buf_clear(&f->viewer->out);
	pass_time(f, 1000);
	expect_commands(f, "LIST_SESSIONS");
	reply_list(f, 1, "unwanted");
	pass_time(f, 1000);
	expect_commands(f, "LIST_SESSIONS");
	reply_list(f, 0, "");
	expect_log(f, "state 1\nfound node/unwanted\n");
	assert_null(f->viewer->sessions);
}

static void
test_pause(void **state)
{
	struct fixture *f = *state;

	attach(f, 2);
	viewer_pause(f->viewer, true);
	reply_index(f, VIEWER_INDEX_OK, 0, 50, 1, 2);
	reply_index(f, VIEWER_INDEX_INACTIVE, 0, 0, 0, 5);
	expect_commands(f, "");
	pass_time(f, 25);
	/* Beacons go on. */
	expect_commands(f, "GET_NEXT_INDEX(12)");
	viewer_pause(f->viewer, false);
	viewer_pump(f->viewer);
	expect_commands(f, "GET_PACKET(11)");
	reply_index(f, VIEWER_INDEX_INACTIVE, 0, 0, 0, 6);
	reply_packet(f, 50);
	expect_log(f, "beacon ch_1 5\nbeacon ch_1 6\npacket ch_0 50 at 1\n");
}

static void
test_step_over(void **state)
{
	struct fixture *f = *state;

	attach(f, 1);
	f->step_over_before = 100;
	for (unsigned i = 0; i < 10; i++)
		reply_index(f, VIEWER_INDEX_OK, 0, 50, i, 90 + i);
	assert_int_equal(f->viewer->counters.stepped_over, 10);
	reply_index(f, VIEWER_INDEX_OK, 0, 50, 10, 100);
	reply_packet(f, 50);
	expect_log(f, "packet ch_0 50 at 10\n");
}

static void
test_in_flight_limit(void **state)
{
	struct fixture *f = *state;
	struct viewer_options options = viewer_defaults;

	viewer_free(f->viewer);
	buf_done(&f->scratch);
	buf_done(&f->log);
	options.max_in_flight_bytes = 100000;
	options.max_packet_bytes = 1000000;
	open_viewer(f, &options);
	attach(f, 4);
	reply_index(f, VIEWER_INDEX_OK, 0, 60000, 1, 1);
	reply_index(f, VIEWER_INDEX_OK, 0, 60000, 2, 2);
	reply_index(f, VIEWER_INDEX_OK, 0, 500000, 3, 3);
	reply_index(f, VIEWER_INDEX_OK, 0, 1000001, 4, 4);
	expect_log(f, "session live1 live: attached; a packet of t1 was left out: it is larger "
		   "than the limit\n");
	/* One after the other; the index waits behind them. */
	expect_commands(f, "GET_PACKET(11)");
	reply_packet(f, 60000);
	expect_commands(f, "GET_PACKET(12)");
	reply_packet(f, 60000);
	expect_commands(f, "GET_PACKET(13)");
	reply_packet(f, 500000);
	expect_commands(f, "GET_NEXT_INDEX(14) GET_NEXT_INDEX(11) GET_NEXT_INDEX(12) "
			"GET_NEXT_INDEX(13)");
	expect_log(f, "packet ch_0 60000 at 1\npacket ch_1 60000 at 2\npacket ch_2 500000 at 3\n");
}

static void
test_bad_index(void **state)
{
	struct fixture *f = *state;
	struct buf to = { 0 };

	attach(f, 1);
	put_index(&to, VIEWER_INDEX_OK, 0, 50, 1, 2);
	memset(to.data + 8, 0, 8);
	reply(f, &to);
	expect_log(f, "session live1 live: attached; a packet of t1 was left out: its index makes "
		   "no sense\n");
	expect_commands(f, "GET_NEXT_INDEX(11)");
	assert_int_equal(f->viewer->counters.refused_packets, 1);
}

static void
test_packet_that_relayd_cannot_read(void **state)
{
	struct fixture *f = *state;

	attach(f, 1);
	reply_index(f, VIEWER_INDEX_OK, 0, 50, 1, 2);
	f->viewer->sessions->new_streams_ns = 3600 * NS_PER_S;
	f->viewer->sessions->due = 0;
	for (int i = 0; i < VIEWER_MAX_FAILURES; i++) {
		expect_commands(f, "GET_PACKET(11)");
		/* relayd before 2.13 says so when metadata or streams are to be read first. */
		reply_words(f, 3, VIEWER_PACKET_ERR, 0, i == 0 ? VIEWER_FLAG_NEW_METADATA : 0);
		if (i == 0) {
			expect_commands(f, "GET_METADATA(10)");
			reply_metadata(f, VIEWER_METADATA_NO_NEW, 0);
		}
		if (i < VIEWER_MAX_FAILURES - 1)
			pass_time(f, 25);
	}
	expect_log(f, "session live1 live: attached; a packet of t1 was left out: relayd could not "
		   "read it\n");
	expect_commands(f, "GET_NEXT_INDEX(11)");
}

static void
test_refused_metadata(void **state)
{
	struct fixture *f = *state;
	struct buf to = { 0 };

	reply_connect(f, 2, 13);
	reply_words(f, 1, 1);
	reply_list(f, 1, "live1");
	reply_streams(f, 2);
	f->refuse_metadata = true;
	buf_clear(&f->log);
	reply_metadata(f, VIEWER_METADATA_OK, 100);
	expect_log(f, "metadata t1 100\ntrace t1 gone\nsession live1 refused: CTF 2 metadata\n");
	assert_int_equal(f->viewer->n_streams, 1);
	pass_time(f, 100);
	/* A stream that comes later is none of the owner's. */
	put(&to, 1, 4);
	put(&to, 1, 4);
	put_stream(&to, 20, 1, false, "late");
	reply(f, &to);
	expect_log(f, "");
	reply_metadata(f, VIEWER_METADATA_ERR, 0);
	assert_int_equal(f->viewer->n_streams, 0);
}

/* relayd says NO_NEW for ever of a trace whose metadata never came. */
static void
test_trace_without_metadata(void **state)
{
	struct fixture *f = *state;

	reply_connect(f, 2, 13);
	reply_words(f, 1, 1);
	reply_list(f, 1, "live1");
	reply_streams(f, 1);
	reply_metadata(f, VIEWER_METADATA_NO_NEW, 0);
	buf_clear(&f->log);
	buf_clear(&f->viewer->out);
	pass_time(f, 25);
	expect_commands(f, "GET_METADATA(10)");
	/* A race with lttng clear. */
	reply_metadata(f, VIEWER_METADATA_OK, 0);
	pass_time(f, 25);
	expect_commands(f, "GET_METADATA(10)");
	f->viewer->sessions->listed = false;
	reply_metadata(f, VIEWER_METADATA_NO_NEW, 0);
	expect_log(f, "trace t1 gone\n");
	pass_time(f, 100);
	expect_commands(f, "GET_NEW_STREAMS(1)");
	reply_words(f, 2, VIEWER_STREAMS_OK, 0);
	expect_log(f, "session live1 gone: the session was destroyed\nsession live1 gone\n");
}

static void
test_stream_lost_by_relayd(void **state)
{
	struct fixture *f = *state;

	attach(f, 1);
	for (int i = 0; i < VIEWER_MAX_FAILURES; i++) {
		expect_log(f, "");
		reply_index(f, VIEWER_INDEX_ERR, 0, 0, 0, 0);
		pass_time_quietly(f, 25);
	}
	expect_log(f, "stream ch_0 gone (lost)\n");
}

/* Many streams: requests under way stay within the ring and in turn. */
static void
test_many_streams(void **state)
{
	struct fixture *f = *state;
	unsigned most = VIEWER_MAX_REQUESTS - VIEWER_NON_INDEX_REQUESTS;

	attach(f, 3000);
	f->step_over_before = 100;
	for (int i = 0; i < 6000; i++) {
		assert_in_range(f->viewer->n_requests, 1, most);
		reply_index(f, VIEWER_INDEX_OK, 0, 50, 1, 2);
	}
	assert_int_equal(f->viewer->counters.stepped_over, 6000);
}

static void
test_stream_limit(void **state)
{
	struct fixture *f = *state;
	struct viewer_options options = viewer_defaults;
	struct buf to = { 0 };

	viewer_free(f->viewer);
	buf_done(&f->scratch);
	buf_done(&f->log);
	options.max_streams = 10;
	open_viewer(f, &options);
	reply_connect(f, 2, 13);
	reply_words(f, 1, 1);
	reply_list(f, 1, "live1");
	put(&to, 1, 4);
	put(&to, 10, 4);
	for (unsigned i = 0; i < 10; i++)
		put_stream(&to, i, i, true, "metadata");
	assert_int_equal(feed(f, to.data, to.size), -EPROTO);
	assert_non_null(strstr(f->error.text, "more than 10 streams"));
	buf_done(&to);
}

int
main(void)
{
#define CASE(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		CASE(test_whole_life),
		CASE(test_whole_life_byte_by_byte),
		CASE(test_cut_everywhere),
		CASE(test_hostile_replies),
		CASE(test_hostile_new_streams),
		CASE(test_unasked_bytes),
		CASE(test_names_without_end),
		CASE(test_attach_statuses),
		CASE(test_declined_and_gone),
		CASE(test_pause),
		CASE(test_step_over),
		CASE(test_in_flight_limit),
		CASE(test_bad_index),
		CASE(test_packet_that_relayd_cannot_read),
		CASE(test_refused_metadata),
		CASE(test_trace_without_metadata),
		CASE(test_stream_lost_by_relayd),
		CASE(test_many_streams),
		CASE(test_stream_limit),
	};

	return cmocka_run_group_tests_name("viewer", tests, NULL, NULL);
}
