/* SPDX-License-Identifier: MIT
 *
 * test_parts.c -- where time went, how one stands among its peers, and when a host
 * will be empty: on figures made up. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/drain.h"
#include "daemon/parts.h"
#include "lib/clock.h"
#include "lib/util.h"
#include "store_fixture.h"

static struct store *store;

static int
begin(void **state)
{
	store = open_store(temporary("p.db"), STORE_WRITE);
	return 0;
}

static int
end(void **state)
{
	store_close(store);
	temporary_done();
	return 0;
}

/* -- Parts ---------------------------------------------------------------------- */

static int64_t
part(const json_t *parts, const char *what)
{
	json_t *one;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) parts, i, one)
		if (streq(member(one, "what"), what))
			return number(one, "ns");
	return -1;
}

static int64_t
sum(const json_t *parts)
{
	int64_t ns = 0;
	json_t *one;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) parts, i, one)
		ns += number(one, "ns");
	return ns;
}

/* What began last counts; what is outside does not. */
static void
test_parts(void **state)
{
	struct part_interval intervals[] = {
		{ .begin_ns = 100, .end_ns = 900, .what = "outer", .service = "s", .host = "h" },
		{ .begin_ns = 200, .end_ns = 400, .what = "inner", .service = "s", .host = "a" },
		{ .begin_ns = 300, .end_ns = 350, .what = "inner", .service = "s", .host = "b" },
		{ .begin_ns = 200, .end_ns = 250, .what = "first", .service = "s", .host = "h" },
		{ .begin_ns = 800, .end_ns = 5000, .what = "late", .service = "s", .host = "h" },
		{ .begin_ns = 2000, .end_ns = 3000, .what = "never", .layer = "l" },
		{ .begin_ns = 1, .end_ns = 10, .what = "before", .layer = "l" },
	};
	json_t *parts = parts_of(intervals, ARRAY_SIZE(intervals), 50, 1000);

	assert_int_equal(sum(parts), 950);
	assert_int_equal(part(parts, "unexplained"), 50);
	assert_int_equal(part(parts, "first"), 50);
	assert_int_equal(part(parts, "inner"), 150);
	assert_int_equal(part(parts, "outer"), 500);
	assert_int_equal(part(parts, "late"), 200);
	assert_int_equal(part(parts, "never"), -1);
	assert_int_equal(part(parts, "before"), -1);
	assert_string_equal(member(json_array_get(parts, 0), "what"), "outer");
	json_decref(parts);
}

/* As slow as it is said: each moment against every interval. */
static void
test_parts_by_hand(void **state)
{
	enum { N = 60, END = 400, KINDS = 9 };
	struct part_interval intervals[N];
	char names[KINDS][8];
	uint64_t seed = 42, expected[KINDS + 1] = { 0 };
	json_t *parts;

	for (unsigned i = 0; i < N; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		snprintf(names[i % KINDS], sizeof names[0], "k%u", i % KINDS);
		intervals[i] = (struct part_interval) { .begin_ns = seed >> 40 & 255, .layer = "l",
							.what = names[i % KINDS] };
		intervals[i].end_ns = intervals[i].begin_ns + 1 + (seed >> 52 & 127);
	}
	for (uint64_t t = 0; t < END; t++) {
		const struct part_interval *inner = NULL;

		for (unsigned i = 0; i < N; i++) {
			const struct part_interval *one = &intervals[i];

			if (one->begin_ns <= t && one->end_ns > t &&
			    (!inner || one->begin_ns > inner->begin_ns ||
			     (one->begin_ns == inner->begin_ns &&
			      (one->end_ns < inner->end_ns || (one->end_ns == inner->end_ns &&
							       strcmp(one->what, inner->what) < 0)))))
				inner = one;
		}
		expected[inner ? inner->what[1] - '0' : KINDS]++;
	}
	parts = parts_of(intervals, N, 0, END);
	assert_int_equal(sum(parts), END);
	for (unsigned k = 0; k < KINDS; k++)
		assert_int_equal(MAX(part(parts, names[k]), 0), expected[k]);
	assert_int_equal(part(parts, "unexplained"), expected[KINDS]);
	json_decref(parts);
}

/* -- Peers ------------------------------------------------------------------------ */

static json_t *
record_of(const char *id, uint64_t start_ns, uint64_t total_ns)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:I}", "id", id, "kind", "server.create", "status", "ok",
			 "start_ns", (json_int_t) start_ns, "total_ns", (json_int_t) total_ns);
}

static json_t *
two_parts(uint64_t scheduler_ns, uint64_t compute_ns)
{
	return json_pack("[{s:s, s:s, s:s, s:s, s:I}, {s:s, s:s, s:s, s:s, s:I}]", "what", "scheduler",
			 "layer", "application", "service", "nova-scheduler", "host", "ctl", "ns",
			 (json_int_t) scheduler_ns, "what", "compute: spawn", "layer", "application",
			 "service", "nova-compute", "host", "c1", "ns", (json_int_t) compute_ns);
}

static void
keep(const char *id, uint64_t start_ns, uint64_t scheduler_ns, uint64_t compute_ns)
{
	json_t *record = record_of(id, start_ns, scheduler_ns + compute_ns);
	json_t *parts = two_parts(scheduler_ns, compute_ns);

	assert_int_equal(peers_keep(store, "flow", id, record, parts, NULL), 0);
	json_decref(parts);
	json_decref(record);
}

static json_t *
ask(const char *id, uint64_t scheduler_ns, uint64_t compute_ns)
{
	json_t *record = record_of(id, T0 + S(5000), scheduler_ns + compute_ns);
	json_t *parts = two_parts(scheduler_ns, compute_ns);
	json_t *peers = peers_of(store, "flow", record, parts);

	json_decref(parts);
	json_decref(record);
	return peers;
}

static void
test_peers(void **state)
{
	char id[16];
	json_t *peers, *reason, *record;

	for (unsigned i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "req-%u", i);
		keep(id, T0 + S(i), MS(300), S(1) + MS(10) * i);
	}
	/* It is no peer of itself, those of long ago are none, nor what failed. */
	keep("req-me", T0 + S(5000), S(4), S(2));
	keep("req-old", T0 - S(31 * 86400), S(100), S(100));
	record = json_pack("{s:s, s:s, s:s}", "id", "req-7", "kind", "server.create", "status", "error");
	assert_int_equal(peers_keep(store, "flow", "req-7", record, NULL, NULL), 0);
	json_decref(record);
	peers = ask("req-me", S(4), MS(1500));
	assert_int_equal(number(peers, "n"), 99);
	assert_int_equal(number(peers, "faster_percent"), 100);
	assert_int_equal(number(peers, "median_ns"), MS(1800));
	assert_int_equal(json_array_size(json_object_get(peers, "because")), 1);
	reason = json_array_get(json_object_get(peers, "because"), 0);
	assert_string_equal(member(reason, "what"), "scheduler");
	assert_int_equal(number(reason, "median_ns"), MS(300));
	assert_int_equal(number(reason, "difference_ns"), MS(3700));
	assert_string_equal(member(peers, "text"), "slower than 100 % of 99 server.create requests: "
			    "scheduler (nova-scheduler on ctl) took 4.00 s (median 300 ms)");
	json_decref(peers);

	peers = ask("req-me", MS(300), S(1) + MS(245));
	assert_string_equal(member(peers, "text"), "faster than 76 % of 99 server.create requests: "
			    "compute: spawn (nova-compute on c1) took 1.25 s (median 1.50 s)");
	json_decref(peers);
}

static void
test_few_peers(void **state)
{
	char id[16];
	json_t *peers;

	for (unsigned i = 0; i < 7; i++) {
		snprintf(id, sizeof id, "req-%u", i);
		keep(id, T0 + S(i), MS(300), S(1));
	}
	peers = ask("req-me", S(4), S(1));
	assert_true(json_is_null(json_object_get(peers, "faster_percent")));
	assert_string_equal(member(peers, "text"), "7 others ended well: too few to compare with (8 are "
			    "needed)");
	json_decref(peers);
	keep("req-8", T0, MS(300), S(1));
	peers = ask("req-me", S(4), S(1));
	assert_int_equal(number(peers, "faster_percent"), 100);
	json_decref(peers);
}

/* However many there are, an answer is quick. */
static void
test_many_peers(void **state)
{
	char id[16];
	json_t *peers;
	uint64_t began_ns, best_ns = UINT64_MAX;

	assert_int_equal(store_begin(store, NULL), 0);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(id, sizeof id, "req-%u", i);
		keep(id, T0 + S(i), MS(300), S(1) + MS(i));
	}
	assert_int_equal(store_commit(store, NULL), 0);
	for (unsigned i = 0; i < 3; i++) {
		began_ns = clock_mono_ns();
		peers = ask("req-me", S(4), S(1));
		began_ns = clock_mono_ns() - began_ns;
		best_ns = MIN(best_ns, began_ns);
		/* The newest ones. */
		assert_int_equal(number(peers, "n"), 1000);
		json_decref(peers);
	}
	print_message("# 1000 of 5000 peers in %.1f ms\n", (double) best_ns / 1e6);
}

/* -- Emptying a host ---------------------------------------------------------------- */

enum { VMS = 12 };

/* VM i takes 2 s, about 5 s for each GiB and 3 s, three at a time, in this order. */
static uint64_t
play(uint64_t now_ns, struct drain_row *rows)
{
	uint64_t slots[3] = { T0, T0, T0 }, last_ns = 0;

	for (unsigned i = 0; i < VMS; i++) {
		const uint64_t gib = 1 + i % 3, move_ns = MS(50) * gib * (85 + i * 37 % 31);
		unsigned k = 0;

		for (unsigned j = 1; j < 3; j++)
			k = slots[j] < slots[k] ? j : k;
		rows[i] = (struct drain_row) {
			.kind = "live", .verdict = "unknown", .destination = "c2", .asked_ns = T0,
			.memory_bytes = gib << 30, .phase = DRAIN_QUEUED, .status = "queued",
		};
		if (slots[k] <= now_ns) {
			rows[i].slot_ns = slots[k];
			rows[i].phase = DRAIN_PREPARING;
			rows[i].status = "running";
		}
		if (slots[k] + S(2) <= now_ns) {
			rows[i].moving_ns = slots[k] + S(2);
			rows[i].phase = DRAIN_MIGRATING;
		}
		if (slots[k] + S(2) + move_ns <= now_ns) {
			rows[i].moved_ns = slots[k] + S(2) + move_ns;
			rows[i].phase = DRAIN_FINISHING;
		}
		slots[k] += S(2) + move_ns + S(3);
		if (slots[k] <= now_ns) {
			rows[i].end_ns = slots[k];
			rows[i].phase = DRAIN_ENDED;
			rows[i].status = "done";
		}
		last_ns = MAX(last_ns, slots[k]);
	}
	return last_ns;
}

static void
test_eta(void **state)
{
	struct drain_row rows[VMS];
	double worst = 0;

	for (uint64_t now_ns = T0 + S(20); now_ns < T0 + S(60); now_ns += S(1)) {
		const uint64_t true_ns = play(now_ns, rows);
		json_t *unknown = json_array();
		json_t *eta = drain_eta(rows, VMS, NULL, 0, 3, now_ns, unknown);
		double error;

		assert_int_equal(json_array_size(unknown), 0);
		if (now_ns >= true_ns) {
			assert_true(json_is_null(eta));
		} else {
			error = (double) (number(eta, "end_ns") - (int64_t) true_ns) /
				(double) (true_ns - T0);
			worst = MAX(worst, error < 0 ? -error : error);
			assert_true(number(eta, "low_ns") <= (int64_t) true_ns);
			assert_true(number(eta, "high_ns") >= (int64_t) true_ns);
		}
		json_decref(eta);
		json_decref(unknown);
	}
	print_message("# the largest error was %.1f %% of the whole\n", 100 * worst);
	assert_true(worst < 0.15);
}

/* What never ends holds up who waits for its slot, and nobody else. */
static void
test_no_eta(void **state)
{
	struct drain_row rows[VMS];
	json_t *unknown = json_array(), *eta;

	play(T0 + S(30), rows);
	for (unsigned i = 0; i < VMS; i++)
		if (rows[i].phase == DRAIN_MIGRATING) {
			rows[i].verdict = "not-converging";
			rows[i].name = "busy";
		}
	eta = drain_eta(rows, VMS, NULL, 0, 3, T0 + S(30), unknown);
	assert_true(json_is_null(eta));
	assert_int_equal(json_array_size(unknown), 1);
	assert_string_equal(json_string_value(json_array_get(unknown, 0)), "busy does not converge");
	json_array_clear(unknown);

	/* While nobody has ended, and no forecast is made, nothing is said. */
	play(T0 + S(1), rows);
	eta = drain_eta(rows, VMS, NULL, 0, 3, T0 + S(1), unknown);
	assert_true(json_is_null(eta));
	assert_string_equal(json_string_value(json_array_get(unknown, 0)),
			    "no live migration has ended yet");
	json_decref(unknown);
}

/* Before one of this host has ended, those of before tell. */
static void
test_eta_of_past(void **state)
{
	struct drain_row rows[VMS], past[VMS];
	json_t *unknown = json_array(), *eta;
	uint64_t true_ns;

	play(T0 + S(1000), past);
	true_ns = play(T0 + S(1), rows);
	eta = drain_eta(rows, VMS, past, VMS, 3, T0 + S(1), unknown);
	assert_int_equal(json_array_size(unknown), 0);
	assert_string_equal(member(eta, "basis"), "12 earlier ones");
	assert_true(number(eta, "low_ns") <= (int64_t) true_ns);
	assert_true(number(eta, "high_ns") >= (int64_t) true_ns);
	json_decref(eta);
	json_decref(unknown);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_parts_by_hand),
		cmocka_unit_test_setup_teardown(test_peers, begin, end),
		cmocka_unit_test_setup_teardown(test_few_peers, begin, end),
		cmocka_unit_test_setup_teardown(test_many_peers, begin, end),
		cmocka_unit_test(test_eta),
		cmocka_unit_test(test_no_eta),
		cmocka_unit_test(test_eta_of_past),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
