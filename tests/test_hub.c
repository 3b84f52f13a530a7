/* SPDX-License-Identifier: MIT
 *
 * test_hub.c -- which sources and destinations become one migration, what the
 * record says, and which alerts come and go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/join.h"
#include "lib/util.h"
#include "tests/store_fixture.h"

struct fixture {
	struct store *store;
	struct hub *hub;
	struct fact facts[32];
	size_t n;
	char told[4096];
};

static struct fixture *
begin(void)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	f->store = open_store(temporary("hub.db"), STORE_WRITE);
	f->hub = hub_new(f->store, NULL);
	return f;
}

static void
end(struct fixture *f)
{
	facts_done(f->facts, f->n);
	hub_free(f->hub);
	store_close(f->store);
	free(f);
	temporary_done();
}

/* Gives one fact, settled; it is kept for reference. */
static struct fact *
say(struct fixture *f, struct fact fact)
{
	assert_true(f->n < ARRAY_SIZE(f->facts));
	f->facts[f->n] = fact;
	give_all(f->store, f->hub, &f->facts[f->n], 1);
	return &f->facts[f->n++];
}

#define SIDE(...) side_fact(&(struct given_side) { __VA_ARGS__ })
#define SOURCE(HOST, PID, ...) SIDE(.source = true, .host = HOST, .pid = PID, __VA_ARGS__)
#define DESTINATION(HOST, PID, ...) SIDE(.host = HOST, .pid = PID, __VA_ARGS__)

/* "c1:1>c2:2 completed; ..." of all records, oldest first. */
static void
expect(struct fixture *f, const char *expected)
{
	json_t *list = store_migration_list(f->store, NULL, NULL), *one;
	char text[1024] = "", *to = text;

	for (size_t i = json_array_size(list); i-- > 0;) {
		one = json_array_get(list, i);
		if (*member(one, "source"))
			to += sprintf(to, "%s:%lld", member(one, "source"),
				      (long long) number(one, "source_pid"));
		to += sprintf(to, ">");
		if (*member(one, "destination"))
			to += sprintf(to, "%s:%lld", member(one, "destination"),
				      (long long) number(one, "destination_pid"));
		to += sprintf(to, " %s; ", member(one, "status"));
	}
	assert_string_equal(text, expected);
	json_decref(list);
}

static json_t *
newest(struct fixture *f)
{
	json_t *list = store_migration_list(f->store, NULL, NULL), *one;

	one = json_incref(json_array_get(list, 0));
	json_decref(list);
	return one;
}

/* -- Records -------------------------------------------------------------- */

static void
test_one(void **state)
{
	struct fixture *f = begin();
	json_t *one;

	(void) state;
	say(f, DESTINATION("c2", 18, .start = T0 + MS(1), .connect = T0 + MS(1)));
	expect(f, ">c2:18 running; ");
	say(f, SOURCE("c1", 17, .start = T0, .connect = T0 + MS(2)));
	expect(f, "c1:17>c2:18 running; ");
	say(f, SOURCE("c1", 17, .start = T0, .connect = T0 + MS(2), .stop = T0 + S(8),
		      .end = T0 + S(8) + MS(3), .status = "completed"));
	say(f,
	    DESTINATION("c2", 18, .start = T0 + MS(1), .connect = T0 + MS(1),
			.run = T0 + S(8) + MS(7), .end = T0 + S(8) + MS(8), .status = "completed"));
	expect(f, "c1:17>c2:18 completed; ");
	one = newest(f);
	assert_int_equal(number(one, "total_ns"), S(8) + MS(3));
	assert_int_equal(number(one, "downtime_ns"), MS(3));
	assert_int_equal(number(one, "blackout_ns"), MS(7));
	assert_int_equal(number(json_object_get(one, "evidence"), "events"), 200);
	assert_true(json_is_null(json_object_get(json_object_get(one, "evidence"),
						 "clock_error_ns")));
	assert_true(json_is_null(json_object_get(one, "reason")));
	json_decref(one);
	end(f);
}

/* Of a post-copy that was under way at the attach only one side knows for a while. */
static void
test_postcopy(void **state)
{
	static const bool known[][2] = { { true, false }, { false, true } };

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		struct fixture *f = begin();
		json_t *one;

		say(f, SOURCE("c1", 17, .start = T0, .connect = T0, .postcopy = known[i][0]));
		say(f, DESTINATION("c2", 18, .start = T0, .connect = T0, .postcopy = known[i][1]));
		expect(f, "c1:17>c2:18 running; ");
		one = newest(f);
		assert_string_equal(member(one, "mode"), "postcopy");
		json_decref(one);
		end(f);
	}
}

static void
test_who_is_it(void **state)
{
	struct fixture *f = begin();
	json_t *one;

	(void) state;
	say(f, SOURCE("c1", 1, .start = T0, .connect = T0 + MS(2)));
	say(f, DESTINATION("c2", 2, .start = T0 + MS(1), .connect = T0 + MS(1)));
	/* Identity may come late, and separate what time has joined. */
	say(f, process_fact("c1", 1, "aaaa", "web", NULL));
	expect(f, "c1:1>c2:2 running; ");
	say(f, process_fact("c2", 2, "bbbb", "db", NULL));
	expect(f, "c1:1> running; >c2:2 running; ");
	say(f, process_fact("c2", 2, "AAAA", "web", NULL));
	expect(f, "c1:1>c2:2 running; ");
	one = newest(f);
	assert_string_equal(member(json_object_get(one, "vm"), "name"), "web");
	assert_string_equal(member(json_object_get(one, "evidence"), "joined_by"), "uuid and time");
	json_decref(one);
	end(f);
}

static void
test_at_once(void **state)
{
	struct fixture *f = begin();

	(void) state;
	/* Nothing tells the two apart: a wrong join is worse than none. */
	say(f, SOURCE("c1", 1, .start = T0, .connect = T0 + MS(2)));
	say(f, SOURCE("c1", 2, .start = T0 + MS(1), .connect = T0 + MS(3)));
	say(f, DESTINATION("c2", 11, .start = T0 + MS(2), .connect = T0 + MS(2)));
	say(f, DESTINATION("c2", 12, .start = T0 + MS(3), .connect = T0 + MS(3)));
	expect(f, "c1:1> running; c1:2> running; >c2:11 running; >c2:12 running; ");
	/* Their ends do. */
	say(f, SOURCE("c1", 1, .start = T0, .connect = T0 + MS(2), .end = T0 + S(9),
		      .status = "completed"));
	say(f, DESTINATION("c2", 12, .start = T0 + MS(3), .connect = T0 + MS(3),
			   .end = T0 + S(9) + MS(20), .status = "completed"));
	say(f, SOURCE("c1", 2, .start = T0 + MS(1), .connect = T0 + MS(3), .end = T0 + S(5),
		      .status = "completed"));
	say(f, DESTINATION("c2", 11, .start = T0 + MS(2), .connect = T0 + MS(2),
			   .end = T0 + S(5) + MS(4), .status = "completed"));
	expect(f, "c1:1>c2:12 completed; c1:2>c2:11 completed; ");
	end(f);
}

static void
test_ports(void **state)
{
	struct fixture *f = begin();

	(void) state;
	say(f, SOURCE("c1", 1, .start = T0, .connect = T0 + MS(2), .uri = "tcp:10.0.0.2:49152"));
	say(f, SOURCE("c1", 2, .start = T0, .connect = T0 + MS(2),
		      .uri = "[{\"channel-type\": \"main\", \"addr\": {\"transport\": \"socket\", "
			     "\"type\":"
			     " \"inet\", \"host\": \"10.0.0.2\", \"port\": \"49153\"}}]"));
	say(f, DESTINATION("c2", 11, .start = T0, .connect = T0 + MS(2), .uri = "tcp:[::]:49153"));
	/* From its command line, when cloudtrace-node tells. */
	say(f, process_fact("c2", 12, "u", "n", "tcp:0:49152"));
	say(f, DESTINATION("c2", 12, .start = T0, .connect = T0 + MS(2)));
	expect(f, "c1:1>c2:12 running; c1:2>c2:11 running; ");
	end(f);
}

static void
test_there_and_back(void **state)
{
	struct fixture *f = begin();

	(void) state;
	/* Cancelled, tried again to another process, and back. */
	say(f, SOURCE("c1", 1, .start = T0, .connect = T0 + MS(2), .end = T0 + S(5),
		      .status = "cancelled"));
	say(f, DESTINATION("c2", 11, .start = T0 + MS(3), .connect = T0 + MS(3), .end = T0 + S(5),
			   .status = "failed"));
	say(f, DESTINATION("c2", 12, .start = T0 + S(6), .connect = T0 + S(6), .end = T0 + S(9),
			   .status = "completed"));
	say(f, SOURCE("c1", 1, .start = T0 + S(6), .connect = T0 + S(6), .end = T0 + S(9),
		      .status = "completed"));
	say(f, SOURCE("c2", 12, .start = T0 + S(10), .connect = T0 + S(10), .end = T0 + S(15),
		      .status = "completed"));
	say(f, DESTINATION("c1", 3, .start = T0 + S(10), .connect = T0 + S(10), .end = T0 + S(15),
			   .status = "completed"));
	expect(f, "c1:1>c2:11 cancelled; c1:1>c2:12 completed; c2:12>c1:3 completed; ");
	end(f);
}

static void
test_not_a_pair(void **state)
{
	struct fixture *f = begin();

	(void) state;
	/* Refused, to a file, to itself by loopback. */
	say(f, SOURCE("c1", 1, .start = T0, .end = T0 + MS(5), .status = "failed",
		      .uri = "tcp:10.0.0.2:49152"));
	say(f, SOURCE("c1", 2, .start = T0 + S(10), .uri = "file:/tmp/x"));
	say(f, SOURCE("c1", 3, .start = T0 + S(20), .connect = T0 + S(20),
		      .uri = "tcp:127.0.0.1:4444"));
	say(f, SOURCE("c1", 4, .start = T0 + S(30), .connect = T0 + S(30)));
	say(f, DESTINATION("c2", 11, .start = T0 + MS(1), .connect = T0 + MS(1)));
	say(f, DESTINATION("c2", 12, .start = T0 + S(11), .connect = T0 + S(10)));
	say(f, DESTINATION("c2", 13, .start = T0 + S(21), .connect = T0 + S(20)));
	say(f, DESTINATION("c1", 4, .start = T0 + S(31), .connect = T0 + S(30)));
	expect(f, "c1:1> failed; >c2:11 running; "
	       "c1:2> running; >c2:12 running; c1:3> running; >c2:13 running; "
	       "c1:4> running; >c1:4 running; ");
	say(f, DESTINATION("c1", 5, .start = T0 + S(20), .connect = T0 + S(20)));
	expect(f, "c1:1> failed; >c2:11 running; "
	       "c1:2> running; >c2:12 running; c1:3>c1:5 running; >c2:13 running; "
	       "c1:4> running; >c1:4 running; ");
	end(f);
}

static void
test_clocks_disagree(void **state)
{
	const uint64_t hours = S(3 * 3600);
	struct fixture *f = begin();
	json_t *one, *evidence;

	(void) state;
	say(f, SOURCE("c1", 1, .start = T0, .connect = T0 + MS(1), .stop = T0 + S(8),
		      .end = T0 + S(8) + MS(50), .status = "completed"));
	say(f, DESTINATION("c2", 2, .start = T0 + MS(1) + hours, .connect = T0 + MS(1) + hours));
	expect(f, "c1:1> completed; >c2:2 running; ");
	say(f, DESTINATION("c2", 2, .start = T0 + MS(1) + hours, .connect = T0 + MS(1) + hours,
			   .run = T0 + S(8) + MS(90) + hours, .end = T0 + S(8) + MS(91) + hours,
			   .status = "completed"));
	expect(f, "c1:1>c2:2 completed; ");
	one = newest(f);
	evidence = json_object_get(one, "evidence");
	assert_int_equal(number(one, "blackout_ns"), MS(90));
	assert_int_equal(number(evidence, "clock_offset_ns"), hours);
	assert_in_range(number(evidence, "clock_error_ns"), 1, S(1));
	assert_string_equal(member(evidence, "joined_by"), "duration");
	json_decref(one);
	/* Another that lasted as long makes it a guess. */
	say(f, DESTINATION("c3", 3, .start = T0 + 2 * hours, .connect = T0 + 2 * hours,
			   .end = T0 + S(8) + MS(60) + 2 * hours, .status = "completed"));
	expect(f, "c1:1> completed; >c2:2 completed; >c3:3 completed; ");
	/* Not for long. */
	say(f, SOURCE("c4", 4, .start = T0 + 2 * hours, .connect = T0 + 2 * hours,
		      .end = T0 + S(8) + MS(59) + 2 * hours, .status = "completed"));
	expect(f, "c1:1>c2:2 completed; c4:4>c3:3 completed; ");
	end(f);
}

/* Two that lasted about as long: a third one, back, tells them apart. */
static void
test_clocks_disagree_alike(void **state)
{
	const uint64_t hours = S(2 * 3600);
	struct fixture *f = begin();

	(void) state;
	say(f, SOURCE("c1", 1, .start = T0, .connect = T0, .end = T0 + MS(7862),
		      .status = "completed"));
	say(f, SOURCE("c1", 2, .start = T0 + S(2), .connect = T0 + S(2), .end = T0 + MS(9843),
		      .status = "completed"));
	say(f, DESTINATION("c2", 11, .start = T0 + hours, .connect = T0 + hours,
			   .end = T0 + MS(7867) + hours, .status = "completed"));
	say(f, DESTINATION("c2", 12, .start = T0 + S(2) + hours, .connect = T0 + S(2) + hours,
			   .end = T0 + MS(9847) + hours, .status = "completed"));
	expect(f, "c1:1> completed; c1:2> completed; >c2:11 completed; >c2:12 completed; ");
	say(f, DESTINATION("c1", 3, .start = T0 + S(20), .connect = T0 + S(20),
			   .end = T0 + S(22), .status = "completed"));
	say(f, SOURCE("c2", 11, .start = T0 + S(20) + hours, .connect = T0 + S(20) + hours,
		      .end = T0 + S(22) + hours, .status = "completed"));
	expect(f, "c1:1>c2:11 completed; c1:2>c2:12 completed; c2:11>c1:3 completed; ");
	end(f);
}

static void
test_clocks_disagree_uuid(void **state)
{
	const uint64_t hours = S(3 * 3600);
	struct fixture *f = begin();

	(void) state;
	say(f, process_fact("c1", 1, "u", "n", NULL));
	say(f, SOURCE("c1", 1, .start = T0, .connect = T0 + MS(1)));
	say(f, DESTINATION("c2", 2, .start = T0 + hours, .connect = T0 + hours));
	expect(f, "c1:1> running; >c2:2 running; ");
	say(f, process_fact("c2", 2, "u", "n", NULL));
	expect(f, "c1:1>c2:2 running; ");
	/* Progress keeps them together. */
	say(f, SOURCE("c1", 1, .start = T0, .connect = T0 + MS(1), .stop = T0 + S(2)));
	expect(f, "c1:1>c2:2 running; ");
	say(f, DESTINATION("c2", 2, .start = T0 + hours, .connect = T0 + hours, .end = T0 + hours +
			   S(2), .status = "completed"));
	say(f, SOURCE("c1", 1, .start = T0, .connect = T0 + MS(1), .stop = T0 + S(2),
		      .end = T0 + S(2) + MS(3), .status = "completed"));
	expect(f, "c1:1>c2:2 completed; ");
	end(f);
}

static void
test_outcome(void **state)
{
	static const struct {
		const char *source, *destination, *expected, *word;
	} cases[] = {
		{ "completed", "failed", "failed", "without a return path" },
		{ "running", "failed", "failed", "fell silent" },
		{ "lost", "failed", "failed", "fell silent" },
		{ "lost", "completed", "completed", NULL },
		{ "lost", "lost", "lost", "ends in the middle" },
		{ "failed", "lost", "failed", "without saying why" },
		{ "cancelled", "failed", "cancelled", "cancelled" },
		{ "running", "completed", "running", NULL },
		{ "completed", "running", "completed", NULL },
		{ "completed", "lost", "completed", NULL },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture *f = begin();
		bool runs = streq(cases[i].source, "running");
		json_t *one;

		say(f, SOURCE("c1", 1, .start = T0, .connect = T0, .status = cases[i].source,
			      .end = runs ? 0 : T0 + S(4)));
		runs = streq(cases[i].destination, "running");
		say(f, DESTINATION("c2", 2, .start = T0, .connect = T0, .end = runs ? 0 : T0 + S(4),
				   .status = cases[i].destination));
		one = newest(f);
		assert_string_equal(member(one, "status"), cases[i].expected);
		assert_string_equal(member(one, "destination"), "c2");
		if (!cases[i].word)
			assert_true(json_is_null(json_object_get(one, "reason")));
		else if (!strstr(member(one, "reason"), cases[i].word))
			fail_msg("%s", member(one, "reason"));
		json_decref(one);
		end(f);
	}
}

static void
test_retracted_side(void **state)
{
	struct fixture *f = begin();
	struct fact *from, *to;

	(void) state;
	from = say(f, SOURCE("c1", 1, .start = T0, .connect = T0 + 2));
	to = say(f, DESTINATION("c2", 2, .start = T0 + 1, .connect = T0 + 2));
	say(f, DESTINATION("c2", 3, .start = T0 + 2, .connect = T0 + 2));
	expect(f, "c1:1> running; >c2:2 running; >c2:3 running; ");
	say(f, retraction(to));
	expect(f, "c1:1>c2:3 running; ");
	say(f, retraction(from));
	expect(f, ">c2:3 running; ");
	end(f);
}

static void
test_addresses(void **state)
{
	static const struct {
		const char *uri;
		enum address_kind kind;
		unsigned port;
		bool loopback;
	} cases[] = {
		{ "tcp:10.0.0.1:49152", ADDRESS_TCP, 49152, false },
		{ "tcp:[::1]:49152,ipv6=on", ADDRESS_TCP, 49152, true },
		{ "tcp:localhost:1", ADDRESS_TCP, 1, true },
		{ "tcp:0:0", ADDRESS_UNKNOWN, 0, false },
		{ "tcp:0:99999", ADDRESS_UNKNOWN, 0, false },
		{ "tcp:", ADDRESS_UNKNOWN, 0, false },
		{ "fd:migrate", ADDRESS_UNKNOWN, 0, false },
		{ "unix:/run/x,y", ADDRESS_UNIX, 0, true },
		{ "file:/x", ADDRESS_FILE, 0, false },
		{ "{\"transport\": \"file\", \"filename\": \"x\"}", ADDRESS_FILE, 0, false },
		{ "{\"transport\":\"socket\",\"type\":\"unix\",\"path\":\"/x\"}", ADDRESS_UNIX, 0,
		  true },
		{ "[[[[", ADDRESS_UNKNOWN, 0, false },
		{ "{\"addr\":{\"addr\":{\"addr\":{\"addr\":{\"addr\":{\"port\":\"1\"}}}}}}",
		  ADDRESS_UNKNOWN, 0, false },
		{ NULL, ADDRESS_UNKNOWN, 0, false },
	};
	struct address address;

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		address_parse(cases[i].uri, &address);
		assert_int_equal(address.kind, cases[i].kind);
		assert_int_equal(address.port, cases[i].port);
		assert_int_equal(address.loopback, cases[i].loopback);
	}
}

/* -- Alerts --------------------------------------------------------------- */

static void
on_alert(void *context, const json_t *alert)
{
	struct fixture *f = context;

	sprintf(f->told + strlen(f->told), "%s %s; ", member(alert, "rule"),
		member(alert, "state"));
}

static void
expect_told(struct fixture *f, const char *expected)
{
	assert_string_equal(f->told, expected);
	*f->told = '\0';
}

static json_t *
only_alert(struct fixture *f)
{
	json_t *list = store_alert_list(f->store, NULL, NULL), *one;

	assert_int_equal(json_array_size(list), 1);
	one = json_incref(json_array_get(list, 0));
	json_decref(list);
	return one;
}

static void
test_stall(void **state)
{
	struct fixture *f = begin();
	struct fact *from;
	json_t *alert, *record;

	(void) state;
	hub_on_alert(f->hub, on_alert, f);
	from = say(f, SOURCE("c1", 1, .start = T0, .connect = T0, .stop = T0 + S(3)));
	say(f, child_fact(from, "migration.stall", T0 + S(5), 0));
	expect_told(f, "migration-stalled firing; ");
	alert = only_alert(f);
	assert_string_equal(member(alert, "severity"), "critical");
	assert_non_null(
		strstr(member(alert, "text"), "at the source c1 takes too long: more than 2"));
	assert_non_null(strstr(member(alert, "text"), "savevm_section_start"));
	json_decref(alert);
	/* More gets known, without a second alarm. */
	say(f, process_fact("c1", 1, "u", "web-1", NULL));
	say(f, DESTINATION("c2", 2, .start = T0, .connect = T0));
	expect_told(f, "");
	alert = only_alert(f);
	record = newest(f);
	assert_string_equal(member(alert, "subject"), member(record, "id"));
	assert_non_null(strstr(member(alert, "text"), "Migration of web-1 from c1 to c2"));
	json_decref(record);
	json_decref(alert);
	say(f, child_fact(from, "migration.stall", T0 + S(5), T0 + S(20)));
	expect_told(f, "migration-stalled resolved; ");
	say(f, child_fact(from, "migration.stall", T0 + S(5), T0 + S(20)));
	expect_told(f, "");
	end(f);
}

static void
test_stall_retracted(void **state)
{
	struct fixture *f = begin();
	struct fact *from, *stall;
	json_t *list;

	(void) state;
	from = say(f, SOURCE("c1", 1, .start = T0, .connect = T0, .stop = T0 + S(3)));
	stall = say(f, child_fact(from, "migration.stall", T0 + S(5), 0));
	json_decref(only_alert(f));
	say(f, retraction(stall));
	list = store_alert_list(f->store, NULL, NULL);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	end(f);
}

static void
test_failed(void **state)
{
	struct fixture *f = begin();
	uint64_t now = clock_wall_ns();
	json_t *alert;

	(void) state;
	hub_on_alert(f->hub, on_alert, f);
	/* Long ago: told once, as over. */
	say(f, SOURCE("c1", 1, .start = T0, .connect = T0, .end = T0 + S(3), .status = "failed",
		      .reason = "Connection reset."));
	expect_told(f, "migration-failed resolved; ");
	alert = only_alert(f);
	assert_int_equal(number(alert, "end_ns"), T0 + S(3) + hub_defaults.failed_hold_ns);
	assert_non_null(strstr(member(alert, "text"), "failed: Connection reset."));
	json_decref(alert);
	/* Just now: it holds. */
	say(f, SOURCE("c1", 2, .start = now - S(9), .connect = now - S(9), .end = now - S(1),
		      .status = "failed"));
	expect_told(f, "migration-failed firing; ");
	/* A destination alone may have been cancelled: the source will say. */
	say(f, SOURCE("c1", 3, .start = now - S(30), .connect = now - S(30)));
	say(f, DESTINATION("c2", 4, .start = now - S(30), .connect = now - S(30), .end = now,
			   .status = "failed"));
	expect_told(f, "");
	say(f, SOURCE("c1", 3, .start = now - S(30), .connect = now - S(30), .end = now,
		      .status = "cancelled"));
	expect_told(f, "");
	end(f);
}

static void
source_is(struct fixture *f, const char *host, const char *state)
{
	struct store_source source = { .host = host, .relayd = "r:5344", .session = "all",
				       .state = state, .seen_ns = clock_wall_ns() };

	assert_int_equal(store_begin(f->store, NULL), 0);
	assert_int_equal(store_put_source(f->store, &source, NULL), 0);
	assert_int_equal(hub_source(f->hub, &source, NULL), 0);
	assert_int_equal(hub_settle(f->hub, NULL), 0);
	assert_int_equal(store_commit(f->store, NULL), 0);
}

static void
test_source_lost(void **state)
{
	struct fixture *f = begin();
	char *before, *after;

	(void) state;
	hub_on_alert(f->hub, on_alert, f);
	source_is(f, "c2", "lost");
	expect_told(f, "");
	source_is(f, "c2", "live");
	say(f, SOURCE("c1", 1, .start = T0, .connect = T0));
	say(f, DESTINATION("c2", 2, .start = T0, .connect = T0));
	before = dump(f->store);
	source_is(f, "c3", "lost");
	expect_told(f, "");
	source_is(f, "c2", "lost");
	source_is(f, "c2", "lost");
	expect_told(f, "source-lost firing; ");
	after = dump(f->store);
	assert_string_equal(before, after);
	source_is(f, "c2", "live");
	expect_told(f, "source-lost resolved; ");
	source_is(f, "c2", "silent");
	expect_told(f, "source-lost firing; ");
	say(f,
	    SOURCE("c1", 1, .start = T0, .connect = T0, .end = T0 + S(9), .status = "completed"));
	expect_told(f, "source-lost resolved; ");
	free(before);
	free(after);
	end(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_postcopy),
		cmocka_unit_test(test_who_is_it),
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_not_a_pair),
		cmocka_unit_test(test_clocks_disagree),
		cmocka_unit_test(test_clocks_disagree_alike),
		cmocka_unit_test(test_clocks_disagree_uuid),
		cmocka_unit_test(test_outcome),
		cmocka_unit_test(test_retracted_side),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_stall_retracted),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_source_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
