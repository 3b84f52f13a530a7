/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/error.h"
#include "lib/util.h"

static void
first_error_wins(void **state)
{
	struct error error = { 0 };

	(void) state;
	assert_int_equal(error_set(&error, ENOENT, "no %s", "file"), -ENOENT);
	assert_int_equal(error_set(&error, EIO, "later"), -EIO);
	assert_int_equal(error.code, ENOENT);
	assert_int_equal(error_prefix(&error, "%s:%d", "a.conf", 3), -ENOENT);
	assert_string_equal(error.text, "a.conf:3: no file");
	assert_int_equal(error_set(NULL, EINVAL, "nobody asks"), -EINVAL);
	/* A failure is a failure, even if nobody set errno. */
	error = (struct error) { 0 };
	assert_int_equal(error_set(&error, 0, "no errno"), -EIO);
	assert_int_equal(error.code, EIO);
}

static void
long_errors_are_cut(void **state)
{
	struct error error = { 0 };
	char text[2000];

	(void) state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	error_set(&error, EINVAL, "%s", text);
	error_prefix(&error, "%s", text);
	assert_int_equal(strlen(error.text), sizeof error.text - 1);
}

static void
durations(void **state)
{
	static const struct { const char *text; uint64_t ns; int r; } cases[] = {
		{ "1", 1000000000, 0 }, { "0", 0, 0 }, { "300ms", 300000000, 0 },
		{ "1.5h", 5400000000000, 0 },
		{ "7d", 604800000000000, 0 }, { "2min", 120000000000, 0 }, { "5ns", 5, 0 },
		{ "", 0, -EINVAL }, { "ms", 0, -EINVAL }, { "-1s", 0, -EINVAL }, { "3 parsecs", 0, -EINVAL },
		{ "1e30", 0, -ERANGE }, { "nan", 0, -EINVAL }, { "99999999999999d", 0, -ERANGE },
	};

	(void) state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t ns = 77;

		assert_int_equal(parse_duration(cases[i].text, &ns), cases[i].r);
		assert_int_equal(ns, cases[i].r ? 77 : cases[i].ns);
	}
}

static void
numbers_and_sizes(void **state)
{
	uint64_t n = 77;

	(void) state;
	assert_int_equal(parse_u64("18446744073709551615", &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(parse_u64("18446744073709551616", &n), -ERANGE);
	assert_int_equal(parse_u64("12x", &n), -EINVAL);
	assert_int_equal(parse_u64(" 12", &n), -EINVAL);
	assert_int_equal(parse_size("8MiB", &n), 0);
	assert_int_equal(n, 8 << 20);
	assert_int_equal(parse_size("1.5K", &n), 0);
	assert_int_equal(n, 1536);
	assert_int_equal(parse_size("8MB", &n), -EINVAL);
}

static void
formats(void **state)
{
	static const struct { uint64_t ns; const char *text; } times[] = {
		{ 0, "0 ns" }, { 999, "999 ns" }, { 1000, "1.00 us" }, { 999499, "999 us" },
		{ 999500, "1.00 ms" }, { 331000000, "331 ms" }, { 999600000, "1.00 s" },
		{ 8824000000, "8.82 s" }, { 9996000000, "10.0 s" }, { 99960000000, "100 s" },
		{ 192000000000, "3 min 12 s" }, { 7500000000000, "2 h 5 min" },
		{ 180000000000000, "2 d 2 h" },
	};
	char text[64];

	(void) state;
	for (unsigned i = 0; i < ARRAY_SIZE(times); i++)
		assert_string_equal(format_duration(times[i].ns, text, sizeof text), times[i].text);
	assert_string_equal(format_bytes(0, text, sizeof text), "0 B");
	assert_string_equal(format_bytes(16 << 20, text, sizeof text), "16.0 MiB");
	assert_string_equal(format_bytes(1023 * 1024, text, sizeof text), "1.00 MiB");
	assert_string_equal(format_bytes(UINT64_MAX, text, sizeof text), "16.0 EiB");
	assert_string_equal(format_time_utc(1795392361581727882, text, sizeof text),
			    "2026-11-23T00:06:01.581727882Z");
}

static void
json_strings_are_valid_utf8(void **state)
{
	static const struct { const char *bytes, *json; } cases[] = {
		{ "plain", "\"plain\"" }, { "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "\n\t\x01", "\"\\n\\u0009\\u0001\"" },
		{ "\xc3\xa9", "\"\xc3\xa9\"" }, { "\xe2\x82\xac", "\"\xe2\x82\xac\"" },
		{ "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"" },
		{ "\xff", "\"\xef\xbf\xbd\"" }, { "\xc3", "\"\xef\xbf\xbd\"" },
		{ "\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },              /* overlong */
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" }, /* surrogate */
		{ "\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	};
	struct buf buf = { 0 };

	(void) state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		buf_clear(&buf);
		buf_add_json_string(&buf, cases[i].bytes, strlen(cases[i].bytes));
		assert_string_equal(buf.data, cases[i].json);
	}
	buf_done(&buf);
}

static void
buffers_grow_and_shrink(void **state)
{
	struct buf buf = { 0 };

	(void) state;
	for (int i = 0; i < 1000; i++)
		buf_printf(&buf, "%d,", i);
	assert_int_equal(buf.size, strlen(buf.data));
	buf_consume(&buf, 2);
	assert_memory_equal(buf.data, "1,2,3,", 6);
	buf_consume(&buf, buf.size);
	assert_int_equal(buf.size, 0);
	buf_consume(&buf, 0);
	assert_string_equal(buf.data, "");
	buf_done(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_error_wins), cmocka_unit_test(long_errors_are_cut),
		cmocka_unit_test(durations), cmocka_unit_test(numbers_and_sizes),
		cmocka_unit_test(formats), cmocka_unit_test(json_strings_are_valid_utf8),
		cmocka_unit_test(buffers_grow_and_shrink),
	};

	return cmocka_run_group_tests_name("lib", tests, NULL, NULL);
}
