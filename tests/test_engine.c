/* SPDX-License-Identifier: MIT
 *
 * test_engine.c -- what has to hold whatever the events are: tables without
 * mistakes, no time that goes back, the same facts however often the watermark
 * is told and whenever a restart comes, and no blob that does harm. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzers/analyzer.h"
#include "ctf/trace.h"
#include "lib/clock.h"
#include "lib/util.h"

enum { N_EVENTS = 4000, N_SEEDS = 8, WATERMARK_EVERY = 3, MAX_BLOBS = 4096 };
#define START_NS (UINT64_C(1795390000) * NS_PER_S)

/* -- Collecting ---------------------------------------------------------- */

struct blob {
	char host[32], analyzer[32], key[32];
	char *bytes;
	size_t size;
};

struct run {
	bool few;                       /* Not all analyzers, but machines[]. */
	struct engine *engine;
	unsigned flush_every;    /* Events; 0: spans are told at each change. */
	json_t *facts;           /* Newest telling by id. */
	unsigned n_facts;
	struct blob blobs[MAX_BLOBS];
	unsigned n_blobs;
	bool spoilt;           /* Made of nonsense: its facts are not looked at. */
};

static void
check_times(json_t *object, uint64_t end_ns)
{
	json_t *list[2] = { json_object_get(object, "stages"), json_object_get(object, "rounds") };

	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < json_array_size(list[k]); i++) {
			const json_t *item = json_array_get(list[k], i);
			const json_t *end = json_object_get(item, "end_ns");

			if (json_is_integer(end))
				assert_true(json_integer_value(end) >=
					    json_integer_value(json_object_get(item, "start_ns")));
			else
				assert_int_equal(end_ns, 0);
		}
}

static void
take_fact(void *context, const struct fact *fact)
{
	struct run *run = context;
	char id[FACT_ID_SIZE];

	if (run->spoilt) {
		json_decref(fact->attributes);
		return;
	}
	fact_id(fact, id);
	run->n_facts++;
	if (fact->end_ns)
		assert_true(fact->end_ns >= fact->start_ns);
	if (fact->type == FACT_RETRACT) {
		json_object_del(run->facts, id);
		return;
	}
	if (fact->attributes)
		check_times(fact->attributes, fact->end_ns);
	json_object_set_new(run->facts, id, json_pack(
		"{s:i, s:s, s:s, s:I, s:s, s:s, s:o?}", "type", fact->type, "kind", fact->kind,
		"key", fact->key, "end_ns", (json_int_t) fact->end_ns, "status",
		fact->status ? fact->status : "", "parent", fact->parent, "attributes",
		fact->attributes));
}

/* Where flows are counted, as others would count too. */
extern const struct analyzer qemu_analyzer, node_analyzer;
static const struct analyzer *const machines[] = { &qemu_analyzer, &node_analyzer, NULL };

static void
start(struct run *run, unsigned max_flows)
{
	struct engine_options options = engine_defaults;
	const struct fact_sink sink = { .fact = take_fact, .context = run };

	options.spans_when_flushed = run->flush_every;
	if (max_flows)
		options.max_flows_per_host = max_flows;
	if (!run->facts)
		run->facts = json_object();
	run->engine = engine_new(run->few ? machines : analyzers, &options, &sink);
	assert_non_null(run->engine);
}

static void
stop(struct run *run)
{
	engine_free(run->engine);
	json_decref(run->facts);
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

	while (i < run->n_blobs && (!streq(run->blobs[i].key, key) ||
				    !streq(run->blobs[i].analyzer, analyzer)))
		i++;
	assert_true(i < MAX_BLOBS);
	if (i == run->n_blobs)
		run->n_blobs++;
	free(run->blobs[i].bytes);
	snprintf(run->blobs[i].host, sizeof run->blobs[i].host, "%s", host);
	snprintf(run->blobs[i].analyzer, sizeof run->blobs[i].analyzer, "%s", analyzer);
	snprintf(run->blobs[i].key, sizeof run->blobs[i].key, "%s", key);
	run->blobs[i].bytes = bytes ? xmalloc(size) : NULL;
	if (bytes)
		memcpy(run->blobs[i].bytes, bytes, size);
	run->blobs[i].size = size;
}

static void
restart(struct run *run)
{
	engine_flush(run->engine);
	engine_save(run->engine, take_blob, run);
	engine_free(run->engine);
	start(run, 0);
	for (unsigned i = 0; i < run->n_blobs; i++) {
		const struct blob *b = &run->blobs[i];

		if (b->bytes)
			assert_int_equal(engine_restore(run->engine, b->host, b->analyzer, b->key,
							b->bytes, b->size), 0);
	}
}

/* -- Random events ------------------------------------------------------- */

static unsigned
below(unsigned n)
{
	return (unsigned) rand() % n;
}

static const char *const words[] = {
	"setup", "active", "device", "pre-switchover", "completed", "failed", "cancelling",
	"cancelled", "postcopy-active", "postcopy-paused", "postcopy-recover", "inmigrate",
	"finish-migrate", "running", "paused", "shutdown", "prelaunch", "src-downtime-start",
	"src-vm-stopped", "gone", "new", "{\"uri\": \"tcp:10.0.0.2:1\"}",
	"{\"downtime-limit\": 50}", "", "\xff\xfe", "ram",
	"{\"capabilities\": [{\"capability\": \"auto-converge\", \"state\": true}]}",
};

/* Log lines: their loggers are drawn apart, so most fit and some do not. */
static const char *const loggers[] = {
	"nova.compute.manager", "nova.api.openstack.wsgi", "nova.osapi_compute.wsgi.server",
	"oslo_messaging._drivers.amqpdriver", "oslo.messaging.notification.instance.update",
	"neutron.plugins.ml2.managers", "nova.virt.libvirt.driver",
};
#define LINE(WHO, TEXT) "{\"service\": \"nova-api\", \"pid\": 7, \"gt\": " WHO ", \"request_id\": " \
	"\"req-" WHO "\", \"instance\": \"i-" WHO "\", \"message\": \"" TEXT "\"}"
#define LINES(TEXT) LINE("1", TEXT), LINE("2", TEXT), LINE("3", TEXT)
static const char *const lines[] = {
	LINES("Starting instance..."), LINES("Took 1.50 seconds to build instance."),
	LINES("Failed to build and run instance"), LINES("Live Migration failure: broken"),
	LINES("Starting monitoring of live migration"), LINES("Migration operation has completed"),
	LINES("Calling method 'x'"),
	LINES("a \\\"GET /v2.1/servers HTTP/1.1\\\" status: 200 len: 1 time: 0.2"),
	LINES("a \\\"POST /v2.1/servers HTTP/1.1\\\" status: 500 len: 1 time: 0.2"),
	LINES("CALL msg_id: c exchange 'nova' topic 'conductor'"), LINES("received reply msg_id: c"),
	LINES("Attempting to bind port p on host h for vnic_type n with profile x"), LINES("unknown"),
	"{\"service\": \"nova-conductor\", \"pid\": 8, \"notification\": {\"event_type\": "
	"\"compute.instance.update\", \"payload\": {\"instance_id\": \"i-1\", \"host\": \"a\", "
		"\"old_state\": "
	"\"building\", \"state\": \"active\", \"new_task_state\": null, \"power_state\": \"running\"}}}",
	"{\"service\": \"nova-conductor\", \"pid\": 8, \"notification\": {\"event_type\": "
	"\"compute.instance.update\", \"payload\": {\"instance_id\": \"i-1\", \"host\": \"b\", "
		"\"old_state\": "
	"\"active\", \"state\": \"error\", \"new_task_state\": \"x\", \"power_state\": \"shutdown\"}}}",
};

static void
random_text(struct ctf_value *value, const char *const *texts, size_t n)
{
	value->type = CTF_STRING;
	value->s = texts[below((unsigned) n)];
	value->size = (uint32_t) strlen(value->s);
}

static void
random_value(struct ctf_value *value, const char *name)
{
	memset(value, 0, sizeof *value);
	if (streq(name, "msg") && below(8)) {
		random_text(value, lines, ARRAY_SIZE(lines));
		return;
	}
	if (streq(name, "logger_name") && below(8)) {
		random_text(value, loggers, ARRAY_SIZE(loggers));
		return;
	}
	if (streq(name, "vpid") || streq(name, "vtid") || streq(name, "pid")) {
		value->type = CTF_UNSIGNED;
		value->u = 1 + below(4);
		return;
	}
	switch (below(12)) {
	case 0:
		return;
	case 1:
		value->type = CTF_SIGNED;
		value->i = (int) below(200) - 100;
		return;
	case 2:
		value->type = CTF_REAL;
		value->r = below(2) ? 1e30 : -0.5;
		return;
	case 3: case 4: case 5:
		value->type = CTF_UNSIGNED;
		value->u = below(4) ? below(1 << 20) : UINT64_MAX - below(3);
		return;
	default:
		random_text(value, words, ARRAY_SIZE(words));
	}
}

static void
random_event(struct run *run, uint64_t t_ns, uint64_t promised_ns, bool late)
{
	const struct ctf_interest *interest = engine_interest(run->engine);
	struct ctf_value values[CTF_MAX_SLOTS];
	/* State changes often, as everything hangs on them; and much is logged. */
	const int often[] = { ctf_interest_find(interest, "qemu:migrate_set_state"),
			      ctf_interest_find(interest, "lttng_python:event") };
	struct ctf_event event = { .values = values, .raw_ns = t_ns, .t_ns = t_ns };

	event.wanted = below(2) ? below(ctf_interest_n_events(interest)) : (unsigned) often[below(2)];
	event.n_values = ctf_interest_n_fields(interest, event.wanted);
	for (unsigned i = 0; i < event.n_values; i++) {
		enum ctf_scope scope;

		random_value(&values[i], ctf_interest_field_name(interest, event.wanted, i,
								 &scope));
	}
	event.late = late;
	if (event.late)
		event.t_ns = MAX(event.t_ns - below(3) * NS_PER_S, promised_ns);
	engine_event(engine_host(run->engine, "compute-01"), &event);
}

/* One history by its seed.  Watermarks and restarts must not change it; they
 * draw no numbers from the same well. */
static void
play(struct run *run, unsigned seed, bool watermarks, unsigned restart_every)
{
	uint64_t t_ns = START_NS, promised_ns = 0;

	srand(seed);
	start(run, 0);
	for (unsigned i = 1; i <= N_EVENTS; i++) {
		const bool late = !below(20);

		t_ns += below(60) ? below(40) * NS_PER_MS : below(5) * NS_PER_S;
		/* What is late is so behind an event, not behind a watermark: that one
		 * promises that nothing older comes. */
		if (i % WATERMARK_EVERY == 0 && !late) {
			promised_ns = t_ns;
			if (watermarks)
				engine_watermark(engine_host(run->engine, "compute-01"), t_ns);
		}
		random_event(run, t_ns, promised_ns, late);
		if (run->flush_every && i % run->flush_every == 0)
			engine_flush(run->engine);
		if (restart_every && i % restart_every == 0)
			restart(run);
	}
	engine_host_end(engine_host(run->engine, "compute-01"), t_ns);
}

static void
test_same_facts(void **state)
{
	for (unsigned seed = 1; seed <= N_SEEDS; seed++) {
		struct run plain = { 0 }, marked = { 0 }, restarted = { 0 };
		struct run flushed = { .flush_every = 19 };

		play(&plain, seed, false, 0);
		play(&marked, seed, true, 0);
		play(&restarted, seed, false, 37);
		play(&flushed, seed, false, 37);
		assert_true(plain.n_facts > 100);
		assert_true(json_equal(plain.facts, marked.facts));
		assert_true(json_equal(plain.facts, restarted.facts));
		assert_true(json_equal(plain.facts, flushed.facts));
		assert_true(flushed.n_facts < plain.n_facts);
		stop(&plain);
		stop(&marked);
		stop(&restarted);
		stop(&flushed);
	}
}

/* -- Blobs --------------------------------------------------------------- */

/* Whatever is in a blob: refused, or a flow that can be gone on with. */
static void
test_bad_blobs(void **state)
{
	struct run run = { 0 };
	unsigned refused = 0, taken = 0;
	struct blob *b;

	srand(7);
	start(&run, 0);
	for (unsigned i = 0; i < 300; i++)
		random_event(&run, START_NS + i * 10 * NS_PER_MS, 0, !below(20));
	engine_save(run.engine, take_blob, &run);
	for (unsigned i = 0; i < 3000; i++) {
		struct run other = { .spoilt = true };
		char *bytes;
		int r;

		b = &run.blobs[below(run.n_blobs)];
		if (!b->bytes)
			continue;
		bytes = xmalloc(b->size);
		memcpy(bytes, b->bytes, b->size);
		for (unsigned k = below(6); k > 0; k--)
			bytes[8 + below((unsigned) b->size - 8)] = (char) below(256);
		start(&other, 0);
		r = engine_restore(other.engine, b->host, b->analyzer, b->key, bytes,
				   below(20) ? b->size : below((unsigned) b->size));
		assert_true(r == 0 || r == -EINVAL);
		refused += r != 0;
		taken += r == 0;
		for (unsigned k = 0; !r && k < 20; k++)
			random_event(&other, UINT64_MAX / 2 + k * NS_PER_S, 0, !below(20));
		free(bytes);
		/* Facts of a spoilt flow may hold anything: they are not checked. */
		stop(&other);
	}
	assert_true(refused > 100 && taken > 10);
	b = &run.blobs[0];
	assert_int_equal(engine_restore(run.engine, "x", "nobody", "1", b->bytes, b->size),
			 -ESTALE);
	assert_int_equal(engine_restore(run.engine, "x", "qemu", "one", b->bytes, b->size),
			 -EINVAL);
	assert_int_equal(engine_restore(run.engine, "x", "qemu", "1", "12345678", 8), -ESTALE);
	assert_int_equal(engine_restore(run.engine, "x", "qemu", "1", "", 0), -EINVAL);
	stop(&run);
}

/* -- Single events ------------------------------------------------------- */

static void
send(struct run *run, const char *name, uint64_t pid, const char *value, uint64_t t_ns,
     struct ctf_stream *stream)
{
	const struct ctf_interest *interest = engine_interest(run->engine);
	struct ctf_value values[CTF_MAX_SLOTS] = { 0 };
	struct ctf_event event = {
		.wanted = (uint32_t) ctf_interest_find(interest, name), .values = values,
		.t_ns = t_ns, .raw_ns = t_ns, .stream = stream,
	};

	event.n_values = ctf_interest_n_fields(interest, event.wanted);
	for (unsigned i = 0; i < event.n_values; i++) {
		enum ctf_scope scope;
		const char *field = ctf_interest_field_name(interest, event.wanted, i, &scope);

		if (streq(field, "vpid") && pid)
			values[i] = (struct ctf_value) { .type = CTF_UNSIGNED, .u = pid };
		if (scope == CTF_PAYLOAD && value)
			values[i] = (struct ctf_value) { .type = CTF_STRING, .s = value,
							 .size = (uint32_t) strlen(value) };
	}
	engine_event(engine_host(run->engine, "compute-01"), &event);
}

static void
test_cap(void **state)
{
	struct run run = { .few = true };

	start(&run, 3);
	for (uint64_t pid = 1; pid <= 10; pid++)
		send(&run, "qemu:migrate_set_state", pid, "setup", START_NS + pid, NULL);
	assert_int_equal(json_object_size(run.facts), 3);
	assert_int_equal(engine_counters(run.engine)->capped, 7);
	stop(&run);
}

/* Processes whose migrations are over make room for others, oldest first. */
static void
test_ended_make_room(void **state)
{
	struct run run = { .few = true };

	start(&run, 4);
	for (uint64_t pid = 1; pid <= 100; pid++) {
		send(&run, "qemu:migrate_set_state", pid, "setup", START_NS + pid * 10, NULL);
		send(&run, "qemu:migrate_set_state", pid, "failed", START_NS + pid * 10 + 5, NULL);
	}
	assert_int_equal(json_object_size(run.facts), 100);
	assert_int_equal(engine_counters(run.engine)->capped, 0);
	stop(&run);
}

static void
test_horizon(void **state)
{
	struct run run = { 0 };
	struct engine_host *host;

	start(&run, 0);
	host = engine_host(run.engine, "compute-01");
	assert_int_equal(engine_horizon(host), 0);
	send(&run, "qemu:migrate_set_state", 1, "setup", START_NS + 5, NULL);
	send(&run, "qemu:migrate_set_state", 2, "setup", START_NS + 9, NULL);
	assert_true(engine_horizon(host) == START_NS + 5);
	send(&run, "qemu:migrate_set_state", 1, "failed", START_NS + 12, NULL);
	assert_true(engine_horizon(host) == START_NS + 9);
	send(&run, "qemu:migrate_set_state", 2, "failed", START_NS + 13, NULL);
	assert_int_equal(engine_horizon(host), 0);
	assert_string_equal(engine_host_name(host), "compute-01");
	stop(&run);
}

/* What two sessions trace counts once, what one says twice counts twice. */
static void
test_twice(void **state)
{
	struct ctf_trace *traces[] = { ctf_trace_new("a", NULL), ctf_trace_new("b", NULL) };
	struct ctf_stream *streams[] = { ctf_stream_new(traces[0], "a/0"),
					 ctf_stream_new(traces[0], "a/1"),
					 ctf_stream_new(traces[1], "b/0") };
	static const struct { unsigned stream, pid, apart_ns; const char *state; bool left_out; } events[] = {
		{ 0, 1, 0, "setup", false }, { 2, 1, 300, "setup", true },
		/* Another's, or another time. */
		{ 2, 2, 100, "setup", false }, { 2, 1, 2 * NS_PER_MS, "setup", false },
		/* Both sessions have both. */
		{ 0, 3, 2 * NS_PER_MS, "setup", false }, { 1, 3, 100, "setup", false },
		{ 2, 3, 100, "setup", true }, { 2, 3, 100, "setup", true },
		{ 2, 3, 100, "setup", false }, { 1, 3, 100, "setup", true },
		{ 0, 3, 100, "failed", false },
	};
	struct run run = { .few = true };
	uint64_t t_ns = START_NS, left_out = 0;

	start(&run, 0);
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		t_ns += events[i].apart_ns;
		left_out += events[i].left_out;
		send(&run, "qemu:migrate_set_state", events[i].pid, events[i].state, t_ns,
		     streams[events[i].stream]);
		assert_int_equal(engine_counters(run.engine)->twice, left_out);
	}
	stop(&run);
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		ctf_stream_free(streams[i]);
	for (size_t i = 0; i < ARRAY_SIZE(traces); i++)
		ctf_trace_free(traces[i]);
}

/* Traces of one process each need no vpid context: their environment has it. */
static void
test_per_pid(void **state)
{
	static const char metadata[] = "/* CTF 1.8 */\n"
		"trace { major = 1; minor = 8; byte_order = le; };\n"
		"env { hostname = \"compute-01\"; vpid = 4711; };\n";
	struct ctf_trace *trace = ctf_trace_new("per-pid", NULL);
	struct ctf_stream *stream;
	struct run run = { .few = true };
	struct error error = { 0 };
	const char *key;
	void *at;

	assert_int_equal(ctf_trace_add_metadata(trace, metadata, sizeof metadata - 1, &error), 0);
	stream = ctf_stream_new(trace, "a");
	start(&run, 0);
	send(&run, "qemu:migrate_set_state", 0, "setup", START_NS, stream);
	at = json_object_iter(run.facts);
	assert_non_null(at);
	key = json_string_value(json_object_get(json_object_iter_value(at), "key"));
	assert_string_equal(key, "4711");
	send(&run, "qemu:migrate_set_state", 0, "setup", START_NS, NULL);
	assert_int_equal(engine_counters(run.engine)->incomplete, 1);
	stop(&run);
	ctf_stream_free(stream);
	ctf_trace_free(trace);
}

/* -- Tables -------------------------------------------------------------- */

static void
test_tables(void **state)
{
	assert_int_equal(engine_check_tables(analyzers, stderr), 0);
}

static void
test_bad_tables(void **state)
{
	enum { A = FLOW_IDLE, B, C, END };
	static const struct state states[] = {
		[A] = { .name = "a" }, [B] = { .name = "b", .span = "span" }, [C] = { .name = "c" },
		[END] = { .name = "end", .final = true },
	};
	static const struct rule rules[] = {
		{ .on = "x:opens", .in = IN(A), .to = B },            /* Without 'begins'. */
		{ .on = "x:twice", .in = IN(B), .to = END },
		{ .on = "x:twice", .in = IN(B), .to = STAY },
		{ .on = "x:far", .in = IN(A), .to = 17 },
		{ .on = "x:value", .is = "y", .in = IN(A), .to = STAY }, /* Without selector. */
		{ .on = "x:over", .in = IN(END), .to = STAY },
		{ 0 }                                                 /* C is never reached. */
	};
	static const struct analyzer bad = {
		.name = "bad", .key = "vpid", .flow_size = sizeof(struct flow), .states = states,
		.n_states = ARRAY_SIZE(states), .gone = END, .rules = rules,
	};
	const struct analyzer *const table[] = { &bad, NULL };
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	assert_true(engine_check_tables(table, file) >= 6);
	fclose(file);
	assert_non_null(strstr(text, "x:opens a: it opens a span"));
	assert_non_null(strstr(text, "x:twice: a second rule"));
	assert_non_null(strstr(text, "x:far: its target"));
	assert_non_null(strstr(text, "x:value y: a value without"));
	assert_non_null(strstr(text, "x:over: it is in a final"));
	assert_non_null(strstr(text, "c: the state is never reached"));
	free(text);
}

static char *
print_events(const char *role, int expected)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	struct error error = { 0 };

	assert_int_equal(engine_print_events(analyzers, role, file, &error), expected);
	fclose(file);
	assert_int_equal(error.code, -expected);
	return text;
}

static void
test_print_events(void **state)
{
	char *text = print_events("compute", 0);

	assert_non_null(strstr(text, "ust qemu:migrate_set_state\n"));
	assert_non_null(strstr(text, "ust qemu:migrate_pending_exact\n"));
	assert_non_null(strstr(text, "ust cloudtrace_node:qemu_process\n"));
	assert_null(strstr(text, "migration_transferred_bytes"));
	/* Once each. */
	assert_null(strstr(strstr(text, "runstate_set") + 1, "runstate_set"));
	/* Derived events are not in a trace: what they are made of is asked for. */
	assert_null(strstr(text, "nova:"));
	free(text);
	text = print_events("storage", 0);
	assert_non_null(strstr(text, "ust cloudtrace_node:service_process\nust cloudtrace_node:host\n"));
	assert_non_null(strstr(text, "ust lttng_python:event\n"));
	assert_null(strstr(text, "qemu:"));
	assert_null(strstr(strstr(text, "lttng_python") + 1, "lttng_python"));
	free(text);
	free(print_events("toaster", -EINVAL));
}

static void
test_print_graph(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	assert_int_equal(engine_print_graph(analyzers, "qemu", file), 0);
	assert_int_equal(engine_print_graph(analyzers, "nobody", file), -ENOENT);
	fclose(file);
	assert_non_null(strstr(text, "\"setup\" -> \"precopy\""));
	free(text);
}

static void
test_fact_id(void **state)
{
	struct fact a = { .host = "h", .kind = "k", .key = "1", .start_ns = 1 }, b = a;
	char x[FACT_ID_SIZE], y[FACT_ID_SIZE];

	fact_id(&a, x);
	fact_id(&b, y);
	assert_string_equal(x, y);
	assert_int_equal(strlen(x), 16);
	b.type = FACT_RETRACT;
	fact_id(&b, y);
	assert_string_equal(x, y);
	b = a;
	b.start_ns = 2;
	fact_id(&b, y);
	assert_string_not_equal(x, y);
	b = a;
	b.host = "hk";
	b.kind = "";
	fact_id(&b, y);
	assert_string_not_equal(x, y);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables), cmocka_unit_test(test_bad_tables),
		cmocka_unit_test(test_print_events), cmocka_unit_test(test_print_graph),
		cmocka_unit_test(test_fact_id), cmocka_unit_test(test_cap),
		cmocka_unit_test(test_ended_make_room),
		cmocka_unit_test(test_horizon), cmocka_unit_test(test_per_pid), cmocka_unit_test(test_twice),
		cmocka_unit_test(test_same_facts), cmocka_unit_test(test_bad_blobs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
