/* SPDX-License-Identifier: MIT
 *
 * test_alert_rules.c -- conditions, and rules over facts: what fires from when to
 * when, in any order of facts; retractions; counting; silences; queues. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/alert_condition.h"
#include "daemon/alert_rules.h"
#include "lib/util.h"
#include "tests/store_fixture.h"

/* -- Conditions ----------------------------------------------------------- */

static void
conditions_hold(void **state)
{
	static const struct { const char *text; bool holds; } cases[] = {
		{ "", true }, { "status = error", true }, { "status = ok|error", true },
		{ "status != error", false },
		{ "http_status >= 500", true }, { "http_status < 500", false }, { "seconds > 1.5", true },
		{ "duration > 2s", true }, { "duration > 4s", false }, { "left_bytes > 1MiB", true },
		{ "percent > 99%", false }, { "error.message ~ timed", true },
		{ "error.message ~ fine", false },
		{ "absent > 1", false }, { "absent != x", true }, { "flag = true", true },
		{ "status = error and http_status = 503 and duration <= 3s", true },
		{ "status = error and http_status = 500", false }, { "text_number > 6", true },
	};
	json_t *object = json_pack("{s:s, s:i, s:f, s:I, s:I, s:i, s:{s:s}, s:b, s:s}", "status", "error",
				   "http_status", 503, "seconds", 2.5, "duration_ns", (json_int_t) S(3),
				   "left_bytes", (json_int_t) 2000000, "percent", 99, "error", "message",
				   "it timed out", "flag", 1, "text_number", "7");

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct condition condition;
		struct error error = { 0 };

		if (condition_parse(cases[i].text, &condition, &error))
			fail_msg("'%s': %s", cases[i].text, error.text);
		if (condition_holds(&condition, object) != cases[i].holds)
			fail_msg("'%s' should%s hold", cases[i].text, cases[i].holds ? "" : " not");
		condition_done(&condition);
	}
	json_decref(object);
}

static void
wrong_conditions_are_refused(void **state)
{
	static const char *const texts[] = {
		"status", "= error", "status =", "status > fast", "open < 5s", "open > soon", "a b = c",
		"a = 1 and", "a=1 and b=1 and c=1 and d=1 and e=1 and f=1 and g=1 and h=1 and i=1",
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct condition condition;
		struct error error = { 0 };

		if (!condition_parse(texts[i], &condition, &error))
			fail_msg("'%s' was taken", texts[i]);
		assert_true(error.text[0]);
	}
}

static void
texts_have_figures(void **state)
{
	json_t *object = json_pack("{s:s, s:I, s:i, s:{s:s}}", "host", "c1", "duration_ns",
				   (json_int_t) MS(1500), "n", 3, "error", "message", "no");
	struct buf text = { 0 };

	(void) state;
	condition_add_text(&text, "{host}: {n} in {duration}, {error.message}, {absent} {", object);
	assert_string_equal(text.data, "c1: 3 in 1.50 s, no, - {");
	buf_done(&text);
	json_decref(object);
}

/* -- Rules ---------------------------------------------------------------- */

#define RULE(NAME, ON, WHEN, COUNT, ...) { \
	.name = (char *) (NAME), .enabled = (char *) "yes", .on = (char *) (ON), .when = (char *) (WHEN), \
	.severity = (char *) "warning", .labels = (char *) "", .text = (char *) "{key}", \
	.count = COUNT, .within_ns = S(10), .hold_ns = S(60), __VA_ARGS__ }

static const struct config_rule given_rules[] = {
	RULE("slow", "span api.request", "open > 5s", 1, .subject = (char *) ""),
	RULE("failed", "span api.request", "status = error", 1, .subject = (char *) ""),
	RULE("errors", "span api.request", "status = error", 3, .subject = (char *) "service"),
	RULE("cause", "mark log.error", "cause = vif-plug-timeout", 1, .subject = (char *) "instance"),
	RULE("quiet", "sample service.window", "", 1, .subject = (char *) "service", .absent_ns = S(30)),
};

struct fixture {
	struct store *store;
	struct hub *hub;
};

static struct fixture
begin(void)
{
	struct hub_options options = hub_defaults;
	struct error error = { 0 };
	struct fixture f = { .store = open_store(temporary("rules.db"), STORE_WRITE) };

	if (alert_rules_new(given_rules, ARRAY_SIZE(given_rules), &options.rules, &error))
		fail_msg("%s", error.text);
	f.hub = hub_new(f.store, &options);
	return f;
}

static void
end(struct fixture *f)
{
	hub_free(f->hub);
	store_close(f->store);
	temporary_done();
}

static struct fact
fact_of(enum fact_type type, const char *kind, const char *key, uint64_t start, uint64_t stop,
	const char *status, json_t *attributes)
{
	struct fact fact = { .type = type, .kind = kind, .host = "c1", .start_ns = T0 + start,
			     .end_ns = stop ? T0 + stop : 0, .status = status, .attributes = attributes };

	snprintf(fact.key, sizeof fact.key, "%s", key);
	return fact;
}

static struct fact
request(const char *key, uint64_t start, uint64_t stop, const char *status)
{
	return fact_of(FACT_SPAN, "api.request", key, start, stop, status,
		       json_pack("{s:s}", "service", "nova-api"));
}

static void
say(struct fixture *f, struct fact fact)
{
	give_all(f->store, f->hub, &fact, 1);
	json_decref(fact.attributes);
}

/* "slow 5-8; ..." of all alerts, by rule and start; a '?' end is open. */
static void
expect(struct fixture *f, const char *wanted)
{
	json_t *list = store_alert_list(f->store, NULL, NULL), *one;
	struct buf text = { 0 };
	size_t i;

	buf_add_string(&text, "");
	for (size_t k = 0; k < ARRAY_SIZE(given_rules); k++)
		for (i = json_array_size(list); i-- > 0; ) {
			one = json_array_get(list, i);
			if (!streq(member(one, "rule"), given_rules[k].name))
				continue;
			buf_printf(&text, "%s%s %s %g-", text.size ? "; " : "", member(one, "rule"),
				   *given_rules[k].subject ? member(one, "subject") : member(one, "text"),
				   (double) (number(one, "start_ns") - (int64_t) T0) / 1e9);
			if (json_is_null(json_object_get(one, "end_ns")))
				buf_add_char(&text, '?');
			else
				buf_printf(&text, "%g",
					   (double) (number(one, "end_ns") - (int64_t) T0) / 1e9);
		}
	if (!streq(text.data ? text.data : "", wanted))
		fail_msg("got    %s\nwanted %s", text.data ? text.data : "", wanted);
	buf_done(&text);
	json_decref(list);
}

static void
what_is_open_too_long(void **state)
{
	struct fixture f = begin();

	(void) state;
	say(&f, request("a", S(1), 0, "running"));
	expect(&f, "slow a 6-?");
	say(&f, request("a", S(1), S(3), "ok"));
	expect(&f, "");
	say(&f, request("b", S(1), S(9), "ok"));
	expect(&f, "slow b 6-9");
	end(&f);
}

static void
what_is_over(void **state)
{
	struct fixture f = begin();
	struct fact fact = request("a", S(1), S(2), "error"), back = fact;

	(void) state;
	say(&f, fact);
	expect(&f, "failed a 2-62");
	back.type = FACT_RETRACT;
	back.attributes = NULL;
	say(&f, back);
	expect(&f, "");
	say(&f, fact_of(FACT_MARK, "log.error", "m", S(4), 0, NULL,
			json_pack("{s:s, s:s}", "cause", "vif-plug-timeout", "instance", "vm-1")));
	say(&f, fact_of(FACT_MARK, "log.error", "n", S(4), 0, NULL, json_pack("{s:s}", "cause", "quota")));
	expect(&f, "cause vm-1 4-64");
	end(&f);
}

/* Errors at 1, 2, 3, 4 and 30, 31, 32 s; one at 20 s joins nothing. */
static void
counting_in_any_order(void **state)
{
	static const unsigned at[] = { 1, 2, 3, 4, 20, 30, 31, 32 };
	static const unsigned orders[][8] = {
		{ 0, 1, 2, 3, 4, 5, 6, 7 }, { 7, 6, 5, 4, 3, 2, 1, 0 }, { 3, 0, 7, 5, 2, 4, 6, 1 },
	};
	char *dumps[3];

	(void) state;
	for (size_t o = 0; o < ARRAY_SIZE(orders); o++) {
		struct fixture f = begin();

		for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
			unsigned n = orders[o][i];
			char key[8];

			snprintf(key, sizeof key, "r%u", at[n]);
			say(&f, request(key, S(at[n]) - MS(100), S(at[n]), "error"));
		}
		dumps[o] = dump(f.store);
		assert_non_null(strstr(dumps[o], "errors"));
		end(&f);
		assert_string_equal(dumps[o], dumps[0]);
	}
	for (size_t o = 0; o < ARRAY_SIZE(orders); o++)
		free(dumps[o]);
}

static void
counting_begins_and_ends(void **state)
{
	struct fixture f = begin();
	struct fact third = request("c", S(3) - MS(1), S(3), "error");

	(void) state;
	say(&f, request("a", S(1) - MS(1), S(1), "error"));
	say(&f, request("b", S(2) - MS(1), S(2), "error"));
	expect(&f, "failed a 1-61; failed b 2-62");
	say(&f, third);
	expect(&f, "failed a 1-61; failed b 2-62; failed c 3-63; errors nova-api 3-13");
	/* It was none after all. */
	say(&f, request("c", S(3) - MS(1), S(3), "ok"));
	expect(&f, "failed a 1-61; failed b 2-62");
	end(&f);
}

/* More than are walked over: it goes on, as the same alert. */
static void
counting_for_long(void **state)
{
	enum { N = 5200 };
	struct fixture f = begin();
	struct fact *facts = xcalloc(N, sizeof *facts);
	json_t *list, *one;
	unsigned alerts = 0;
	size_t i;

	(void) state;
	for (unsigned n = 0; n < N; n++) {
		char key[16];

		snprintf(key, sizeof key, "r%u", n);
		facts[n] = request(key, S(n + 1) - MS(1), S(n + 1), "error");
	}
	for (unsigned n = 0; n < N; n += N / 8)
		give_all(f.store, f.hub, facts + n, N / 8);
	facts_done(facts, N);
	free(facts);
	for (unsigned n = N; n < N + 3; n++)
		say(&f, request("more", S(n + 1) - MS(1), S(n + 1), "error"));
	list = store_alert_list(f.store, &(struct store_filter) { .limit = 2 * N }, NULL);
	json_array_foreach(list, i, one) {
		if (!streq(member(one, "rule"), "errors"))
			continue;
		alerts++;
		assert_int_equal(number(one, "start_ns"), T0 + S(3));
		assert_int_equal(number(one, "end_ns"), T0 + S(N + 3 + 10));
	}
	assert_int_equal(alerts, 1);
	json_decref(list);
	end(&f);
}

static void
what_is_absent(void **state)
{
	struct fixture f = begin();
	const unsigned at[] = { 10, 20, 80, 90 };

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		say(&f, fact_of(FACT_SAMPLE, "service.window", "w", S(at[i]), 0, NULL,
				json_pack("{s:s}", "service", "nova-api")));
	expect(&f, "quiet nova-api 50-80; quiet nova-api 120-?");
	end(&f);
}

static void
wrong_rules_are_refused(void **state)
{
	static const struct config_rule rules[] = {
		RULE("a", "spam x", "", 1, .subject = (char *) ""),
		RULE("b", "span", "", 1, .subject = (char *) ""),
		RULE("c", "flow", "status", 1, .subject = (char *) ""),
		{ .name = (char *) "d", .enabled = (char *) "yes", .on = (char *) "span x",
		  .when = (char *) "", .subject = (char *) "", .severity = (char *) "info",
		  .text = (char *) "",
		  .labels = (char *) "a b=c", .count = 1 },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct alert_rules *compiled;
		struct error error = { 0 };

		assert_true(alert_rules_new(&rules[i], 1, &compiled, &error) < 0);
		assert_non_null(strstr(error.text, "[alert "));
	}
}

/* -- Queues --------------------------------------------------------------- */

static void
queues_are_bounded(void **state)
{
	struct store *store = open_store(temporary("queue.db"), STORE_WRITE);
	json_t *list, *summary, *doc = json_pack("{s:s}", "id", "x");
	struct error error = { 0 };

	(void) state;
	assert_int_equal(store_begin(store, &error), 0);
	for (int i = 0; i < 12; i++)
		assert_int_equal(store_queue(store, "r", "x", doc, 5, &error), 0);
	assert_int_equal(store_queue(store, "other", "y", doc, 5, &error), 0);
	assert_int_equal(store_commit(store, &error), 0);
	list = store_queued(store, "r", 0, 100, &error);
	assert_int_equal(json_array_size(list), 5);
	assert_int_equal(number(json_array_get(list, 0), "seq"), 8);
	summary = store_summary(store, &error);
	assert_int_equal(number(json_object_get(json_object_get(summary, "counters"), "delivery"),
				"dropped_r"), 7);
	assert_true(store_is_queued(store, "other", "y"));
	assert_int_equal(store_unqueue(store, 8, false, &error), 0);
	assert_int_equal(store_unqueue(store, 13, true, &error), 0);
	assert_true(store_is_queued(store, "other", "y"));
	json_decref(list);
	list = store_queued(store, "other", 0, 100, &error);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	json_decref(summary);
	json_decref(doc);
	store_close(store);
	temporary_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_hold), cmocka_unit_test(wrong_conditions_are_refused),
		cmocka_unit_test(texts_have_figures), cmocka_unit_test(what_is_open_too_long),
		cmocka_unit_test(what_is_over), cmocka_unit_test(counting_in_any_order),
		cmocka_unit_test(counting_begins_and_ends), cmocka_unit_test(counting_for_long),
		cmocka_unit_test(what_is_absent),
		cmocka_unit_test(wrong_rules_are_refused), cmocka_unit_test(queues_are_bounded),
	};

	return cmocka_run_group_tests_name("alert rules", tests, NULL, NULL);
}
