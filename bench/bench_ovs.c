/* SPDX-License-Identifier: MIT
 *
 * bench_ovs.c -- what an event of Open vSwitch costs the analyzer, on one core:
 * events that lie ready in memory, as the decoder gives them, again and again with
 * other packets.  Beside it the same with an analyzer that reads the same fields and
 * does nothing, as the ratio of two is worth more than nanoseconds of a machine that
 * does other things too. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analyzers/analyzer.h"
#include "lib/clock.h"
#include "lib/util.h"

extern const struct analyzer ovs_analyzer;

enum { MAX_EVENTS = 16, ROUNDS = 5 };

struct made {
	struct ctf_event event;
	struct ctf_value values[CTF_MAX_SLOTS];
	int tag, skb, saddr, mac;    /* Slots that differ from packet to packet; -1: none. */
};

struct bench {
	struct engine *engine;
	struct engine_host *host;
	struct made events[MAX_EVENTS];
	unsigned n;
	char mac[6], other_mac[6];
	uint64_t t_ns;
	uint32_t packet;
};

static void
drop_fact(void *context, const struct fact *fact)
{
	(void) context;
	json_decref(fact->attributes);
}

/* -- An analyzer that does nothing -------------------------------------------- */

static void
ignore(void *state, const struct step *step, unsigned event)
{
	/* What is read must not be left out by the compiler. */
	__asm__ volatile("" : : "r"(state), "r"(step->values), "r"(event) : "memory");
}

static struct native idle_native;
static struct analyzer idle_analyzer;

static void
make_idle(void)
{
	idle_native = (struct native) { .events = ovs_analyzer.native->events, .state_size = 8,
					.event = ignore };
	idle_analyzer = ovs_analyzer;
	idle_analyzer.name = "idle";
	idle_analyzer.native = &idle_native;
}

/* -- Events ---------------------------------------------------------------------- */

static struct ctf_value
value_of(struct bench *bench, const char *field)
{
	static const struct { const char *name; uint64_t number; } numbers[] = {
		{ "cpu_id", 1 }, { "tag_state", 1 }, { "ifindex", 8 }, { "len", 1400 },
		{ "eth_type", 0x800 }, { "daddr", 0x0a000001 }, { "l4_proto", 6 }, { "pid", 400 },
		{ "tid", 400 }, { "hit", 1 }, { "n_mask_hit", 1 }, { "n_cache_hit", 1 },
		{ "actions_len", 8 }, { "out_port", 4 }, { "port_no", 4 }, { "cmd", 1 },
		{ "portid", 77 }, { "pkt_hash", 5 },
	};

	if (streq(field, "ifname"))
		return (struct ctf_value) { .type = CTF_STRING, .s = "tap01234567-89", .size = 14 };
	if (streq(field, "procname"))
		return (struct ctf_value) { .type = CTF_STRING, .s = "vhost-400", .size = 9 };
	if (streq(field, "src_mac"))
		return (struct ctf_value) { .type = CTF_BYTES, .s = bench->mac, .size = 6 };
	if (streq(field, "dst_mac"))
		return (struct ctf_value) { .type = CTF_BYTES, .s = bench->other_mac, .size = 6 };
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (streq(numbers[i].name, field))
			return (struct ctf_value) { .type = CTF_UNSIGNED, .u = numbers[i].number };
	return (struct ctf_value) { .type = CTF_UNSIGNED };
}

static void
add_event(struct bench *bench, const char *name)
{
	const struct ctf_interest *interest = engine_interest(bench->engine);
	struct made *made = &bench->events[bench->n++];
	enum ctf_scope scope;

	*made = (struct made) { .tag = -1, .skb = -1, .saddr = -1 };
	made->event.wanted = (uint32_t) ctf_interest_find(interest, name);
	made->event.n_values = ctf_interest_n_fields(interest, made->event.wanted);
	made->event.values = made->values;
	for (unsigned i = 0; i < made->event.n_values; i++) {
		const char *field = ctf_interest_field_name(interest, made->event.wanted, i, &scope);

		made->values[i] = value_of(bench, field);
		if (streq(field, "tag"))
			made->tag = (int) i;
		else if (streq(field, "skbaddr"))
			made->skb = (int) i;
		else if (streq(field, "saddr"))
			made->saddr = (int) i;
	}
}

static void
one_packet(struct bench *bench, uint32_t flow)
{
	bench->packet++;
	memcpy(bench->mac + 2, &flow, 4);
	for (unsigned i = 0; i < bench->n; i++) {
		struct made *made = &bench->events[i];

		bench->t_ns += 300;
		made->event.t_ns = made->event.raw_ns = bench->t_ns;
		if (made->tag >= 0)
			made->values[made->tag].u = bench->packet;
		if (made->skb >= 0)
			made->values[made->skb].u = 0xffff888000000000u + bench->packet % 4096 * 256;
		if (made->saddr >= 0)
			made->values[made->saddr].u = 0x0a000000u | flow;
		engine_event(bench->host, &made->event);
	}
}

/* -- Measuring -------------------------------------------------------------------- */

static uint64_t
cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t) now.tv_sec * NS_PER_S + (uint64_t) now.tv_nsec;
}

static double
measure(const struct analyzer *analyzer, const char *const *names, uint32_t packets,
	uint32_t flows)
{
	const struct fact_sink sink = { .fact = drop_fact };
	const struct analyzer *const table[] = { analyzer, NULL };
	double best = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct bench bench = { .t_ns = UINT64_C(1795390000) * NS_PER_S,
				       .mac = { 2 }, .other_mac = { 2, 1 } };
		uint64_t took_ns;
		double each;

		bench.engine = engine_new(table, &engine_defaults, &sink);
		bench.host = engine_host(bench.engine, "compute-01");
		for (const char *const *name = names; *name; name++)
			add_event(&bench, *name);
		took_ns = cpu_ns();
		for (uint32_t i = 0; i < packets; i++)
			one_packet(&bench, i % flows);
		took_ns = cpu_ns() - took_ns;
		engine_host_end(bench.host, bench.t_ns);
		engine_free(bench.engine);
		each = (double) took_ns / packets / bench.n;
		best = round && best < each ? best : each;
	}
	return best;
}

int
main(int argc, char **argv)
{
	static const char *const fast[] = {
		"ovs_packet_receive", "ovs_flow_lookup_begin", "ovs_flow_lookup_end",
		"ovs_actions_begin", "ovs_action_output", "ovs_packet_send", "ovs_actions_end", NULL
	};
	static const char *const slow[] = {
		"ovs_packet_receive", "ovs_flow_lookup_begin", "ovs_flow_lookup_end",
		"ovs_upcall_begin", "ovs_upcall_end", NULL
	};
	static const struct {
		const char *what, *const *events;
		uint32_t flows;
	} cases[] = {
		{ "fast path, 100 addresses", fast, 100 },
		{ "fast path, 10000 addresses", fast, 10000 },
		{ "storm, each packet a new address", slow, UINT32_MAX },
	};
	const uint32_t packets = argc > 1 ? (uint32_t) strtoul(argv[1], NULL, 10) : 300000;

	make_idle();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const double idle = measure(&idle_analyzer, cases[i].events, packets,
					    cases[i].flows);
		const double full = measure(&ovs_analyzer, cases[i].events, packets,
					    cases[i].flows);

		printf("%s: %.0f ns/event, %.1f times reading its fields (%.0f ns)\n",
		       cases[i].what, full, full / idle, idle);
	}
	return 0;
}
