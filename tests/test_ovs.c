/* SPDX-License-Identifier: MIT
 *
 * test_ovs.c -- the Open vSwitch analyzer on made-up events: what becomes of
 * packets, limits under a storm, the same windows whatever the watermarks and
 * restarts; and windows as bytes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "tests/ovs_fixture.h"

static void
finish(struct ovs_run *run, const struct ovs_made *made)
{
	engine_host_end(ovs_run_host(run), made->t_ns);
}

static uint64_t
counter(const struct ovs_run *run, enum ovs_counter which)
{
	return run->sum.counters[which];
}

static uint64_t
drops(const struct ovs_run *run, enum ovs_place place, uint32_t reason)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < run->sum.drops.n; i++) {
		const struct ovs_drop *drop = keyed_at(&run->sum.drops, i);

		count += drop->key.place == place && drop->key.reason == reason ? drop->count : 0;
	}
	return count;
}

static uint64_t
lost(const struct ovs_run *run)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < run->sum.conversations.n; i++)
		count += ((struct ovs_conversation *) keyed_at(&run->sum.conversations, i))->lost;
	return count;
}

/* -- Packets -------------------------------------------------------------------- */

static void
fast_and_slow(void **state)
{
	struct ovs_made made = { .tag = 1, .skb = 0xf001, .flow = 1, .in = 3, .out = 4,
				 .t_ns = OVS_START_NS };
	struct ovs_run run;

	ovs_run_start(&run);
	ovs_made_receive(&run, &made);
	ovs_made_lookup(&run, &made, false);
	ovs_made_upcall(&run, &made, 0);
	made.t_ns += NS_PER_MS;
	ovs_made_execute(&run, &made, 900);
	made.skb = 0xf002;
	ovs_made_actions(&run, &made, true, 0);
	made.tag = 2;
	ovs_made_receive(&run, &made);
	ovs_made_lookup(&run, &made, true);
	ovs_made_actions(&run, &made, true, 0);
	finish(&run, &made);
	assert_int_equal(counter(&run, OVS_PACKETS), 2);
	assert_int_equal(counter(&run, OVS_MISSES), 1);
	assert_int_equal(counter(&run, OVS_UPCALLS_ANSWERED), 1);
	assert_int_equal(counter(&run, OVS_FLOWS_ADDED), 1);
	assert_int_equal(counter(&run, OVS_DROPPED), 0);
	assert_int_equal(run.sum.components[OVS_SLOW].count, 1);
	/* 10 steps of 1 us and the wait between receive and send. */
	assert_int_equal(run.sum.components[OVS_SLOW].sum, 10000 + NS_PER_MS);
	assert_int_equal(run.sum.components[OVS_UPCALL].sum, 4000 + NS_PER_MS);
	assert_int_equal(run.sum.components[OVS_FAST].sum, 5000);
	assert_int_equal(run.sum.components[OVS_REINJECT].sum, 3000);
	assert_int_equal(run.sum.paths.n, 2);
	assert_int_equal(run.facts[FACT_SPAN], 2);
	assert_int_equal(run.facts[FACT_ENTITY], 1);
	assert_non_null(strstr(run.text.data, "\"pid\":400"));
	ovs_run_stop(&run);
}

static void
every_way_to_be_lost(void **state)
{
	struct ovs_made made = { .flow = 1, .in = 3, .out = 4, .t_ns = OVS_START_NS };
	struct ovs_run run;

	ovs_run_start(&run);
	/* The socket is full; nobody answers; the rule drops; the action fails; the port
	 * does not take it. */
	for (made.tag = 1; made.tag <= 5; made.tag++) {
		made.skb = 0xf000 + made.tag;
		made.out = made.tag == 3 ? OVS_NO_PORT : 4;
		ovs_made_receive(&run, &made);
		ovs_made_lookup(&run, &made, made.tag > 2);
		if (made.tag <= 2)
			ovs_made_upcall(&run, &made, made.tag == 1 ? -ENOBUFS : 0);
		else
			ovs_made_actions(&run, &made, false, made.tag == 4 ? -EINVAL : 0);
	}
	for (unsigned i = 0; i < 13; i++) {
		made.t_ns += NS_PER_S;
		made.tag++;
		made.out = 4;
		ovs_made_receive(&run, &made);
		ovs_made_lookup(&run, &made, true);
		ovs_made_actions(&run, &made, true, 0);
	}
	finish(&run, &made);
	assert_int_equal(drops(&run, OVS_AT_UPCALL, ENOBUFS), 1);
	assert_int_equal(drops(&run, OVS_AT_VSWITCHD, 0), 1);
	assert_int_equal(drops(&run, OVS_AT_ACTIONS, EINVAL), 1);
	assert_int_equal(drops(&run, OVS_AT_OUTPUT, 0), 1);
	assert_int_equal(drops(&run, OVS_AT_ACTIONS, 0), 1);
	/* Each once, and as lost in its conversation. */
	assert_int_equal(counter(&run, OVS_DROPPED), 5);
	assert_int_equal(lost(&run), 5);
	assert_int_equal(counter(&run, OVS_UPCALLS_REFUSED), 1);
	assert_int_equal(counter(&run, OVS_UPCALLS_UNANSWERED), 1);
	assert_int_equal(counter(&run, OVS_EVICTED_PACKETS), 0);
	ovs_run_stop(&run);
}

static void
loss_proves_nothing(void **state)
{
	struct ovs_made made = { .tag = 1, .skb = 0xf001, .flow = 1, .in = 3, .out = 4,
				 .t_ns = OVS_START_NS };
	const struct ctf_loss loss = { .events = 9, .cpu = 0, .kernel = true };
	struct ovs_run run;

	ovs_run_start(&run);
	ovs_made_receive(&run, &made);
	ovs_made_lookup(&run, &made, true);
	engine_loss(ovs_run_host(&run), &loss);
	made.t_ns += 5 * NS_PER_S;
	made.tag = 2;
	ovs_made_receive(&run, &made);
	ovs_made_lookup(&run, &made, true);
	ovs_made_actions(&run, &made, true, 0);
	finish(&run, &made);
	assert_int_equal(counter(&run, OVS_DROPPED), 0);
	assert_int_equal(counter(&run, OVS_LOST_EVENTS), 9);
	ovs_run_stop(&run);
}

static void
bridges_and_identities(void **state)
{
	struct ovs_made made = { .tag = 1, .skb = 0xf001, .flow = 1, .in = 3, .out = 4,
				 .t_ns = OVS_START_NS };
	struct ovs_run run;

	ovs_run_start(&run);
	ovs_made_receive(&run, &made);
	ovs_made_actions(&run, &made, true, 0);
	made.in = 5;
	made.out = 6;
	ovs_made_receive(&run, &made);
	ovs_made_actions(&run, &made, true, 0);
	made.flow = 2;     /* Another packet with the same tag. */
	ovs_made_receive(&run, &made);
	ovs_made_actions(&run, &made, true, 0);
	finish(&run, &made);
	assert_int_equal(counter(&run, OVS_PACKETS), 2);
	assert_int_equal(counter(&run, OVS_ACROSS), 1);
	assert_int_equal(counter(&run, OVS_TWO_IDENTITIES), 1);
	assert_int_equal(run.sum.components[OVS_JOURNEY].count, 1);
	/* 5 events on the first bridge, 3 up to the send of the second. */
	assert_int_equal(run.sum.components[OVS_JOURNEY].sum, 8000);
	ovs_run_stop(&run);
}

/* A number that is given again is another port. */
static void
ports_made_again(void **state)
{
	struct ovs_made made = { .tag = 1, .skb = 0xf001, .flow = 1, .in = 3, .out = 4,
				 .t_ns = OVS_START_NS };
	struct ovs_run run;

	ovs_run_start(&run);
	for (made.round = 0; made.round < 2; made.round++, made.tag++) {
		ovs_made_receive(&run, &made);
		ovs_made_actions(&run, &made, true, 0);
	}
	finish(&run, &made);
	assert_int_equal(run.sum.ports.n, 4);
	for (uint32_t i = 0; i < 4; i++) {
		const struct ovs_port *port = keyed_at(&run.sum.ports, i);

		assert_int_equal(port->received + port->sent, 1);
		assert_true(OVS_PORT_NUMBER(port->port) == 3 || OVS_PORT_NUMBER(port->port) == 4);
	}
	assert_int_equal(counter(&run, OVS_DROPPED), 0);
	ovs_run_stop(&run);
}

/* A slow packet is kept with all steps of its crossing; those that have no place count. */
static void
steps_are_whole(void **state)
{
	struct ovs_made made = { .tag = 1, .skb = 0xf001, .flow = 1, .in = 3, .out = 4,
				 .t_ns = OVS_START_NS };
	struct ovs_run run;

	ovs_run_start(&run);
	for (unsigned i = 0; i < 12; i++) {
		ovs_made_receive(&run, &made);
		ovs_made_actions(&run, &made, true, 0);
	}
	for (unsigned i = 0; i < 12; i++)
		ovs_made_actions(&run, &made, true, 0);
	finish(&run, &made);
	/* Of 12 crossings the last one is the slowest: 53 steps, of which 24 are kept. */
	assert_non_null(strstr(run.text.data, "\"hop\":12"));
	assert_non_null(strstr(run.text.data, "\"more_steps\":29"));
	assert_null(strstr(run.text.data, "\"steps\":[]"));
	ovs_run_stop(&run);
}

static void
command(struct ovs_run *run, uint64_t t_ns, const char *op)
{
	struct ovs_value values[] = {
		{ "phase", 0, NULL, 0 }, { "op", 0, op, 0 }, { "name", 0, "tap9", 0 },
		{ "tid", 7, NULL, 0 }, { "procname", 0, "ovs-vswitchd", 0 }, { NULL, 0, NULL, 0 }
	};

	ovs_run_event(run, "ovs_genl_cmd", t_ns, 0, values);
	values[0].number = 1;
	ovs_run_event(run, "ovs_genl_cmd", t_ns + 1000, 0, values);
}

static void
every_command(void **state)
{
	static const char *const ops[] = { "ovs_vport_cmd_new", "ovs_vport_cmd_set",
					   "ovs_vport_cmd_del", "ovs_dp_cmd_new", "ovs_dp_cmd_set",
					   "ovs_dp_cmd_del", "ovs_flow_cmd_set" };
	struct ovs_run run;

	ovs_run_start(&run);
	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
		command(&run, OVS_START_NS + i * NS_PER_MS, ops[i]);
	engine_host_end(ovs_run_host(&run), OVS_START_NS + NS_PER_S);
	assert_int_equal(run.sum.commands.n, ARRAY_SIZE(ops));
	/* Commands on flows are counted only. */
	assert_int_equal(run.facts[FACT_MARK], ARRAY_SIZE(ops) - 1);
	assert_non_null(strstr(run.text.data, "dp.del/7"));
	ovs_run_stop(&run);
}

static void
kprobe(struct ovs_run *run, const char *name, uint64_t tid, uint64_t t_ns)
{
	const struct ovs_value values[] = { { "tid", tid, NULL, 0 }, { "procname", 0, "x", 0 },
					    { NULL, 0, NULL, 0 } };

	ovs_run_event(run, name, t_ns, 0, values);
}

/* A packet that misses at t_ns, and what thread 7 does for it 1 and 1.1 ms later. */
static void
kprobes_miss(struct ovs_run *run, uint64_t t_ns, bool put, bool give_back)
{
	kprobe(run, "kp_ovs_vport_receive", 1, t_ns);
	kprobe(run, "kp_ovs_flow_tbl_lookup_stats", 1, t_ns + 1000);
	kprobe(run, "kp_ovs_dp_upcall", 1, t_ns + 2000);
	if (put)
		kprobe(run, "kp_ovs_flow_tbl_insert", 7, t_ns + NS_PER_MS);
	if (!give_back)
		return;
	kprobe(run, "kp_ovs_packet_cmd_execute", 7, t_ns + NS_PER_MS + 100000);
	kprobe(run, "kp_ovs_execute_actions", 7, t_ns + NS_PER_MS + 110000);
	kprobe(run, "kp_ovs_vport_send", 7, t_ns + NS_PER_MS + 120000);
}

/* A flow that drops answers an upcall without giving its packet back: the packets behind it
 * keep their own answers. */
static void
kprobes_flows_that_drop(void **state)
{
	struct ovs_run run;
	uint64_t t_ns = OVS_START_NS;

	ovs_run_start(&run);
	kprobes_miss(&run, t_ns, true, true);
	kprobes_miss(&run, t_ns += NS_PER_S, true, false);
	kprobes_miss(&run, t_ns += NS_PER_S, true, true);
	kprobes_miss(&run, t_ns += NS_PER_S, true, false);
	kprobes_miss(&run, t_ns += NS_PER_S, false, true);
	engine_host_end(ovs_run_host(&run), t_ns + NS_PER_S);
	assert_int_equal(run.sum.counters[OVS_UPCALLS_ANSWERED], 3);
	assert_int_equal(run.sum.components[OVS_UPCALL].count, 3);
	assert_in_range(run.sum.components[OVS_UPCALL].max, NS_PER_MS, 2 * NS_PER_MS);
	ovs_run_stop(&run);
}

static void
kprobes_know_no_packets(void **state)
{
	struct ovs_window window;
	json_t *json;

	ovs_window_init(&window);
	window.counters[OVS_SOURCES] = OVS_BY_KPROBES;
	window.counters[OVS_RECEIVED] = 3;
	ovs_window_path(&window, OVS_NO_PORT, OVS_NO_PORT, false)->packets = 3;
	json = ovs_window_json(&window);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "counters"),
							    "received")), 3);
	assert_true(json_is_null(json_object_get(json_object_get(json, "counters"), "sent_bytes")));
	assert_true(json_is_null(json_object_get(json_object_get(json, "counters"), "dropped")));
	assert_true(json_is_null(json_object_get(json_array_get(json_object_get(json, "paths"), 0),
						 "bytes")));
	json_decref(json);
	ovs_window_done(&window);
}

/* -- A storm ----------------------------------------------------------------------- */

enum { STORM = 1000000 };

static void
a_million_new_flows(void **state)
{
	struct ovs_made made = { .in = 3, .out = 4, .t_ns = OVS_START_NS };
	struct ovs_run run;
	size_t most = 0;

	ovs_run_start(&run);
	run.quiet = true;
	for (made.flow = 1; made.flow <= STORM; made.flow++) {
		const uint64_t t_ns = made.t_ns;

		made.tag = made.flow;
		made.skb = 0xf000000 + made.flow;
		ovs_made_receive(&run, &made);
		ovs_made_lookup(&run, &made, false);
		ovs_made_upcall(&run, &made, 0);
		made.t_ns = t_ns + 10000;   /* 100 000 new flows a second. */
		if (made.flow % 10000 == 0)
			most = MAX(most, engine_native_bytes(run.engine));
	}
	finish(&run, &made);
	assert_int_equal(counter(&run, OVS_PACKETS), STORM);
	assert_int_equal(counter(&run, OVS_UPCALLS), STORM);
	assert_true(most < 16u << 20);
	/* What was left out is told. */
	assert_int_equal(counter(&run, OVS_EVICTED_PACKETS), STORM - 8192);
	assert_true(counter(&run, OVS_EVICTED_ADDRESSES) > STORM * 9 / 10);
	assert_true(run.facts[FACT_ENTITY] < 100000);
	assert_true(run.facts[FACT_WINDOW] <= 12);
	assert_true(run.blob_bytes < 1u << 20);
	assert_true(run.facts[FACT_SPAN] >= 2);
	ovs_run_stop(&run);
}

/* -- The same windows, whatever happens ------------------------------------------------ */

static unsigned
below(unsigned n)
{
	return (unsigned) rand() % n;
}

static uint64_t
begin(struct ovs_run *run, unsigned seed, unsigned watermark_every, unsigned restart_every)
{
	struct ovs_made made = { .t_ns = OVS_START_NS }, waiting[8];
	unsigned n_waiting = 0;

	srand(seed);
	ovs_run_start(run);
	for (unsigned i = 1; i <= 2000; i++) {
		const bool hit = below(4) != 0;

		made.t_ns += below(50) ? below(2000000) : below(4) * NS_PER_S;
		made.cpu = (int) below(2);
		if (n_waiting && below(2)) {
			struct ovs_made *answered = &waiting[--n_waiting];
			const struct ovs_value read[] = { { "tid", 900, NULL, 0 }, { "fd", 7, NULL, 0 },
							  { "ret", 300, NULL, 0 },
							  { NULL, 0, NULL, 0 } };

			answered->t_ns = made.t_ns;
			ovs_run_event(run, "syscall_entry_recvmsg", made.t_ns, made.cpu, read);
			ovs_run_event(run, "syscall_exit_recvmsg", made.t_ns, made.cpu, read);
			ovs_made_execute(run, answered, 900);
			ovs_made_actions(run, answered, true, 0);
			made.t_ns = answered->t_ns;
		}
		made.tag = below(10) ? i : 0;
		made.skb = 0xf000 + below(64);
		made.flow = below(40);
		made.in = below(60) ? made.flow % 4 + 1 : 9;
		made.out = below(5) + 10;
		ovs_made_receive(run, &made);
		ovs_made_lookup(run, &made, hit);
		if (hit)
			ovs_made_actions(run, &made, below(20) != 0, 0);
		else
			ovs_made_upcall(run, &made, below(10) ? 0 : -ENOBUFS);
		if (!hit && made.tag && n_waiting < ARRAY_SIZE(waiting))
			waiting[n_waiting++] = made;
		if (watermark_every && i % watermark_every == 0)
			engine_watermark(ovs_run_host(run), made.t_ns);
		if (restart_every && i % restart_every == 0)
			ovs_run_restart(run);
	}
	return made.t_ns;
}

static void
play(struct ovs_run *run, unsigned seed, unsigned watermark_every, unsigned restart_every)
{
	const struct ovs_made made = { .t_ns = begin(run, seed, watermark_every, restart_every) };

	finish(run, &made);
}

static void
same_windows(void **state)
{
	for (unsigned seed = 1; seed <= 5; seed++) {
		struct ovs_run plain, marked, restarted;

		play(&plain, seed, 0, 0);
		play(&marked, seed, 1, 0);
		play(&restarted, seed, 3, 11);
		assert_true(plain.text.size > 10000);
		assert_true(counter(&plain, OVS_READS) > 50);
		assert_string_equal(plain.text.data, marked.text.data);
		assert_string_equal(plain.text.data, restarted.text.data);
		ovs_run_stop(&plain);
		ovs_run_stop(&marked);
		ovs_run_stop(&restarted);
	}
}

/* Whatever a checkpoint holds, the analyzer refuses it or goes on. */
static void
hostile_checkpoints(void **state)
{
	struct ovs_run run;
	struct ovs_made made = { .tag = 1, .skb = 0xf001, .flow = 1, .in = 3, .out = 4 };
	unsigned refused = 0;

	for (unsigned seed = 1; seed <= 40; seed++) {
		begin(&run, seed % 3 + 1, 0, 0);
		srand(seed);
		ovs_run_restart(&run);
		for (uint32_t i = 0; i < run.blobs.n; i++) {
			struct ovs_blob *blob = keyed_at(&run.blobs, i);

			/* The first 8 bytes say which version it is of. */
			for (unsigned k = 0; blob->bytes && blob->size > 8 && k < 4; k++)
				blob->bytes[8 + below((unsigned) blob->size - 8)] = (char) below(256);
			if (blob->bytes)
				refused += engine_restore(run.engine, "compute-02", "ovs", blob->key,
							  blob->bytes, blob->size) != 0;
		}
		made.t_ns = OVS_START_NS + 4000 * NS_PER_S;
		ovs_made_receive(&run, &made);
		ovs_made_upcall(&run, &made, 0);
		engine_host_end(engine_host(run.engine, "compute-02"), made.t_ns);
		finish(&run, &made);
		ovs_run_stop(&run);
	}
	assert_true(refused > 0);
}

/* -- Windows as bytes ------------------------------------------------------------------- */

static void
windows_add_up(void **state)
{
	struct ovs_window a, b, both;
	struct buf bytes = { 0 }, again = { 0 };
	struct ovs_run run;

	play(&run, 1, 0, 0);
	ovs_window_init(&a);
	ovs_window_init(&b);
	ovs_window_init(&both);
	ovs_window_write(&run.sum, &bytes);
	assert_int_equal(ovs_window_read(&a, bytes.data, bytes.size), 0);
	ovs_window_write(&a, &again);
	assert_int_equal(bytes.size, again.size);
	assert_memory_equal(bytes.data, again.data, bytes.size);
	ovs_window_merge(&both, &a);
	ovs_window_merge(&both, &a);
	assert_int_equal(both.counters[OVS_RECEIVED], 2 * a.counters[OVS_RECEIVED]);
	assert_int_equal(both.components[OVS_FAST].count, 2 * a.components[OVS_FAST].count);
	assert_int_equal(both.counters[OVS_WAITING_MAX], a.counters[OVS_WAITING_MAX]);
	assert_int_equal(both.paths.n, a.paths.n);
	for (size_t n = 0; n < bytes.size; n += 1 + n / 50) {
		assert_int_equal(ovs_window_read(&b, bytes.data, n), -EINVAL);
		assert_true(ovs_window_empty(&b));
	}
	srand(1);
	for (unsigned i = 0; i < 3000; i++) {
		const size_t at = below((unsigned) bytes.size);
		const char before = bytes.data[at];
		json_t *json;

		bytes.data[at] = (char) below(256);
		if (!ovs_window_read(&b, bytes.data, bytes.size)) {
			json = ovs_window_json(&b);
			assert_non_null(json);
			json_decref(json);
		}
		bytes.data[at] = before;
	}
	ovs_window_done(&a);
	ovs_window_done(&b);
	ovs_window_done(&both);
	buf_done(&bytes);
	buf_done(&again);
	ovs_run_stop(&run);
}

static void
top_conversations_stay(void **state)
{
	struct ovs_window window;

	ovs_window_init(&window);
	for (uint32_t i = 0; i < 1000; i++) {
		struct ovs_conversation key, *c;

		memset(&key, 0, sizeof key);
		key.key.saddr = i + 1;
		c = keyed_get(&window.conversations, &key.key, NULL);
		c->bytes = i == 500 ? 1 : 1000 + i;
		c->packets = 1;
		if (i == 500)
			histogram_add(&c->latency, NS_PER_S);
		c->lost = i == 3;
	}
	ovs_window_trim(&window);
	assert_int_equal(window.conversations.n, OVS_TOP_CONVERSATIONS + 2);
	assert_int_equal(window.counters[OVS_EVICTED_CONVERSATIONS], 1000 - OVS_TOP_CONVERSATIONS - 2);
	ovs_window_done(&window);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fast_and_slow),
		cmocka_unit_test(every_way_to_be_lost),
		cmocka_unit_test(loss_proves_nothing),
		cmocka_unit_test(bridges_and_identities),
		cmocka_unit_test(ports_made_again),
		cmocka_unit_test(steps_are_whole),
		cmocka_unit_test(every_command),
		cmocka_unit_test(kprobes_flows_that_drop),
		cmocka_unit_test(kprobes_know_no_packets),
		cmocka_unit_test(a_million_new_flows),
		cmocka_unit_test(same_windows),
		cmocka_unit_test(hostile_checkpoints),
		cmocka_unit_test(windows_add_up),
		cmocka_unit_test(top_conversations_stay),
	};

	return cmocka_run_group_tests_name("ovs", tests, NULL, NULL);
}
