/* SPDX-License-Identifier: MIT
 *
 * test_store.c -- the store by itself: what is put comes back, once, also from
 * a file that nobody writes; what can't be used is refused with a clear text. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store_internal.h"
#include "tests/store_fixture.h"

static int
teardown(void **state)
{
	(void) state;
	temporary_done();
	return 0;
}

static struct fact
a_span(uint64_t start, uint64_t end, const char *status)
{
	return side_fact(&(struct given_side) { .source = true, .host = "c1", .pid = 7,
						.start = start, .end = end, .status = status });
}

static void
put(struct store *store, struct fact fact, int expected)
{
	struct error error = { 0 };
	int r = store_put_fact(store, &fact, &error);

	if (r < 0)
		fail_msg("%s", error.text);
	assert_int_equal(r, expected);
	json_decref(fact.attributes);
}

static void
test_facts(void **state)
{
	struct store *store = open_store(temporary("a.db"), STORE_WRITE);
	struct fact back = a_span(T0, 0, NULL);
	char id[FACT_ID_SIZE];
	json_t *spans;

	(void) state;
	put(store, a_span(T0, 0, NULL), 1);
	put(store, a_span(T0, 0, NULL), 0);
	put(store, a_span(T0, T0 + S(3), "completed"), 1);
	/* A replay tells the beginning again: the end stays. */
	put(store, a_span(T0, 0, NULL), 0);
	spans = store_spans(store, "migration.source", NULL, T0 + S(3), T0 + S(9), NULL);
	assert_int_equal(json_array_size(spans), 1);
	assert_string_equal(member(json_array_get(spans, 0), "status"), "completed");
	json_decref(spans);
	spans = store_spans(store, "migration.source", NULL, T0 + S(3) + 1, T0 + S(9), NULL);
	assert_int_equal(json_array_size(spans), 0);
	json_decref(spans);
	/* What was lost may come back. */
	put(store, a_span(T0 + 1, T0 + S(3), "lost"), 1);
	put(store, a_span(T0 + 1, 0, NULL), 1);
	fact_id(&back, id);
	json_decref(back.attributes);
	put(store, retraction(&back), 1);
	put(store, retraction(&back), 0);
	assert_null(store_span(store, id));
	store_close(store);
}

static void
put_sample(struct store *store, const char *parent, uint64_t t, int64_t remaining)
{
	struct fact fact = { .type = FACT_SAMPLE, .host = "c1", .kind = "migration.pending",
			     .key = "7", .start_ns = t };

	snprintf(fact.parent, sizeof fact.parent, "%s", parent);
	fact.attributes = json_pack("{s:I, s:i, s:i}", "remaining_bytes", (json_int_t) remaining,
				    "dirty_pages", 3, "sent_bytes", 4);
	put(store, fact, 1);
}

static json_t *
a_migration(const char *id, const char *name, const char *status)
{
	return json_pack("{s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:s, s:I}", "id", id, "source_id", id,
			 "vm", "uuid", "5ca7a595", "name", name, "source", "c1", "destination",
			 "c2", "status", status, "start_ns", (json_int_t)T0);
}

static void
put_migration(struct store *store, const char *id, const char *name, const char *status)
{
	json_t *migration = a_migration(id, name, status);

	assert_int_equal(store_put_migration(store, id, migration, NULL), 0);
	json_decref(migration);
}

static void
test_migrations(void **state)
{
	struct store *store = open_store(temporary("b.db"), STORE_WRITE);
	struct store_filter filter = { .status = "running" };
	struct error error = { 0 };
	json_t *found;

	(void) state;
	put_migration(store, "aaaa000000000001", "web-1", "running");
	put_migration(store, "aaaa000000000002", "web-2", "completed");
	assert_int_equal(store_begin(store, &error), 0);
	for (unsigned i = 0; i < 5000; i++)
		put_sample(store, "aaaa000000000001", T0 + i, 5000 - i);
	assert_int_equal(store_commit(store, &error), 0);
	found = store_migration_list(store, &filter, &error);
	assert_int_equal(json_array_size(found), 1);
	json_decref(found);
	filter = (struct store_filter) { .host = "c2", .vm = "web-2", .limit = 5 };
	found = store_migration_list(store, &filter, &error);
	assert_int_equal(json_array_size(found), 1);
	json_decref(found);
	found = store_migration_show(store, "web-1", &error);
	assert_string_equal(member(found, "id"), "aaaa000000000001");
	/* Thinned, first and last kept. */
	assert_in_range(json_array_size(json_object_get(found, "samples")), 1000, 2001);
	assert_int_equal(json_integer_value(json_array_get(json_array_get(
		json_object_get(found, "samples"), 0), 1)), 5000);
	json_decref(found);
	assert_null(store_migration_show(store, "aaaa", &error));
	assert_int_equal(error.code, ENOTUNIQ);
	assert_non_null(strstr(error.text, "aaaa000000000002"));
	error = (struct error) { 0 };
	assert_null(store_migration_show(store, "nobody", &error));
	assert_int_equal(error.code, ENOENT);
	found = store_migration_show(store, "aaaa000000000002", &error);
	assert_non_null(found);
	json_decref(found);
	store_close(store);
}

static const char *
cursor_of(json_t *changes, char *cursor, size_t size)
{
	snprintf(cursor, size, "%s", member(changes, "cursor"));
	return cursor;
}

static void
check_change(struct store *store, const char *since, const char *id, const char *op, char *next)
{
	json_t *changes = store_changes(store, "migration", since, 0, NULL);
	json_t *items = json_object_get(changes, "items");

	assert_true(json_is_true(json_object_get(changes, "found")));
	assert_int_equal(json_array_size(items), id ? 1 : 0);
	if (id) {
		assert_string_equal(member(json_array_get(items, 0), "id"), id);
		assert_string_equal(member(json_array_get(items, 0), "op"), op);
		assert_int_equal(json_is_null(json_object_get(json_array_get(items, 0), "item")),
				 !strcmp(op, "delete"));
	}
	cursor_of(changes, next, 32);
	json_decref(changes);
}

static void
test_changes(void **state)
{
	struct store *store = open_store(temporary("c.db"), STORE_WRITE);
	char first[32], next[32];
	json_t *changes;

	(void) state;
	check_change(store, NULL, NULL, NULL, first);
	put_migration(store, "m1", "web", "running");
	check_change(store, first, "m1", "insert", next);
	check_change(store, next, NULL, NULL, next);
	put_migration(store, "m1", "web", "running");
	check_change(store, next, NULL, NULL, next);
	put_migration(store, "m1", "web", "completed");
	check_change(store, next, "m1", "update", next);
	check_change(store, first, "m1", "insert", next);
	assert_int_equal(store_put_migration(store, "m1", NULL, NULL), 0);
	check_change(store, next, "m1", "delete", next);
	/* Retention forgets that, too: then the old cursor can't be served. */
	assert_int_equal(store_retain(store, T0, T0, NULL), 0);
	changes = store_changes(store, "migration", first, 0, NULL);
	assert_true(json_is_false(json_object_get(changes, "found")));
	json_decref(changes);
	check_change(store, next, NULL, NULL, next);
	assert_null(store_changes(store, NULL, "x", 0, NULL));
	store_close(store);
}

static void
collect_flow(void *context, const char *host, const char *analyzer, const char *key,
	     const void *blob, size_t size)
{
	char *text = context;

	sprintf(text + strlen(text), "%s/%s/%s=%.*s;", host, analyzer, key, (int) size,
		(const char *) blob);
}

static void
test_recovery(void **state)
{
	struct store *store = open_store(temporary("d.db"), STORE_WRITE);
	struct ctf_position in = { .packet_begin_raw_ns = UINT64_MAX, .packet_seq = 3,
				   .events_done = 9, .last_raw_ns = 12, .discarded = 1,
				   .valid = true }, out = { 0 };
	char text[100] = "";

	(void) state;
	assert_int_equal(store_begin(store, NULL), 0);
	assert_int_equal(store_put_position(store, "c1/ust/0", &in, NULL), 0);
	assert_int_equal(store_put_flow(store, "c1", "qemu", "7", "abc", 3, NULL), 0);
	assert_int_equal(store_put_flow(store, "c1", "qemu", "8", "d", 1, NULL), 0);
	assert_int_equal(store_put_flow(store, "c1", "qemu", "7", NULL, 0, NULL), 0);
	assert_int_equal(store_put_horizon(store, "c1", T0, NULL), 0);
	assert_int_equal(store_commit(store, NULL), 0);
	/* Not committed: not there. */
	assert_int_equal(store_begin(store, NULL), 0);
	assert_int_equal(store_put_horizon(store, "c1", T0 + 5, NULL), 0);
	store_close(store);
	store = open_store(temporary("d.db"), STORE_WRITE);
	assert_true(store_position(store, "c1/ust/0", &out));
	assert_int_equal(out.packet_begin_raw_ns, in.packet_begin_raw_ns);
	assert_int_equal(out.events_done, 9);
	assert_true(out.valid);
	assert_false(store_position(store, "c1/ust/1", &out));
	assert_int_equal(store_horizon(store, "c1"), T0);
	assert_int_equal(store_horizon(store, "c2"), 0);
	assert_int_equal(store_flows(store, collect_flow, text, NULL), 0);
	assert_string_equal(text, "c1/qemu/8=d;");
	store_close(store);
}

static void
test_nodes_and_figures(void **state)
{
	struct store *store = open_store(temporary("e.db"), STORE_WRITE);
	struct store_source source = { .host = "c1", .relayd = "r:5344", .session = "s\xff",
				       .state = "live", .seen_ns = 5 };
	json_t *list, *node, *summary;
	char cursor[32];

	(void) state;
	put(store, a_span(T0, 0, NULL), 1);
	assert_int_equal(store_put_source(store, &source, NULL), 0);
	source = (struct store_source) { .host = "n1", .relayd = "r", .session = "t",
					 .state = "lost", .text = "refused", .events = UINT64_MAX };
	assert_int_equal(store_put_source(store, &source, NULL), 0);
	check_change(store, NULL, NULL, NULL, cursor);
	source.events = 12;
	assert_int_equal(store_put_source(store, &source, NULL), 0);
	list = store_changes(store, "node", cursor, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(list, "items")), 0);
	json_decref(list);
	list = store_node_list(store, NULL);
	assert_int_equal(json_array_size(list), 2);
	node = json_array_get(list, 0);
	assert_string_equal(member(node, "host"), "c1");
	assert_string_equal(json_string_value(json_array_get(json_object_get(node, "roles"), 0)),
			    "compute");
	node = json_array_get(json_object_get(json_array_get(list, 1), "sources"), 0);
	assert_string_equal(member(node, "text"), "refused");
	assert_int_equal(number(node, "events"), 12);
	json_decref(list);
	assert_int_equal(store_put_counter(store, "reader", "events", 42, NULL), 0);
	put_migration(store, "m1", "web", "running");
	summary = store_summary(store, NULL);
	assert_int_equal(number(json_object_get(summary, "nodes"), "live"), 1);
	assert_int_equal(number(json_object_get(summary, "nodes"), "lost"), 1);
	assert_int_equal(number(json_object_get(summary, "migrations"), "running"), 1);
	assert_int_equal(number(json_object_get(json_object_get(summary, "counters"), "reader"),
				"events"), 42);
	assert_true(number(json_object_get(summary, "store"), "version") >= 2);
	assert_true(number(json_object_get(summary, "store"), "bytes") > 0);
	json_decref(summary);
	store_close(store);
}

static void
test_retention(void **state)
{
	struct store *store = open_store(temporary("f.db"), STORE_WRITE);
	struct hub *hub = hub_new(store, NULL);
	struct fact facts[1200], open = a_span(T0 + S(5000), 0, NULL);
	char *text;

	(void) state;
	for (unsigned i = 0; i < 1200; i++) {
		facts[i] = a_span(T0 + S(4) * i, T0 + S(4) * i + S(1), "completed");
		facts[i].host = i % 2 ? "c1" : "c2";
	}
	give_all(store, hub, facts, 1200);
	give_all(store, hub, &open, 1);
	assert_int_equal(store_retain(store, T0 + S(4) * 1100, T0 + S(4) * 1100, NULL), 0);
	text = dump(store);
	/* A record and its fact for each of 100, and the open one. */
	{
		unsigned lines = 0;

		for (const char *c = text; *c; c++)
			lines += *c == '\n';
		assert_int_equal(lines, 2 * 101);
	}
	free(text);
	facts_done(facts, 1200);
	facts_done(&open, 1);
	hub_free(hub);
	store_close(store);
}

/* JSON is kept as json_dumps() writes it. */
static void
test_text(void **state)
{
	json_t *value = json_pack("{s:[i,I,I,f,b,b,n,s,[],{}], s:i, s:i, s:i, s:i, s:{s:s}}",
				  "list", -7, (json_int_t) INT64_MAX, (json_int_t) INT64_MIN, 0.1, 1,
				  0, "\"\\\b\f\n\r\t\x01\x1f\x7f/\xc3\xa4", "", 1, "start_ns_b", 2,
				  "start_ns_a", 3, "start_ns", 4, "\xc3\xa4", "\n", "");
	char name[8], *text, *expected;

	(void) state;
	assert_non_null(value);
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof name, "%d", i * 7 % 60);
		json_object_set_new(value, name, json_integer(i));
	}
	text = store_text(value);
	expected = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, expected);
	free(text);
	text = store_text(json_object_get(value, "list"));
	free(expected);
	expected = json_dumps(json_object_get(value, "list"), JSON_COMPACT);
	assert_string_equal(text, expected);
	free(text);
	free(expected);
	assert_null(store_text(NULL));
	json_decref(value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_facts, teardown),
		cmocka_unit_test_teardown(test_text, teardown),
		cmocka_unit_test_teardown(test_migrations, teardown),
		cmocka_unit_test_teardown(test_changes, teardown),
		cmocka_unit_test_teardown(test_recovery, teardown),
		cmocka_unit_test_teardown(test_nodes_and_figures, teardown),
		cmocka_unit_test_teardown(test_retention, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
