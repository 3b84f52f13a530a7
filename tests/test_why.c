/* SPDX-License-Identifier: MIT
 *
 * test_why.c -- rules of findings: each on either side of its threshold, and what they say
 * of tests/why/NAME.json: real migrations as migration.show gave them, with what each
 * host's ksoftirqd did in each stage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/clock_apply.h"
#include "daemon/kernel_answers.h"
#include "daemon/settle.h"
#include "daemon/why.h"
#include "lib/clock.h"
#include "lib/util.h"

/* -- The store as these rules see it ---------------------------------------- */

static json_t *softirqs;             /* "HOST FROM_NS": threads; or NULL. */
static json_t *spans;                /* Id: fact; or NULL. */
static json_t *migrations;           /* Id: record; or NULL. */
static json_t *steps;                /* Array of facts; or NULL. */
static json_t *children;             /* Of any; or NULL. */

json_t *
settled_ask(struct store *store, const struct settled_question *question, settled_fn *ask)
{
	_cleanup_(freep) char *key = xasprintf("%s %llu", question->host,
					       (unsigned long long) question->from_ns);

	return streq(question->what, "ksoftirqd") ? json_incref(json_object_get(softirqs, key)) : NULL;
}

json_t *
kernel_threads(struct store *store, const struct kernel_filter *filter, struct error *error)
{
	return NULL;
}

void
clock_add_migration(struct store *store, json_t *migration)
{
}

void
kernel_add_migration(struct store *store, json_t *migration)
{
}

json_t *
store_entity(struct store *store, const char *host, const char *kind, const char *key,
	     uint64_t until_ns)
{
	return NULL;
}

uint64_t
store_horizon(struct store *store, const char *host)
{
	return 100 * NS_PER_S;
}

json_t *
store_span(struct store *store, const char *id)
{
	return json_incref(json_object_get(spans, id));
}

json_t *
store_children(struct store *store, const char *id, struct error *error)
{
	return json_incref(children);
}

json_t *
store_requests_of(struct store *store, const char *subject, uint64_t from_ns, uint64_t to_ns,
		  struct error *error)
{
	return json_array();
}

json_t *
store_migration(struct store *store, const char *id)
{
	return json_deep_copy(json_object_get(migrations, id));
}

json_t *
store_spans(struct store *store, const char *kind, const char *kind2, uint64_t from_ns,
	    uint64_t to_ns, struct error *error)
{
	return steps ? json_incref(steps) : json_array();
}

json_t *
store_string(const char *text)
{
	json_t *string = json_string(text);

	return string ? string : json_null();
}

/* -- Helpers ------------------------------------------------------------------ */

static json_t *
parse(const char *text)
{
	json_error_t at;
	_cleanup_(freep) char *json = xstrdup(text);
	json_t *value;

	for (char *c = json; *c; c++)
		if (*c == '\'')
			*c = '"';
	value = json_loads(json, 0, &at);
	if (!value)
		fail_msg("%s at %d: %s", at.text, at.position, text);
	return value;
}

static json_t *
find(const json_t *findings, const char *rule)
{
	json_t *finding;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) findings, i, finding)
		if (streq(json_string_value(json_object_get(finding, "rule")), rule))
			return finding;
	return NULL;
}

static const char *
text_of(const json_t *finding, const char *name)
{
	const char *text = json_string_value(json_object_get(finding, name));

	return text ? text : "";
}

static void
assert_says(const json_t *finding, const char *part)
{
	if (!finding || !strstr(text_of(finding, "text"), part))
		fail_msg("\"%s\" is not in \"%s\"", part, text_of(finding, "text"));
}

/* A migration of 10 s that went well, with other members. */
static json_t *
migration_with(const char *members)
{
	json_t *migration = parse(
		"{'id': 'm', 'source': 'a', 'destination': 'b', 'status': 'completed', 'mode': 'precopy',"
		" 'start_ns': 1000000000, 'end_ns': 11000000000, 'downtime_limit_ns': 300000000,"
		" 'blackout_ns': 250000000, 'stop_ns': 10800000000, 'max_bandwidth': 100000000,"
		" 'rounds': [], 'evidence': {'lost': 0, 'clock_offset_ns': 0, 'clock_error_ns': null},"
		" 'stages': [{'name': 'precopy', 'start_ns': 1000000000, 'end_ns': 10800000000},"
		" {'name': 'stop-and-copy', 'start_ns': 10800000000, 'end_ns': 11000000000}]}");
	json_t *more = parse(members);

	json_object_update(migration, more);
	json_decref(more);
	return migration;
}

/* What is found of it; all of it is gone afterwards. */
static json_t *
why_of(json_t *migration)
{
	json_t *findings = why_migration(NULL, migration);

	json_decref(migration);
	return findings;
}

/* Whether 'rule', and nothing else, is found of a migration with these members. */
static void
assert_only(const char *members, const char *rule)
{
	json_t *findings = why_of(migration_with(members));

	if (json_array_size(findings) != (rule ? 1 : 0) || (rule && !find(findings, rule))) {
		char *text = json_dumps(findings, 0);

		fail_msg("wanted %s, got %s of %s", rule ? rule : "nothing", text, members);
	}
	json_decref(findings);
}

/* -- What QEMU told ------------------------------------------------------------ */

static void
test_dirty_rate(void **state)
{
	/* 84 and 86 % of 100 pages; and a round that is too short to count. */
	assert_only("{}", NULL);
	assert_only("{'rounds': [{'n': 1, 'start_ns': 1000000000, 'end_ns': 6000000000, 'dirty_pages': 84,"
		    " 'sent_bytes': 409600}]}", NULL);
	assert_only("{'rounds': [{'n': 1, 'start_ns': 1000000000, 'end_ns': 6000000000, 'dirty_pages': 86,"
		    " 'sent_bytes': 409600}]}", "dirty-rate");
	assert_only("{'rounds': [{'n': 1, 'start_ns': 1000000000, 'end_ns': 1900000000, 'dirty_pages': 99,"
		    " 'sent_bytes': 409600}]}", NULL);
	/* Near its end nobody was kept waiting. */
	assert_only("{'rounds': [{'n': 1, 'start_ns': 9000000000, 'end_ns': 10100000000, 'dirty_pages': 99,"
		    " 'sent_bytes': 409600}]}", NULL);
}

static void
test_stop_and_copy(void **state)
{
	static const char form[] =
		"{'end_ns': %llu, 'downtime_limit_ns': %s, 'blackout_ns': null, 'stages': ["
		"{'name': 'stop-and-copy', 'start_ns': 10800000000, 'end_ns': %llu}]}";
	static const struct { uint64_t ms; const char *limit; bool stalled; } cases[] = {
		{ 1990, "18000000000", false }, { 2010, "18000000000", true }, { 600, "null", false },
		{ 490, "100000000", false }, { 510, "100000000", true }, { 600, "300000000", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned long long end = 10800000000 + cases[i].ms * 1000000;
		_cleanup_(freep) char *members = xasprintf(form, end, cases[i].limit, end);

		assert_only(members, cases[i].stalled ? "stalled-stop-and-copy" : NULL);
	}
}

static void
test_running_stall(void **state)
{
	/* Open: as far as the host's trace goes. */
	json_t *findings = why_of(migration_with(
		"{'status': 'running', 'end_ns': null, 'last_checkpoint': 'src-vm-stopped',"
		" 'blackout_ns': null, 'stages': [{'name': 'stop-and-copy', 'start_ns': 90000000000,"
		" 'end_ns': null}]}"));

	assert_says(find(findings, "stalled-stop-and-copy"), "has been stopped on a for 10.0 s");
	assert_says(find(findings, "stalled-stop-and-copy"), "src-vm-stopped");
	json_decref(findings);
	/* Its host fell silent: the timer alone told, after what is set as the limit. */
	children = parse("[{'kind': 'migration.stall', 'start_ns': 101500000000, 'end_ns': null}]");
	findings = why_of(migration_with(
		"{'status': 'running', 'end_ns': null, 'source_id': 's', 'blackout_ns': null,"
		" 'stages': [{'name': 'stop-and-copy', 'start_ns': 100000000000, 'end_ns': null}]}"));
	assert_says(find(findings, "stalled-stop-and-copy"),
		    "stalled: the guest has been stopped on a for 1.5 s");
	json_decref(findings);
	json_decref(children);
	children = NULL;
}

static void
test_blackout(void **state)
{
	/* The source needed 200 ms of it. */
	assert_only("{'blackout_ns': 690000000}", NULL);
	assert_only("{'blackout_ns': 710000000}", "destination-drain");
	assert_only("{'blackout_ns': 710000000, 'evidence': {'clock_error_ns': 600000000}}", NULL);
	assert_only("{'stop_ns': 10310000000, 'blackout_ns': 700000000}", NULL);
	assert_only("{'stop_ns': 10290000000, 'blackout_ns': 700000000}", "stopped-early");
	assert_only("{'network_blackout_ns': 990000000}", NULL);
	assert_only("{'network_blackout_ns': 1010000000}", "network-blackout");
	assert_only("{'network_blackout_ns': 1010000000, 'evidence': {'clock_error_ns': 1100000000}}", NULL);
	assert_only("{'packets_to_source': 20}", NULL);
	assert_only("{'packets_to_source': 21}", "packets-to-source");
	assert_only("{'stages': [{'name': 'postcopy', 'detail': 'postcopy-paused', 'start_ns': 2000000000,"
		    " 'end_ns': 2190000000}]}", NULL);
	assert_only("{'stages': [{'name': 'postcopy', 'detail': 'postcopy-paused', 'start_ns': 2000000000,"
		    " 'end_ns': 2210000000}]}", "postcopy-paused");
	assert_only("{'status': 'cancelled'}", "cancelled");
}

static void
test_lost(void **state)
{
	json_t *findings = why_of(migration_with("{'evidence': {'lost': 7}}"));
	const json_t *finding = find(findings, "lost-events");

	assert_says(finding, "7 events");
	assert_true(json_number_value(json_object_get(finding, "weight")) == 0);
	assert_string_equal(text_of(finding, "layer"), "evidence");
	json_decref(findings);
}

static void
check_failure(const char *source, const char *destination, const char *node, const char *says)
{
	json_t *findings;

	spans = json_pack("{s:{s:s, s:{s:s}}, s:{s:s, s:{s:s}}}", "s", "status", source, "attributes",
			  "reason", "the return path is closed", "d", "status", destination, "attributes",
			  "reason", "loading failed");
	findings = why_of(migration_with("{'status': 'failed', 'source_id': 's', 'destination_id': 'd',"
					 " 'stage': 'precopy', 'reason': 'the return path is closed'}"));
	assert_int_equal(json_array_size(findings), 1);
	assert_says(json_array_get(findings, 0), says);
	assert_string_equal(text_of(json_array_get(findings, 0), "node"), node);
	assert_true(json_number_value(json_object_get(json_array_get(findings, 0), "weight")) == 1);
	json_decref(findings);
	json_decref(spans);
	spans = NULL;
}

static void
test_failures(void **state)
{
	check_failure("lost", "failed", "a",
		      "QEMU at the source a fell silent in precopy");
	check_failure("failed", "lost", "b", "QEMU at the destination b ended or was cut off");
	check_failure("completed", "failed", "b", "without a return path");
	check_failure("failed", "failed", "b", "could not take the guest");
	check_failure("failed", "completed", "a", "QEMU on a failed the migration");
	assert_only("{'status': 'failed'}", "migration-failed");
}

/* -- What the kernel told --------------------------------------------------------- */

/* One stage of 10 s with a thread of either side and the connection, as given. */
static void
assert_kernel(const char *source, const char *destination, const char *connection, const char *more,
	      const char *rule)
{
	_cleanup_(freep) char *members = xasprintf(
		"{'kernel': [{'name': 'precopy', 'start_ns': 1000000000, 'end_ns': 11000000000,"
		" 'source': [%s], 'destination': [%s], 'connections': [%s]}]%s}", source, destination,
		connection, more);

	assert_only(members, rule);
}

#define THREAD(ROLE, WAITING, NETWORK, DISK) \
	"{'name': 'live', 'tid': 7, 'role': '" ROLE "', 'running_ns': 1, 'waiting_ns': " #WAITING ", " \
	"'waited_for': [{'name': 'hog', 'tid': 99, 'ns': " #WAITING "}], " \
	"'blocked_by': {'network': " #NETWORK ", 'disk': " #DISK "}}"

static void
test_contention(void **state)
{
	assert_kernel(THREAD("migration", 3900000000, 0, 0), "", "", "", NULL);
	assert_kernel(THREAD("migration", 4100000000, 0, 0), "", "", "", "cpu-contention");
	assert_kernel("", THREAD("qemu", 4100000000, 0, 0), "", "", "cpu-contention");
	/* The other host's clock has to be known for that. */
	assert_kernel("", THREAD("qemu", 4100000000, 0, 0), "",
		      ", 'evidence': {'clock_error_ns': 1100000000}", NULL);
	assert_kernel(THREAD("vcpu", 1900000000, 0, 0), "", "", "", NULL);
	assert_kernel(THREAD("vcpu", 2100000000, 0, 0), "", "", "", "starved-vcpu");
	assert_kernel(THREAD("migration", 0, 0, 2900000000), "", "", "", NULL);
	assert_kernel(THREAD("migration", 0, 0, 3100000000), "", "", "", "slow-disk");
	assert_kernel("", THREAD("iothread", 0, 0, 3100000000), "", "", "slow-disk");
}

static void
test_starved_softirq(void **state)
{
	softirqs = parse("{'a 1000000000': [{'name': 'ksoftirqd/0', 'tid': 14, 'waiting_ns': 5000000000,"
			 " 'waited_for': [{'name': 'hog', 'tid': 99, 'ns': 5000000000}]}]}");
	/* Followed only where the network is what it is blocked on. */
	assert_kernel(THREAD("migration", 0, 2900000000, 0), "", "", "", NULL);
	assert_kernel(THREAD("migration", 0, 3100000000, 0), "", "", "", "cpu-contention");
	/* And then it is no fault of the network. */
	assert_kernel(THREAD("migration", 0, 8000000000, 0), "",
		      "{'to': 'b:1', 'bytes': 1000, 'rtt': {'count': 1, 'mean_ns': 500000000}}", "",
		      "cpu-contention");
	json_decref(softirqs);
	softirqs = NULL;
}

static void
test_network(void **state)
{
	static const char blocked[] = THREAD("migration", 0, 8000000000, 0);

	assert_kernel(blocked, "", "{'to': 'b:1', 'bytes': 900000000, 'retransmitted_bytes': 8000000,"
		      " 'retransmitted_packets': 5000}", "", NULL);
	assert_kernel(blocked, "", "{'to': 'b:1', 'bytes': 900000000, 'retransmitted_bytes': 10000000,"
		      " 'retransmitted_packets': 20}", "", NULL);
	assert_kernel(blocked, "", "{'to': 'b:1', 'bytes': 900000000, 'retransmitted_bytes': 10000000,"
		      " 'retransmitted_packets': 21}", "", "retransmissions");
	assert_kernel(blocked, "", "{'to': 'b:1', 'bytes': 900000000, 'rtt': {'count': 2,"
		      " 'mean_ns': 99000000, 'max_ns': 900000000}}", "", NULL);
	assert_kernel(blocked, "", "{'to': 'b:1', 'bytes': 900000000, 'rtt': {'count': 2,"
		      " 'mean_ns': 101000000, 'max_ns': 900000000}}", "", "long-round-trips");
	/* 51 and 49 % of what it may take; with no limit nobody knows. */
	assert_kernel(blocked, "", "{'to': 'b:1', 'bytes': 510000000}", "", NULL);
	assert_kernel(blocked, "", "{'to': 'b:1', 'bytes': 490000000}", "", "slow-link");
	assert_kernel(blocked, "", "{'to': 'b:1', 'bytes': 490000000}",
		      ", 'max_bandwidth': 9000000000000", NULL);
	assert_kernel(THREAD("migration", 0, 4900000000, 0), "", "{'to': 'b:1', 'bytes': 490000000}", "",
		      NULL);
}

/* -- Real ones ---------------------------------------------------------------------- */

static json_t *
why_of_file(const char *name)
{
	const char *top = getenv("top_srcdir");
	_cleanup_(freep) char *path = xasprintf("%s/tests/why/%s.json", top ? top : ".", name);
	json_error_t at;
	json_t *file = json_load_file(path, 0, &at), *findings;

	if (!file)
		fail_msg("%s: %s", path, at.text);
	softirqs = json_object_get(file, "ksoftirqd");
	findings = why_migration(NULL, json_object_get(file, "migration"));
	softirqs = NULL;
	json_decref(file);
	return findings;
}

static void
test_real_contention(void **state)
{
	json_t *findings = why_of_file("kv-contended");
	const json_t *first = json_array_get(findings, 0);

	assert_string_equal(text_of(first, "rule"), "cpu-contention");
	assert_string_equal(text_of(first, "layer"), "kernel");
	assert_string_equal(text_of(first, "node"), "node-a");
	assert_says(first, "CPU contention on node-a");
	assert_says(first, "in precopy ksoftirqd/0 waited for a CPU 15.2 s (78 %), which sh (9.9 s)");
	assert_says(first, "in stop-and-copy live_migration waited for a CPU 567 ms (88 %),"
			   " which sh (371 ms)");
	assert_null(find(findings, "slow-link"));
	assert_null(find(findings, "retransmissions"));
	json_decref(findings);
}

static void
test_real_stall(void **state)
{
	json_t *findings = why_of_file("kv-longstop");
	const json_t *first = json_array_get(findings, 0);

	assert_int_equal(json_array_size(findings), 1);
	assert_string_equal(text_of(first, "rule"), "stalled-stop-and-copy");
	assert_string_equal(text_of(first, "node"), "node-a");
	assert_says(first, "stop-and-copy stalled: the guest was stopped on node-a for 6.5 s");
	assert_says(first, "blocked on the network for 95 % of that");
	json_decref(findings);
}

static void
test_real_health(void **state)
{
	json_t *findings = why_of_file("kv-normal");

	assert_int_equal(json_array_size(findings), 0);
	json_decref(findings);
}

/* -- Requests -------------------------------------------------------------------------- */

static json_t *
why_request(const char *members)
{
	json_t *flow = parse("{'id': 'req-1', 'kind': 'server.live-migrate', 'status': 'ok',"
			     " 'start_ns': 1000000000, 'end_ns': 41000000000, 'total_ns': 40000000000,"
			     " 'host': 'c', 'error': null, 'findings': [], 'spans': []}"), *findings;
	json_t *more = parse(members);

	json_object_update(flow, more);
	findings = why_flow(NULL, flow);
	json_decref(more);
	json_decref(flow);
	return findings;
}

/* What nova-compute did: taken at 1 s, begun at 'begun'. */
static json_t *
held_back(const char *begun)
{
	_cleanup_(freep) char *members = xasprintf(
		"{'spans': [{'name': 'serve compute.a', 'service': 'nova-compute', 'host': 'a',"
		" 'parent': 'x', 'start_ns': 1000000000, 'end_ns': 1100000000},"
		" {'name': 'pre_live_migration', 'service': 'nova-compute', 'host': 'a', 'parent': 'x',"
		" 'start_ns': %s, 'end_ns': 41000000000}]}", begun);

	return why_request(members);
}

static void
test_held_back(void **state)
{
	json_t *findings = held_back("8900000000");

	assert_int_equal(json_array_size(findings), 0);
	json_decref(findings);
	findings = held_back("9100000000");
	assert_int_equal(json_array_size(findings), 1);
	assert_says(find(findings, "held-back"), "held the migration back for 8.1 s");
	assert_says(find(findings, "held-back"), "no other live migration was seen");
	json_decref(findings);
	steps = parse("[{'host': 'a', 'attributes': {'request_id': 'req-2', 'name': 'pre_live_migration'}},"
		      " {'host': 'a', 'attributes': {'request_id': 'req-1', 'name': 'live_migration'}}]");
	findings = held_back("9100000000");
	assert_says(find(findings, "held-back"), "1 other live migration ran there");
	json_decref(findings);
	json_decref(steps);
	steps = NULL;
}

static void
test_silence(void **state)
{
	static const char form[] =
		"{'spans': [{'name': 'call x', 'service': 'nova-compute', 'host': 'a', 'parent': 'x',"
		" 'start_ns': 1000000000, 'end_ns': 2000000000}, {'name': '%s', 'service': 'nova-compute',"
		" 'host': 'a', 'parent': 'x', 'start_ns': 2000000000, 'end_ns': 41000000000}]}";
	_cleanup_(freep) char *idle = xasprintf(form, "serve compute");
	_cleanup_(freep) char *busy = xasprintf(form, "create_image");
	json_t *findings = why_request(idle);

	assert_says(find(findings, "silence"), "for 39.0 s after");
	assert_says(find(findings, "silence"), "silent about all others, too");
	json_decref(findings);
	/* A step is at work. */
	findings = why_request(busy);
	assert_int_equal(json_array_size(findings), 0);
	json_decref(findings);
}

static void
test_failed_request(void **state)
{
	json_t *findings;

	migrations = json_pack("{s:o}", "m", migration_with(
		"{'status': 'failed', 'reason': 'no space', 'evidence': {'lost': 3}}"));
	findings = why_request("{'status': 'error', 'migration': 'm', 'error': {'service': 'nova-compute',"
			       " 'host': 'a', 'message': 'it broke', 'cause': 'libvirt'}, 'findings': ["
			       "{'rule': 'hypervisor', 'text': 'no space', 'evidence': {}}, "
			       "{'rule': 'rpc-queue',"
			       " 'text': 'waited', 'evidence': {}, 'weight': 0.2}]}");
	/* The layer below first, and its reason not twice. */
	assert_string_equal(text_of(json_array_get(findings, 0), "rule"), "migration-failed");
	assert_says(json_array_get(findings, 1), "nova-compute on a: it broke");
	assert_string_equal(text_of(json_array_get(findings, 1), "rule"), "libvirt");
	assert_string_equal(text_of(json_array_get(findings, 2), "rule"), "rpc-queue");
	assert_string_equal(text_of(json_array_get(findings, 3), "rule"), "lost-events");
	assert_null(find(findings, "hypervisor"));
	json_decref(findings);
	json_decref(migrations);
	migrations = NULL;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dirty_rate), cmocka_unit_test(test_stop_and_copy),
		cmocka_unit_test(test_running_stall), cmocka_unit_test(test_blackout),
		cmocka_unit_test(test_lost), cmocka_unit_test(test_failures),
		cmocka_unit_test(test_contention), cmocka_unit_test(test_starved_softirq),
		cmocka_unit_test(test_network), cmocka_unit_test(test_real_contention),
		cmocka_unit_test(test_real_stall), cmocka_unit_test(test_real_health),
		cmocka_unit_test(test_held_back), cmocka_unit_test(test_silence),
		cmocka_unit_test(test_failed_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
