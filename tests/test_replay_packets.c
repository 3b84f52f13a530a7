/* SPDX-License-Identifier: MIT
 *
 * Cutting of packets (replay/packets.c) and edits of metadata
 * (replay/metadata.c), on small traces made here byte by byte. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctf/stream.h"
#include "ctf/trace.h"
#include "lib/util.h"
#include "replay/metadata.h"
#include "replay/packets.h"
#include "replay/wire.h"

/* Compact events as LTTng has them: 5 bits of id, 27 bits of time.  %s is the
 * byte order, the first %u the alignment of event headers, the second one that
 * of an integer in them. */
static const char metadata_format[] =
	"/* CTF 1.8 */\n"
	"typealias integer { size = 8; align = 8; signed = false; } := uint8_t;\n"
	"typealias integer { size = 32; align = 8; signed = false; } := uint32_t;\n"
	"typealias integer { size = 64; align = 8; signed = false; } := uint64_t;\n"
	"typealias integer { size = 5; align = 1; signed = false; } := uint5_t;\n"
	"trace { major = 1; minor = 8; uuid = \"00010203-0405-0607-0809-0a0b0c0d0e0f\";\n"
	"  byte_order = %s;\n"
	"  packet.header := struct { uint32_t magic; uint8_t uuid[16]; uint32_t stream_id;\n"
	"    uint64_t stream_instance_id; };\n"
	"};\n"
	"env { hostname = \"node\"; domain = \"kernel\"; };\n"
	"clock { name = \"monotonic\"; freq = 1000000000; offset = 1000; };\n"
	"typealias integer { size = 27; align = 1; signed = false;\n"
	"  map = clock.monotonic.value; } := uint27_clock_t;\n"
	"typealias integer { size = 64; align = 8; signed = false;\n"
	"  map = clock.monotonic.value; } := uint64_clock_t;\n"
	"struct packet_context { uint64_clock_t timestamp_begin; uint64_clock_t timestamp_end;\n"
	"  uint64_t content_size; uint64_t packet_size; uint64_t packet_seq_num;\n"
	"  uint64_t events_discarded; };\n"
	"struct event_header { enum : uint5_t { compact = 0 ... 30, extended = 31 } id;\n"
	"  variant <id> { struct { uint27_clock_t timestamp; } compact;\n"
	"    struct { uint32_t id; uint64_clock_t timestamp; } extended; } v; } align(%u);\n"
	"stream { id = 0; event.header := struct event_header;\n"
	"  packet.context := struct packet_context; };\n"
	"event { name = \"tick\"; id = 1; stream_id = 0; fields := struct {\n"
	"  integer { size = 32; align = %u; signed = false; } _number; uint8_t _tail; }; };\n"
	"event { name = \"odd\"; id = 2; stream_id = 0; fields := struct {\n"
	"  uint8_t _bytes[5]; }; };\n";

enum { HEADER_BYTES = 80 };
#define MS UINT64_C(1000000)

struct fixture {
	bool big_endian;
	unsigned alignment;
	struct ctf_trace *trace;
	struct buf bytes;             /* The stream file. */
	size_t packet_at;             /* Where the packet being made begins. */
	char path[64];
	struct stream_file *file;
};

static void
set_up(struct fixture *f, bool big_endian, unsigned alignment)
{
	_cleanup_(freep) char *text = xasprintf(metadata_format, big_endian ? "be" : "le",
						MIN(alignment, 32u), alignment);
	struct error error = { 0 };

	*f = (struct fixture) { .big_endian = big_endian, .alignment = alignment };
	f->trace = ctf_trace_new("test", NULL);
	if (ctf_trace_add_metadata(f->trace, text, strlen(text), &error))
		fail_msg("%s", error.text);
}

static void
tear_down(struct fixture *f)
{
	stream_file_close(f->file);
	ctf_trace_free(f->trace);
	buf_done(&f->bytes);
	if (*f->path)
		unlink(f->path);
}

static void
begin_packet(struct fixture *f, uint64_t begin, uint64_t end, uint64_t seq, uint64_t discarded)
{
	const uint64_t context[] = { 7, begin, end, 0, 0, seq, discarded };

	f->packet_at = f->bytes.size;
	wire_add(&f->bytes, 4, f->big_endian, 0xc1fc1fc1);
	for (unsigned i = 0; i < 16; i++)
		wire_add(&f->bytes, 1, false, i);
	wire_add(&f->bytes, 4, f->big_endian, 0);
	for (size_t i = 0; i < ARRAY_SIZE(context); i++)
		wire_add(&f->bytes, 8, f->big_endian, context[i]);
}

static void
align(struct fixture *f, unsigned bits)
{
	while ((f->bytes.size - f->packet_at) * 8 % bits)
		wire_add(&f->bytes, 1, false, 0);
}

static void
add_compact_header(struct fixture *f, uint64_t raw, unsigned id)
{
	uint32_t low = (uint32_t) raw & 0x7ffffff;

	align(f, MIN(f->alignment, 32u));
	wire_add(&f->bytes, 4, f->big_endian, f->big_endian ? id << 27 | low : low << 5 | id);
}

/* The time is cut to 27 bits, or written whole when that would not do. */
static void
add_event(struct fixture *f, uint64_t raw, uint32_t number, bool extended)
{
	if (extended) {
		wire_add(&f->bytes, 1, false, f->big_endian ? 31 << 3 : 31);
		wire_add(&f->bytes, 4, f->big_endian, 1);
		wire_add(&f->bytes, 8, f->big_endian, raw);
	} else {
		add_compact_header(f, raw, 1);
	}
	align(f, f->alignment);
	wire_add(&f->bytes, 4, f->big_endian, number);
	wire_add(&f->bytes, 1, false, 0xee);
}

static void
add_odd_event(struct fixture *f, uint64_t raw)
{
	add_compact_header(f, raw, 2);
	buf_add(&f->bytes, "12345", 5);
}

static void
end_packet(struct fixture *f, size_t padding)
{
	uint8_t *packet = (uint8_t *) f->bytes.data + f->packet_at;
	size_t content = f->bytes.size - f->packet_at;

	wire_store(packet + 48, 8, f->big_endian, 8 * content);
	wire_store(packet + 56, 8, f->big_endian, 8 * (content + padding));
	for (; padding; padding--)
		wire_add(&f->bytes, 1, false, 0);
}

static void
open_file(struct fixture *f)
{
	struct error error = { 0 };
	int fd;

	strcpy(f->path, "/tmp/test_replay_packets.XXXXXX");
	fd = mkstemp(f->path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, f->bytes.data, f->bytes.size), f->bytes.size);
	close(fd);
	if (stream_file_open(f->path, f->trace, f->alignment, &f->file, &error))
		fail_msg("%s", error.text);
}

/* Adds "time:number" for each event of a stream's packets to 'out'. */
static void
note_unsigned(void *context, const char *name, uint64_t value)
{
	if (name && streq(name, "number"))
		buf_printf(context, ":%llu", (unsigned long long) value);
}

static void
note_event(void *context, struct ctf_stream *stream, const char *name, uint64_t raw_ns,
	   uint64_t t_ns, bool has_time)
{
	buf_printf(context, "%llu", (unsigned long long) raw_ns);
}

static void
note_end(void *context)
{
	buf_add_char(context, ' ');
}

static void
ignore(void *context)
{
}

static void
ignore_name(void *context, const char *name)
{
}

static void
decode(struct fixture *f, const uint8_t *packet, size_t size, struct buf *out)
{
	static const struct ctf_visitor visitor = {
		.event_begin = note_event, .event_end = note_end, .scope_begin = ignore_name,
		.scope_end = ignore, .unsigned_integer = note_unsigned,
		.structure_begin = ignore_name, .structure_end = ignore,
		.array_begin = ignore_name, .array_end = ignore,
	};
	struct ctf_stream *stream = ctf_stream_new(f->trace, "decoded");
	struct error error = { 0 };
	uint64_t raw;

	ctf_stream_want_all(stream);
	if (ctf_stream_push(stream, packet, size, NULL, NULL, &error))
		fail_msg("%s", error.text);
	while (ctf_stream_head(stream, &raw, &error) == CTF_HEAD_EVENT) {
		assert_int_equal(ctf_stream_visit(stream, &visitor, out, &error), 0);
		ctf_stream_advance(stream);
	}
	assert_null(ctf_stream_error(stream));
	ctf_stream_free(stream);
}

/* Everything a viewer would see: the index and the events of each packet. */
static void
play(struct fixture *f, uint64_t period, int64_t offset, struct buf *out)
{
	struct packets *packets = packets_new(f->file, period, offset);
	const struct relayd_index *head;
	struct ctf_packet_info info;

	while ((head = packets_head(packets))) {
		_cleanup_(buf_done) struct buf packet = { 0 };
		struct error error = { 0 };

		packets_write(packets, &packet);
		assert_int_equal(packet.size, head->content_bits / 8);
		packet.size += head->packet_bits / 8 - packet.size;
		packet.data = xrealloc(packet.data, packet.size);
		memset(packet.data + head->content_bits / 8, 0,
		       packet.size - head->content_bits / 8);
		if (ctf_packet_peek(f->trace, (uint8_t *) packet.data, packet.size, &info, &error))
			fail_msg("%s", error.text);
		assert_int_equal(info.begin_raw_ns, head->begin);
		assert_int_equal(info.end_raw_ns, head->end);
		assert_int_equal(info.content_bits, head->content_bits);
		assert_int_equal(info.packet_bits, head->packet_bits);
		assert_int_equal(info.seq, head->seq);
		assert_int_equal(info.discarded, head->discarded);
		assert_int_equal(info.stream_instance_id, 7);
		buf_printf(out, "#%llu %llu-%llu -%llu [", (unsigned long long) head->seq,
			   (unsigned long long) head->begin, (unsigned long long) head->end,
			   (unsigned long long) head->discarded);
		decode(f, (uint8_t *) packet.data, packet.size, out);
		buf_add_string(out, "]\n");
		packets_advance(packets);
	}
	assert_int_equal(packets_done_bytes(packets), stream_file_bytes(f->file));
	packets_free(packets);
}

static void
expect(struct fixture *f, uint64_t period, int64_t offset, const char *expected)
{
	_cleanup_(buf_done) struct buf got = { 0 };

	play(f, period, offset, &got);
	assert_string_equal(got.data ? got.data : "", expected);
}

/* Two packets, the second one after a gap of two and a loss of 5. */
static void
make_two_packets(struct fixture *f)
{
	begin_packet(f, 900 * MS, 5000 * MS, 3, 2);
	add_event(f, 1000 * MS, 1, false);
	add_event(f, 1100 * MS, 2, false);
	add_event(f, 3300 * MS, 3, true);
	add_event(f, 3310 * MS, 4, false);
	add_event(f, 4100 * MS, 5, true);
	end_packet(f, 40);
	begin_packet(f, 5000 * MS, 7900 * MS, 6, 7);
	add_event(f, 5950 * MS, 6, true);
	add_event(f, 6050 * MS, 7, false);
	end_packet(f, 0);
	open_file(f);
}

static const char two_packets_cut[] =
	"#3 1000000000-2000000000 -2 [1000000000:1 1100000000:2 ]\n"
	"#4 3300000000-4000000000 -2 [3300000000:3 3310000000:4 ]\n"
	"#5 4100000000-5000000000 -2 [4100000000:5 ]\n"
	"#8 5950000000-6000000000 -2 [5950000000:6 ]\n"
	"#9 6050000000-7900000000 -7 [6050000000:7 ]\n";

static void
test_cut(void **state)
{
	for (int big_endian = 0; big_endian <= 1; big_endian++) {
		struct fixture f;
		uint64_t first;

		set_up(&f, big_endian, 8);
		make_two_packets(&f);
		expect(&f, 1000 * MS, 0, two_packets_cut);
		assert_true(stream_file_first_event(f.file, &first));
		assert_int_equal(first, 1000 * MS);
		assert_int_equal(stream_file_end(f.file), 7900 * MS);
		tear_down(&f);
	}
}

static void
test_period_counts_from_1970(void **state)
{
	struct fixture f;

	set_up(&f, false, 8);
	make_two_packets(&f);
	/* Clock value + 950 ms: periods begin at values ...050. */
	expect(&f, 1000 * MS, 950 * (int64_t) MS,
	       "#3 1000000000-1050000000 -2 [1000000000:1 ]\n"
	       "#4 1100000000-2050000000 -2 [1100000000:2 ]\n"
	       "#5 3300000000-4050000000 -2 [3300000000:3 3310000000:4 ]\n"
	       "#6 4100000000-5000000000 -2 [4100000000:5 ]\n"
	       "#9 5950000000-6050000000 -2 [5950000000:6 ]\n"
	       "#10 6050000000-7900000000 -7 [6050000000:7 ]\n");
	tear_down(&f);
}

static void
test_keep(void **state)
{
	struct fixture f;

	set_up(&f, false, 8);
	make_two_packets(&f);
	expect(&f, 0, 0,
	       "#3 900000000-5000000000 -2 [1000000000:1 1100000000:2 3300000000:3 3310000000:4"
	       " 4100000000:5 ]\n"
	       "#6 5000000000-7900000000 -7 [5950000000:6 6050000000:7 ]\n");
	tear_down(&f);
}

static void
test_alignment(void **state)
{
	struct fixture f;

	/* Headers are aligned to 4 bytes, integers to 8: only an event that begins as
	 * far from that alignment as the first one may begin a packet; 3 and 5 may not. */
	set_up(&f, false, 64);
	begin_packet(&f, 0, 9000 * MS, 0, 0);
	for (uint32_t i = 1; i <= 6; i++) {
		if (i % 2)
			add_event(&f, i * 100 * MS, i, false);
		else
			add_odd_event(&f, i * 100 * MS);
	}
	end_packet(&f, 0);
	open_file(&f);
	expect(&f, 100 * MS, 0,
	       "#0 100000000-200000000 -0 [100000000:1 ]\n"
	       "#1 200000000-400000000 -0 [200000000 300000000:3 ]\n"
	       "#2 400000000-600000000 -0 [400000000 500000000:5 ]\n"
	       "#3 600000000-700000000 -0 [600000000 ]\n");
	tear_down(&f);
}

static void
test_empty_packet(void **state)
{
	struct fixture f;
	uint64_t first;

	set_up(&f, false, 8);
	begin_packet(&f, 100 * MS, 4300 * MS, 0, 9);
	end_packet(&f, 16);
	open_file(&f);
	expect(&f, 1000 * MS, 0, "#0 4000000000-4300000000 -9 []\n");
	assert_false(stream_file_first_event(f.file, &first));
	tear_down(&f);
}

static void
test_broken_event(void **state)
{
	struct fixture f;
	struct packets *packets;
	const struct error *why;

	set_up(&f, false, 8);
	begin_packet(&f, 0, 5000 * MS, 0, 0);
	add_event(&f, 1000 * MS, 1, true);
	add_event(&f, 3000 * MS, 2, true);
	f.bytes.size -= 3;            /* The payload of the last one ends early. */
	end_packet(&f, 0);
	open_file(&f);
	packets = packets_new(f.file, 1000 * MS, 0);
	assert_int_equal(packets_head(packets)->begin, 0);
	assert_int_equal(packets_head(packets)->end, 5000 * MS);
	assert_int_equal(packets_head(packets)->content_bits, 8 * f.bytes.size);
	assert_int_equal(packets_kept(packets, &why), 1);
	assert_non_null(strstr(why->text, f.path));
	packets_advance(packets);
	assert_null(packets_head(packets));
	packets_free(packets);
	tear_down(&f);
}

static void
test_cut_off_file(void **state)
{
	struct fixture f;

	set_up(&f, false, 8);
	begin_packet(&f, 0, 1000 * MS, 0, 0);
	add_event(&f, 500 * MS, 1, true);
	end_packet(&f, 0);
	begin_packet(&f, 1000 * MS, 2000 * MS, 1, 0);
	add_event(&f, 1500 * MS, 2, true);
	end_packet(&f, 0);
	f.bytes.size -= 4;
	open_file(&f);
	assert_non_null(stream_file_problem(f.file));
	expect(&f, 1000 * MS, 0, "#0 500000000-1000000000 -0 [500000000:1 ]\n");
	tear_down(&f);
}

static void
test_metadata_edits(void **state)
{
	static const char text[] =
		"/* clock { offset = 1; } env { hostname = \"no\"; } */\n"
		"env { a = \"hostname = 3; }\"; hostname = \"a\\\"b\" ; };\n"
		"clock { name = c; description = \"offset = 5;\"; offset_s = 9; /* offset = 2; */"
		" offset = -7; };\n"
		"clock { name = d; }; trace { byte_order = be; };\n"
		"struct x { integer { size = 8; align = 64; } a; } align( 16 );\n";
	_cleanup_(buf_done) struct buf buf = { 0 };
	struct error error = { 0 };

	buf_add_string(&buf, text);
	assert_int_equal(metadata_max_alignment(&buf), 64);
	assert_true(metadata_is_big_endian(&buf));
	assert_int_equal(metadata_clock_frequency(&buf), 1000000000);
	assert_int_equal(metadata_set_hostname(&buf, "node-7", &error), 0);
	assert_int_equal(metadata_shift_clocks(&buf, 10, &error), 0);
	assert_non_null(strstr(buf.data, "}\"; hostname = \"node-7\" ; };"));
	assert_non_null(strstr(buf.data, "/* offset = 2; */ offset = 3; };"));
	assert_non_null(strstr(buf.data, "clock {\n\toffset = 10; name = d; };"));
	assert_non_null(strstr(buf.data, "/* clock { offset = 1; } env { hostname = \"no\"; } */"));
	assert_int_equal(metadata_set_hostname(&buf, "a\"b", &error), -EINVAL);
	error.code = 0;
	assert_int_equal(metadata_shift_clocks(&buf, INT64_MAX, &error), -ERANGE);
}

static void
test_metadata_without_blocks(void **state)
{
	_cleanup_(buf_done) struct buf buf = { 0 };
	struct error error = { 0 };

	assert_int_equal(metadata_shift_clocks(&buf, 10, &error), 0);
	assert_int_equal(metadata_set_hostname(&buf, "n", &error), 0);
	assert_string_equal(buf.data, "\nenv {\n\thostname = \"n\";\n};\n");
	buf_clear(&buf);
	buf_add_string(&buf, "env { };\nclock { offset = 1");
	assert_int_equal(metadata_set_hostname(&buf, "n", &error), 0);
	assert_int_equal(metadata_shift_clocks(&buf, 10, &error), 0);
	assert_string_equal(buf.data, "env {\n\thostname = \"n\"; };\nclock { offset = 1");
}

static void
test_metadata_clock_uuids(void **state)
{
	static const char head[] = "trace { uuid = \"keep\"; };\nclock { name = a; uuid = ";
	static const char *const uuids[] = { "\"0f0e\"", "\"0f0f\"", "\"0f0e\"" };
	struct buf bufs[ARRAY_SIZE(uuids)] = { 0 }, again = { 0 }, none = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(uuids); i++) {
		buf_printf(&bufs[i], "%s%s; offset = %zu; };\n", head, uuids[i], i);
		metadata_renew_clock_uuids(&bufs[i], 7);
		assert_memory_equal(bufs[i].data, head, sizeof head - 1);
		assert_int_equal(bufs[i].data[sizeof head - 1 + 37], '"');
		assert_non_null(strstr(bufs[i].data, "; offset = "));
	}
	assert_memory_equal(bufs[0].data, bufs[2].data, sizeof head - 1 + 38);
	assert_memory_not_equal(bufs[0].data, bufs[1].data, sizeof head - 1 + 38);
	buf_printf(&again, "%s%s; };\n", head, uuids[0]);
	metadata_renew_clock_uuids(&again, 8);
	assert_memory_not_equal(bufs[0].data, again.data, sizeof head - 1 + 38);
	buf_add_string(&none, "clock { name = b; offset = 1; };\nclock { name = c; offset = 2; };\n");
	metadata_renew_clock_uuids(&none, 7);
	assert_memory_equal(none.data, "clock {\n\tuuid = \"", 17);
	assert_memory_equal(none.data + 17 + 36, "\"; name = b", 11);
	assert_non_null(strstr(none.data, "\"; name = c"));
	assert_memory_not_equal(none.data + 17, strstr(none.data, "\"; name = c") - 36, 36);
	for (size_t i = 0; i < ARRAY_SIZE(bufs); i++)
		buf_done(&bufs[i]);
	buf_done(&again);
	buf_done(&none);
}

static void
test_metadata_packets(void **state)
{
	static const uint8_t uuid[16] = { 1, 2, 3 };
	char text[10000];
	_cleanup_(buf_done) struct buf out = { 0 };

	memset(text, 'x', sizeof text);
	metadata_packetize(text, sizeof text, uuid, true, &out);
	assert_int_equal(out.size, 3 * METADATA_PACKET_SIZE);
	for (size_t i = 0, left = sizeof text; i < 3; i++) {
		const uint8_t *packet = (const uint8_t *) out.data + i * METADATA_PACKET_SIZE;
		size_t content = wire_load(packet + 24, 4, true) / 8;

		assert_int_equal(wire_load(packet, 4, true), 0x75d11d57);
		assert_memory_equal(packet + 4, uuid, 16);
		assert_int_equal(wire_load(packet + 28, 4, true), 8 * METADATA_PACKET_SIZE);
		assert_int_equal(content, 37 + MIN(left, (size_t) METADATA_PACKET_SIZE - 37));
		left -= content - 37;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_period_counts_from_1970),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_empty_packet),
		cmocka_unit_test(test_broken_event),
		cmocka_unit_test(test_cut_off_file),
		cmocka_unit_test(test_metadata_edits),
		cmocka_unit_test(test_metadata_without_blocks),
		cmocka_unit_test(test_metadata_clock_uuids),
		cmocka_unit_test(test_metadata_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
