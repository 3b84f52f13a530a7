/* SPDX-License-Identifier: MIT
 *
 * why_kernel.c -- rules about migrations, from what the kernels traced (why.h).
 *
 * Contention for CPUs shows in two ways.  A thread of QEMU waits for a CPU; or it is blocked
 * on the network, as ksoftirqd, which has to send its packets, waits.  So whoever is
 * blocked on the network is followed to the ksoftirqd of its host before the network is
 * blamed.  A little of both is usual on a small host: hence the thresholds. */
#include "daemon/why_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/kernel_answers.h"
#include "daemon/settle.h"

enum { MAX_SOFTIRQ = 4, MAX_TAKERS = 3 };

static bool
is_text(const json_t *object, const char *name, const char *value)
{
	const char *text = why_text(object, name);

	return text && streq(text, value);
}

static const json_t *
blocked_by(const json_t *thread)
{
	return json_object_get(thread, "blocked_by");
}

/* -- What is asked of windows ------------------------------------------------- */

/* The ksoftirqds of a host that waited most. */
static json_t *
ask_softirqs(struct store *store, const struct settled_question *q)
{
	const struct kernel_filter filter = { .since_ns = q->from_ns, .until_ns = q->to_ns,
					      .host = q->host, .limit = 100000 };
	json_t *threads = kernel_threads(store, &filter, NULL), *list = json_array(), *thread;
	size_t i;

	json_array_foreach(threads, i, thread) {
		size_t k = 0;

		if (!starts_with(why_text(thread, "name") ?: "", "ksoftirqd/"))
			continue;
		while (k < json_array_size(list) && why_ns(json_array_get(list, k), "waiting_ns") >=
		       why_ns(thread, "waiting_ns"))
			k++;
		json_array_insert(list, k, thread);
		if (json_array_size(list) > MAX_SOFTIRQ)
			json_array_remove(list, MAX_SOFTIRQ);
	}
	json_decref(threads);
	return list;
}

static json_t *
softirqs_of(struct store *store, const char *host, uint64_t from_ns, uint64_t to_ns)
{
	const struct settled_question question = { .what = "ksoftirqd", .host = host,
						   .from_ns = from_ns, .to_ns = to_ns };

	return host ? settled_ask(store, &question, ask_softirqs) : NULL;
}

/* The process of a thread, as an array of one: answers are never numbers. */
static json_t *
ask_process(struct store *store, const struct settled_question *q)
{
	const struct kernel_filter filter = { .since_ns = q->from_ns, .until_ns = q->to_ns,
					      .host = q->host, .tid = q->tid, .limit = 1 };
	json_t *threads = kernel_threads(store, &filter, NULL);
	json_t *pid = json_object_get(json_array_get(threads, 0), "pid");
	json_t *answer = json_pack("[O?]", pid);

	json_decref(threads);
	return answer;
}

/* What a VM is called whose thread this is; NULL: it is no VM's.  To be freed. */
static char *
vm_of_thread(struct store *store, const char *host, uint64_t tid, uint64_t from_ns, uint64_t to_ns)
{
	const struct settled_question question = { .what = "process", .host = host, .tid = tid,
						   .from_ns = from_ns, .to_ns = to_ns };
	json_t *answer = tid ? settled_ask(store, &question, ask_process) : NULL;
	const uint64_t pid = (uint64_t) json_integer_value(json_array_get(answer, 0));
	char key[24], *name = NULL;
	json_t *process;

	json_decref(answer);
	snprintf(key, sizeof key, "%llu", (unsigned long long) pid);
	process = pid ? store_entity(store, host, "qemu.process", key, to_ns) : NULL;
	if (why_text(process, "name") || why_text(process, "uuid"))
		name = xstrdup(why_text(process, "name") ?: why_text(process, "uuid"));
	json_decref(process);
	return name;
}

/* -- Who had the CPU ------------------------------------------------------------ */

struct place {
	const char *host;
	const char *side;            /* "source" or "destination" in "kernel". */
	int64_t ahead_ns;            /* Of the source's clock. */
	uint64_t error_ns;
};

/* Whether a span is long enough to be cut out of the other host's trace. */
static bool
is_told(const struct place *place, uint64_t ns)
{
	return place->host && place->error_ns <= ns / 10;
}

/* A thread of the migrating VM itself: it can't be its own bad neighbour. */
static bool
is_own(const json_t *threads, uint64_t tid)
{
	json_t *thread;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) threads, i, thread)
		if (tid && why_ns(thread, "tid") == tid)
			return true;
	return false;
}

/* "sh (9.9 s) and VM web-14 (1.2 s)": who had the CPU meanwhile, most first. */
static char *
takers_of(struct why *why, const struct place *place, const json_t *step, const json_t *thread)
{
	const json_t *own = json_object_get(step, place->side);
	const uint64_t from_ns = why_ns(step, "start_ns") + (uint64_t) place->ahead_ns;
	const uint64_t to_ns = why_ns(step, "end_ns") + (uint64_t) place->ahead_ns;
	char *list = NULL;
	unsigned n = 0;
	json_t *taker;
	size_t i;

	json_array_foreach(json_object_get(thread, "waited_for"), i, taker) {
		const uint64_t ns = why_ns(taker, "ns"), tid = why_ns(taker, "tid");
		const char *name = why_text(taker, "name");
		_cleanup_(freep) char *took = why_duration(ns), *before = list, *vm = NULL;

		/* A tenth of the wait, else it is none who matters. */
		if (!name || streq(name, "(idle)") || n == MAX_TAKERS ||
		    ns < why_ns(thread, "waiting_ns") / 10) {
			before = NULL;
			continue;
		}
		vm = is_own(own, tid) ? NULL : vm_of_thread(why->store, place->host, tid, from_ns, to_ns);
		list = xasprintf("%s%s%s%s (%s)", before ? before : "", before ? ", " : "", vm ? "VM " : "",
				 vm ? vm : name, took);
		n++;
	}
	return list ? list : xstrdup("others");
}

/* What of a stage is explained by waiting for CPUs at one end. */
struct contention {
	uint64_t ns;                 /* Over the stages. */
	char *text;                  /* NULL: none yet. */
	json_t *evidence;
};

static void
add_contention(struct contention *all, const char *stage, const json_t *thread, uint64_t of_ns,
	       const char *takers, uint64_t starved_ns)
{
	const uint64_t waited_ns = why_ns(thread, "waiting_ns");
	const unsigned percent = (unsigned) (100.0 * (double) waited_ns / (double) of_ns + 0.5);
	_cleanup_(freep) char *waited = why_duration(waited_ns), *before = all->text;
	_cleanup_(freep) char *starved = why_duration(starved_ns), *blocked = NULL;

	blocked = starved_ns ? xasprintf(", so that the migration was blocked on the network for %s",
					 starved) : xstrdup("");
	all->text = xasprintf("%s%sin %s %s waited for a CPU %s (%u %%), which %s had meanwhile%s",
			      before ? before : "", before ? "; " : "", stage,
			      why_text(thread, "name") ?: "?", waited, MIN(percent, 100u), takers, blocked);
	all->ns += MIN(waited_ns, of_ns);
	json_array_append_new(all->evidence, json_pack(
		"{s:s, s:O?, s:O?, s:I, s:I, s:I, s:O?}", "stage", stage, "thread",
		json_object_get(thread, "name"), "tid", json_object_get(thread, "tid"), "waited_ns",
		(json_int_t) waited_ns, "of_ns", (json_int_t) of_ns, "blocked_on_network_ns",
		(json_int_t) starved_ns, "waited_for", json_object_get(thread, "waited_for")));
}

/* The thread that moves the migration at that end: the migration thread, or the
 * destination's main thread and those that load. */
static const json_t *
mover_of(const json_t *threads, const char *side)
{
	const json_t *best = NULL;
	json_t *thread;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) threads, i, thread) {
		if (is_text(thread, "role", "migration"))
			return thread;
		/* They run coroutines that come in: the one that ran most. */
		if (streq(side, "destination") && is_text(thread, "role", "qemu") &&
		    (!best || why_ns(thread, "running_ns") > why_ns(best, "running_ns")))
			best = thread;
	}
	return best;
}

/* Much of a stage spent blocked on the network makes one ask who is to move the packets. */
#define NETWORK_SHARE 0.3

static void
look_at_stage(struct why *why, const struct why_rule *rule, const struct place *place,
	      const json_t *step, struct contention *all)
{
	const json_t *threads = json_object_get(step, place->side);
	const json_t *mover = mover_of(threads, place->side), *softirq;
	const uint64_t from_ns = why_ns(step, "start_ns"), to_ns = why_ns(step, "end_ns");
	const uint64_t of_ns = to_ns - MIN(to_ns, from_ns);
	const uint64_t network_ns = why_ns(blocked_by(mover), "network");
	const char *stage = why_text(step, "name") ?: "it";
	json_t *softirqs = NULL;

	if (!mover || !of_ns || starts_with(stage, "round ") || !is_told(place, of_ns))
		return;
	if ((double) network_ns >= NETWORK_SHARE * (double) of_ns)
		softirqs = softirqs_of(why->store, place->host, from_ns + (uint64_t) place->ahead_ns,
				       to_ns + (uint64_t) place->ahead_ns);
	softirq = json_array_get(softirqs, 0);
	if (why_is_much(rule, why_ns(mover, "waiting_ns"), of_ns)) {
		_cleanup_(freep) char *takers = takers_of(why, place, step, mover);

		add_contention(all, stage, mover, of_ns, takers, 0);
	} else if (softirq && why_is_much(rule, why_ns(softirq, "waiting_ns"), of_ns)) {
		_cleanup_(freep) char *takers = takers_of(why, place, step, softirq);

		add_contention(all, stage, softirq, of_ns, takers, network_ns);
	}
	json_decref(softirqs);
}

static void
places_of(const json_t *migration, struct place ret[2])
{
	const json_t *evidence = json_object_get(migration, "evidence");

	ret[0] = (struct place) { .host = why_text(migration, "source"), .side = "source" };
	ret[1] = (struct place) {
		.host = why_text(migration, "destination"), .side = "destination",
		.ahead_ns = json_integer_value(json_object_get(evidence, "clock_offset_ns")),
		.error_ns = why_ns(evidence, "clock_error_ns"),
	};
}

static void
find_contention(struct why *why, const struct why_rule *rule)
{
	struct place places[2];
	json_t *step;
	size_t i;

	places_of(why->subject, places);
	for (size_t k = 0; k < ARRAY_SIZE(places); k++) {
		struct contention all = { .evidence = json_array() };

		json_array_foreach(json_object_get(why->subject, "kernel"), i, step)
			look_at_stage(why, rule, &places[k], step, &all);
		if (all.text)
			why_add(why, rule, places[k].host, why_share(why, all.ns), json_pack(
				"{s:I, s:O}", "ns", (json_int_t) all.ns, "stages", all.evidence),
				xasprintf("CPU contention on %s: %s", places[k].host, all.text));
		json_decref(all.evidence);
		free(all.text);
	}
}

static bool
has_finding(const struct why *why, const char *rule)
{
	json_t *finding;
	size_t i;

	json_array_foreach(why->findings, i, finding)
		if (is_text(finding, "rule", rule))
			return true;
	return false;
}

/* The guest suffers although the migration may not. */
static void
find_starved_vcpu(struct why *why, const struct why_rule *rule)
{
	struct place places[2];
	json_t *step, *thread;
	size_t i, k;

	places_of(why->subject, places);
	json_array_foreach(json_object_get(why->subject, "kernel"), i, step) {
		const uint64_t of_ns = why_ns(step, "end_ns") - why_ns(step, "start_ns");

		if (!is_text(step, "name", "precopy"))
			continue;
		json_array_foreach(json_object_get(step, "source"), k, thread) {
			const uint64_t ns = why_ns(thread, "waiting_ns");
			_cleanup_(freep) char *takers = NULL, *waited = NULL;

			if (!is_text(thread, "role", "vcpu") || !why_is_much(rule, ns, of_ns))
				continue;
			takers = takers_of(why, &places[0], step, thread);
			waited = why_duration(ns);
			/* Explains none of the migration's time. */
			why_add(why, rule, places[0].host, 0, json_pack(
				"{s:O?, s:I, s:I, s:O?}", "tid", json_object_get(thread, "tid"), "waited_ns",
				(json_int_t) ns, "of_ns", (json_int_t) of_ns, "waited_for",
				json_object_get(thread, "waited_for")), xasprintf(
				"the guest's %s waited for a CPU of %s %s (%.0f %% of precopy), which %s had "
				"meanwhile",
				why_text(thread, "name") ?: "vCPU", places[0].host, waited,
				100.0 * (double) ns / (double) of_ns, takers));
			return;
		}
	}
}

/* -- The network ------------------------------------------------------------------ */

struct traffic {
	uint64_t bytes, again_bytes, packets, again_packets, missing_bytes;
	uint64_t blocked_ns, ns;     /* The migration thread on the network; all stages. */
	uint64_t rtt_ns, rtts, rtt_max_ns;
	const char *to;
};

static struct traffic
measure_traffic(const json_t *migration)
{
	struct traffic all = { 0 };
	json_t *step, *one;
	size_t i, k;

	json_array_foreach(json_object_get(migration, "kernel"), i, step) {
		if (starts_with(why_text(step, "name") ?: "", "round "))
			continue;
		all.ns += why_ns(step, "end_ns") - MIN(why_ns(step, "end_ns"), why_ns(step, "start_ns"));
		all.blocked_ns += why_ns(blocked_by(mover_of(json_object_get(step, "source"), "source")),
					 "network");
		json_array_foreach(json_object_get(step, "connections"), k, one) {
			const json_t *rtt = json_object_get(one, "rtt");

			all.bytes += why_ns(one, "bytes");
			all.packets += why_ns(one, "packets");
			all.again_bytes += why_ns(one, "retransmitted_bytes");
			all.again_packets += why_ns(one, "retransmitted_packets");
			all.missing_bytes += why_ns(one, "missing_bytes");
			all.rtts += why_ns(rtt, "count");
			all.rtt_ns += why_ns(rtt, "count") * why_ns(rtt, "mean_ns");
			all.rtt_max_ns = MAX(all.rtt_max_ns, why_ns(rtt, "max_ns"));
			all.to = why_text(one, "to");
		}
	}
	return all;
}

static json_t *
traffic_json(const struct traffic *t)
{
	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "to",
			 t->to ? store_string(t->to) : json_null(), "bytes", (json_int_t) t->bytes,
			 "retransmitted_bytes", (json_int_t) t->again_bytes, "packets",
			 (json_int_t) t->packets, "retransmitted_packets", (json_int_t) t->again_packets,
			 "blocked_on_network_ns", (json_int_t) t->blocked_ns, "rtt_mean_ns", t->rtts ?
			 json_integer((json_int_t) (t->rtt_ns / t->rtts)) : json_null(), "rtt_max_ns",
			 t->rtts ? json_integer((json_int_t) t->rtt_max_ns) : json_null());
}

/* So many segments may be sent again on any network. */
enum { FEW_SEGMENTS = 20 };

static void
find_retransmissions(struct why *why, const struct why_rule *rule)
{
	const struct traffic t = measure_traffic(why->subject);
	const double share = t.bytes + t.again_bytes ?
		(double) t.again_bytes / (double) (t.bytes + t.again_bytes) : 0;
	const char *node = why_text(why->subject, "source");
	const char *other = why_text(why->subject, "destination");
	_cleanup_(freep) char *blocked = why_duration(t.blocked_ns);

	if (t.again_packets <= FEW_SEGMENTS || share < rule->share)
		return;
	why_add(why, rule, node, why_share(why, t.blocked_ns), traffic_json(&t), xasprintf(
		"the network between %s and %s lost segments: %.1f %% of the bytes to %s (%llu segments) "
		"were sent again, and the migration thread was blocked on the network for %s",
		node ? node : "?", other ? other : "?", 100 * share, t.to ? t.to : "?",
		(unsigned long long) t.again_packets,
		blocked));
}

static void
find_long_rtt(struct why *why, const struct why_rule *rule)
{
	const struct traffic t = measure_traffic(why->subject);
	const uint64_t mean_ns = t.rtts ? t.rtt_ns / t.rtts : 0;
	const char *node = why_text(why->subject, "source");
	_cleanup_(freep) char *mean = why_duration(mean_ns), *most = why_duration(t.rtt_max_ns);
	_cleanup_(freep) char *blocked = why_duration(t.blocked_ns);

	/* A starved ksoftirqd makes round trips long, too. */
	if (mean_ns < rule->least_ns || has_finding(why, "cpu-contention") ||
	    (double) t.blocked_ns < rule->share * (double) t.ns)
		return;
	why_add(why, rule, node, why_share(why, t.blocked_ns), traffic_json(&t), xasprintf(
		"the network is slow to answer: round trips from %s to %s took %s on average, up to %s, and "
		"the migration thread was blocked on the network for %s", node ? node : "?",
		t.to ? t.to : "?", mean, most, blocked));
}

/* With a greater limit than 10 Gbit/s nobody meant to set one. */
#define NO_LIMIT UINT64_C(1250000000)

static void
find_slow_link(struct why *why, const struct why_rule *rule)
{
	const struct traffic t = measure_traffic(why->subject);
	const uint64_t limit = why_ns(why->subject, "max_bandwidth");
	const double rate = t.ns ? (double) t.bytes * 1e9 / (double) t.ns : 0;
	const char *node = why_text(why->subject, "source");
	_cleanup_(freep) char *carried = why_rate(rate), *allowed = why_rate((double) limit);
	_cleanup_(freep) char *blocked = why_duration(t.blocked_ns);

	if (!t.bytes || !limit || limit > NO_LIMIT || rate >= 0.5 * (double) limit ||
	    !why_is_much(rule, t.blocked_ns, t.ns) || has_finding(why, "cpu-contention") ||
	    has_finding(why, "retransmissions"))
		return;
	why_add(why, rule, node, why_share(why, t.blocked_ns), traffic_json(&t), xasprintf(
		"the network from %s to %s carried %s of the %s that the migration may take: its thread was "
		"blocked on the network for %s", node ? node : "?", t.to ? t.to : "?", carried, allowed,
		blocked));
}

/* -- Disks -------------------------------------------------------------------------- */

static void
find_slow_disk(struct why *why, const struct why_rule *rule)
{
	struct place places[2];

	places_of(why->subject, places);
	for (size_t k = 0; k < ARRAY_SIZE(places); k++) {
		const json_t *worst = NULL, *worst_step = NULL;
		_cleanup_(freep) char *blocked = NULL;
		json_t *step, *thread;
		size_t i, n;

		json_array_foreach(json_object_get(why->subject, "kernel"), i, step)
			json_array_foreach(json_object_get(step, places[k].side), n, thread)
				if (!starts_with(why_text(step, "name") ?: "", "round ") &&
				    (!worst || why_ns(blocked_by(thread), "disk") >
				     why_ns(blocked_by(worst), "disk"))) {
					worst = thread;
					worst_step = step;
				}
		if (!worst || !why_is_much(rule, why_ns(blocked_by(worst), "disk"),
					   why_ns(worst_step, "end_ns") - why_ns(worst_step, "start_ns")))
			continue;
		blocked = why_duration(why_ns(blocked_by(worst), "disk"));
		why_add(why, rule, places[k].host, why_share(why, why_ns(blocked_by(worst), "disk")),
			json_pack("{s:O?, s:O?, s:O?}", "thread", json_object_get(worst, "name"), "disk_ns",
				  json_object_get(blocked_by(worst), "disk"), "stage",
				  json_object_get(worst_step, "name")),
			xasprintf("a disk of the %s %s is slow: %s of QEMU was blocked on it for %s of %s",
				  places[k].side, places[k].host ? places[k].host : "?",
				  why_text(worst, "name") ?: "a thread", blocked,
				  why_text(worst_step, "name") ?: "it"));
	}
}

/* The order matters: the network is blamed when no CPU is. */
const struct why_rule why_kernel_rules[] = {
	{ "cpu-contention", "kernel", 0.4, 200 * NS_PER_MS, find_contention },
	{ "starved-vcpu", "kernel", 0.2, 1 * NS_PER_S, find_starved_vcpu },
	{ "retransmissions", "network", 0.01, 0, find_retransmissions },
	{ "slow-disk", "storage", 0.3, 500 * NS_PER_MS, find_slow_disk },
	{ "long-round-trips", "network", 0.3, 100 * NS_PER_MS, find_long_rtt },
	{ "slow-link", "network", 0.5, 5 * NS_PER_S, find_slow_link },
	{ .name = NULL }
};
