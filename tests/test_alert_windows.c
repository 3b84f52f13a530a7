/* SPDX-License-Identifier: MIT
 *
 * test_alert_windows.c -- rules over windows, and over what two facts tell together:
 * the same alerts in any order, and whether judged as they come or all at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/kernel_block_sum.h"
#include "daemon/alert_rules.h"
#include "lib/util.h"
#include "tests/store_fixture.h"

#define RULE(NAME, ON, WHEN, SUBJECT, COUNT, WITHIN, ...) { \
	.name = (char *) (NAME), .enabled = (char *) "yes", .on = (char *) (ON), .when = (char *) (WHEN), \
	.subject = (char *) (SUBJECT), .severity = (char *) "warning", .labels = (char *) "", \
	.count = COUNT, .within_ns = WITHIN, .hold_ns = S(60), __VA_ARGS__ }

static const struct config_rule given_rules[] = {
	RULE("slow", "window block", "top = true and requests >= 10 and latency_p90_ns > 100ms", "", 1, S(20),
	     .text = (char *) "{name} {requests} {latency_max_ns}"),
	RULE("queue", "span rpc.served", "queued_ns > 1s", "service", 2, S(20), .text = (char *) "{count}"),
};

/* Windows lie at multiples of 10 s. */
#define AT(N) (T0 - T0 % S(10) + S(N))
enum { DEV = 253 << 20, DISK = 8 << 20, N_WINDOWS = 80 };

struct fixture {
	struct store *store;
	struct hub *hub;
};

static struct fixture
begin(const char *name)
{
	struct hub_options options = hub_defaults;
	struct error error = { 0 };
	struct fixture f = { .store = open_store(temporary(name), STORE_WRITE) };

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

/* A second of three requests to the volume, and to the disk below it. */
static void
say_window(struct fixture *f, unsigned second, uint64_t latency)
{
	const uint32_t devices[] = { DEV, DISK };
	struct buf blob = { 0 };
	struct block_sum sum;
	struct fact fact = { .type = FACT_WINDOW, .kind = "block", .host = "c1", .key = "-",
			     .start_ns = AT(second), .end_ns = AT(second + 1) };

	block_sum_init(&sum);
	for (unsigned i = 0; i < ARRAY_SIZE(devices); i++) {
		struct block_device *device = keyed_get(&sum.devices, &devices[i], NULL);

		device->done[BLOCK_WRITE] = 3;
		histogram_add_n(&device->total[BLOCK_WRITE], latency, 3);
	}
	block_sum_write(&sum, false, &blob);
	fact.blob = blob.data;
	fact.blob_size = blob.size;
	give_all(f->store, f->hub, &fact, 1);
	buf_done(&blob);
	block_sum_done(&sum);
}

static uint64_t
latency_at(unsigned second)
{
	return (second >= 20 && second < 40) || second == 65 ? MS(300) : MS(2);
}

static void
say_relations(struct fixture *f)
{
	struct fact facts[] = {
		{ .type = FACT_LINK, .kind = "block.chain", .host = "c1", .key = "253:0/8:0",
		  .start_ns = AT(0),
		  .attributes = json_pack("{s:s, s:s}", "upper", "253:0", "lower",
					  "8:0") },
		{ .type = FACT_ENTITY, .kind = "qemu.disk", .host = "c1", .key = "7/0", .start_ns = AT(0),
		  .attributes = json_pack("{s:i, s:i, s:i, s:s}", "pid", 7, "major", 253, "minor", 0,
					  "volume_id", "vol-1") },
	};

	give_all(f->store, f->hub, facts, 2);
	facts_done(facts, 2);
}

/* "slow SUBJECT START-END TEXT; ..." */
static void
expect(struct fixture *f, const char *wanted)
{
	json_t *list = store_alert_list(f->store, NULL, NULL), *one;
	struct buf text = { 0 };

	buf_add_string(&text, "");
	for (size_t i = json_array_size(list); i-- > 0; ) {
		one = json_array_get(list, i);
		buf_printf(&text, "%s%s %s %g-%g %s", text.size ? "; " : "", member(one, "rule"),
			   member(one, "subject"), (double) (number(one, "start_ns") - (int64_t) AT(0)) / 1e9,
			   (double) (number(one, "end_ns") - (int64_t) AT(0)) / 1e9, member(one, "text"));
	}
	if (!streq(text.data ? text.data : "", wanted))
		fail_msg("got    %s\nwanted %s", text.data ? text.data : "", wanted);
	buf_done(&text);
	json_decref(list);
}

static const char slow[] = "slow c1/253:0 30-60 vol-1 30 300 ms";

static void
spans_that_are_over(void **state)
{
	struct fixture f = begin("windows.db");

	(void) state;
	say_relations(&f);
	for (unsigned i = 0; i < 30; i++)
		say_window(&f, i, latency_at(i));
	/* The third span is complete, but nothing shows that it is. */
	expect(&f, "");
	say_window(&f, 30, latency_at(30));
	expect(&f, "slow c1/253:0 30-50 vol-1 30 300 ms");
	for (unsigned i = 31; i < N_WINDOWS; i++)
		say_window(&f, i, latency_at(i));
	/* One slow second in ten is not 90 %. */
	expect(&f, slow);
	/* It was otherwise. */
	for (unsigned i = 20; i < 40; i++)
		say_window(&f, i, MS(2));
	expect(&f, "");
	end(&f);
}

static void
windows_in_any_order(void **state)
{
	static const unsigned steps[] = { 1, 79, 37, 23 };
	char *dumps[ARRAY_SIZE(steps)];

	(void) state;
	for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
		struct fixture f = begin("order.db");

		for (unsigned i = 0; i < N_WINDOWS; i++) {
			unsigned second = i * steps[k] % N_WINDOWS;

			say_window(&f, second, latency_at(second));
			/* Who it is comes in the beginning, the middle or at the end. */
			if (i == k * (N_WINDOWS - 1) / (ARRAY_SIZE(steps) - 1))
				say_relations(&f);
		}
		expect(&f, slow);
		dumps[k] = dump(f.store);
		end(&f);
		assert_string_equal(dumps[k], dumps[0]);
	}
	for (size_t k = 0; k < ARRAY_SIZE(steps); k++)
		free(dumps[k]);
}

static void
judged_all_at_once(void **state)
{
	struct fixture f = begin("again.db");
	struct alert_rules *rules;
	struct error error = { 0 };

	(void) state;
	say_relations(&f);
	for (unsigned i = 0; i < N_WINDOWS; i++)
		say_window(&f, i, latency_at(i));
	assert_int_equal(alert_rules_new(given_rules, ARRAY_SIZE(given_rules), &rules, &error), 0);
	assert_int_equal(store_begin(f.store, &error), 0);
	assert_int_equal(store_forget_alerts(f.store, &error), 0);
	assert_int_equal(alert_rules_windows(rules, f.store, &error), 0);
	assert_int_equal(alert_rules_settle(rules, f.store, &error), 0);
	assert_int_equal(store_commit(f.store, &error), 0);
	expect(&f, slow);
	alert_rules_free(rules);
	end(&f);
}

/* -- Messages ------------------------------------------------------------- */

static void
say_message(struct fixture *f, bool call, const char *key, const char *host, uint64_t start_ns,
	    uint64_t end_ns)
{
	struct fact fact = { .type = FACT_SPAN, .kind = call ? "rpc.call" : "rpc.served", .host = host,
			     .start_ns = start_ns, .end_ns = end_ns, .status = "ok",
			     .attributes = json_pack("{s:s, s:s}", "what", "call", "service", "conductor") };

	snprintf(fact.key, sizeof fact.key, "%s", key);
	give_all(f->store, f->hub, &fact, 1);
	json_decref(fact.attributes);
}

static void
messages_that_wait(void **state)
{
	(void) state;
	for (unsigned way = 0; way < 2; way++) {
		struct fixture f = begin("rpc.db");

		for (unsigned i = 0; i < 2; i++) {
			bool call = way ? !i : i;
			/* Of other hosts: clocks an hour apart, and 3 s in the queue. */
			if (call)
				say_message(&f, true, "m1", "c2", AT(3600), AT(3605));
			else
				say_message(&f, false, "m1", "c1", AT(10), AT(12));
			/* On one host: 2 s; not slow: 0.5 s. */
			say_message(&f, call, "m2", "c1", call ? AT(11) : AT(13), call ? AT(15) : AT(14));
			say_message(&f, call, "m3", "c1", call ? AT(14) - MS(500) : AT(14), AT(16));
			if (!i)
				expect(&f, "");
		}
		expect(&f, "queue conductor 14-34 2");
		end(&f);
	}
}

static void
wrong_rules_are_refused(void **state)
{
	static const struct config_rule rules[] = {
		RULE("a", "window disk", "", "", 1, S(20), .text = (char *) ""),
		RULE("b", "window block", "open > 1s", "", 1, S(20), .text = (char *) ""),
		RULE("c", "window cpu", "", "", 1, S(10), .text = (char *) ""),
		RULE("d", "window cpu", "", "", 1, S(20), .text = (char *) "", .absent_ns = S(10)),
		RULE("e", "window cpu", "", "host", 1, S(20), .text = (char *) ""),
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct alert_rules *compiled;
		struct error error = { 0 };

		assert_true(alert_rules_new(&rules[i], 1, &compiled, &error) < 0);
		assert_non_null(strstr(error.text, "[alert "));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_that_are_over), cmocka_unit_test(windows_in_any_order),
		cmocka_unit_test(judged_all_at_once), cmocka_unit_test(messages_that_wait),
		cmocka_unit_test(wrong_rules_are_refused),
	};

	return cmocka_run_group_tests_name("alerts of windows", tests, NULL, NULL);
}
