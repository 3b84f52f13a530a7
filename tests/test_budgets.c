/* SPDX-License-Identifier: MIT
 *
 * test_budgets.c -- where time went: of random trees everything adds up, of a small
 * trace the kernel's answer is the known one (daemon/flow_budget.h, kernel_budget.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/analyzer.h"
#include "analyzers/engine.h"
#include "daemon/flow_budget.h"
#include "daemon/kernel_budget.h"
#include "lib/util.h"
#include "tests/store_fixture.h"

#define VM "11111111-1111-1111-1111-111111111111"

static struct store *store;
static struct hub *hub;

/* -- Kernel events ---------------------------------------------------------------- */

static struct engine *engine;

static void
keep_window(void *context, const struct fact *fact)
{
	if (fact->type == FACT_WINDOW)
		assert_true(store_put_fact(store, fact, NULL) >= 0);
	json_decref(fact->attributes);
}

static void
set_value(struct ctf_value *value, const char *fields, const char *name)
{
	static char texts[16][32];
	static unsigned n_texts;
	char pattern[40];
	const char *at;

	snprintf(pattern, sizeof pattern, " %s=", name);
	at = strstr(fields, pattern);
	if (!at)
		return;
	at += strlen(pattern);
	*value = (struct ctf_value) { .type = CTF_UNSIGNED, .u = strtoull(at, NULL, 10) };
	if (*at >= '0' && *at <= '9')
		return;
	snprintf(texts[n_texts %= 16], sizeof texts[0], "%.*s", (int) strcspn(at, " "), at);
	*value = (struct ctf_value) { .type = CTF_STRING, .s = texts[n_texts],
				      .size = (uint32_t) strlen(texts[n_texts]) };
	n_texts++;
}

/* 'fields' is " NAME=VALUE..." */
static void
event(uint64_t t_ns, const char *name, const char *fields)
{
	const struct ctf_interest *interest = engine_interest(engine);
	const int wanted = ctf_interest_find(interest, name);
	struct ctf_value values[CTF_MAX_SLOTS] = { 0 };
	struct ctf_event one = { .values = values, .raw_ns = T0 + t_ns, .t_ns = T0 + t_ns };

	assert_true(wanted >= 0);
	one.wanted = (uint32_t) wanted;
	one.n_values = ctf_interest_n_fields(interest, one.wanted);
	for (unsigned i = 0; i < one.n_values; i++)
		set_value(&values[i], fields, ctf_interest_field_name(interest, one.wanted, i, NULL));
	engine_event(engine_host(engine, "ctl"), &one);
}

static void
switch_to(uint64_t t_ns, const char *prev, unsigned prev_tid, unsigned state, const char *next,
	  unsigned next_tid)
{
	char *fields = xasprintf(" cpu_id=0 prev_comm=%s prev_tid=%u prev_state=%u next_comm=%s"
				 " next_tid=%u", prev, prev_tid, state, next, next_tid);

	event(t_ns, "sched_switch", fields);
	free(fields);
}

static void
wake(uint64_t t_ns, const char *name, unsigned tid)
{
	char *fields = xasprintf(" cpu_id=0 comm=%s tid=%u target_cpu=0", name, tid);

	event(t_ns, "sched_waking", fields);
	event(t_ns, "sched_wakeup", fields);
	free(fields);
}

/* A service that runs, is put off the CPU by "stress", waits for the disk, then for the
 * network; from 1 s on. */
static void
trace_service(void)
{
	const struct fact_sink sink = { .fact = keep_window };

	engine = engine_new(analyzers, &engine_defaults, &sink);
	switch_to(MS(950), "swapper/0", 0, 0, "nova-api", 500);
	switch_to(MS(1010), "nova-api", 500, 256, "stress", 900);
	switch_to(MS(1030), "stress", 900, 1, "nova-api", 500);
	switch_to(MS(1035), "nova-api", 500, 2, "swapper/0", 0);
	event(MS(1060), "irq_handler_entry", " cpu_id=0 irq=30 name=virtio1");
	event(MS(1060), "block_rq_complete", " cpu_id=0 dev=266338320 sector=8 nr_sector=8 error=0"
	      " rwbs=4");
	wake(MS(1060), "nova-api", 500);
	event(MS(1060), "irq_handler_exit", " cpu_id=0 irq=30 ret=1");
	switch_to(MS(1061), "swapper/0", 0, 0, "nova-api", 500);
	switch_to(MS(1065), "nova-api", 500, 1, "swapper/0", 0);
	event(MS(1080), "irq_softirq_entry", " cpu_id=0 vec=3");
	wake(MS(1080), "nova-api", 500);
	event(MS(1080), "irq_softirq_exit", " cpu_id=0 vec=3");
	switch_to(MS(1080), "swapper/0", 0, 0, "nova-api", 500);
	switch_to(MS(1150), "nova-api", 500, 1, "swapper/0", 0);
	/* Told of two windows later than the span. */
	event(MS(1350), "irq_softirq_entry", " cpu_id=0 vec=1");
	wake(MS(1350), "nova-api", 500);
	event(MS(1350), "irq_softirq_exit", " cpu_id=0 vec=1");
	switch_to(MS(1350), "swapper/0", 0, 0, "nova-api", 500);
	engine_host_end(engine_host(engine, "ctl"), T0 + MS(1500));
	engine_free(engine);
}

/* -- Looking ---------------------------------------------------------------------- */

static uint64_t
part_of(const json_t *budget, const char *what, const char *by)
{
	uint64_t ns = 0;
	json_t *part;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) budget, i, part)
		if (streq(member(part, "what"), what) &&
		    (!by || (member(part, "by") && streq(member(part, "by"), by))))
			ns += (uint64_t) number(part, "ns");
	return ns;
}

static double
percents(const json_t *budget)
{
	double sum = 0;
	json_t *part;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) budget, i, part)
		sum += json_number_value(json_object_get(part, "percent"));
	return sum;
}

/* 'attributes' is JSON with ' for ". */
static void
tell(const char *host, const char *kind, const char *key, uint64_t start, uint64_t end,
     const char *attributes)
{
	struct fact fact = { .type = FACT_SPAN, .host = host, .kind = kind, .start_ns = T0 + start,
			     .end_ns = T0 + end, .status = "ok" };
	char *text = strdup(attributes);

	snprintf(fact.key, sizeof fact.key, "%s", key);
	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	fact.attributes = json_loads(text, 0, NULL);
	assert_non_null(fact.attributes);
	give_all(store, hub, &fact, 1);
	json_decref(fact.attributes);
	free(text);
}

static json_t *
span_named(const json_t *flow, const char *name)
{
	json_t *span;
	size_t i;

	json_array_foreach(json_object_get(flow, "spans"), i, span)
		if (strstr(member(span, "name"), name))
			return span;
	fail_msg("no span %s", name);
	return NULL;
}

/* -- Tests ------------------------------------------------------------------------ */

static void
test_known_answer(void **state)
{
	json_t *budget;

	trace_service();
	budget = kernel_span_budget(store, "ctl", 500, 0, T0 + MS(1000), T0 + MS(1100));
	assert_int_equal(budget_total(budget), MS(100));
	assert_int_equal(part_of(budget, "cpu", NULL), MS(39));
	assert_int_equal(part_of(budget, "waiting-cpu", "stress"), MS(20));
	assert_int_equal(part_of(budget, "waiting-cpu", NULL), MS(21));
	assert_int_equal(part_of(budget, "disk", NULL), MS(25));
	assert_int_equal(part_of(budget, "network", NULL), MS(15));
	assert_true(percents(budget) > 99.9999 && percents(budget) < 100.0001);
	json_decref(budget);
	/* The thread alone is the same; what ended a sleep may be told later. */
	budget = kernel_span_budget(store, "ctl", 0, 500, T0 + MS(1140), T0 + MS(1200));
	assert_int_equal(part_of(budget, "cpu", NULL), MS(10));
	assert_int_equal(part_of(budget, "timer", NULL), MS(50));
	json_decref(budget);
	/* Nobody of that number: nothing is made up. */
	budget = kernel_span_budget(store, "ctl", 77, 0, T0 + MS(1000), T0 + MS(1100));
	assert_int_equal(part_of(budget, "unexplained", NULL), MS(100));
	json_decref(budget);
	assert_null(kernel_span_budget(store, "other", 500, 0, T0 + MS(1000), T0 + MS(1100)));
	assert_null(kernel_span_budget(store, "ctl", 500, 0, T0 + S(50), T0 + S(51)));
}

/* The request's span says what its process did, the flow's budget too; what another node did
 * whose kernel is not traced is said to be so. */
static void
test_request(void **state)
{
	json_t *flow, *root, *step, *part;
	size_t i;
	uint64_t on_path = 0;

	trace_service();
	tell("ctl", "api.request", "req-a", MS(1000), MS(1100), "{'service': 'nova-api', 'method':"
	     " 'POST', 'http_status': 202, 'request_id': 'req-a', 'path': '/v2.1/servers',"
	     " 'operation': 'server.create', 'pid': 500}");
	tell("c1", "nova.step", "instance.create/" VM, MS(1200), MS(2000), "{'name':"
	     " 'instance.create', 'service': 'nova-compute', 'request_id': 'req-a', 'rid_ok': true,"
	     " 'instance': '" VM "', 'pid': 600}");
	tell("c1", "nova.step", "spawn/" VM, MS(1300), MS(1900), "{'name': 'spawn', 'service':"
	     " 'nova-compute', 'request_id': 'req-a', 'rid_ok': true, 'instance': '" VM "',"
	     " 'pid': 600}");
	flow = store_flow_show(store, "req-a", NULL);
	assert_non_null(flow);
	root = json_array_get(json_object_get(flow, "spans"), 0);
	assert_int_equal(number(root, "self_ns"), MS(100));
	assert_int_equal(part_of(json_object_get(root, "budget"), "waiting-cpu", "stress"), MS(20));
	assert_int_equal(part_of(json_object_get(root, "budget"), "disk", NULL), MS(25));
	assert_true(json_is_true(json_object_get(root, "shared")));
	step = span_named(flow, "instance.create");
	assert_true(json_is_true(json_object_get(step, "critical")));
	assert_int_equal(part_of(json_object_get(step, "budget"), "children", NULL), MS(600));
	assert_int_equal(number(step, "self_ns"), MS(200));
	part = json_array_get(json_object_get(step, "budget"), 1);
	assert_string_equal(member(part, "why"), "the kernel of c1 was not traced");
	/* Between the answer and the step nobody tells of anything. */
	assert_int_equal(part_of(json_object_get(flow, "budget"), "unexplained", NULL), MS(100));
	assert_int_equal(part_of(json_object_get(flow, "budget"), "compute: spawn", NULL), MS(600));
	json_array_foreach(json_object_get(flow, "budget"), i, part)
		if (streq(member(part, "what"), "api"))
			on_path = part_of(json_object_get(part, "parts"), "disk", NULL);
	assert_int_equal(on_path, MS(25));
	assert_int_equal(budget_total(json_object_get(flow, "budget")), number(flow, "total_ns"));
	json_decref(flow);
}

/* A process of that number that can't be the service (a container's): no join. */
static void
test_other_process(void **state)
{
	json_t *flow, *root;

	trace_service();
	tell("ctl", "api.request", "req-a", MS(1000), MS(1020), "{'service': 'nova-api', 'method':"
	     " 'POST', 'http_status': 200, 'request_id': 'req-a', 'path': '/v2.1/servers',"
	     " 'operation': 'server.create', 'pid': 900}");
	flow = store_flow_show(store, "req-a", NULL);
	root = json_array_get(json_object_get(flow, "spans"), 0);
	assert_int_equal(part_of(json_object_get(root, "budget"), "unexplained", NULL), MS(20));
	json_decref(flow);
}

/* A node whose clock is 5 s ahead, as a message and its reply tell: its spans are moved by that,
 * and say how far off they may be. */
static void
test_other_clock(void **state)
{
	json_t *flow, *serve;
	int64_t offset_ns, end_ns;

	tell("ctl", "api.request", "req-a", MS(1000), MS(1100), "{'service': 'nova-api', 'method':"
	     " 'POST', 'http_status': 202, 'request_id': 'req-a', 'path': '/v2.1/servers',"
	     " 'operation': 'server.create', 'pid': 500}");
	tell("ctl", "rpc.call", "m1", MS(1050), MS(1090), "{'what': 'call', 'topic': 'compute.c1',"
	     " 'service': 'nova-api', 'request_id': 'req-a', 'rid_ok': true, 'pid': 500}");
	tell("c1", "rpc.served", "m1", S(5) + MS(1060), S(5) + MS(1080), "{'service': 'nova-compute',"
	     " 'request_id': 'req-a', 'method': 'build', 'pid': 600}");
	tell("c1", "nova.step", "instance.create/" VM, S(5) + MS(1200), S(5) + MS(2000), "{'name':"
	     " 'instance.create', 'service': 'nova-compute', 'request_id': 'req-a', 'rid_ok': true,"
	     " 'instance': '" VM "', 'pid': 600}");
	flow = store_flow_show(store, "req-a", NULL);
	serve = span_named(flow, "serve build");
	offset_ns = number(serve, "offset_ns");
	assert_true(llabs(offset_ns - (int64_t) S(5)) < (int64_t) MS(15));
	assert_true(number(serve, "error_ns") > 0 && number(serve, "error_ns") < (int64_t) MS(50));
	assert_int_equal(number(serve, "start_ns"), T0 + S(5) + MS(1060) - (uint64_t) offset_ns);
	assert_int_equal(number(serve, "took_ns"), MS(20));
	assert_int_equal(part_of(json_object_get(span_named(flow, "call compute"), "budget"),
				 "children", NULL), MS(20));
	end_ns = number(flow, "end_ns");
	assert_true(llabs(end_ns - (int64_t) (T0 + S(2))) < (int64_t) MS(15));
	assert_true(number(flow, "error_ns") > 0);
	assert_int_equal(number(flow, "total_ns"), end_ns - number(flow, "start_ns"));
	assert_int_equal(budget_total(json_object_get(flow, "budget")), number(flow, "total_ns"));
	json_decref(flow);
}

static json_t *
random_span(unsigned i, unsigned n)
{
	const unsigned start = (unsigned) rand() % 1000, length = (unsigned) rand() % 500;
	const bool serves = !(rand() % 3);
	char id[16], parent[16], name[16];

	snprintf(id, sizeof id, "%u", i);
	/* Some hang on nothing, on later ones, on themselves, in rings. */
	snprintf(parent, sizeof parent, "%u", (unsigned) rand() % (n + 1));
	snprintf(name, sizeof name, serves ? "serve x" : "step");
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:{s:s, s:s}}", "id", id, "parent", parent,
			 "host", rand() % 2 ? "a" : "b", "name", name, "what", rand() % 2 ? "x" : "y",
			 "start_ns", (json_int_t) (T0 + start), "end_ns", rand() % 10 ?
			 json_integer((json_int_t) (T0 + start + (serves ? 0 : length))) : json_null(),
			 "attributes", "what", rand() % 2 ? "call" : "", "topic", "t");
}

static void
check_tree(json_t *spans, uint64_t from_ns, uint64_t to_ns)
{
	json_t *whole = flow_budget(store, spans, from_ns, to_ns), *one;
	uint64_t at_ns = from_ns;
	size_t i;

	json_array_foreach(spans, i, one) {
		const json_t *budget = json_object_get(one, "budget");

		assert_int_equal(budget_total(budget), number(one, "took_ns"));
		assert_int_equal(part_of(budget, "children", NULL),
				 number(one, "took_ns") - number(one, "self_ns"));
		if (number(one, "took_ns"))
			assert_true(percents(budget) > 99.9999 && percents(budget) < 100.0001);
	}
	json_array_foreach(json_object_get(whole, "critical_path"), i, one) {
		assert_int_equal(number(one, "from_ns"), at_ns);
		at_ns = (uint64_t) number(one, "to_ns");
	}
	assert_int_equal(at_ns, to_ns);
	json_array_foreach(json_object_get(whole, "budget"), i, one)
		assert_int_equal(budget_total(json_object_get(one, "parts")), number(one, "ns"));
	assert_int_equal(budget_total(json_object_get(whole, "budget")), to_ns - from_ns);
	assert_true(percents(json_object_get(whole, "budget")) > 99.9999);
	json_decref(whole);
}

static void
test_random_trees(void **state)
{
	srand(7);
	for (unsigned round = 0; round < 500; round++) {
		const unsigned n = 1 + (unsigned) rand() % 40;
		json_t *spans = json_array();

		for (unsigned i = 0; i < n; i++)
			json_array_append_new(spans, random_span(i, n));
		check_tree(spans, T0 + (unsigned) rand() % 300, T0 + 300 + (unsigned) rand() % 1500);
		json_decref(spans);
	}
}

/* A chain deeper than any request's, and very many children: no recursion without an end. */
static void
test_deep_and_wide(void **state)
{
	enum { N = 3000 };
	json_t *deep = json_array(), *wide = json_array();

	for (unsigned i = 0; i < N; i++) {
		char id[16], parent[16];

		snprintf(id, sizeof id, "%u", i);
		snprintf(parent, sizeof parent, "%u", i - 1);
		json_array_append_new(deep, json_pack("{s:s, s:s, s:s, s:I, s:I}", "id", id, "parent",
						      parent, "name", "step", "start_ns",
						      (json_int_t) (T0 + i), "end_ns",
						      (json_int_t) (T0 + 3 * N - i)));
		json_array_append_new(wide, json_pack("{s:s, s:s, s:s, s:I, s:I}", "id", id, "parent",
						      "0", "name", "step", "start_ns",
						      (json_int_t) (T0 + 2 * i), "end_ns",
						      (json_int_t) (T0 + 2 * i + 1)));
	}
	check_tree(deep, T0, T0 + 3 * N);
	check_tree(wide, T0, T0 + 2 * N);
	json_decref(deep);
	json_decref(wide);
}

/* What was sent away is not waited for by who sent it, but by the end. */
static void
test_cast_is_not_waited_for(void **state)
{
	json_t *spans = json_pack(
		"[{s:s, s:n, s:s, s:s, s:I, s:I}, {s:s, s:s, s:s, s:s, s:I, s:I, s:{s:s, s:s}},"
		" {s:s, s:s, s:s, s:s, s:I, s:I}, {s:s, s:s, s:s, s:s, s:I, s:I}]",
		"id", "root", "parent", "name", "POST /", "what", "api", "start_ns", (json_int_t) T0,
		"end_ns", (json_int_t) (T0 + 100),
		"id", "cast", "parent", "root", "name", "cast c", "what", "rpc queue", "start_ns",
		(json_int_t) (T0 + 40), "end_ns", (json_int_t) (T0 + 40), "attributes", "what", "cast",
		"topic", "c",
		"id", "serve", "parent", "cast", "name", "serve c", "what", "compute", "start_ns",
		(json_int_t) (T0 + 50), "end_ns", (json_int_t) (T0 + 50),
		"id", "step", "parent", "serve", "name", "spawn", "what", "spawn", "start_ns",
		(json_int_t) (T0 + 60), "end_ns", (json_int_t) (T0 + 200));
	json_t *early, *late;

	/* A flow that ends with the answer waited for the answer alone... */
	early = flow_budget(store, spans, T0, T0 + 100);
	assert_int_equal(part_of(json_object_get(early, "budget"), "api", NULL), 100);
	json_decref(early);
	/* ... one that ends with the work, for that. */
	late = flow_budget(store, spans, T0, T0 + 200);
	assert_int_equal(part_of(json_object_get(late, "budget"), "api", NULL), 40);
	assert_int_equal(part_of(json_object_get(late, "budget"), "rpc queue", NULL), 10);
	assert_int_equal(part_of(json_object_get(late, "budget"), "compute", NULL), 10);
	assert_int_equal(part_of(json_object_get(late, "budget"), "spawn", NULL), 140);
	json_decref(late);
	json_decref(spans);
}

/* ---------------------------------------------------------------------------------- */

static int
begin(void **state)
{
	store = open_store(temporary("budgets.db"), STORE_WRITE);
	hub = hub_new(store, NULL);
	return 0;
}

static int
end(void **state)
{
	hub_free(hub);
	store_close(store);
	temporary_done();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_known_answer, begin, end),
		cmocka_unit_test_setup_teardown(test_request, begin, end),
		cmocka_unit_test_setup_teardown(test_other_process, begin, end),
		cmocka_unit_test_setup_teardown(test_other_clock, begin, end),
		cmocka_unit_test_setup_teardown(test_random_trees, begin, end),
		cmocka_unit_test_setup_teardown(test_deep_and_wide, begin, end),
		cmocka_unit_test_setup_teardown(test_cast_is_not_waited_for, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
