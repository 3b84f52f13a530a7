/* SPDX-License-Identifier: MIT
 *
 * why_flow.c -- rules about requests, over the spans that flow.show gives (why.h).  What
 * single facts tell is found by flow_findings.c when the request is settled, as lists show
 * that too. */
#include "daemon/why_private.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/clock_apply.h"
#include "daemon/kernel_answers.h"

static bool
is_text(const json_t *object, const char *name, const char *value)
{
	const char *text = why_text(object, name);

	return text && streq(text, value);
}

static const char *
or_what(const char *text, const char *otherwise)
{
	return text ? text : otherwise;
}

/* -- What is known already ------------------------------------------------------- */

static bool
is_migration_told(const struct why *why)
{
	json_t *finding;
	size_t i;

	json_array_foreach(why->findings, i, finding)
		if (is_text(finding, "rule", "migration-failed") || is_text(finding, "rule", "cancelled"))
			return true;
	return false;
}

/* Of its live migration: the same, as a share of the whole request. */
static void
find_migration(struct why *why, const struct why_rule *rule)
{
	const char *id = why_text(why->subject, "migration");
	json_t *migration = id ? store_migration(why->store, id) : NULL, *found, *finding;
	uint64_t took_ns;
	size_t i;

	if (!migration)
		return;
	clock_add_migration(why->store, migration);
	kernel_add_migration(why->store, migration);
	found = why_migration(why->store, migration);
	took_ns = why_end(why->store, migration, why_text(migration, "source"));
	took_ns -= MIN(took_ns, why_ns(migration, "start_ns"));
	json_array_foreach(found, i, finding) {
		const double weight = json_number_value(json_object_get(finding, "weight"));

		if (!is_text(finding, "rule", "migration-failed"))
			json_object_set_new(finding, "weight", json_real(
				(double) (int64_t) (1000 * weight * why_share(why, took_ns) + 0.5) / 1000));
		json_array_append(why->findings, finding);
	}
	json_decref(found);
	json_decref(migration);
}

/* What went wrong, by the one that said so first. */
static void
find_error(struct why *why, const struct why_rule *rule)
{
	json_t *error = json_object_get(why->subject, "error");
	const char *said = why_text(error, "message") ?: why_text(error, "exception");
	const char *service = or_what(why_text(error, "service"), "a service");
	const bool failed = is_text(why->subject, "status", "error");
	struct why_rule named = *rule;

	if (!json_is_object(error) || (!failed && is_migration_told(why)))
		return;
	named.name = or_what(why_text(error, "cause"), rule->name);
	why_add(why, &named, why_text(error, "host"), failed ? 1 : 0, json_incref(error),
		said && starts_with(said, service) ? xstrdup(said) :
		xasprintf("%s on %s: %s", service, or_what(why_text(error, "host"), "?"),
			  or_what(said, "it failed without saying why")));
}

static void
find_facts(struct why *why, const struct why_rule *rule)
{
	const bool told = json_array_size(why->findings) > 0;
	json_t *finding;
	size_t i;

	json_array_foreach(json_object_get(why->subject, "findings"), i, finding)
		/* The reason of its migration stands above, better said. */
		if (!told || !is_text(finding, "rule", "hypervisor"))
			json_array_append(why->findings, finding);
}

/* -- Requests about the same migration ---------------------------------------------- */

static const struct {
	const char *kind, *asks;
} controls[] = {
	{ "server.live-migrate-abort", "be aborted" },
	{ "server.live-migrate-force-complete", "be forced to complete" },
};

static const char *
asked_by(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(controls) && kind; i++)
		if (streq(controls[i].kind, kind))
			return controls[i].asks;
	return NULL;
}

static void
add_control(struct why *why, const struct why_rule *rule, const json_t *migrates,
	    const json_t *control, const char *asks)
{
	const bool other = why->subject == control;
	const char *id = why_text(other ? migrates : control, "id");
	const uint64_t after_ns = why_ns(control, "start_ns") - why_ns(migrates, "start_ns");
	_cleanup_(freep) char *took = why_duration(after_ns);

	why_add(why, rule, NULL, 0, json_pack("{s:o, s:O, s:I}", "request", store_string(id), "kind",
					      json_object_get(other ? migrates : control, "kind"),
					      "after_ns", (json_int_t) after_ns),
		other ? xasprintf("it asks that %s, %s after that began, %s", id, took, asks) :
		xasprintf("%s asked after %s that it %s", id, took, asks));
}

/* Of a live migration, who asked that it be aborted or forced; of such a request, which
 * migration it is about: the newest of its VM that went on then. */
static void
find_control(struct why *why, const struct why_rule *rule)
{
	const char *vm = why_text(json_object_get(why->subject, "vm"), "uuid");
	const char *own = asked_by(why_text(why->subject, "kind"));
	const bool migrates = is_text(why->subject, "kind", "server.live-migrate");
	json_t *requests = vm && (own || migrates) ?
		store_requests_of(why->store, vm, why->start_ns, own ? why->start_ns : why->end_ns,
				  NULL) : NULL;
	const json_t *about = NULL;
	json_t *one;
	size_t i;

	json_array_foreach(requests, i, one) {
		const char *asks = asked_by(why_text(one, "kind"));
		const uint64_t start_ns = why_ns(one, "start_ns"), end_ns = why_ns(one, "end_ns");

		if (own && is_text(one, "kind", "server.live-migrate") &&
		    (!end_ns || end_ns >= why->start_ns))
			about = one;
		else if (migrates && asks && start_ns >= why->start_ns && start_ns <= why->end_ns)
			add_control(why, rule, why->subject, one, asks);
	}
	if (about)
		add_control(why, rule, about, why->subject, own);
	json_decref(requests);
}

/* -- Held back in nova-compute ------------------------------------------------------ */

static const json_t *
span_named(const json_t *flow, const char *name)
{
	json_t *span;
	size_t i;

	json_array_foreach(json_object_get(flow, "spans"), i, span)
		if (is_text(span, "name", name))
			return span;
	return NULL;
}

/* The message that made that service begin, before it did. */
static const json_t *
served_before(const json_t *flow, const json_t *step)
{
	const json_t *found = NULL;
	json_t *span;
	size_t i;

	json_array_foreach(json_object_get(flow, "spans"), i, span)
		if (starts_with(or_what(why_text(span, "name"), ""), "serve compute") &&
		    is_text(span, "host", or_what(why_text(step, "host"), "")) &&
		    why_ns(span, "start_ns") <= why_ns(step, "start_ns"))
			found = span;
	return found;
}

/* Other requests that migrated from there meanwhile. */
static unsigned
others_migrating(struct why *why, const char *host, uint64_t from_ns, uint64_t to_ns)
{
	json_t *steps = store_spans(why->store, "nova.step", NULL, from_ns, to_ns, NULL), *step;
	json_t *seen = json_object();
	unsigned n;
	size_t i;

	json_array_foreach(steps, i, step) {
		const json_t *attributes = json_object_get(step, "attributes");
		const char *request = why_text(attributes, "request_id");
		const char *name = or_what(why_text(attributes, "name"), why_text(attributes, "step"));

		if (request && name && is_text(step, "host", host) && strstr(name, "live_migration") &&
		    !is_text(why->subject, "id", request))
			json_object_set_new(seen, request, json_true());
	}
	n = (unsigned) json_object_size(seen);
	json_decref(seen);
	json_decref(steps);
	return n;
}

static void
find_held_back(struct why *why, const struct why_rule *rule)
{
	const json_t *step = span_named(why->subject, "pre_live_migration");
	const json_t *served = step ? served_before(why->subject, step) : NULL;
	const uint64_t from_ns = why_ns(served, "start_ns"), to_ns = why_ns(step, "start_ns");
	const uint64_t ns = served ? to_ns - MIN(to_ns, from_ns) : 0;
	const char *host = why_text(step, "host");
	_cleanup_(freep) char *held = why_duration(ns);
	unsigned others;

	if (!host || !why_is_much(rule, ns, why->total_ns))
		return;
	others = others_migrating(why, host, from_ns, to_ns);
	why_add(why, rule, host, why_share(why, ns), json_pack(
		"{s:I, s:i}", "ns", (json_int_t) ns, "others", (int) others), others ? xasprintf(
		"nova-compute on %s held the migration back for %s before it began: %u other live "
		"migration%s ran there (max_concurrent_live_migrations)", host, held, others,
		others == 1 ? "" : "s") : xasprintf(
		"nova-compute on %s held the migration back for %s before it began, though no other live "
		"migration was seen there", host, held));
}

/* -- Silence ---------------------------------------------------------------------------- */

struct gap {
	uint64_t from_ns, to_ns;
	const json_t *before;        /* What ended, or began, last. */
};

/* A step may take long in silence; who just serves or calls has no reason to. */
static bool
is_work(const json_t *span)
{
	const char *name = or_what(why_text(span, "name"), "");

	return !starts_with(name, "serve ") && !starts_with(name, "call ") &&
	       !starts_with(name, "cast ") && json_is_string(json_object_get(span, "parent")) &&
	       !strchr(name, '/');
}

static void
add_time(uint64_t *times, size_t *n, uint64_t t_ns, const struct why *why)
{
	if (t_ns >= why->start_ns && t_ns <= why->end_ns)
		times[(*n)++] = t_ns;
}

static int
compare_times(const void *a_, const void *b_)
{
	const uint64_t *a = a_, *b = b_;

	return *a < *b ? -1 : *a > *b;
}

/* The longest time in which nothing began or ended and no step was at work. */
static struct gap
longest_gap(const struct why *why, const json_t *spans)
{
	const size_t n_spans = json_array_size(spans);
	_cleanup_(freep) uint64_t *times = xcalloc(2 * n_spans + 2, sizeof *times);
	struct gap longest = { 0 };
	json_t *span;
	size_t i, k, n = 0;

	add_time(times, &n, why->end_ns, why);
	json_array_foreach((json_t *) (uintptr_t) spans, i, span) {
		add_time(times, &n, why_ns(span, "start_ns"), why);
		add_time(times, &n, why_ns(span, "end_ns"), why);
	}
	qsort(times, n, sizeof *times, compare_times);
	for (i = 1; i < n; i++) {
		bool worked = false;

		if (times[i] - times[i - 1] <= longest.to_ns - longest.from_ns)
			continue;
		json_array_foreach((json_t *) (uintptr_t) spans, k, span)
			worked |= is_work(span) && why_ns(span, "start_ns") <= times[i - 1] &&
				(!why_ns(span, "end_ns") || why_ns(span, "end_ns") >= times[i]);
		if (!worked)
			longest = (struct gap) { times[i - 1], times[i], NULL };
	}
	json_array_foreach((json_t *) (uintptr_t) spans, i, span)
		if (longest.from_ns && (why_ns(span, "end_ns") == longest.from_ns ||
					why_ns(span, "start_ns") == longest.from_ns))
			longest.before = span;
	return longest;
}

/* Whether that time is explained by what was found already. */
static bool
is_explained(const struct why *why, uint64_t ns)
{
	static const char *const names[] = { "ns", "queued_ns", "waited_ns" };
	json_t *finding;
	size_t i;

	json_array_foreach(why->findings, i, finding)
		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			if (why_ns(json_object_get(finding, "evidence"), names[k]) >= ns / 2)
				return true;
	return false;
}

/* Whether a service on a host said anything at all in a time. */
static bool
spoke(struct why *why, const char *service, const char *host, const struct gap *gap)
{
	static const char *const kinds[][2] = {
		{ "nova.step", "rpc.served" }, { "cinder.step", "rpc.call" },
		{ "neutron.step", "api.request" },
	};
	bool any = false;

	for (size_t k = 0; k < ARRAY_SIZE(kinds) && !any; k++) {
		json_t *spans = store_spans(why->store, kinds[k][0], kinds[k][1], gap->from_ns + 1,
					    gap->to_ns - 1, NULL), *span;
		size_t i;

		json_array_foreach(spans, i, span) {
			const uint64_t start_ns = why_ns(span, "start_ns"), end_ns = why_ns(span, "end_ns");

			any |= is_text(span, "host", host) &&
				is_text(json_object_get(span, "attributes"), "service", service) &&
				((start_ns > gap->from_ns && start_ns < gap->to_ns) ||
				 (end_ns > gap->from_ns && end_ns < gap->to_ns));
		}
		json_decref(spans);
	}
	return any;
}

static void
find_silence(struct why *why, const struct why_rule *rule)
{
	const struct gap gap = longest_gap(why, json_object_get(why->subject, "spans"));
	const uint64_t ns = gap.to_ns - gap.from_ns;
	const char *service = why_text(gap.before, "service"), *host = why_text(gap.before, "host");
	_cleanup_(freep) char *took = why_duration(ns);
	bool silent;

	if (!gap.before || !service || !host || !why_is_much(rule, ns, why->total_ns) ||
	    is_explained(why, ns))
		return;
	silent = !spoke(why, service, host, &gap);
	why_add(why, rule, host, why_share(why, ns), json_pack(
		"{s:I, s:I, s:O, s:o, s:b}", "ns", (json_int_t) ns, "t_ns", (json_int_t) gap.from_ns, "after",
		json_object_get(gap.before, "name"), "service", store_string(service), "service_silent",
		(int) silent),
		xasprintf("nobody who is traced said anything of this request for %s after \"%s\" of %s "
			  "on %s%s",
			  took, or_what(why_text(gap.before, "name"), "?"), service, host, silent ?
			  ", which was silent about all others, too" : ""));
}

/* -- From the kernel ------------------------------------------------------------------------ */

/* One of the spans' parts over all of its time: the worst span. */
static void
find_part(struct why *why, const struct why_rule *rule, const char *what, const char *form)
{
	const json_t *worst = NULL, *worst_part = NULL;
	_cleanup_(freep) char *took = NULL;
	json_t *span, *part;
	size_t i, k;

	json_array_foreach(json_object_get(why->subject, "spans"), i, span)
		json_array_foreach(json_object_get(span, "budget"), k, part)
			if (is_text(part, "what", what) && is_text(span, "layer", "application") &&
			    why_is_much(rule, why_ns(part, "ns"), why_ns(span, "self_ns")) &&
			    (!worst || why_ns(part, "ns") > why_ns(worst_part, "ns"))) {
				worst = span;
				worst_part = part;
			}
	if (!worst)
		return;
	took = why_duration(why_ns(worst_part, "ns"));
	why_add(why, rule, why_text(worst, "host"), why_share(why, why_ns(worst_part, "ns")), json_pack(
		"{s:O?, s:O, s:O?}", "span", json_object_get(worst, "id"), "ns",
		json_object_get(worst_part, "ns"), "by", json_object_get(worst_part, "by")), xasprintf(
		"%s on %s %s for %s of \"%s\"", or_what(why_text(worst, "service"), "a service"),
		or_what(why_text(worst, "host"), "?"), form, took, or_what(why_text(worst, "name"), "?")));
}

static void
find_waiting_service(struct why *why, const struct why_rule *rule)
{
	find_part(why, rule, "waiting-cpu", "waited for a CPU");
}

static void
find_disk(struct why *why, const struct why_rule *rule)
{
	find_part(why, rule, "disk", "was blocked on a disk");
}

/* The order is that of findings of the same weight. */
const struct why_rule why_flow_rules[] = {
	{ "migration", "virtualization", 0, 0, find_migration },
	{ "error", "application", 0, 0, find_error },
	{ "facts", "application", 0, 0, find_facts },
	{ "control", "application", 0, 0, find_control },
	{ "held-back", "application", 0.2, 5 * NS_PER_S, find_held_back },
	{ "service-waits-for-cpu", "kernel", 0.3, 1 * NS_PER_S, find_waiting_service },
	{ "slow-volume", "storage", 0.3, 1 * NS_PER_S, find_disk },
	{ "silence", "application", 0.3, 10 * NS_PER_S, find_silence },
	{ .name = NULL }
};
