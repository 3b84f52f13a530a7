/* SPDX-License-Identifier: MIT
 *
 * why_qemu.c -- rules about migrations, from what QEMU told (why.h). */
#include "daemon/why_private.h"

#include <stdlib.h>
#include <string.h>

/* dirty_pages counts pages of the target; all that QEMU has live migration for under
 * KVM here have these. */
#define PAGE_BYTES 4096
/* Rounds that are shorter share their bitmap with the one before (forecast.md). */
#define ROUND_NS (1 * NS_PER_S)

static const json_t *
stage_named(const json_t *migration, const char *name)
{
	const json_t *stages = json_object_get(migration, "stages");

	for (size_t i = json_array_size(stages); i-- > 0; ) {
		const json_t *stage = json_array_get(stages, i);
		const char *its = why_text(stage, "name");

		if (its && streq(its, name))
			return stage;
	}
	return NULL;
}

static const char *
or_what(const char *text, const char *otherwise)
{
	return text ? text : otherwise;
}

static bool
is_status(const json_t *object, const char *status)
{
	const char *its = why_text(object, "status");

	return its && streq(its, status);
}

/* -- Failed ----------------------------------------------------------------- */

struct ends {
	json_t *source, *destination;   /* Facts, NULL: there is none. */
	const char *source_host, *destination_host;
	const char *stage;              /* That it was in. */
	const char *reason;
	char *after;
};

/* Whether that end fell silent in the middle. */
static bool
is_silent(const json_t *end)
{
	return end && (is_status(end, "lost") || is_status(end, "running"));
}

/* Who it was, and what is to be said of it; NULL: no more than QEMU said. */
static char *
who_failed(const struct ends *ends, const char **ret_node)
{
	const char *why = why_text(json_object_get(ends->destination, "attributes"), "reason");
	const bool fell = is_silent(ends->destination);

	*ret_node = ends->source_host;
	if (ends->destination && is_status(ends->destination, "failed")) {
		if (is_silent(ends->source))
			return xasprintf("QEMU at the source %s fell silent in %s (it ended, was killed, or "
					 "only its trace ended), and after %s the destination %s said: %s",
					 or_what(ends->source_host, "?"), ends->stage, ends->after,
					 or_what(ends->destination_host, "?"), or_what(why, "nothing"));
		*ret_node = ends->destination_host;
		return xasprintf("the destination %s could not take the guest, in %s after %s: %s%s%s",
				 or_what(ends->destination_host, "?"), ends->stage, ends->after,
				 or_what(why, "it did not say why"), ends->source ? "; the source: " : "",
				 !ends->source ? "" : is_status(ends->source, "completed") ?
				 "completed, as without a return path it can't know" :
				 or_what(why_text(json_object_get(ends->source, "attributes"), "reason"),
					 "did not say why"));
	}
	if (!ends->source || !ends->destination || !fell)
		return NULL;
	*ret_node = ends->destination_host;
	return xasprintf("QEMU at the destination %s ended or was cut off in %s after %s%s%s, without a "
			 "word of a failure; the source %s says: %s",
			 or_what(ends->destination_host, "?"), ends->stage, ends->after,
			 why ? ": " : "", why ? why : "", or_what(ends->source_host, "?"),
			 or_what(ends->reason, "nothing"));
}

static void
find_failed(struct why *why, const struct why_rule *rule)
{
	const json_t *migration = why->subject;
	const char *source_id = why_text(migration, "source_id");
	const char *destination_id = why_text(migration, "destination_id"), *node;
	struct ends ends = { 0 };
	char *text;

	if (!is_status(migration, "failed"))
		return;
	ends.source = source_id ? store_span(why->store, source_id) : NULL;
	ends.destination = destination_id ? store_span(why->store, destination_id) : NULL;
	ends.source_host = why_text(migration, "source");
	ends.destination_host = why_text(migration, "destination");
	ends.stage = or_what(why_text(migration, "stage"), "setup");
	ends.reason = why_text(migration, "reason");
	ends.after = why_duration(why->total_ns);
	text = who_failed(&ends, &node);
	if (!text)
		text = xasprintf("QEMU on %s failed the migration in %s after %s: %s",
				 or_what(node, "?"), ends.stage, ends.after,
				 or_what(ends.reason, "it did not say why"));
	why_add(why, rule, node, 1, json_pack(
		"{s:s, s:o, s:I, s:O?, s:O?, s:O?}", "stage", ends.stage, "reason",
		ends.reason ? store_string(ends.reason) : json_null(), "after_ns",
		(json_int_t) why->total_ns, "source_said", json_object_get(json_object_get(
			ends.source, "attributes"), "reason"), "destination_said",
		json_object_get(json_object_get(ends.destination, "attributes"), "reason"),
		"rolled_back", json_object_get(migration, "rolled_back")), text);
	json_decref(ends.source);
	json_decref(ends.destination);
	free(ends.after);
}

/* Explains no time: somebody decided so. */
static void
find_cancelled(struct why *why, const struct why_rule *rule)
{
	const json_t *migration = why->subject;
	const char *node = why_text(migration, "source");
	_cleanup_(freep) char *after = why_duration(why->total_ns);

	if (is_status(migration, "cancelled"))
		why_add(why, rule, node, 0, json_pack("{s:I, s:O?}", "after_ns",
						      (json_int_t) why->total_ns, "stage",
						      json_object_get(migration, "stage")),
			xasprintf("it was cancelled at the source %s in %s after %s",
				  or_what(node, "?"), or_what(why_text(migration, "stage"), "setup"),
				  after));
}

/* -- Memory that is dirtied faster than it is sent ---------------------------- */

struct dirtying {
	uint64_t dirty_bytes, sent_bytes, ns; /* Over the rounds that did not shrink. */
	uint64_t from_ns;                     /* When the first of those began; 0: none. */
	unsigned rounds;
};

static struct dirtying
measure_dirtying(const json_t *migration, double share)
{
	struct dirtying all = { 0 };
	json_t *round;
	size_t i;

	json_array_foreach(json_object_get(migration, "rounds"), i, round) {
		const uint64_t start_ns = why_ns(round, "start_ns"), end_ns = why_ns(round, "end_ns");
		const uint64_t dirty = why_ns(round, "dirty_pages"), sent = why_ns(round, "sent_bytes");

		if (!start_ns || end_ns < start_ns + ROUND_NS || !sent || dirty > UINT64_MAX / PAGE_BYTES ||
		    (double) (dirty * PAGE_BYTES) < share * (double) sent)
			continue;
		all.from_ns = all.from_ns ? all.from_ns : start_ns;
		all.dirty_bytes += dirty * PAGE_BYTES;
		all.sent_bytes += sent;
		all.ns += end_ns - start_ns;
		all.rounds++;
	}
	return all;
}

/* What would help, by the forecast. */
static char *
needs_of(const json_t *migration)
{
	const json_t *needs = json_object_get(json_object_get(migration, "forecast"), "needs");
	const uint64_t bandwidth = why_ns(needs, "bandwidth_bytes_s");
	const uint64_t limit_ns = why_ns(needs, "downtime_limit_ns");
	_cleanup_(freep) char *rate = why_rate((double) bandwidth), *limit = why_duration(limit_ns);

	if (!bandwidth && !limit_ns)
		return xstrdup("");
	if (!bandwidth || !limit_ns)
		return xasprintf("; it needs %s%s", bandwidth ? "" : "a downtime limit of ",
				 bandwidth ? rate : limit);
	return xasprintf("; it needs %s or a downtime limit of %s", rate, limit);
}

static void
find_dirtying(struct why *why, const struct why_rule *rule)
{
	const json_t *migration = why->subject, *precopy = stage_named(migration, "precopy");
	const struct dirtying all = measure_dirtying(migration, rule->share);
	const char *node = why_text(migration, "source");
	const uint64_t limit = why_ns(migration, "max_bandwidth");
	const uint64_t throttle = why_ns(migration, "throttle_percent");
	const uint64_t end_ns = precopy ? why_end(why->store, precopy, node) : 0;
	_cleanup_(freep) char *dirty = NULL, *sent = NULL, *cap = NULL, *needs = NULL, *slowed = NULL;

	/* One such round may be followed by one that ends it all, and where post-copy
	 * follows it often is meant to. */
	if (!all.ns || end_ns < all.from_ns + rule->least_ns ||
	    (all.rounds < 2 && streq(or_what(why_text(migration, "mode"), ""), "postcopy") &&
	     is_status(migration, "completed")))
		return;
	dirty = why_rate((double) all.dirty_bytes * 1e9 / (double) all.ns);
	sent = why_rate((double) all.sent_bytes * 1e9 / (double) all.ns);
	cap = why_rate((double) limit);
	needs = needs_of(migration);
	slowed = throttle ? xasprintf("; QEMU slowed the guest by up to %u %% (auto-converge)",
				      (unsigned) throttle) : xstrdup("");
	why_add(why, rule, node, why_share(why, end_ns - all.from_ns), json_pack(
		"{s:f, s:f, s:i, s:I, s:O?, s:O?, s:O?, s:O?}", "dirty_bytes_s",
		(double) all.dirty_bytes * 1e9 / (double) all.ns, "sent_bytes_s",
		(double) all.sent_bytes * 1e9 / (double) all.ns, "rounds", (int) all.rounds, "ns",
		(json_int_t) (end_ns - all.from_ns), "max_bandwidth",
		json_object_get(migration, "max_bandwidth"), "throttle_percent",
		json_object_get(migration, "throttle_percent"), "downtime_limit_ns",
		json_object_get(migration, "downtime_limit_ns"), "needs",
		json_object_get(json_object_get(migration, "forecast"), "needs")),
		xasprintf("memory is dirtied as fast as it is sent: the guest on %s wrote %s while the "
			  "migration carried %s%s%s%s%s%s", or_what(node, "?"), dirty, sent,
			  limit ? " (it may take " : "", limit ? cap : "", limit ? ")" : "", needs,
			  slowed));
}

/* -- The guest is stopped ----------------------------------------------------- */

/* The migration thread over a stage, from "kernel"; NULL: not traced. */
static const json_t *
migration_thread(const json_t *migration, const char *stage, const json_t **ret_step)
{
	json_t *step, *thread;
	size_t i, k;

	json_array_foreach(json_object_get(migration, "kernel"), i, step) {
		if (!streq(or_what(why_text(step, "name"), ""), stage))
			continue;
		*ret_step = step;
		json_array_foreach(json_object_get(step, "source"), k, thread)
			if (streq(or_what(why_text(thread, "role"), ""), "migration"))
				return thread;
	}
	return NULL;
}

/* What took most of a thread's time; its share in percent. */
static const char *
mostly(const json_t *thread, unsigned *ret_percent, uint64_t *ret_ns)
{
	const json_t *blocked = json_object_get(thread, "blocked_by");
	uint64_t all_ns = why_ns(thread, "running_ns") + why_ns(thread, "waiting_ns") +
		why_ns(thread, "blocked_ns") + why_ns(thread, "unknown_ns");
	const struct { const char *what; uint64_t ns; } parts[] = {
		{ "blocked on the network", why_ns(blocked, "network") },
		{ "blocked on a disk", why_ns(blocked, "disk") },
		{ "waiting for a CPU", why_ns(thread, "waiting_ns") },
		{ "running", why_ns(thread, "running_ns") },
		{ "blocked by another thread", why_ns(blocked, "task") },
	};
	size_t most = 0;

	for (size_t i = 1; i < ARRAY_SIZE(parts); i++)
		if (parts[i].ns > parts[most].ns)
			most = i;
	*ret_ns = parts[most].ns;
	*ret_percent = all_ns ? (unsigned) (100.0 * (double) parts[most].ns / (double) all_ns + 0.5) : 0;
	return parts[most].what;
}

static uint64_t
sum_of(const json_t *list, const char *name)
{
	uint64_t sum = 0;
	json_t *one;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) list, i, one)
		sum += why_ns(one, name);
	return sum;
}

/* An outage whatever was allowed; below that, three times what was. */
#define OUTAGE_NS (2 * NS_PER_S)

/* What the migration thread did meanwhile, and what its connection carried. */
static char *
meanwhile(const json_t *migration, const char *stage, uint64_t ns, json_t *evidence)
{
	const json_t *step = NULL, *thread = migration_thread(migration, stage, &step);
	const uint64_t bytes = sum_of(json_object_get(step, "connections"), "bytes");
	_cleanup_(freep) char *rate = why_rate((double) bytes * 1e9 / (double) MAX(ns, (uint64_t) 1));
	const char *what;
	unsigned percent;
	uint64_t most_ns;

	if (!thread)
		return xstrdup("");
	what = mostly(thread, &percent, &most_ns);
	json_object_set_new(evidence, "thread", json_pack(
		"{s:s, s:I, s:i}", "what", what, "ns", (json_int_t) most_ns, "percent", (int) percent));
	if (bytes)
		json_object_set_new(evidence, "bytes", json_integer((json_int_t) bytes));
	return xasprintf("; its migration thread was %s for %u %% of that%s%s", what, percent,
			 bytes ? ", while the connection carried " : "", bytes ? rate : "");
}

/* When the analyzer found it stalled, 0: it did not, or that is over.  The host's trace
 * may not go on until then: silence is all that there is to see. */
static uint64_t
stalled_ns(struct store *store, const json_t *migration)
{
	const char *id = why_text(migration, "source_id");
	json_t *children = id && is_status(migration, "running") ? store_children(store, id, NULL) : NULL;
	uint64_t ns = 0;
	json_t *child;
	size_t i;

	json_array_foreach(children, i, child)
		if (streq(or_what(why_text(child, "kind"), ""), "migration.stall") &&
		    !why_ns(child, "end_ns"))
			ns = why_ns(child, "start_ns");
	json_decref(children);
	return ns;
}

static void
find_stalled(struct why *why, const struct why_rule *rule)
{
	const json_t *migration = why->subject, *stage = stage_named(migration, "stop-and-copy");
	const char *node = why_text(migration, "source");
	const uint64_t start_ns = why_ns(stage, "start_ns");
	const uint64_t limit_ns = why_ns(migration, "downtime_limit_ns");
	const uint64_t stall_ns = stage ? stalled_ns(why->store, migration) : 0;
	const uint64_t known_ns = stage ? why_end(why->store, stage, node) : 0;
	const uint64_t end_ns = MAX(known_ns, stall_ns);
	const uint64_t ns = end_ns - MIN(end_ns, start_ns);
	const char *passed = why_text(migration, "last_checkpoint");
	const bool running = is_status(migration, "running");
	_cleanup_(freep) char *took = why_duration(ns), *limit = why_duration(limit_ns);
	_cleanup_(freep) char *part = NULL, *did = NULL;
	json_t *evidence;

	if (!stage || (!stall_ns && ns < OUTAGE_NS &&
		       !(limit_ns && ns >= 3 * limit_ns && ns >= rule->least_ns)))
		return;
	evidence = json_pack("{s:I, s:O?, s:O?, s:O?, s:O?}", "ns", (json_int_t) ns, "downtime_limit_ns",
			     json_object_get(migration, "downtime_limit_ns"), "blackout_ns",
			     json_object_get(migration, "blackout_ns"), "last_checkpoint",
			     json_object_get(migration, "last_checkpoint"), "last_section",
			     json_object_get(migration, "last_section"));
	did = meanwhile(migration, "stop-and-copy", ns, evidence);
	part = !limit_ns ? xstrdup("") : ns <= limit_ns + limit_ns / 10 ?
		xasprintf(" (the downtime limit of %s allows that)", limit) :
		xasprintf(" (%.1f times the downtime limit of %s)", (double) ns / (double) limit_ns, limit);
	why_add(why, rule, node, why_share(why, ns), evidence, xasprintf(
		"stop-and-copy %s: the guest %s stopped on %s for %s%s%s%s%s",
		ns < OUTAGE_NS && !stall_ns ? "took too long" : "stalled", running ? "has been" : "was",
		or_what(node, "?"), took, part, did,
		running && passed ? "; last checkpoint passed: " : "", running && passed ? passed : ""));
}

/* How well a time between two hosts is known. */
static uint64_t
clock_error(const json_t *migration)
{
	return why_ns(json_object_get(migration, "evidence"), "clock_error_ns");
}

static void
find_drain(struct why *why, const struct why_rule *rule)
{
	const json_t *migration = why->subject, *stage = stage_named(migration, "stop-and-copy");
	const uint64_t blackout_ns = why_ns(migration, "blackout_ns"), stop_ns = why_ns(migration, "stop_ns");
	const uint64_t end_ns = why_ns(stage, "end_ns");
	const uint64_t source_ns = stop_ns ? end_ns - MIN(end_ns, stop_ns) : 0;
	const uint64_t more_ns = blackout_ns - MIN(blackout_ns, source_ns);
	const char *node = why_text(migration, "destination");
	_cleanup_(freep) char *more = why_duration(more_ns), *blackout = why_duration(blackout_ns);

	if (!source_ns || more_ns <= clock_error(migration) || !why_is_much(rule, more_ns, blackout_ns))
		return;
	why_add(why, rule, node, why_share(why, more_ns), json_pack(
		"{s:I, s:I, s:I}", "ns", (json_int_t) more_ns, "blackout_ns", (json_int_t) blackout_ns,
		"source_ns", (json_int_t) source_ns), xasprintf(
		"the destination %s ran the guest only %s after the source was done, of a blackout of %s: "
		"it still had to take in what was sent", or_what(node, "?"), more, blackout));
}

static void
find_stopped_early(struct why *why, const struct why_rule *rule)
{
	const json_t *migration = why->subject, *stage = stage_named(migration, "stop-and-copy");
	const uint64_t stop_ns = why_ns(migration, "stop_ns"), switch_ns = why_ns(stage, "start_ns");
	const uint64_t early_ns = stop_ns ? switch_ns - MIN(switch_ns, stop_ns) : 0;
	const char *node = why_text(migration, "source");
	_cleanup_(freep) char *early = why_duration(early_ns);

	if (!why_is_much(rule, early_ns, 0))
		return;
	why_add(why, rule, node, why_share(why, early_ns), json_pack(
		"{s:I, s:O?}", "ns", (json_int_t) early_ns, "blackout_ns",
		json_object_get(migration, "blackout_ns")), xasprintf(
		"the guest on %s was stopped %s before the switchover, as when an operator or Nova forces a "
		"migration to complete: all that time is blackout", or_what(node, "?"), early));
}

static void
find_paused(struct why *why, const struct why_rule *rule)
{
	const char *node = why_text(why->subject, "source");
	uint64_t paused_ns = 0;
	json_t *stage;
	size_t i;

	json_array_foreach(json_object_get(why->subject, "stages"), i, stage) {
		const char *detail = why_text(stage, "detail");
		const uint64_t end_ns = why_end(why->store, stage, node);

		if (detail && (streq(detail, "postcopy-paused") || streq(detail, "postcopy-recover")))
			paused_ns += end_ns - MIN(end_ns, why_ns(stage, "start_ns"));
	}
	if (why_is_much(rule, paused_ns, 0)) {
		_cleanup_(freep) char *paused = why_duration(paused_ns);

		why_add(why, rule, node, why_share(why, paused_ns), json_pack(
			"{s:I}", "ns", (json_int_t) paused_ns), xasprintf(
			"post-copy was interrupted for %s: the connection from %s to %s broke and had to be "
			"made again; meanwhile the guest waited for its memory", paused, or_what(node, "?"),
			or_what(why_text(why->subject, "destination"), "?")));
	}
}

/* -- After it ------------------------------------------------------------------ */

static void
find_network_blackout(struct why *why, const struct why_rule *rule)
{
	const json_t *migration = why->subject;
	const uint64_t ns = why_ns(migration, "network_blackout_ns");
	const char *node = why_text(migration, "destination");
	_cleanup_(freep) char *took = why_duration(ns);

	if (ns > clock_error(migration) && why_is_much(rule, ns, 0))
		why_add(why, rule, node, why_share(why, ns), json_pack("{s:I}", "ns", (json_int_t) ns),
			xasprintf("Open vSwitch on %s forwarded the guest's packets only %s after it ran "
				  "there", or_what(node, "?"), took));
}

/* A few are in flight; more were sent by somebody who had not learnt of the move. */
enum { FEW_PACKETS = 20 };

static void
find_stray_packets(struct why *why, const struct why_rule *rule)
{
	const uint64_t n = why_ns(why->subject, "packets_to_source");
	const char *node = why_text(why->subject, "source");

	if (n > FEW_PACKETS)
		why_add(why, rule, node, 0, json_pack("{s:I}", "packets", (json_int_t) n), xasprintf(
			"%llu packets for the guest still went to %s after it had left: somebody had not "
			"learnt of the move", (unsigned long long) n, or_what(node, "?")));
}

/* It is said, and nobody is blamed for it. */
static void
find_lost_events(struct why *why, const struct why_rule *rule)
{
	const uint64_t lost = why_ns(json_object_get(why->subject, "evidence"), "lost");

	if (lost)
		why_add(why, rule, NULL, 0, json_pack("{s:I}", "lost", (json_int_t) lost), xasprintf(
			"%llu events of its traces were lost: figures may be too low, and stages unseen",
			(unsigned long long) lost));
}

const struct why_rule why_qemu_rules[] = {
	{ "migration-failed", "virtualization", 0, 0, find_failed },
	{ "dirty-rate", "virtualization", 0.85, 3 * NS_PER_S, find_dirtying },
	{ "stalled-stop-and-copy", "virtualization", 0, 500 * NS_PER_MS, find_stalled },
	{ "destination-drain", "virtualization", 0.3, 500 * NS_PER_MS, find_drain },
	{ "stopped-early", "virtualization", 0, 500 * NS_PER_MS, find_stopped_early },
	{ "postcopy-paused", "network", 0, 200 * NS_PER_MS, find_paused },
	{ "network-blackout", "network", 0, 1 * NS_PER_S, find_network_blackout },
	{ "packets-to-source", "network", 0, 0, find_stray_packets },
	{ "cancelled", "virtualization", 0, 0, find_cancelled },
	{ "lost-events", "evidence", 0, 0, find_lost_events },
	{ .name = NULL }
};
