/* SPDX-License-Identifier: MIT
 *
 * test_ctf_metadata.c -- the metadata stream and the TSDL parser. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/ctf_make.h"

#define GOOD PREAMBLE("le") STREAM("large", "") EVENT("a", "0", "uint32_t _x;")

static struct error
add(struct ctf_trace *trace, const char *text)
{
	struct error error = { 0 };
	int r = ctf_trace_add_metadata(trace, text, strlen(text), &error);

	assert_int_equal(r, -error.code);
	return error;
}

static void
test_facts(void **state)
{
	struct ctf_trace *trace = make_trace(GOOD, NULL);
	uint8_t uuid[16];
	size_t size;

	assert_string_equal(ctf_trace_name(trace), "made");
	assert_string_equal(ctf_trace_hostname(trace), "node-1");
	assert_string_equal(ctf_trace_env(trace, "tracer_major"), "2");
	assert_string_equal(ctf_trace_env(trace, "delta"), "-3");
	assert_null(ctf_trace_env(trace, "nothing"));
	assert_true(ctf_trace_uuid(trace, uuid));
	assert_int_equal(uuid[0], 0x2a);
	assert_true(ctf_trace_clock_uuid(trace, uuid));
	assert_int_equal(uuid[15], 0xef);
	assert_string_equal(ctf_trace_clock_name(trace), "monotonic");
	assert_int_equal(ctf_trace_clock_offset_ns(trace), 1000000000000000000);
	assert_int_equal(ctf_trace_n_event_classes(trace), 1);
	assert_string_equal(ctf_trace_metadata_text(trace, &size), GOOD);
	ctf_trace_free(trace);
}

/* Splits 'text' into metadata packets of 'chunk' bytes of content each and
 * hands them over one by one. */
static void
add_packets(struct ctf_trace *trace, const char *text, size_t chunk, bool big_endian)
{
	size_t size = strlen(text);

	for (size_t at = 0; at < size; at += chunk) {
		size_t n = size - at < chunk ? size - at : chunk;
		struct make m = { .big_endian = big_endian };
		struct error error = { 0 };
		uint8_t uuid[16] = { 1 };

		make_bits(&m, 0x75D11D57, 32);
		make_bytes(&m, uuid, sizeof uuid);
		make_bits(&m, 0, 32);
		make_bits(&m, (37 + n) * 8, 32);
		make_bits(&m, (37 + n + 11) * 8, 32);
		make_bits(&m, 0, 24);
		make_bits(&m, 1, 8);
		make_bits(&m, 8, 8);
		make_bytes(&m, text + at, n);
		make_bytes(&m, "paddingpadd", 11);
		assert_int_equal(ctf_trace_add_metadata(trace, m.bytes, m.bits / 8, &error), 0);
	}
}

static void
test_packets(void **state)
{
	static const size_t chunks[] = { 1, 7, 100, 3000 };

	for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
		for (int big_endian = 0; big_endian < 2; big_endian++) {
			struct ctf_trace *trace = ctf_trace_new("packets", NULL);

			add_packets(trace, GOOD, chunks[i], big_endian);
			assert_int_equal(ctf_trace_n_event_classes(trace), 1);
			assert_string_equal(ctf_trace_hostname(trace), "node-1");
			add_packets(trace, EVENT("b", "1", "string _s;"), 5, big_endian);
			assert_int_equal(ctf_trace_n_event_classes(trace), 2);
			ctf_trace_free(trace);
		}
}

static void
test_packet_damaged(void **state)
{
	struct ctf_trace *trace = ctf_trace_new("damaged", NULL);
	uint8_t bytes[64] = { 0x57, 0x1d, 0xd1, 0x75 };
	struct error error = { 0 };

	/* Content smaller than its header. */
	assert_int_equal(ctf_trace_add_metadata(trace, bytes, sizeof bytes, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "damaged: metadata packet of 0 bits"));
	/* It stays so. */
	assert_int_equal(ctf_trace_add_metadata(trace, bytes, 0, NULL), -EBADMSG);
	ctf_trace_free(trace);
}

static void
test_errors_tell_where(void **state)
{
	static const struct {
		const char *text, *expect;
	} cases[] = {
		{ "trace {\n\tmajor = 2;\n};\n", "line 3, column 1: CTF version 2" },
		{ "\n\nstream { id = ; };\n", "line 3, column 15: a number was expected" },
		{ "event { id = 3; };\n", "an event has no name" },
		{ "typealias integer { size = 65; } := x;", "1 to 64 bits" },
		{ "typealias integer { size = 8; align = 3; } := x;", "power of two" },
		{ "typealias nothing := x;", "\"nothing\" is not declared" },
		{ "struct s { integer { size = 8; } a };", "\";\" was expected, not \"}\"" },
		{ "clock { freq = 1; };", "a clock has no name" },
		{ "clock { name = x; freq = 0; };", "must not be 0" },
		{ "clock { name = x; offset_s = 9223372036854775807; };", "292 years" },
		{ "env { a = 99999999999999999999; };", "does not fit in 64 bits" },
		{ "env { a = \"unfinished; };\n", "within a declaration" },
		{ "struct s { floating_point { exp_dig = 5; mant_dig = 11; } f; };", "IEEE 754" },
		{ "enum e : integer { size = 8; } { a = 1 b = 2 };", "was expected" },
		{ "what is this;", "a declaration was expected, not \"what\"" },
		{ "  \x01 ;", "unexpected byte 0x01" },
		{ "not even a declaration", "within a declaration" },
		{ "trace { uuid = \"2a6422d0\"; };", "uuid must be a string of the form" },
		{ "variant <a.b.c { string x; } v;", "\">\" was expected" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ctf_trace *trace = ctf_trace_new("bad", NULL);
		struct error error = add(trace, cases[i].text);

		if (error.code != EBADMSG || !strstr(error.text, cases[i].expect))
			fail_msg("case %zu: \"%s\" has no \"%s\"", i, error.text, cases[i].expect);
		ctf_trace_free(trace);
	}
}

static void
test_unresolved(void **state)
{
	static const struct {
		const char *fields, *expect;
	} cases[] = {
		{ "string _s[ _n ];", "no integer that is read before has this name: _n" },
		{ "string _n; string _s[ _n ];", "no integer" },
		{ "variant <_t> { string a; } _v;", "no integer" },
		{ "variant { string a; } _v;", "a variant has no tag: _v" },
		{ "integer { size = 8; map = clock.other.value; } _c;", "no such clock: other" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[8192];
		struct ctf_trace *trace = ctf_trace_new("bad", NULL);
		struct error error;

		snprintf(text, sizeof text, PREAMBLE("le") STREAM("large", "")
			 EVENT("bad", "1", "%s") EVENT("good", "2", ""), cases[i].fields);
		error = add(trace, text);
		assert_int_equal(error.code, EBADMSG);
		if (!strstr(error.text, cases[i].expect) || !strstr(error.text, "event \"bad\""))
			fail_msg("case %zu: \"%s\" has no \"%s\"", i, error.text, cases[i].expect);
		ctf_trace_free(trace);
	}
}

static void
test_bad_declaration_spares_others(void **state)
{
	struct ctf_trace *trace = ctf_trace_new("mixed", NULL);
	struct error error = add(trace, PREAMBLE("le") "clock { freq = oops; };\n"
				 STREAM("large", "") EVENT("a", "0", "uint32_t _x;"));

	assert_int_equal(error.code, EBADMSG);
	assert_int_equal(ctf_trace_n_event_classes(trace), 1);
	ctf_trace_free(trace);
}

/* Tracers that regenerate their metadata repeat what is known. */
static void
test_repeated(void **state)
{
	struct ctf_trace *trace = make_trace(GOOD, NULL);
	struct error error = add(trace, GOOD);

	assert_int_equal(error.code, 0);
	error = add(trace, EVENT("other", "0", ""));
	assert_int_equal(error.code, EBADMSG);
	assert_non_null(strstr(error.text, "declared as \"a\" and as \"other\""));
	ctf_trace_free(trace);
}

static void
test_ctf2(void **state)
{
	static const char *const texts[] = {
		"\x1e{\n  \"type\": \"preamble\",\n  \"version\": 2\n}\n\x1e{ }", "{ \"type\": 1 }",
		"[ { } ]",
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct ctf_trace *trace = ctf_trace_new("new", NULL);
		struct error error = add(trace, texts[i]);

		assert_int_equal(error.code, EPROTONOSUPPORT);
		assert_non_null(strstr(error.text, "CTF 2"));
		ctf_trace_free(trace);
	}
	for (int big_endian = 0; big_endian < 2; big_endian++) {
		struct ctf_trace *trace = ctf_trace_new("new", NULL);
		struct make m = { .big_endian = big_endian };
		struct error error = { 0 };

		make_bits(&m, 0x75D11D57, 32);
		make_bytes(&m, (uint8_t [20]) { 0 }, 20);
		make_bits(&m, 40 * 8, 32);
		make_bits(&m, 40 * 8, 32);
		make_bits(&m, 0, 24);
		make_bits(&m, 2, 8);
		make_bits(&m, 0, 8);
		make_bytes(&m, "\x1e{ ", 3);
		assert_int_equal(ctf_trace_add_metadata(trace, m.bytes, 40, &error),
				 -EPROTONOSUPPORT);
		assert_non_null(strstr(error.text, "CTF 2"));
		ctf_trace_free(trace);
	}
}

static void
test_limits(void **state)
{
	struct buf text = { 0 };
	struct ctf_trace *trace = ctf_trace_new("deep", NULL);
	struct error error;

	/* Nested types. */
	for (int i = 0; i < 5000; i++)
		buf_add_string(&text, "struct { ");
	for (int i = 0; i < 5000; i++)
		buf_add_string(&text, "} a; ");
	error = add(trace, text.data);
	assert_int_equal(error.code, EBADMSG);
	assert_non_null(strstr(error.text, "nested deeper"));
	ctf_trace_free(trace);
	/* Types that double with every line. */
	buf_clear(&text);
	buf_add_string(&text, PREAMBLE("le") STREAM("large", "") "struct s0 { uint8_t a; };\n");
	for (int i = 1; i < 31; i++)
		buf_printf(&text, "struct s%d { struct s%d a; struct s%d b; };\n", i, i - 1, i - 1);
	buf_add_string(&text, EVENT("big", "0", "struct s30 _x;"));
	trace = ctf_trace_new("wide", NULL);
	error = add(trace, text.data);
	assert_int_equal(error.code, EBADMSG);
	assert_non_null(strstr(error.text, "too many fields"));
	ctf_trace_free(trace);
	/* Text. */
	trace = ctf_trace_new("large", NULL);
	buf_clear(&text);
	memset(buf_reserve(&text, 1 << 20), ' ', 1 << 20);
	for (int i = 0; i < 64; i++)
		assert_int_equal(ctf_trace_add_metadata(trace, text.data, 1 << 20, NULL), 0);
	assert_int_equal(ctf_trace_add_metadata(trace, text.data, 1, &error), -EFBIG);
	ctf_trace_free(trace);
	buf_done(&text);
}

/* Frequencies other than 1 GHz, offsets in seconds and in cycles: as
 * babeltrace2 2.0 computes them. */
static void
test_clock_offset(void **state)
{
	struct ctf_trace *trace = make_trace(
		"clock { name = default; freq = 3293841647; offset_s = 1641387136; "
		"offset = 958208802; };\n", NULL);

	assert_int_equal(ctf_trace_clock_offset_ns(trace), 1641387136290909188);
	ctf_trace_free(trace);
	trace = make_trace("clock { name = c; freq = 1000; offset_s = -2; offset = 5500; };", NULL);
	assert_int_equal(ctf_trace_clock_offset_ns(trace), 3500000000);
	ctf_trace_free(trace);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_packet_damaged),
		cmocka_unit_test(test_errors_tell_where),
		cmocka_unit_test(test_unresolved),
		cmocka_unit_test(test_bad_declaration_spares_others),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_ctf2),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_clock_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
