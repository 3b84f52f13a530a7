/* SPDX-License-Identifier: MIT
 *
 * test_ctf_stream.c -- packets in order: losses, positions, damage, memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/ctf_make.h"

#define METADATA PREAMBLE("le") STREAM("large", "") EVENT("e", "1", "uint32_t _x;") \
	EVENT("unwanted", "2", "string _s;")

enum { N_PACKETS = 5, EVENTS_PER_PACKET = 4 };

/* What the packets say of themselves; the fourth is missing, and the counter
 * of the third has a glitch. */
static const struct {
	uint64_t begin, seq, discarded;
} packets[N_PACKETS] = {
	{ 1000, 4, 0 }, { 2000, 5, 10 }, { 3000, 6, 2 }, { 5000, 8, 10 }, { 6000, 9, 13 },
};

static const char transcript[] =
	"1100 e packet: cpu_id=3 context: payload: x=0\n"
	"1200 unwanted packet: cpu_id=3 context: payload: s=\"s\"\n"
	"1300 e packet: cpu_id=3 context: payload: x=2\n"
	"1400 unwanted packet: cpu_id=3 context: payload: s=\"s\"\n"
	"2100 e packet: cpu_id=3 context: payload: x=0\n"
	"2200 unwanted packet: cpu_id=3 context: payload: s=\"s\"\n"
	"2300 e packet: cpu_id=3 context: payload: x=2\n"
	"2400 unwanted packet: cpu_id=3 context: payload: s=\"s\"\n"
	"lost 1900-2900 events=10 packets=0\n"
	"3100 e packet: cpu_id=3 context: payload: x=0\n"
	"3200 unwanted packet: cpu_id=3 context: payload: s=\"s\"\n"
	"3300 e packet: cpu_id=3 context: payload: x=2\n"
	"3400 unwanted packet: cpu_id=3 context: payload: s=\"s\"\n"
	"lost 3900-5000 events=0 packets=1\n"
	"5100 e packet: cpu_id=3 context: payload: x=0\n"
	"5200 unwanted packet: cpu_id=3 context: payload: s=\"s\"\n"
	"5300 e packet: cpu_id=3 context: payload: x=2\n"
	"5400 unwanted packet: cpu_id=3 context: payload: s=\"s\"\n"
	"6100 e packet: cpu_id=3 context: payload: x=0\n"
	"6200 unwanted packet: cpu_id=3 context: payload: s=\"s\"\n"
	"6300 e packet: cpu_id=3 context: payload: x=2\n"
	"6400 unwanted packet: cpu_id=3 context: payload: s=\"s\"\n"
	"lost 5900-6900 events=3 packets=0\n";

static struct make made[N_PACKETS];
static size_t made_size[N_PACKETS];

static int
make_packets(void **state)
{
	for (unsigned i = 0; i < N_PACKETS; i++) {
		struct make *m = &made[i];

		*m = (struct make) {
			.begin = packets[i].begin,
			.end = packets[i].begin + 900,
			.seq = packets[i].seq,
			.discarded = packets[i].discarded,
		};
		make_begin(m);
		for (unsigned k = 0; k < EVENTS_PER_PACKET; k++) {
			make_large(m, 1 + k % 2, (uint32_t) m->begin + 100 * (k + 1));
			if (k % 2)
				make_bytes(m, "s", 2);
			else
				make_bits(m, k, 32);
		}
		made_size[i] = make_end(m, 8);
	}
	return 0;
}

/* How many packets came back. */
static unsigned released;

static void
release(void *context, const uint8_t *bytes)
{
	assert_ptr_equal(context, &released);
	released++;
}

static void
push(struct ctf_stream *stream, unsigned i)
{
	assert_int_equal(ctf_stream_push(stream, made[i].bytes, made_size[i], release, &released,
					 NULL), 0);
}

static void
test_losses(void **state)
{
	struct ctf_trace *trace = make_trace(METADATA, NULL);
	struct ctf_stream *stream = ctf_stream_new(trace, "host/s");
	const struct ctf_stream_counters *counters = ctf_stream_counters(stream);
	struct buf text = { 0 };

	released = 0;
	ctf_stream_want_all(stream);
	for (unsigned i = 0; i < N_PACKETS; i++)
		push(stream, i);
	ctf_stream_end(stream);
	assert_true(ctf_stream_memory(stream) > 500);
	make_transcript(stream, &text);
	assert_string_equal(text.data, transcript);
	assert_null(ctf_stream_error(stream));
	assert_int_equal(counters->packets, N_PACKETS);
	assert_int_equal(counters->events, N_PACKETS * EVENTS_PER_PACKET);
	assert_int_equal(counters->discarded_events, 13);
	assert_int_equal(counters->missing_packets, 1);
	assert_int_equal(counters->discarded_glitches, 1);
	assert_int_equal(counters->bad_packets, 0);
	assert_int_equal(counters->late, 0);
	assert_int_equal(released, N_PACKETS);
	assert_int_equal(ctf_stream_memory(stream), 0);
	assert_string_equal(ctf_stream_key(stream), "host/s");
	assert_ptr_equal(ctf_stream_trace(stream), trace);
	buf_done(&text);
	ctf_stream_free(stream);
	ctf_trace_free(trace);
}

/* Consumes 'n' heads, then goes on in a new stream that is given all packets
 * again: together they must see everything once. */
static void
resume_after(unsigned n)
{
	struct ctf_trace *trace = make_trace(METADATA, NULL);
	struct buf text = { 0 };
	struct ctf_position position;
	const char *rest = transcript;
	uint64_t raw_ns;

	for (int round = 0; round < 2; round++) {
		struct ctf_stream *stream = ctf_stream_new(trace, "s");

		ctf_stream_want_all(stream);
		if (round)
			ctf_stream_resume(stream, &position);
		for (unsigned i = 0; i < N_PACKETS; i++)
			push(stream, i);
		ctf_stream_end(stream);
		for (unsigned i = 0; i < n && !round; i++) {
			assert_int_not_equal(ctf_stream_head(stream, &raw_ns, NULL), CTF_HEAD_END);
			ctf_stream_advance(stream);
			rest = strchr(rest, '\n') + 1;
		}
		/* A head that was looked at is not consumed. */
		if (!round)
			ctf_stream_head(stream, &raw_ns, NULL);
		else
			make_transcript(stream, &text);
		ctf_stream_position(stream, &position);
		ctf_stream_free(stream);
	}
	assert_string_equal(text.data ? text.data : "", rest);
	buf_done(&text);
	ctf_trace_free(trace);
}

static void
test_resume(void **state)
{
	for (unsigned n = 0; n <= N_PACKETS * EVENTS_PER_PACKET + 3; n++)
		resume_after(n);
}

/* What is gone when the consumer comes back is told as missing. */
static void
test_resume_after_gap(void **state)
{
	struct ctf_trace *trace = make_trace(METADATA, NULL);
	struct ctf_stream *stream = ctf_stream_new(trace, "s");
	struct ctf_position position = {
		.packet_begin_raw_ns = 1000, .packet_seq = 4, .events_done = 4,
		.last_raw_ns = 1400, .valid = true,
	};
	uint64_t raw_ns;

	ctf_stream_resume(stream, &position);
	push(stream, 4);
	assert_int_equal(ctf_stream_head(stream, &raw_ns, NULL), CTF_HEAD_LOSS);
	assert_int_equal(ctf_stream_loss(stream)->packets, 4);
	assert_int_equal(ctf_stream_loss(stream)->begin_raw_ns, 1400);
	assert_int_equal(ctf_stream_loss(stream)->end_raw_ns, 6000);
	ctf_stream_free(stream);
	ctf_trace_free(trace);
}

static void
test_wanted_only(void **state)
{
	struct ctf_interest *interest = ctf_interest_new();
	unsigned wanted = ctf_interest_event(interest, "e");
	int slot = ctf_interest_field(interest, wanted, CTF_PAYLOAD, "x");
	struct ctf_trace *trace = make_trace(METADATA, interest);
	struct ctf_stream *stream = ctf_stream_new(trace, "s");
	struct ctf_position position;
	uint64_t raw_ns;

	push(stream, 0);
	for (unsigned i = 0; i < 4; i += 2) {
		assert_int_equal(ctf_stream_head(stream, &raw_ns, NULL), CTF_HEAD_EVENT);
		assert_int_equal(raw_ns, 1100 + 100 * i);
		assert_int_equal(ctf_stream_event(stream)->wanted, wanted);
		assert_int_equal(ctf_stream_event(stream)->values[slot].u, i);
		assert_ptr_equal(ctf_stream_event(stream)->stream, stream);
		ctf_stream_advance(stream);
	}
	ctf_stream_position(stream, &position);
	assert_int_equal(position.events_done, 3);
	/* Nothing there yet: but the packet has shown what can't come any more. */
	assert_int_equal(ctf_stream_head(stream, &raw_ns, NULL), CTF_HEAD_NONE);
	assert_int_equal(raw_ns, 1900);
	ctf_stream_beacon(stream, 1950);
	assert_int_equal(ctf_stream_head(stream, &raw_ns, NULL), CTF_HEAD_NONE);
	assert_int_equal(raw_ns, 1950);
	ctf_stream_position(stream, &position);
	assert_int_equal(position.events_done, 4);
	assert_int_equal(position.last_raw_ns, 1950);
	push(stream, 1);
	assert_int_equal(ctf_stream_head(stream, &raw_ns, NULL), CTF_HEAD_EVENT);
	assert_int_equal(raw_ns, 2100);
	ctf_stream_free(stream);
	ctf_trace_free(trace);
	ctf_interest_free(interest);
}

static int
refill(struct ctf_stream *stream, void *context, struct error *error)
{
	unsigned *next = context;

	if (*next == 1 && !ctf_stream_user(stream)) {
		ctf_stream_set_user(stream, next);
		return -EAGAIN;
	}
	if (*next == 3)
		return error_set(error, EIO, "no more to be had");
	push(stream, (*next)++);
	return 0;
}

static void
test_refill(void **state)
{
	struct ctf_trace *trace = make_trace(METADATA, NULL);
	struct ctf_stream *stream = ctf_stream_new(trace, "s");
	struct error error = { 0 };
	unsigned next = 0, events = 0, waits = 0;
	uint64_t raw_ns;
	int head;

	ctf_stream_want_all(stream);
	ctf_stream_set_refill(stream, refill, &next);
	while ((head = ctf_stream_head(stream, &raw_ns, &error)) >= 0) {
		events += head == CTF_HEAD_EVENT;
		waits += head == CTF_HEAD_NONE;
		ctf_stream_advance(stream);
	}
	assert_int_equal(head, -EIO);
	assert_string_equal(error.text, "no more to be had");
	assert_int_equal(events, 3 * EVENTS_PER_PACKET);
	assert_int_equal(waits, 1);
	assert_int_equal(ctf_stream_head(stream, &raw_ns, &error), CTF_HEAD_END);
	ctf_stream_free(stream);
	ctf_trace_free(trace);
}

static void
test_damaged_headers(void **state)
{
	struct ctf_trace *trace = make_trace(METADATA, NULL);
	struct ctf_stream *stream = ctf_stream_new(trace, "s");
	static const struct {
		unsigned byte;
		uint8_t value;
		const char *expect;
	} cases[] = {
		{ 0, 0, "magic number is 0xc1fc1f00" },
		{ 4, 0, "another trace's uuid" },
		{ 20, 9, "stream 9, which the metadata does not declare" },
		{ 48, 255, "bits of content" },
	};

	released = 0;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct make m = made[0];
		struct error error = { 0 };

		m.bytes[cases[i].byte] = cases[i].value;
		m.bytes[cases[i].byte + 1] ^= cases[i].value == 255 ? 255 : 0;
		assert_int_equal(ctf_stream_push(stream, m.bytes, made_size[0], release, &released,
						 &error), -EBADMSG);
		if (!strstr(error.text, cases[i].expect))
			fail_msg("case %zu: \"%s\" has no \"%s\"", i, error.text, cases[i].expect);
	}
	assert_int_equal(released, 4);
	assert_int_equal(ctf_stream_counters(stream)->bad_packets, 4);
	ctf_stream_free(stream);
	ctf_trace_free(trace);
}

/* Packets cut anywhere: whole events come out, nothing is read beyond. */
static void
test_truncated(void **state)
{
	struct ctf_trace *trace = make_trace(METADATA, NULL);

	for (size_t size = 0; size < made_size[0]; size++) {
		struct ctf_stream *stream = ctf_stream_new(trace, "s");
		uint8_t *bytes = malloc(size ? size : 1);
		struct error error = { 0 };
		struct ctf_packet_info info;
		struct buf text = { 0 };
		int r;

		memcpy(bytes, made[0].bytes, size);
		ctf_stream_want_all(stream);
		r = ctf_packet_peek(trace, bytes, size, &info, &error);
		assert_int_equal(r, size < 84 ? -ENODATA : 0);
		r = ctf_stream_push(stream, bytes, size, NULL, NULL, NULL);
		ctf_stream_end(stream);
		make_transcript(stream, &text);
		if (r >= 0 && size < made_size[0] - 8) {
			const struct error *told = ctf_stream_error(stream);

			assert_non_null(told);
			assert_non_null(strstr(told->text, "is cut off"));
			assert_null(ctf_stream_error(stream));
			assert_int_equal(ctf_stream_counters(stream)->bad_packets, 1);
		}
		if (text.size)
			assert_memory_equal(text.data, transcript, text.size);
		assert_int_equal(ctf_stream_counters(stream)->events,
				 (size >= 94) + (size >= 102) + (size >= 112) + (size >= 120));
		buf_done(&text);
		ctf_stream_free(stream);
		free(bytes);
	}
	ctf_trace_free(trace);
}

static void
test_unknown_event(void **state)
{
	struct ctf_trace *trace = make_trace(METADATA, NULL);
	struct ctf_stream *stream = ctf_stream_new(trace, "s");
	struct make m = made[0];
	struct buf text = { 0 };
	const struct error *error;

	/* The id of the third event: the rest of the packet can't be read, the
	 * next one can. */
	m.bytes[102] = 77;
	ctf_stream_want_all(stream);
	assert_int_equal(ctf_stream_push(stream, m.bytes, made_size[0], NULL, NULL, NULL), 0);
	push(stream, 1);
	ctf_stream_end(stream);
	make_transcript(stream, &text);
	assert_non_null(strstr(text.data, "s=\"s\"\n2100 e"));
	error = ctf_stream_error(stream);
	assert_non_null(error);
	assert_string_equal(error->text, "s: packet 4 (begin 1000 ns), byte 102: event id 77 is "
			    "not declared by the metadata, or not usably");
	assert_int_equal(ctf_stream_counters(stream)->bad_packets, 1);
	buf_done(&text);
	ctf_stream_free(stream);
	ctf_trace_free(trace);
}

static void
test_peek(void **state)
{
	struct ctf_trace *trace = make_trace(METADATA, NULL);
	struct ctf_packet_info info;

	assert_int_equal(ctf_packet_peek(trace, made[1].bytes, 84, &info, NULL), 0);
	assert_int_equal(info.stream_class_id, 0);
	assert_true(info.has_instance && info.has_times && info.has_seq && info.has_discarded);
	assert_int_equal(info.stream_instance_id, 7);
	assert_int_equal(info.packet_bits, made_size[1] * 8);
	assert_int_equal(info.content_bits, (made_size[1] - 8) * 8);
	assert_int_equal(info.begin_raw_ns, 2000);
	assert_int_equal(info.end_raw_ns, 2900);
	assert_int_equal(info.seq, 5);
	assert_int_equal(info.discarded, 10);
	ctf_trace_free(trace);
}

/* Events of a class that appears while the stream is read. */
static void
test_growing_metadata(void **state)
{
	static const char more[] = EVENT("new", "77", "uint32_t _y;");
	struct ctf_trace *trace = make_trace(METADATA, NULL);
	struct ctf_stream *stream = ctf_stream_new(trace, "s");
	struct make m = { .begin = 1000, .end = 1900 };
	struct buf text = { 0 };
	uint64_t raw_ns;

	make_begin(&m);
	make_large(&m, 1, 1100);
	make_bits(&m, 1, 32);
	make_large(&m, 77, 1200);
	make_bits(&m, 2, 32);
	ctf_stream_want_all(stream);
	assert_int_equal(ctf_stream_push(stream, m.bytes, make_end(&m, 0), NULL, NULL, NULL), 0);
	assert_int_equal(ctf_stream_head(stream, &raw_ns, NULL), CTF_HEAD_EVENT);
	ctf_stream_advance(stream);
	assert_int_equal(ctf_trace_add_metadata(trace, more, strlen(more), NULL), 0);
	make_transcript(stream, &text);
	assert_string_equal(text.data, "1200 new packet: cpu_id=3 context: payload: y=2\n");
	buf_done(&text);
	ctf_stream_free(stream);
	ctf_trace_free(trace);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_losses),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_resume_after_gap),
		cmocka_unit_test(test_wanted_only),
		cmocka_unit_test(test_refill),
		cmocka_unit_test(test_damaged_headers),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_unknown_event),
		cmocka_unit_test(test_peek),
		cmocka_unit_test(test_growing_metadata),
	};

	return cmocka_run_group_tests(tests, make_packets, NULL);
}
