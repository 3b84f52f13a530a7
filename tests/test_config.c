/* SPDX-License-Identifier: MIT */
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

#include "daemon/config.h"
#include "lib/clock.h"
#include "lib/util.h"

static void
write_file(char *path, const char *text)
{
	int fd;

	strcpy(path, "/tmp/cloudtraced-config.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void
defaults_are_good(void **state)
{
	struct config config;
	struct error error = { 0 };

	(void) state;
	config_init(&config);
	assert_int_equal(config_check(&config, &error), 0);
	assert_true(config.history_ns == 3600 * NS_PER_S);
	config_done(&config);
}

/* What is printed is read back as the same. */
static void
printed_is_read_again(void **state)
{
	struct config a, b;
	struct error error = { 0 };
	char path[64], *first = NULL, *second = NULL;
	size_t size;
	FILE *file;

	(void) state;
	config_init(&a);
	config_init(&b);
	assert_int_equal(config_set(&a, "history", "90s", &error), 0);
	assert_int_equal(config_set(&a, "backoff-min", "1500us", &error), 0);
	assert_int_equal(config_set(&a, "relayd", "[fe80::1]:5345", &error), 0);
	assert_int_equal(config_set(&a, "relayd", "relay-2", &error), 0);
	file = open_memstream(&first, &size);
	config_print(&a, file);
	fclose(file);
	write_file(path, first);
	assert_int_equal(config_read(&b, path, &error), 0);
	unlink(path);
	file = open_memstream(&second, &size);
	config_print(&b, file);
	fclose(file);
	assert_string_equal(first, second);
	free(first);
	free(second);
	config_done(&a);
	config_done(&b);
}

static void
errors_name_file_and_line(void **state)
{
	static const struct { const char *text, *says; } cases[] = {
		{ "# fine\nhistory = 1h\nhistroy = 2h\n", ":3: unknown option 'histroy'" },
		{ "history = soon\n", ":1: history: 'soon' is not a duration" },
		{ "retention = 1s\n", ":1: retention: '1s' is out of range (60.0 s to 3650 d 0 h)" },
		{ "reader = perl\n", ":1: reader: 'perl' is not one of own|babeltrace2" },
		{ "\n[relayds]\nrelayd = a\n",
		  ":3: [relayds]: a section is [alert NAME] or [receiver NAME]" },
		{ "[alert x]\nwehn = a = b\n", ":2: [alert x] has no key 'wehn'" },
		{ "[receiver x]\ntype = pigeon\n", ":2: type: 'pigeon' is not one of" },
		{ "relayd = host:99999\n", ":1: relayd: '99999' is not a port" },
		{ "just words\n", ":1: this line is not 'key = value'" },
	};

	(void) state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config config;
		struct error error = { 0 };
		char path[64];

		config_init(&config);
		write_file(path, cases[i].text);
		assert_true(config_read(&config, path, &error) < 0);
		unlink(path);
		if (!strstr(error.text, cases[i].says) || strncmp(error.text, path, strlen(path)))
			fail_msg("'%s' does not say '%s'", error.text, cases[i].says);
		config_done(&config);
	}
}

static void
relayd_addresses(void **state)
{
	static const struct { const char *text, *host; unsigned port; } good[] = {
		{ "relay-1", "relay-1", 5344 }, { "10.0.0.1:99", "10.0.0.1", 99 },
		{ "::1", "::1", 5344 }, { "[::1]:7", "::1", 7 }, { "[::1]", "::1", 5344 },
	};
	static const char *const bad[] = { "", ":5344", "a:0", "a:x", "a b", "[::1", "[::1]x", "net://a" };
	char host[64];
	uint16_t port;

	(void) state;
	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(config_parse_relayd(good[i].text, host, sizeof host, &port, NULL), 0);
		assert_string_equal(host, good[i].host);
		assert_int_equal(port, good[i].port);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(config_parse_relayd(bad[i], host, sizeof host, &port, NULL) < 0);
}

static void
what_contradicts_is_refused(void **state)
{
	struct config config;
	struct error error = { 0 };

	(void) state;
	config_init(&config);
	assert_int_equal(config_set(&config, "backoff-min", "20s", &error), 0);
	assert_int_equal(config_check(&config, &error), -EINVAL);
	assert_non_null(strstr(error.text, "backoff-min"));
	config_done(&config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_good), cmocka_unit_test(printed_is_read_again),
		cmocka_unit_test(errors_name_file_and_line), cmocka_unit_test(relayd_addresses),
		cmocka_unit_test(what_contradicts_is_refused),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
