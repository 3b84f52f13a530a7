/* SPDX-License-Identifier: MIT
 *
 * test_ctf_decode.c -- fields of all kinds, by visitor and by interest; the
 * plan and the interpreter must agree. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/ctf_make.h"

/* One packet with the events that 'fill' writes, as a transcript. */
static void
check(const char *metadata, bool big_endian, void (*fill)(struct make *m), const char *expect)
{
	struct ctf_trace *trace = make_trace(metadata, NULL);
	struct ctf_stream *stream = ctf_stream_new(trace, "s");
	struct make m = { .big_endian = big_endian, .begin = 1000, .end = 9000 };
	struct buf text = { 0 };
	const struct error *error;

	make_begin(&m);
	fill(&m);
	ctf_stream_want_all(stream);
	assert_int_equal(ctf_stream_push(stream, m.bytes, make_end(&m, 16), NULL, NULL, NULL), 0);
	ctf_stream_end(stream);
	make_transcript(stream, &text);
	error = ctf_stream_error(stream);
	if (error)
		buf_printf(&text, "%s\n", error->text);
	assert_string_equal(text.data, expect);
	buf_done(&text);
	ctf_stream_free(stream);
	ctf_trace_free(trace);
}

static void
fill_scalars(struct make *m)
{
	float single = 1.5f;
	double real = -0.25;
	uint64_t bits;

	make_large(m, 1, 1005);
	make_bits(m, 0xfe, 8);
	make_bits(m, (uint64_t) -2, 32);
	make_bits(m, UINT64_MAX, 64);
	memcpy(&bits, &single, 4);
	make_bits(m, bits, 32);
	memcpy(&bits, &real, 8);
	make_bits(m, bits, 64);
	make_bytes(m, "text", 5);
	make_bits(m, 5, 16);
}

static void
test_scalars(void **state)
{
	static const char expect[] =
		"1005 e packet: cpu_id=3 context: payload: a=254 b=-2 c=18446744073709551615 "
		"f=1.5f d=-0.25 s=\"text\" k=5\n";
#define SCALARS(ORDER) PREAMBLE(ORDER) STREAM("large", "") EVENT("e", "1", \
	"uint8_t _a; int32_t _b; uint64_t _c; floating_point { exp_dig = 8; mant_dig = 24; " \
	"align = 8; } _f; floating_point { exp_dig = 11; mant_dig = 53; align = 8; } _d; " \
	"string _s; enum : uint16_t { X = 1 ... 9 } _k;")

	check(SCALARS("le"), false, fill_scalars, expect);
	check(SCALARS("be"), true, fill_scalars, expect);
}

/* The payload is aligned as its members are: to 64 bits. */
static void
fill_bit_fields(struct make *m)
{
	make_large(m, 1, 1005);
	make_align(m, 64);
	make_bits(m, 5, 3);
	make_bits(m, (uint64_t) -1, 5);
	make_bits(m, 0x123, 11);
	make_bits(m, 0x1ffffffffffffffe, 61);
	make_align(m, 32);
	make_bits(m, 77, 32);
	make_align(m, 64);
	make_bits(m, 88, 64);
	make_bits(m, 1, 1);
}

static void
test_bit_fields(void **state)
{
	static const char expect[] =
		"1005 e packet: cpu_id=3 context: payload: a=5 b=-1 c=291 d=-2 x=77 y=88 z=1\n";
#define BIT_FIELDS(ORDER) PREAMBLE(ORDER) STREAM("large", "") EVENT("e", "1", \
	"integer { size = 3; } _a; integer { size = 5; signed = true; } _b; " \
	"integer { size = 11; } _c; integer { size = 61; align = 1; signed = 1; } _d; " \
	"integer { size = 32; align = 32; } _x; integer { size = 64; align = 64; } _y; " \
	"integer { size = 1; } _z;")

	check(BIT_FIELDS("le"), false, fill_bit_fields, expect);
	check(BIT_FIELDS("be"), true, fill_bit_fields, expect);
}

static void
fill_compound(struct make *m)
{
	make_large(m, 1, 1005);
	make_bits(m, 2, 8);             /* n */
	make_bits(m, 10, 16);
	make_bits(m, 20, 16);
	make_bytes(m, "abcd\0fgh", 8);  /* chars */
	make_bytes(m, "\x01\x02\x03\x04\x05\x06", 6);
	make_bits(m, 3, 8);             /* tag: in the range of "wide" */
	make_bits(m, 99, 32);
	make_bits(m, 1, 8);             /* matrix, 2 * 3 */
	for (int i = 2; i < 7; i++)
		make_bits(m, (uint64_t) i, 8);
	make_bits(m, 1, 8);             /* inner.n */
	make_bytes(m, "x", 2);
	make_bits(m, 7, 8);
}

static void
test_compound(void **state)
{
	check(PREAMBLE("le") STREAM("large", "") EVENT("e", "1",
	      "uint8_t __n; uint16_t _seq[ __n ]; "
	      "integer { size = 8; encoding = UTF8; } _chars[8]; uint8_t _mac[6]; "
	      "enum : uint8_t { narrow = 0 ... 1, wide = 2 ... 255 } _tag; "
	      "variant <_tag> { uint8_t narrow; struct { uint32_t _x; } wide; } _v; "
	      "uint8_t _m[2][3]; struct { uint8_t _n; string _list[ _n ]; } _inner; "
	      "struct { } align(8) _nothing; uint8_t _last;"), false, fill_compound,
	      "1005 e packet: cpu_id=3 context: payload: _n=2 seq=[ 10 20 ] chars=\"abcd\" "
	      "mac=[ 1 2 3 4 5 6 ] tag=3 v={ x=99 } m=[ [ 1 2 3 ] [ 4 5 6 ] ] "
	      "inner={ n=1 list=[ \"x\" ] } nothing={ } last=7\n");
}

static void
fill_scopes(struct make *m)
{
	make_large_extended(m, 70000, 2000);
	make_bits(m, 2, 8);             /* stream event context: count */
	make_bits(m, 1, 8);             /* event context: kind */
	make_bytes(m, "\x0a\x0b", 2);
	make_bytes(m, "one", 4);
	make_bytes(m, "abc", 3);        /* cpu_id is 3 */
}

/* Lengths and tags in other scopes, by full and by short paths. */
static void
test_dynamic_scopes(void **state)
{
	check(PREAMBLE("le") STREAM("large", "event.context := struct { uint8_t count; }; ")
	      "event { name = e; id = 70000; stream_id = 0;"
	      " context := struct { enum : uint8_t { s = 1, i = 2 } kind; };"
	      " fields := struct { uint8_t bytes[ stream.event.context.count ];"
	      " variant <kind> { uint8_t i; string s; } v;"
	      " uint8_t more[ stream.packet.context.cpu_id ]; }; };", false, fill_scopes,
	      "2000 e packet: cpu_id=3 context: count=2 kind=1 payload: bytes=[ 10 11 ] v=\"one\" "
	      "more=[ 97 98 99 ]\n");
}

static void
fill_bad_tag(struct make *m)
{
	make_large(m, 1, 1005);
	make_bits(m, 9, 8);
	make_bits(m, 0, 32);
}

static void
test_variant_without_option(void **state)
{
	check(PREAMBLE("le") STREAM("large", "") EVENT("e", "1",
	      "enum : uint8_t { a = 1 } _tag; variant <_tag> { uint8_t a; } _v;"), false,
	      fill_bad_tag, "s: packet 0 (begin 1000 ns), byte 91: event e, field _v: no option "
	      "of the variant has this tag\n");
}

static void
fill_empty_elements(struct make *m)
{
	make_large(m, 1, 1005);
	make_bits(m, UINT32_MAX, 32);
}

static void
test_endless_array(void **state)
{
	check(PREAMBLE("le") STREAM("large", "") EVENT("e", "1",
	      "uint32_t _n; struct { } _x[ _n ];"), false, fill_empty_elements,
	      "s: packet 0 (begin 1000 ns), byte 94: event e, field _x: too many elements without "
	      "any bytes\n");
}

/* 27 bits of time: from begin 1000 on, over one wrap. */
static void
fill_compact(struct make *m)
{
	static const uint32_t times[] = { 1000, (1u << 27) - 1, 5, 5, 4 };

	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		make_bits(m, 0, 5);
		make_bits(m, times[i], 27);
	}
	make_bits(m, 31, 5);
	make_align(m, 8);
	make_bits(m, 40, 32);
	make_bits(m, UINT64_C(1) << 40, 64);
}

static void
test_compact_header(void **state)
{
	static const char expect[] =
		"1000 e packet: cpu_id=3 context: payload:\n"
		"134217727 e packet: cpu_id=3 context: payload:\n"
		"134217733 e packet: cpu_id=3 context: payload:\n"
		"134217733 e packet: cpu_id=3 context: payload:\n"
		"268435460 e packet: cpu_id=3 context: payload:\n"
		"1099511627776 f packet: cpu_id=3 context: payload:\n";
#define COMPACT(ORDER) PREAMBLE(ORDER) STREAM("compact", "") EVENT("e", "0", "") \
	EVENT("f", "40", "")

	check(COMPACT("le"), false, fill_compact, expect);
	check(COMPACT("be"), true, fill_compact, expect);
}

static void
fill_flat_header(struct make *m)
{
	make_bits(m, 1500, 64);
	make_bits(m, 9, 8);
	make_bits(m, 1600, 64);
	make_bits(m, 8, 8);
}

/* No id, since there is one class; a timestamp without "map". */
static void
test_other_headers(void **state)
{
	check(PREAMBLE("le") "stream { packet.context := struct packet_context; event.header := "
	      "struct { uint64_t timestamp; }; }; event { name = only; id = 12; fields := struct "
	      "{ uint8_t x; }; };", false, fill_flat_header,
	      "1500 only packet: cpu_id=3 context: payload: x=9\n"
	      "1600 only packet: cpu_id=3 context: payload: x=8\n");
}

static void
fill_mixed_order(struct make *m)
{
	make_large(m, 1, 1005);
	make_bytes(m, "\x45\x12\x34", 3);
	make_bits(m, 0x1234, 16);
}

/* As the IPv4 header in lttng-modules' net_* events. */
static void
test_mixed_byte_order(void **state)
{
	check(PREAMBLE("le") STREAM("large", "") EVENT("e", "1",
	      "integer { size = 4; align = 4; byte_order = be; } _version; "
	      "integer { size = 4; align = 4; byte_order = network; } _ihl; "
	      "integer { size = 16; align = 8; byte_order = be; } _len; uint16_t _id;"), false,
	      fill_mixed_order,
	      "1005 e packet: cpu_id=3 context: payload: version=4 ihl=5 len=4660 id=4660\n");
}

#define WANTED_METADATA(ALIGN) PREAMBLE("le") STREAM("large", \
	"event.context := struct { int32_t _vpid; integer { size = 8; encoding = UTF8; } " \
	"_procname[17]; }; ") EVENT("other", "0", "string _s; uint32_t _x;") EVENT("e", "1", \
	"uint8_t _a; string _s; uint8_t _n; " \
	"integer { size = 8; encoding = ASCII; } _chars[ _n ]; " \
	"struct { uint16_t _deep; uint8_t _mac[6]; } _in; uint16_t _list[2]; int32_t _b; " ALIGN)

static const struct {
	enum ctf_scope scope;
	const char *name;
	enum ctf_value_type type;
	const char *text;
} wanted_fields[] = {
	{ CTF_PAYLOAD, "a", CTF_UNSIGNED, "200" },
	{ CTF_PAYLOAD, "s", CTF_STRING, "hello" },
	{ CTF_PAYLOAD, "chars", CTF_STRING, "xyz" },
	{ CTF_PAYLOAD, "in.deep", CTF_UNSIGNED, "513" },
	{ CTF_PAYLOAD, "in.mac", CTF_BYTES, "macmac" },
	{ CTF_PAYLOAD, "list", CTF_ABSENT, "" },
	{ CTF_PAYLOAD, "b", CTF_SIGNED, "-7" },
	{ CTF_PAYLOAD, "nothing", CTF_ABSENT, "" },
	{ CTF_EVENT_CONTEXT, "vpid", CTF_SIGNED, "-1" },
	{ CTF_EVENT_CONTEXT, "procname", CTF_STRING, "qemu" },
	{ CTF_PACKET_CONTEXT, "cpu_id", CTF_UNSIGNED, "3" },
	{ CTF_PACKET_CONTEXT, "procname", CTF_ABSENT, "" },
};

static size_t
fill_wanted(struct make *m)
{
	static const char procname[17] = "qemu";

	*m = (struct make) { .begin = 1000, .end = 9000 };
	make_begin(m);
	for (unsigned i = 0; i < 4; i++) {
		make_large(m, i & 1, 1005 + i);
		make_bits(m, (uint64_t) -1, 32);
		make_bytes(m, procname, sizeof procname);
		if (!(i & 1)) {
			make_bytes(m, "skipped", 8);
			make_bits(m, 1, 32);
			continue;
		}
		make_bits(m, 200, 8);
		make_bytes(m, "hello", 6);
		make_bits(m, 4, 8);
		make_bytes(m, "xyz", 4);
		make_bits(m, 513, 16);
		make_bytes(m, "macmac", 6);
		make_bits(m, 1, 32);
		make_bits(m, (uint64_t) -7, 32);
		make_bits(m, 0, 8);
	}
	return make_end(m, 0);
}

static void
check_values(const struct ctf_event *event)
{
	for (uint32_t i = 0; i < event->n_values; i++) {
		const struct ctf_value *value = &event->values[i];
		char text[32] = "";

		if (value->type == CTF_UNSIGNED)
			snprintf(text, sizeof text, "%lu", (unsigned long) value->u);
		else if (value->type == CTF_SIGNED)
			snprintf(text, sizeof text, "%ld", (long) value->i);
		else if (value->type)
			snprintf(text, sizeof text, "%.*s", (int) value->size, value->s);
		assert_int_equal(value->type, wanted_fields[i].type);
		assert_string_equal(text, wanted_fields[i].text);
	}
}

static void
check_wanted(const char *metadata)
{
	struct ctf_interest *interest = ctf_interest_new();
	unsigned event = ctf_interest_event(interest, "e");
	struct error error = { 0 };
	struct ctf_stream *stream;
	struct ctf_trace *trace;
	struct make m;
	uint64_t raw_ns;

	for (size_t i = 0; i < sizeof wanted_fields / sizeof *wanted_fields; i++)
		assert_int_equal(ctf_interest_field(interest, event, wanted_fields[i].scope,
						    wanted_fields[i].name), i);
	trace = make_trace(metadata, interest);
	stream = ctf_stream_new(trace, "s");
	ctf_stream_push(stream, m.bytes, fill_wanted(&m), NULL, NULL, &error);
	ctf_stream_end(stream);
	for (unsigned i = 1; i < 4; i += 2) {
		assert_int_equal(ctf_stream_head(stream, &raw_ns, &error), CTF_HEAD_EVENT);
		assert_int_equal(raw_ns, 1005 + i);
		assert_int_equal(ctf_stream_event(stream)->t_ns, 1000000000000001005 + i);
		assert_int_equal(ctf_stream_event(stream)->n_values,
				 sizeof wanted_fields / sizeof *wanted_fields);
		check_values(ctf_stream_event(stream));
		ctf_stream_advance(stream);
	}
	assert_int_equal(ctf_stream_head(stream, &raw_ns, &error), CTF_HEAD_END);
	assert_null(ctf_stream_error(stream));
	assert_int_equal(ctf_stream_counters(stream)->events, 4);
	assert_int_equal(ctf_stream_counters(stream)->wanted, 2);
	ctf_stream_free(stream);
	ctf_trace_free(trace);
	ctf_interest_free(interest);
}

static void
test_wanted(void **state)
{
	check_wanted(WANTED_METADATA("uint8_t _pad;"));
	/* Bit fields are not for plans: the interpreter must give the same. */
	check_wanted(WANTED_METADATA("integer { size = 3; } _p; integer { size = 5; } _q;"));
}

static void
test_interest(void **state)
{
	struct ctf_interest *interest = ctf_interest_new();
	unsigned a = ctf_interest_event(interest, "a"), b = ctf_interest_event(interest, "b");
	enum ctf_scope scope;
	char name[16];

	assert_int_equal(ctf_interest_event(interest, "a"), a);
	assert_int_not_equal(a, b);
	assert_int_equal(ctf_interest_find(interest, "b"), b);
	assert_int_equal(ctf_interest_find(interest, "c"), -1);
	for (int i = 0; i < CTF_MAX_SLOTS; i++) {
		snprintf(name, sizeof name, "f%d", i);
		assert_int_equal(ctf_interest_field(interest, a, CTF_PAYLOAD, name), i);
	}
	assert_int_equal(ctf_interest_field(interest, a, CTF_PAYLOAD, "f3"), 3);
	assert_true(ctf_interest_field(interest, a, CTF_EVENT_CONTEXT, "f3") < 0);
	assert_int_equal(ctf_interest_field(interest, b, CTF_EVENT_CONTEXT, "f3"), 0);
	assert_string_equal(ctf_interest_field_name(interest, b, 0, &scope), "f3");
	assert_int_equal(scope, CTF_EVENT_CONTEXT);
	assert_int_equal(ctf_interest_n_events(interest), 2);
	assert_int_equal(ctf_interest_n_fields(interest, a), CTF_MAX_SLOTS);
	assert_string_equal(ctf_interest_event_name(interest, a), "a");
	ctf_interest_free(interest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interest),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_bit_fields),
		cmocka_unit_test(test_compound),
		cmocka_unit_test(test_dynamic_scopes),
		cmocka_unit_test(test_variant_without_option),
		cmocka_unit_test(test_endless_array),
		cmocka_unit_test(test_compact_header),
		cmocka_unit_test(test_other_headers),
		cmocka_unit_test(test_mixed_byte_order),
		cmocka_unit_test(test_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
