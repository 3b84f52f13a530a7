/* SPDX-License-Identifier: MIT
 *
 * Framing, messages and the method table of proto/. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/util.h"
#include "proto/line.h"
#include "proto/methods.h"
#include "proto/rpc.h"

static void
add(struct line_reader *reader, const char *text)
{
	line_reader_add(reader, text, strlen(text));
}

static void
expect_line(struct line_reader *reader, const char *expected)
{
	size_t size;
	char *line;

	assert_true(line_reader_ready(reader));
	assert_int_equal(line_reader_next(reader, &line, &size), 1);
	assert_string_equal(line, expected);
	assert_int_equal(size, strlen(expected));
}

static void
test_lines(void **state)
{
	struct line_reader reader = { .max = 8 };
	size_t size;
	char *line;

	assert_int_equal(line_reader_next(&reader, &line, &size), 0);
	add(&reader, "ab");
	assert_false(line_reader_ready(&reader));
	assert_int_equal(line_reader_next(&reader, &line, &size), 0);
	add(&reader, "c\n\nde\nf");
	expect_line(&reader, "abc");
	expect_line(&reader, "");
	expect_line(&reader, "de");
	assert_int_equal(line_reader_next(&reader, &line, &size), 0);
	assert_int_equal(line_reader_left(&reader), 1);
	add(&reader, "1234567\nx");
	expect_line(&reader, "f1234567");
	line_reader_done(&reader);
}

static void
test_long_lines(void **state)
{
	struct line_reader reader = { .max = 8 };
	size_t size;
	char *line;

	add(&reader, "12345678");
	assert_int_equal(line_reader_next(&reader, &line, &size), 0);
	add(&reader, "9");
	assert_true(line_reader_ready(&reader));
	assert_int_equal(line_reader_next(&reader, &line, &size), -EMSGSIZE);
	assert_int_equal(line_reader_next(&reader, &line, &size), -EMSGSIZE);
	line_reader_done(&reader);
	add(&reader, "123456789\n");
	assert_int_equal(line_reader_next(&reader, &line, &size), -EMSGSIZE);
	line_reader_done(&reader);
}

/* Each way of cutting a stream gives the same lines. */
static void
test_any_cut(void **state)
{
	static const char stream[] = "one\n\ntwo and\nthree\n";
	static const char *const expected[] = { "one", "", "two and", "three" };

	for (size_t cut = 0; cut < sizeof stream - 1; cut++) {
		struct line_reader reader = { .max = 100 };
		unsigned n = 0;
		size_t size;
		char *line;

		for (int half = 0; half < 2; half++) {
			line_reader_add(&reader, half ? stream + cut : stream,
					half ? sizeof stream - 1 - cut : cut);
			while (line_reader_next(&reader, &line, &size) == 1) {
				assert_string_equal(line, expected[n]);
				n++;
			}
		}
		assert_int_equal(n, ARRAY_SIZE(expected));
		line_reader_done(&reader);
	}
}

static void
test_request(void **state)
{
	static const char good[] =
		"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"echo\",\"params\":{\"data\":1}}";
	static const char bad[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"params\":{}}";
	struct rpc_request request;
	struct rpc_error error;

	assert_int_equal(rpc_request_parse(good, strlen(good), &request, &error), 0);
	assert_string_equal(request.method, "echo");
	assert_string_equal(json_string_value(request.id), "a");
	assert_int_equal(json_integer_value(json_object_get(request.params, "data")), 1);
	rpc_request_done(&request);
	assert_int_equal(rpc_request_parse(bad, strlen(bad), &request, &error), -EPROTO);
	assert_int_equal(error.kind, RPC_INVALID_REQUEST);
	assert_string_equal(error.param, "method");
	/* The error can still name what it answers. */
	assert_int_equal(json_integer_value(request.id), 7);
	rpc_request_done(&request);
}

static void
test_error_text(void **state)
{
	struct buf line = { 0 };
	struct rpc_error error;
	json_t *reply;

	/* Bytes that are no UTF-8 must not lose the message. */
	rpc_error_set(&error, RPC_NOT_FOUND, "id", NULL, "no \"%s\"", "\xff\xc3");
	reply = rpc_error_new(NULL, &error);
	assert_int_equal(rpc_encode(reply, 1000, &line), 0);
	assert_string_equal(line.data,
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32001,\"message\":"
		"\"no \\\"\xef\xbf\xbd\xef\xbf\xbd\\\"\",\"data\":{\"kind\":\"not-found\","
		"\"param\":\"id\"}}}\n");
	json_decref(reply);
	buf_done(&line);
}

static void
test_encode_limit(void **state)
{
	json_t *message = rpc_request_new(1, "echo", NULL);
	struct buf line = { 0 };
	size_t size;

	assert_int_equal(rpc_encode(message, 1000, &line), 0);
	size = line.size;
	assert_int_equal(rpc_encode(message, size, &line), 0);
	assert_int_equal(line.size, 2 * size);
	assert_int_equal(rpc_encode(message, size - 1, &line), -EMSGSIZE);
	assert_int_equal(line.size, 2 * size);
	assert_int_equal(strlen(line.data), 2 * size);
	json_decref(message);
	buf_done(&line);
}

static int
check(const char *method, const char *params, struct rpc_error *error)
{
	json_t *values = json_loads(params, 0, NULL);
	int r = rpc_check_params(rpc_method_find(method)->params, values, error);

	json_decref(values);
	return r;
}

static void
test_params(void **state)
{
	static const struct {
		const char *method, *params, *wrong;
	} cases[] = {
		{ "status", "{}", NULL },
		{ "status", "{\"a\":1}", "a" },
		{ "migration.list", "{\"status\":\"failed\",\"limit\":10000,\"since_ns\":0}", NULL },
		{ "migration.list", "{\"status\":\"fail\"}", "status" },
		{ "migration.list", "{\"status\":\"\"}", "status" },
		{ "migration.list", "{\"limit\":10001}", "limit" },
		{ "migration.list", "{\"since_ns\":-1}", "since_ns" },
		{ "migration.list", "{\"host\":{}}", "host" },
		{ "migration.show", "{}", "id" },
		{ "migration.show", "{\"id\":null}", "id" },
		{ "migration.show", "{\"id\":\"\"}", NULL },
		{ "watch", "{\"topic\":\"alert\",\"filter\":{}}", NULL },
		{ "watch", "{\"topic\":\"alert\",\"filter\":1}", "filter" },
		{ "echo", "{\"data\":[]}", NULL },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rpc_error error = { 0 };
		int r = check(cases[i].method, cases[i].params, &error);

		assert_int_equal(r, cases[i].wrong ? -EPROTO : 0);
		assert_string_equal(error.param, cases[i].wrong ? cases[i].wrong : "");
	}
	assert_null(rpc_method_find("Status"));
	assert_true(rpc_is_choice("a bc d", "bc"));
	assert_false(rpc_is_choice("a bc d", "b"));
	assert_false(rpc_is_choice("a bc d", "bc d"));
}

/* The table is sound: names are unique, and everything says what it is. */
static void
test_table(void **state)
{
	for (unsigned i = 0; i < METHOD_COUNT; i++) {
		const struct rpc_method *method = &rpc_methods[i];

		assert_non_null(method->name);
		assert_non_null(method->result);
		assert_true(method->doc && *method->doc);
		assert_ptr_equal(rpc_method_find(method->name), method);
		for (const struct rpc_param *p = method->params; p->name; p++) {
			assert_true(p->doc && *p->doc);
			assert_ptr_equal(rpc_param_find(method->params, p->name), p);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_any_cut),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_error_text),
		cmocka_unit_test(test_encode_limit),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
