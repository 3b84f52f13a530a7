/* SPDX-License-Identifier: MIT
 *
 * unknown.c -- what is not known of a migration, and what every such list is made of. */
#include "daemon/unknown.h"
#include "daemon/members.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/clock.h"
#include "lib/util.h"

enum { MAX_UNKNOWN = 32, MAX_LOSSES = 1000 };

static json_t *
time_json(uint64_t ns)
{
	return ns ? json_integer((json_int_t) ns) : json_null();
}

void
unknown_add(json_t *list, const char *host, const char *what, uint64_t from_ns, uint64_t to_ns,
	    const char *format, ...)
{
	const size_t n = json_array_size(list);
	char *text = NULL;
	va_list args;
	int r;

	if (n > MAX_UNKNOWN)
		return;
	va_start(args, format);
	r = vasprintf(&text, format, args);
	va_end(args);
	if (r < 0)
		return;
	json_array_append_new(list, json_pack(
		"{s:o, s:s, s:o, s:o, s:o}", "host", host && n < MAX_UNKNOWN ? store_string(host) :
		json_null(), "what", n < MAX_UNKNOWN ? what : "more", "from_ns", time_json(from_ns),
		"to_ns", time_json(to_ns), "text", store_string(n < MAX_UNKNOWN ? text :
		"there is more that is not known")));
	free(text);
}

bool
unknown_is_traced(struct store *store, const char *host)
{
	const size_t length = strcspn(host, ".");
	json_t *nodes, *node;
	bool found = store_is_host(store, host);
	size_t i;

	if (found)
		return true;
	nodes = store_node_list(store, NULL);
	json_array_foreach(nodes, i, node) {
		const char *name = known_text_of(node, "host");

		found |= name && strcspn(name, ".") == length && !strncasecmp(name, host, length) &&
			 (!name[length] || !host[length]);
	}
	json_decref(nodes);
	return found;
}

/* -- Losses ---------------------------------------------------------------- */

struct losses {
	uint64_t events, packets, from_ns, to_ns;
};

static void
tell_losses(json_t *list, const char *host, bool kernel, const struct losses *losses,
	    const struct unknown_span *span)
{
	const double from = (double) ((int64_t) losses->from_ns - span->ahead_ns -
				      (int64_t) span->start_ns) / 1e9;
	const double to = (double) ((int64_t) losses->to_ns - span->ahead_ns -
				    (int64_t) span->start_ns) / 1e9;
	const uint64_t most = MAX(losses->events, losses->packets);
	_cleanup_(freep) char *many = NULL;

	if (losses->packets && losses->events)
		many = xasprintf("%llu events and %llu packets", (unsigned long long) losses->events,
				 (unsigned long long) losses->packets);
	else
		many = xasprintf("%llu %s%s", (unsigned long long) most,
				 losses->events ? "event" : "packet", most == 1 ? "" : "s");
	unknown_add(list, host, "lost-events", losses->from_ns, losses->to_ns,
		    "%s: %s of %s lost between %.3f s and %.3f s after its start: %s", host, many,
		    kernel ? "its kernel's trace were" : "its programs' trace were", from, to,
		    kernel ? "what CPUs, disks and network did then is known in part only" :
		    "what was told then is missing");
}

void
unknown_add_losses(json_t *list, struct store *store, const char *host,
		   const struct unknown_span *span)
{
	const uint64_t from_ns = (uint64_t) MAX((int64_t) span->start_ns + span->ahead_ns, 1);
	const uint64_t to_ns = span->end_ns ?
		(uint64_t) MAX((int64_t) span->end_ns + span->ahead_ns, 1) : 0;
	struct losses losses[2] = { 0 };
	json_t *facts, *fact;
	size_t i;

	facts = store_facts_of_kind(store, "trace.loss", host, from_ns, to_ns, MAX_LOSSES, NULL);
	json_array_foreach(facts, i, fact) {
		const json_t *attributes = json_object_get(fact, "attributes");
		struct losses *one = &losses[json_is_true(json_object_get(attributes, "kernel"))];
		const uint64_t begin_ns = number_of(fact, "start_ns"), until_ns = number_of(fact, "end_ns");
		const uint64_t last_ns = MAX(until_ns, begin_ns);

		one->from_ns = one->from_ns ? MIN(one->from_ns, begin_ns) : begin_ns;
		one->to_ns = MAX(one->to_ns, last_ns);
		one->events += number_of(attributes, "events");
		one->packets += number_of(attributes, "packets");
	}
	json_decref(facts);
	for (i = 0; i < ARRAY_SIZE(losses); i++)
		if (losses[i].events || losses[i].packets)
			tell_losses(list, host, i, &losses[i], span);
}

/* -- Migrations ------------------------------------------------------------ */

static const struct end {
	const char *name, *id, *misses;
} ends[] = {
	{ "source", "source_id", "its rounds, its downtime and what it waited for" },
	{ "destination", "destination_id", "when the VM ran there and how long it was dark" },
};

/* Nobody is on the other side: of a file, or of a connection that was refused. */
static bool
has_one_end(const json_t *migration)
{
	const char *uri = known_text_of(migration, "uri"), *stage = known_text_of(migration, "stage");
	const char *status = known_text_of(migration, "status");

	return (uri && (starts_with(uri, "file:") || starts_with(uri, "exec:"))) ||
	       (status && streq(status, "failed") && stage && streq(stage, "setup"));
}

/* 'named' is what Nova calls the host, or NULL. */
static void
tell_missing(json_t *list, struct store *store, const json_t *migration, const struct end *end,
	     const char *named)
{
	const uint64_t from_ns = number_of(migration, "start_ns"), to_ns = number_of(migration, "end_ns");

	if (!named)
		unknown_add(list, NULL, "no-hypervisor", from_ns, to_ns,
			    "the %s: no QEMU that can be it was seen: %s are not known",
			    end->name, end->misses);
	else if (!unknown_is_traced(store, named))
		unknown_add(list, named, "no-trace", from_ns, to_ns,
			    "%s, the %s: there is no trace of this node: %s are not known", named,
			    end->name, end->misses);
	else
		unknown_add(list, named, "no-hypervisor", from_ns, to_ns,
			    "%s, the %s: nothing is known of its QEMU there: %s are not known", named,
			    end->name, end->misses);
}

/* A side that fell silent before its end. */
static void
tell_cut(json_t *list, struct store *store, const json_t *migration, const struct end *end,
	 const char *host, const struct unknown_span *span)
{
	json_t *side = store_span(store, known_text_of(migration, end->id));
	const char *status = known_text_of(side, "status");
	const uint64_t end_ns = number_of(side, "end_ns"), start_ns = number_of(side, "start_ns");
	const uint64_t last_ns = MAX(end_ns, start_ns);

	if (status && streq(status, "lost"))
		unknown_add(list, host, "trace-ends", last_ns, 0,
			    "%s, the %s: nothing was heard of its QEMU after %.3f s: it was killed or its"
			    " trace ended; what it did from then on is not known", host, end->name,
			    (double) ((int64_t) last_ns - span->ahead_ns - (int64_t) span->start_ns) / 1e9);
	json_decref(side);
}

/* A destination that is left alone tells of a failure whatever the source meant. */
static void
tell_outcome(json_t *list, struct store *store, const json_t *migration)
{
	const char *status = known_text_of(migration, "status"), *id = known_text_of(migration, "source_id");
	json_t *source = id ? store_span(store, id) : NULL;
	const char *silent = known_text_of(source, "status");

	if (status && streq(status, "failed") && (!id || (silent && streq(silent, "lost"))))
		unknown_add(list, known_text_of(migration, "source"), "outcome",
			    number_of(migration, "end_ns"), 0,
			    "only the destination's end was seen: whether it failed or was cancelled at the"
			    " source is not known");
	json_decref(source);
}

static void
tell_inferred(json_t *list, const json_t *migration)
{
	json_t *stage;
	size_t i;

	json_array_foreach(json_object_get(migration, "stages"), i, stage)
		if (json_is_true(json_object_get(stage, "inferred")))
			unknown_add(list, known_text_of(migration, "source"), "inferred",
				    number_of(stage, "start_ns"), number_of(stage, "end_ns"),
				    "the beginning of %s was not seen: its time is a guess",
				    known_text_of(stage, "name"));
	if (!json_array_size(list) && json_is_true(json_object_get(migration, "inferred")))
		unknown_add(list, known_text_of(migration, "source"), "inferred",
			    number_of(migration, "start_ns"), 0,
			    "its beginning was not seen: it may have begun earlier");
}

/* A kernel that was traced on one side only leaves the other's time unexplained. */
static void
tell_kernels(json_t *list, struct store *store, const json_t *migration)
{
	const char *hosts[2] = {
		known_text_of(migration, "source"), known_text_of(migration, "destination"),
	};
	bool traced[2] = { false, false };
	uint64_t first_ns, last_ns;

	for (size_t i = 0; i < 2; i++)
		traced[i] = hosts[i] && store_windows_span(store, hosts[i], "cpu", &first_ns, &last_ns);
	for (size_t i = 0; i < 2; i++)
		if (hosts[i] && !traced[i] && traced[1 - i])
			unknown_add(list, hosts[i], "no-kernel", number_of(migration, "start_ns"),
				    number_of(migration, "end_ns"),
				    "%s, the %s: its kernel was not traced: where the time went there"
				    " is not known", hosts[i], ends[i].name);
}

json_t *
unknown_of_migration(struct store *store, const json_t *migration)
{
	const json_t *evidence = json_object_get(migration, "evidence");
	const int64_t ahead_ns = json_integer_value(json_object_get(evidence, "clock_offset_ns"));
	const char *request = known_text_of(migration, "request_id");
	json_t *list = json_array(), *flow = request ? store_request(store, request) : NULL;

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		const struct unknown_span span = {
			.start_ns = number_of(migration, "start_ns"),
			.end_ns = number_of(migration, "end_ns"), .ahead_ns = i ? ahead_ns : 0,
		};
		const char *host = known_text_of(migration, ends[i].name);

		if (!host) {
			if (!i || !has_one_end(migration))
				tell_missing(list, store, migration, &ends[i],
					     known_text_of(flow, ends[i].name));
			continue;
		}
		tell_cut(list, store, migration, &ends[i], host, &span);
		unknown_add_losses(list, store, host, &span);
	}
	tell_outcome(list, store, migration);
	tell_inferred(list, migration);
	tell_kernels(list, store, migration);
	json_decref(flow);
	return list;
}
