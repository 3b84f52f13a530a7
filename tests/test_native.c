/* SPDX-License-Identifier: MIT
 *
 * test_native.c -- native analyzers: what the engine promises them (time that
 * does not go back, wake-ups before events, loss, late events), and that the
 * windows they tell don't depend on watermarks and restarts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzers/analyzer.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/util.h"

enum { N_CPUS = 4, N_EVENTS = 3000, N_SEEDS = 8, MAX_BLOBS = 64 };
#define START_NS (UINT64_C(1795390000) * NS_PER_S)
#define WINDOW_NS (100 * NS_PER_MS)

/* -- A native analyzer: sums of a value per CPU and window ----------------- */

struct counter {
	uint64_t sum, events, late, lost;
};

struct ticks {
	uint64_t window_ns;      /* Begin of the open window; 0: none. */
	uint64_t last_ns;
	struct counter cpus[N_CPUS];
	bool changed[N_CPUS];
	unsigned calls;
};

struct tick {
	uint64_t value;
	struct text name, address;
};
static const struct field tick_fields[] = {
	FIELD(U64, struct tick, value, "value", .older = "val"),
	FIELD(TEXT, struct tick, name, "name", .optional = true),
	FIELD(BYTES, struct tick, address, "address", .optional = true),
	{ 0 }
};
static const struct native_event tick_events[] = {
	{ .name = "tick", .reads = tick_fields },
	{ .name = "tock", .reads = tick_fields, .silent = true },
	{ .name = "probed", .probe = "do_it" },
	{ .name = "called", .function = "do_that" },
	{ 0 }
};

static unsigned n_started, n_stopped;
static struct text seen_name, seen_address;

static void
ticks_start(void *state, const struct step *step)
{
	assert_string_equal(engine_host_name(step->host), "compute-01");
	n_started++;
}

static void
ticks_stop(void *state)
{
	n_stopped++;
}

static void
tell_window(struct ticks *ticks, const struct step *step)
{
	struct fact fact = {
		.type = FACT_WINDOW, .kind = "ticks", .key = "-", .start_ns = ticks->window_ns,
		.end_ns = ticks->window_ns + WINDOW_NS,
		.blob = ticks->cpus, .blob_size = sizeof ticks->cpus,
	};

	native_tell(step, &fact);
	memset(ticks->cpus, 0, sizeof ticks->cpus);
	memset(ticks->changed, 1, sizeof ticks->changed);
}

static void
ticks_watermark(void *state, const struct step *step)
{
	struct ticks *ticks = state;

	assert_int_equal(step->t_ns, ticks->window_ns + WINDOW_NS);
	assert_true(step->t_ns >= ticks->last_ns);
	tell_window(ticks, step);
	ticks->last_ns = ticks->window_ns = step->t_ns;
	/* Half of all windows without an event are told, too. */
	step_wake(step, ticks->window_ns / WINDOW_NS % 2 ? step->t_ns + WINDOW_NS : 0);
	if (ticks->window_ns / WINDOW_NS % 2 == 0)
		ticks->window_ns = 0;
}

static void
ticks_event(void *state, const struct step *step, unsigned event)
{
	struct ticks *ticks = state;
	const struct tick *tick = step->values;
	struct counter *cpu = &ticks->cpus[step->cpu < 0 ? 0 : step->cpu % N_CPUS];

	ticks->calls++;
	if (event > 1)
		return;
	seen_name = tick->name;
	seen_address = tick->address;
	if (step->late) {
		cpu->late++;
	} else {
		assert_true(step->t_ns >= ticks->last_ns);
		ticks->last_ns = step->t_ns;
		if (!ticks->window_ns) {
			ticks->window_ns = step->t_ns / WINDOW_NS * WINDOW_NS;
			step_wake(step, ticks->window_ns + WINDOW_NS);
		}
		assert_true(step->t_ns < ticks->window_ns + WINDOW_NS);
		cpu->sum += tick->value;
		cpu->events++;
	}
	ticks->changed[cpu - ticks->cpus] = true;
}

static void
ticks_loss(void *state, const struct step *step, const struct ctf_loss *loss)
{
	struct ticks *ticks = state;
	const int cpu = step->cpu < 0 ? 0 : step->cpu % N_CPUS;

	assert_int_equal(step->cpu, loss->cpu);
	ticks->cpus[cpu].lost += loss->events;
	ticks->changed[cpu] = true;
}

static void
ticks_end(void *state, const struct step *step)
{
	static const struct counter none[N_CPUS];
	struct ticks *ticks = state;

	if (ticks->window_ns && memcmp(ticks->cpus, none, sizeof none))
		tell_window(ticks, step);
}

enum { KEY_WINDOW = 100 };

static void
ticks_save(void *state, void (*put)(void *context, uint64_t key, const void *record, size_t size),
	   void *context)
{
	struct ticks *ticks = state;
	static const struct counter none;

	put(context, KEY_WINDOW, &ticks->window_ns, 2 * sizeof ticks->window_ns);
	for (unsigned i = 0; i < N_CPUS; i++) {
		struct counter *cpu = &ticks->cpus[i];

		if (ticks->changed[i])
			put(context, i, memcmp(cpu, &none, sizeof none) ? cpu : NULL, sizeof *cpu);
		ticks->changed[i] = false;
	}
}

static int
ticks_restore(void *state, uint64_t key, const void *record, size_t size)
{
	struct ticks *ticks = state;

	if (key == KEY_WINDOW && size == 2 * sizeof ticks->window_ns)
		memcpy(&ticks->window_ns, record, size);
	else if (key < N_CPUS && size == sizeof ticks->cpus[key])
		memcpy(&ticks->cpus[key], record, size);
	else
		return -EINVAL;
	return 0;
}

static size_t
ticks_bytes(const void *state)
{
	return 1000;
}

static const struct native ticks_native = {
	.events = tick_events,
	.state_size = sizeof(struct ticks),
	.start = ticks_start,
	.stop = ticks_stop,
	.event = ticks_event,
	.loss = ticks_loss,
	.watermark = ticks_watermark,
	.end = ticks_end,
	.save = ticks_save,
	.restore = ticks_restore,
	.bytes = ticks_bytes,
};

static const struct analyzer ticks_analyzer = {
	.name = "ticks", .summary = "Sums", .version = 1, .roles = ROLE_COMPUTE, .kernel = true,
	.rules = no_rules, .native = &ticks_native,
};
static const struct analyzer *const table[] = { &ticks_analyzer, NULL };

/* -- Running it ------------------------------------------------------------ */

struct blob {
	char key[32];
	char *bytes;
	size_t size;
};

struct run {
	struct engine *engine;
	struct buf text;         /* Windows, a line each. */
	struct blob blobs[MAX_BLOBS];
	unsigned n_blobs;
};

static void
take_fact(void *context, const struct fact *fact)
{
	struct run *run = context;
	const struct counter *cpus = fact->blob;

	/* The engine's own word of what is missing. */
	if (fact->type == FACT_SPAN) {
		assert_string_equal(fact->kind, "trace.loss");
		json_decref(fact->attributes);
		return;
	}
	assert_int_equal(fact->type, FACT_WINDOW);
	assert_string_equal(fact->host, "compute-01");
	assert_int_equal(fact->blob_size, N_CPUS * sizeof *cpus);
	buf_printf(&run->text, "%llu:", (unsigned long long) (fact->start_ns - START_NS));
	for (unsigned i = 0; i < N_CPUS; i++)
		buf_printf(&run->text, " %llu/%llu/%llu/%llu", (unsigned long long) cpus[i].sum,
			   (unsigned long long) cpus[i].events, (unsigned long long) cpus[i].late,
			   (unsigned long long) cpus[i].lost);
	buf_add_char(&run->text, '\n');
}

static void
start(struct run *run)
{
	const struct fact_sink sink = { .fact = take_fact, .context = run };

	run->engine = engine_new(table, &engine_defaults, &sink);
	assert_non_null(run->engine);
}

static void
stop(struct run *run)
{
	engine_free(run->engine);
	buf_done(&run->text);
	for (unsigned i = 0; i < run->n_blobs; i++)
		free(run->blobs[i].bytes);
	memset(run, 0, sizeof *run);
}

static void
take_blob(void *context, const char *host, const char *analyzer, const char *key,
	  const void *bytes, size_t size)
{
	struct run *run = context;
	unsigned i = 0;

	assert_string_equal(analyzer, "ticks");
	while (i < run->n_blobs && !streq(run->blobs[i].key, key))
		i++;
	assert_true(i < MAX_BLOBS);
	if (i == run->n_blobs)
		run->n_blobs++;
	free(run->blobs[i].bytes);
	snprintf(run->blobs[i].key, sizeof run->blobs[i].key, "%s", key);
	run->blobs[i].bytes = bytes ? xmalloc(size) : NULL;
	run->blobs[i].size = size;
	if (bytes)
		memcpy(run->blobs[i].bytes, bytes, size);
}

static void
restart(struct run *run)
{
	engine_save(run->engine, take_blob, run);
	engine_free(run->engine);
	start(run);
	for (unsigned i = 0; i < run->n_blobs; i++)
		if (run->blobs[i].bytes)
			assert_int_equal(engine_restore(run->engine, "compute-01", "ticks",
							run->blobs[i].key, run->blobs[i].bytes,
							run->blobs[i].size), 0);
}

static struct engine_host *
host(struct run *run)
{
	return engine_host(run->engine, "compute-01");
}

static void
send(struct run *run, const char *name, uint64_t t_ns, int cpu, uint64_t value, bool late)
{
	const struct ctf_interest *interest = engine_interest(run->engine);
	struct ctf_value values[CTF_MAX_SLOTS] = { 0 };
	struct ctf_event event = { .values = values, .raw_ns = t_ns, .t_ns = t_ns, .late = late };

	event.wanted = (uint32_t) ctf_interest_find(interest, name);
	event.n_values = ctf_interest_n_fields(interest, event.wanted);
	for (unsigned i = 0; i < event.n_values; i++) {
		enum ctf_scope scope;
		const char *field = ctf_interest_field_name(interest, event.wanted, i, &scope);

		if (streq(field, "cpu_id") && cpu >= 0)
			values[i] = (struct ctf_value) { .type = CTF_UNSIGNED, .u = (unsigned) cpu };
		else if (streq(field, value % 2 ? "value" : "val"))
			values[i] = (struct ctf_value) { .type = CTF_UNSIGNED, .u = value };
		else if (streq(field, "name"))
			values[i] = (struct ctf_value) { .type = CTF_STRING, .s = "abc", .size = 3 };
		else if (streq(field, "address"))
			values[i] = (struct ctf_value) { .type = CTF_BYTES, .s = "\x7f\0\0\1", .size = 4 };
	}
	engine_event(host(run), &event);
}

static unsigned
below(unsigned n)
{
	return (unsigned) rand() % n;
}

static void
play(struct run *run, unsigned seed, unsigned watermark_every, unsigned restart_every)
{
	uint64_t t_ns = START_NS;

	srand(seed);
	start(run);
	for (unsigned i = 1; i <= N_EVENTS; i++) {
		const struct ctf_loss loss = { .events = i, .cpu = (int32_t) below(N_CPUS),
					       .kernel = true };
		const bool is_late = !below(20), is_lost = !below(50);
		const int cpu = (int) below(N_CPUS);
		/* One trace's clock is 90 us behind the other's. */
		const uint64_t skew = below(2) ? 90000 : 0;

		t_ns += below(100) ? below(20) * NS_PER_MS : below(3) * NS_PER_S;
		if (is_lost)
			engine_loss(host(run), &loss);
		send(run, cpu ? "tick" : "tock", is_late ? t_ns - 2 * NS_PER_S : t_ns - skew, cpu,
		     below(1000), is_late);
		if (watermark_every && i % watermark_every == 0)
			engine_watermark(host(run), t_ns);
		if (restart_every && i % restart_every == 0)
			restart(run);
	}
	if (watermark_every)
		engine_watermark(host(run), t_ns + 10 * NS_PER_S);
	if (restart_every)
		restart(run);
	engine_host_end(host(run), t_ns + (watermark_every ? NS_PER_S : 0));
}

static void
test_same_windows(void **state)
{
	for (unsigned seed = 1; seed <= N_SEEDS; seed++) {
		struct run plain = { 0 }, marked = { 0 }, restarted = { 0 };

		play(&plain, seed, 0, 0);
		play(&marked, seed, 1, 0);
		play(&restarted, seed, 3, 7);
		assert_true(plain.text.size > 1000);
		assert_string_equal(plain.text.data, marked.text.data);
		assert_string_equal(plain.text.data, restarted.text.data);
		stop(&plain);
		stop(&marked);
		stop(&restarted);
	}
	assert_int_equal(n_started, n_stopped);
}

static void
test_values(void **state)
{
	struct run run = { 0 };

	start(&run);
	send(&run, "tick", START_NS, 1, 7, false);
	send(&run, "tick", START_NS, 1, 8, false);     /* By its older name. */
	assert_int_equal(seen_name.size, 3);
	assert_memory_equal(seen_name.s, "abc", 3);
	assert_int_equal(seen_address.size, 4);
	assert_memory_equal(seen_address.s, "\x7f\0\0\1", 4);
	send(&run, "tick", START_NS, -1, 9, false);    /* No CPU. */
	engine_host_end(host(&run), START_NS);
	assert_string_equal(run.text.data, "0: 9/1/0/0 15/2/0/0 0/0/0/0 0/0/0/0\n");
	assert_int_equal(engine_counters(run.engine)->used, 3);
	assert_int_equal(engine_counters(run.engine)->facts, 1);
	assert_int_equal(engine_native_bytes(run.engine), 0);
	send(&run, "tick", START_NS, 1, 7, false);
	assert_int_equal(engine_native_bytes(run.engine), 1000 + sizeof(struct ticks));
	stop(&run);
}

static void
test_incomplete(void **state)
{
	struct run run = { 0 };
	struct ctf_value none[CTF_MAX_SLOTS] = { 0 };
	struct ctf_event event = { .values = none, .t_ns = START_NS };

	start(&run);
	event.wanted = (uint32_t) ctf_interest_find(engine_interest(run.engine), "tick");
	event.n_values = ctf_interest_n_fields(engine_interest(run.engine), event.wanted);
	engine_event(host(&run), &event);
	event.n_values = 0;
	engine_event(host(&run), &event);
	assert_int_equal(engine_counters(run.engine)->incomplete, 2);
	assert_int_equal(engine_counters(run.engine)->used, 0);
	stop(&run);
}

static void
test_loss_of_programs(void **state)
{
	const struct ctf_loss loss = { .events = 5, .cpu = 2, .kernel = false };
	struct run run = { 0 };

	start(&run);
	send(&run, "tick", START_NS, 1, 7, false);
	engine_loss(host(&run), &loss);
	engine_host_end(host(&run), START_NS);
	assert_string_equal(run.text.data, "0: 0/0/0/0 7/1/0/0 0/0/0/0 0/0/0/0\n");
	stop(&run);
}

/* A guess by the wall clock closes nothing. */
static void
test_guess(void **state)
{
	struct run run = { 0 };

	start(&run);
	send(&run, "tick", START_NS, 1, 7, false);
	engine_guess(host(&run), START_NS + NS_PER_S);
	engine_watermark(host(&run), START_NS + WINDOW_NS);   /* Within the margin. */
	assert_int_equal(run.text.size, 0);
	engine_watermark(host(&run), START_NS + WINDOW_NS + 10 * NS_PER_MS);
	assert_true(run.text.size > 0);
	stop(&run);
}

/* An older recording begins: what was is closed, and forgotten by the store. */
static void
test_other_epoch(void **state)
{
	struct run run = { 0 };
	unsigned kept = 0;

	start(&run);
	send(&run, "tick", START_NS + 100 * NS_PER_S, 3, 7, false);
	engine_save(run.engine, take_blob, &run);
	send(&run, "tick", START_NS, 1, 9, false);
	engine_host_end(host(&run), START_NS);
	assert_string_equal(run.text.data, "100000000000: 0/0/0/0 0/0/0/0 0/0/0/0 7/1/0/0\n"
					   "0: 0/0/0/0 9/1/0/0 0/0/0/0 0/0/0/0\n");
	engine_save(run.engine, take_blob, &run);
	for (unsigned i = 0; i < run.n_blobs; i++)
		kept += run.blobs[i].bytes != NULL;
	assert_true(run.n_blobs >= 3);
	assert_int_equal(kept, 0);
	stop(&run);
}

static void
test_bad_records(void **state)
{
	struct run run = { 0 };
	char *record;

	start(&run);
	send(&run, "tick", START_NS, 1, 7, false);
	engine_save(run.engine, take_blob, &run);
	for (unsigned i = 0; i < run.n_blobs; i++) {
		struct blob *b = &run.blobs[i];
		struct engine *other = engine_new(table, &engine_defaults,
						  &(struct fact_sink) { take_fact, &run });

		record = xmalloc(b->size);
		memcpy(record, b->bytes, b->size);
		assert_int_equal(engine_restore(other, "compute-01", "ticks", b->key, record,
						b->size - 1), -EINVAL);
		assert_int_equal(engine_restore(other, "compute-01", "ticks", b->key, record, 7),
				 -EINVAL);
		assert_int_equal(engine_restore(other, "compute-01", "ticks", "x", record, b->size),
				 -EINVAL);
		assert_int_equal(engine_restore(other, "compute-01", "tocks", b->key, record,
						b->size), -ESTALE);
		record[0] = (char) ~record[0];
		assert_int_equal(engine_restore(other, "compute-01", "ticks", b->key, record,
						b->size), -ESTALE);
		record[0] = (char) ~record[0];
		assert_int_equal(engine_restore(other, "compute-01", "ticks", b->key, record,
						b->size), 0);
		assert_int_equal(engine_restore(other, "compute-01", "ticks", b->key, record,
						b->size), -EINVAL);   /* Twice. */
		free(record);
		engine_free(other);
	}
	stop(&run);
}

static void
test_print(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	const struct analyzer *const twice[] = { &ticks_analyzer, &ticks_analyzer, NULL };

	assert_int_equal(engine_print_events(twice, "compute", file, NULL), 0);
	assert_int_equal(engine_print_events(twice, "storage", file, NULL), 0);
	fflush(file);
	assert_string_equal(text, "kernel tick\nkernel-probe probed do_it\n"
				  "kernel-function called do_that\n");
	assert_int_equal(engine_check_tables(table, file), 0);
	assert_int_equal(engine_print_graph(table, "ticks", file), -ENOTSUP);
	fclose(file);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_windows), cmocka_unit_test(test_values),
		cmocka_unit_test(test_incomplete), cmocka_unit_test(test_loss_of_programs),
		cmocka_unit_test(test_guess), cmocka_unit_test(test_other_epoch),
		cmocka_unit_test(test_bad_records), cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
