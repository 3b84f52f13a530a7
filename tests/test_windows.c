/* SPDX-License-Identifier: MIT
 *
 * test_windows.c -- windows of the kernel analyzers: several joined are the sum
 * of all, a span cut in two is the whole, and damaged ones do no harm. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzers/analyzer.h"
#include "analyzers/kernel_block_sum.h"
#include "analyzers/kernel_cpu_sum.h"
#include "analyzers/kernel_net_sum.h"
#include "lib/clock.h"
#include "lib/util.h"

enum { N_EVENTS = 20000, MAX_WINDOWS = 4000, N_MUTATIONS = 20000 };
#define START_NS (UINT64_C(1795390000) * NS_PER_S)

struct kept {
	char kind[8];
	struct fact_window window;
};
static struct kept kept[MAX_WINDOWS];
static size_t n_kept;

static void
take_fact(void *context, const struct fact *fact)
{
	struct kept *to = &kept[n_kept];
	char *blob;

	json_decref(fact->attributes);
	if (fact->type != FACT_WINDOW || n_kept == MAX_WINDOWS)
		return;
	blob = xmalloc(fact->blob_size + 1);
	memcpy(blob, fact->blob, fact->blob_size);
	snprintf(to->kind, sizeof to->kind, "%s", fact->kind);
	to->window = (struct fact_window) { fact->start_ns, fact->end_ns, blob, fact->blob_size };
	n_kept++;
}

static unsigned
below(unsigned n)
{
	return (unsigned) rand() % n;
}

static void
set(struct ctf_value *value, const char *name)
{
	static const char *const texts[] = { "CPU 0/KVM", "CPU 1/KVM", "live_migration", "sh", "kworker/0:1",
					     "vhost-7", "eth0", "tap0" };
	static const char addresses[] = "\x0a\0\0\1\x0a\0\0\2";

	*value = (struct ctf_value) { .type = CTF_UNSIGNED };
	if (streq(name, "cpu_id") || strstr(name, "_cpu"))
		value->u = below(4);
	else if (strstr(name, "state"))
		value->u = below(3) ? 1U << below(2) : 256;
	else if (strstr(name, "comm") || streq(name, "name"))
		*value = (struct ctf_value) { .type = CTF_STRING, .s = texts[below(8)] };
	else if (strstr(name, "addr"))
		*value = (struct ctf_value) { .type = CTF_BYTES, .s = addresses + 4 * below(2), .size = 4 };
	else if (strstr(name, "tid") || strstr(name, "pid"))
		value->u = below(12);
	else if (strstr(name, "dev"))
		value->u = 254U << 20 | below(3);
	else if (strstr(name, "tot_len"))
		value->u = 40 + below(1400);
	else if (strstr(name, "ihl") || strstr(name, "data_offset"))
		value->u = 5;
	else if (strstr(name, "type"))
		value->u = 1;
	else
		value->u = below(64);
	if (value->type == CTF_STRING)
		value->size = (uint32_t) strlen(value->s);
}

static int
make_windows(void **state)
{
	const struct fact_sink sink = { .fact = take_fact };
	struct engine *engine = engine_new(analyzers, &engine_defaults, &sink);
	const struct ctf_interest *interest = engine_interest(engine);
	struct engine_host *host = engine_host(engine, "compute-01");
	uint64_t t_ns = START_NS;

	srand(1);
	for (unsigned i = 0; i < N_EVENTS; i++) {
		struct ctf_value values[CTF_MAX_SLOTS];
		struct ctf_event event = { .values = values };
		const char *name;

		event.wanted = below(ctf_interest_n_events(interest));
		name = ctf_interest_event_name(interest, event.wanted);
		/* Those of programs have a colon. */
		if (strchr(name, ':'))
			continue;
		t_ns += below(1000000);
		event.t_ns = event.raw_ns = t_ns;
		event.n_values = ctf_interest_n_fields(interest, event.wanted);
		for (unsigned k = 0; k < event.n_values; k++)
			set(&values[k], ctf_interest_field_name(interest, event.wanted, k, NULL));
		engine_event(host, &event);
	}
	engine_host_end(host, t_ns);
	engine_free(engine);
	return n_kept ? 0 : -1;
}

static int
free_windows(void **state)
{
	for (size_t i = 0; i < n_kept; i++)
		free((void *) (uintptr_t) kept[i].window.blob);
	return 0;
}

/* Those of a kind that are whole, in order. */
static size_t
windows_of(const char *kind, struct fact_window *ret, size_t most)
{
	size_t n = 0;

	for (size_t i = 0; i < n_kept && n < most; i++)
		if (streq(kept[i].kind, kind))
			ret[n++] = kept[i].window;
	return n;
}

struct totals {
	uint64_t states[N_CPU_STATES], causes, guest, takers, exits;
};

/* What a thread did adds up to the span, of interest or not. */
static void
check_lengths(const struct cpu_sum_thread *threads, size_t n, uint64_t span_ns)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t ns = threads[i].absent_ns;

		for (unsigned s = 0; s < N_CPU_STATES; s++)
			ns += threads[i].ns[s];
		if (threads[i].tid)
			assert_int_equal(ns, span_ns);
	}
}

static struct totals
totals_of(const struct fact_window *windows, size_t n, uint64_t from_ns, uint64_t to_ns)
{
	struct cpu_sum *sum = cpu_sum_new(from_ns, to_ns);
	const struct cpu_sum_thread *threads;
	struct totals totals = { 0 };
	size_t n_threads;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(cpu_sum_add(sum, &windows[i]), 0);
	n_threads = cpu_sum_threads(sum, &threads);
	check_lengths(threads, n_threads, to_ns - from_ns);
	for (size_t i = 0; i < n_threads; i++) {
		for (unsigned s = 0; s < N_CPU_STATES; s++)
			totals.states[s] += threads[i].ns[s];
		for (unsigned c = 0; c < N_CPU_CAUSES; c++)
			totals.causes += threads[i].causes[c];
		totals.causes += threads[i].pending_ns;
		totals.guest += threads[i].guest_ns;
		for (size_t k = 0; k < threads[i].n_takers; k++)
			totals.takers += threads[i].takers[k].ns;
		for (size_t k = 0; k < threads[i].n_exits; k++)
			totals.exits += threads[i].exits[k].count;
	}
	cpu_sum_free(sum);
	return totals;
}

static void
test_joined_is_the_sum(void **state)
{
	static struct fact_window windows[MAX_WINDOWS];
	const size_t n = windows_of("cpu", windows, 40);
	struct buf blob = { 0 };
	struct totals apart, joined;
	struct fact_window one;

	assert_true(n >= 20);
	apart = totals_of(windows, n, windows[0].start_ns, windows[n - 1].end_ns);
	assert_int_equal(cpu_window_kind.merge(windows, n, &blob), 0);
	one = (struct fact_window) { windows[0].start_ns, windows[n - 1].end_ns, blob.data, blob.size };
	joined = totals_of(&one, 1, one.start_ns, one.end_ns);
	assert_true(apart.states[CPU_RUNNING] && apart.states[CPU_WAITING] && apart.takers &&
		    apart.causes && apart.exits && apart.guest);
	assert_memory_equal(&apart, &joined, sizeof apart);
	buf_done(&blob);
}

/* Of all threads that had this number. */
static uint64_t
running_of(const struct cpu_sum_thread *threads, size_t n, uint32_t tid, bool *exact)
{
	uint64_t running = 0;

	for (size_t i = 0; i < n; i++)
		if (threads[i].tid == tid) {
			running += threads[i].ns[CPU_RUNNING];
			*exact &= threads[i].exact;
		}
	return running;
}

/* A span of any two parts is the whole, to the nanosecond, where all is exact. */
static void
test_cut_anywhere(void **state)
{
	static struct fact_window windows[MAX_WINDOWS];
	const size_t n = windows_of("cpu", windows, 10);
	const uint64_t begin_ns = windows[0].start_ns, end_ns = windows[n - 1].end_ns;
	struct cpu_sum *whole = cpu_sum_new(begin_ns, end_ns);
	const struct cpu_sum_thread *threads;
	size_t n_threads;
	unsigned n_exact = 0;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(cpu_sum_add(whole, &windows[i]), 0);
	n_threads = cpu_sum_threads(whole, &threads);
	for (unsigned k = 0; k < 50; k++) {
		const uint64_t cut_ns = begin_ns + below((unsigned) (end_ns - begin_ns));
		struct cpu_sum *parts[2] = { cpu_sum_new(begin_ns, cut_ns), cpu_sum_new(cut_ns, end_ns) };

		for (size_t i = 0; i < n; i++)
			for (unsigned p = 0; p < 2; p++)
				assert_int_equal(cpu_sum_add(parts[p], &windows[i]), 0);
		for (uint32_t tid = 1; tid < 12; tid++) {
			bool exact = true;
			const uint64_t running = running_of(threads, n_threads, tid, &exact);
			uint64_t sum = 0;

			for (unsigned p = 0; p < 2; p++) {
				const struct cpu_sum_thread *some;
				const size_t n_some = cpu_sum_threads(parts[p], &some);

				check_lengths(some, n_some, p ? end_ns - cut_ns : cut_ns - begin_ns);
				sum += running_of(some, n_some, tid, &exact);
			}
			n_exact += exact;
			if (exact)
				assert_int_equal(sum, running);
		}
		cpu_sum_free(parts[0]);
		cpu_sum_free(parts[1]);
	}
	assert_true(n_exact > 0);
	cpu_sum_free(whole);
}

static void
test_disks_and_packets(void **state)
{
	static struct fact_window windows[MAX_WINDOWS];
	size_t n = windows_of("block", windows, 40);
	struct buf blob = { 0 };
	struct block_sum apart, joined;
	struct net_sum packets[2];
	uint64_t done[2] = { 0 }, bytes[2] = { 0 };
	struct fact_window one;

	assert_true(n > 2);
	block_sum_init(&apart);
	block_sum_init(&joined);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(block_sum_add(&apart, &windows[i]), 0);
	assert_int_equal(block_window_kind.merge(windows, n, &blob), 0);
	one = (struct fact_window) { windows[0].start_ns, windows[n - 1].end_ns, blob.data, blob.size };
	assert_int_equal(block_sum_add(&joined, &one), 0);
	for (uint32_t i = 0; i < apart.devices.n; i++)
		done[0] += ((struct block_device *) keyed_at(&apart.devices, i))->done[BLOCK_READ];
	for (uint32_t i = 0; i < joined.devices.n; i++)
		done[1] += ((struct block_device *) keyed_at(&joined.devices, i))->done[BLOCK_READ];
	assert_int_equal(done[0], done[1]);
	block_sum_done(&apart);
	block_sum_done(&joined);

	n = windows_of("net", windows, 40);
	assert_true(n > 2);
	buf_clear(&blob);
	assert_int_equal(net_window_kind.merge(windows, n, &blob), 0);
	one = (struct fact_window) { windows[0].start_ns, windows[n - 1].end_ns, blob.data, blob.size };
	for (unsigned k = 0; k < 2; k++) {
		net_sum_init(&packets[k], one.start_ns, one.end_ns);
		for (size_t i = 0; i < (k ? 1 : n); i++)
			assert_int_equal(net_sum_add(&packets[k], k ? &one : &windows[i]), 0);
		for (uint32_t i = 0; i < packets[k].connections.n; i++) {
			const struct net_connection *one_of =
				keyed_at(&packets[k].connections, i);

			bytes[k] += one_of->traffic.bytes;
		}
		net_sum_done(&packets[k]);
	}
	assert_true(bytes[0] > 0);
	assert_int_equal(bytes[0], bytes[1]);
	buf_done(&blob);
}

/* Whatever a store holds: refused or read, and no more than that. */
static void
test_damaged(void **state)
{
	unsigned refused = 0;

	for (unsigned i = 0; i < N_MUTATIONS; i++) {
		const struct kept *from = &kept[below((unsigned) n_kept)];
		const struct window_kind *kind = window_kind(from->kind);
		struct fact_window bad[2] = { from->window, from->window };
		unsigned char *bytes = xmalloc(from->window.size + 1);
		struct buf out = { 0 };
		json_t *json;

		if (!kind)
			continue;
		memcpy(bytes, from->window.blob, from->window.size);
		for (unsigned k = 1 + below(4); k > 0; k--)
			bytes[1 + below((unsigned) from->window.size - 1)] = (unsigned char) below(256);
		if (!below(3))
			bad[0].size = below((unsigned) from->window.size);
		bad[0].blob = bytes;
		bad[1].start_ns = bad[0].end_ns;
		bad[1].end_ns = bad[1].start_ns + 100 * NS_PER_MS;
		json = kind->json(&bad[0]);
		refused += json == NULL;
		json_decref(json);
		kind->merge(bad, 2, &out);
		buf_done(&out);
		free(bytes);
	}
	assert_true(refused > N_MUTATIONS / 20);
}

struct most {
	size_t blob, windows;
};

static void
note_size(void *context, const struct fact *fact)
{
	struct most *most = context;

	json_decref(fact->attributes);
	if (fact->type != FACT_WINDOW)
		return;
	most->blob = MAX(most->blob, fact->blob_size);
	most->windows++;
}

/* Threads without end, all alive: memory and windows have their limits, and it is
 * said that they were reached. */
static void
test_many_threads(void **state)
{
	struct most most = { 0 };
	const struct fact_sink sink = { .fact = note_size, .context = &most };
	struct engine *engine = engine_new(analyzers, &engine_defaults, &sink);
	const struct ctf_interest *interest = engine_interest(engine);
	struct engine_host *host = engine_host(engine, "compute-01");
	const unsigned wanted = (unsigned) ctf_interest_find(interest, "sched_switch");
	size_t bytes = 0;

	for (unsigned tid = 1; tid <= 200000; tid++) {
		struct ctf_value values[CTF_MAX_SLOTS];
		struct ctf_event event = { .wanted = wanted, .values = values };

		event.t_ns = event.raw_ns = START_NS + (uint64_t) tid * 50000;
		event.n_values = ctf_interest_n_fields(interest, wanted);
		for (unsigned i = 0; i < event.n_values; i++) {
			const char *name = ctf_interest_field_name(interest, wanted, i, NULL);

			values[i] = (struct ctf_value) { .type = CTF_UNSIGNED };
			if (strstr(name, "comm"))
				values[i] = (struct ctf_value) { .type = CTF_STRING, .size = 7,
								 .s = tid % 3 ? "postgre" : "vhost-1" };
			else
				values[i].u = streq(name, "next_tid") ? tid : streq(name, "prev_tid") ?
					tid - 1 : streq(name, "prev_state");
		}
		engine_event(host, &event);
		if (tid % 1000 == 0)
			bytes = MAX(bytes, engine_native_bytes(engine));
	}
	assert_true(bytes > 0 && bytes < 32 << 20);
	assert_true(most.windows >= 99);
	assert_true(most.blob > 1000 && most.blob < 256 << 10);
	engine_free(engine);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_joined_is_the_sum), cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_disks_and_packets), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_many_threads),
	};

	return cmocka_run_group_tests(tests, make_windows, free_windows);
}
