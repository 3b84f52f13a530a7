/* SPDX-License-Identifier: MIT
 *
 * join_record.c -- the record of a migration from its two sides (join.h):
 * proto/schemas/migration.json is its form. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/join.h"
#include "lib/util.h"

static const json_t *
attribute(const struct side *side, const char *name)
{
	return side ? json_object_get(side->attributes, name) : NULL;
}

/* The attribute of the first side that has it. */
static const json_t *
either(const struct side *a, const struct side *b, const char *name)
{
	const json_t *value = attribute(a, name);

	return value && !json_is_null(value) ? value : attribute(b, name);
}

static uint64_t
time_of(const struct side *side, const char *name)
{
	return side ? side_time(side->attributes, name) : 0;
}

static const char *
text_of(const struct side *side, const char *name)
{
	const char *text = json_string_value(attribute(side, name));

	return text && *text ? text : NULL;
}

static void
set(json_t *record, const char *name, const json_t *value)
{
	/* Jansson counts references in the value: it can't be const for it. */
	json_t *shared = (json_t *) (uintptr_t) value;

	json_object_set(record, name, value ? shared : json_null());
}

static void
set_text(json_t *record, const char *name, const char *text)
{
	json_t *value = text ? json_string(text) : NULL;

	json_object_set_new(record, name, value ? value : json_null());
}

/* A time or duration, null for 'none'. */
static void
set_ns(json_t *record, const char *name, uint64_t ns, uint64_t none)
{
	json_object_set_new(record, name, ns == none ? json_null() : json_integer((json_int_t) ns));
}

static void
set_pid(json_t *record, const char *name, const struct side *side)
{
	uint64_t pid;

	set_ns(record, name, side && !parse_u64(side->key, &pid) && pid <= INT64_MAX ? pid :
	       UINT64_MAX, UINT64_MAX);
}

/* -- Outcome -------------------------------------------------------------- */

struct outcome {
	enum side_status status;
	uint64_t end_ns;               /* 0: open. */
	bool told_by_destination;
};

/* The source says how it went, unless the destination knows better: a source
 * without a return path says completed when it has sent everything, and one
 * that was killed says nothing at all. */
static struct outcome
outcome_of_both(const struct side *source, const struct side *destination)
{
	struct outcome outcome = { source->status, source->end_ns, false };
	const bool silent = source->status == SIDE_LOST || source->status == SIDE_RUNNING;

	if (destination->status == SIDE_FAILED && (silent || source->status == SIDE_COMPLETED)) {
		outcome.status = SIDE_FAILED;
		outcome.told_by_destination = true;
	} else if (source->status == SIDE_LOST && (destination->status == SIDE_COMPLETED ||
						   destination->status == SIDE_RUNNING)) {
		outcome.status = destination->status;
		outcome.told_by_destination = true;
	}
	if (outcome.told_by_destination && silent)
		outcome.end_ns = destination->end_ns;
	return outcome;
}

/* Why it did not end well, for a person; NULL if it did.  To be freed. */
static char *
reason_of(const struct side *source, const struct side *destination, const struct outcome *outcome)
{
	const char *said = text_of(source, "reason"), *why = text_of(destination, "reason");
	const char *last = text_of(source, "last_event");

	switch (outcome->status) {
	case SIDE_RUNNING:
	case SIDE_COMPLETED:
		return NULL;
	case SIDE_CANCELLED:
		return xstrdup(said ? said : "it was cancelled at the source");
	case SIDE_LOST:
		return xstrdup(said ? said : why ? why : "its trace ends in the middle");
	default:
		break;
	}
	if (!why)
		why = "it does not say why";
	if (!source)
		return xasprintf("the destination failed: %s", why);
	if (!outcome->told_by_destination)
		return xstrdup(said ? said : "the source failed without saying why");
	if (source->status == SIDE_COMPLETED)
		return xasprintf(
			"the destination %s failed: %s; the source says completed, as without"
			" a return path it can't know",
			destination->host, why);
	return xasprintf("the destination %s failed: %s; the source %s fell silent%s%s",
			 destination->host, why, source->host, last ? " after " : "",
			 last ? last : "");
}

/* -- Clocks --------------------------------------------------------------- */

/* How far the destination's clock is ahead of the source's, from the causality
 * of the pair itself: nobody is accepted before the source begins, no VM runs
 * before the other one stops, and a connection is accepted within moments.
 * When clocks that agree are possible, they are taken as they are. */
struct clock_offset {
	int64_t ns;
	int64_t error_ns;              /* -1: not known. */
};

static struct clock_offset
clock_offset_of(const struct side *source, const struct side *destination)
{
	uint64_t stop_ns = time_of(source, "stop_ns"), run_ns = time_of(destination, "run_ns");
	/* A descriptor that is handed over was connected by somebody else, before. */
	bool connects = source->connected && source->address.kind != ADDRESS_UNKNOWN;
	int64_t before = connects ? 0 : (int64_t) JOIN_NEAR_NS;
	int64_t ns = (int64_t) (destination->at_ns - source->at_ns);
	int64_t most = (int64_t) (destination->at_ns - source->start_ns) + before;
	int64_t least = ns - (int64_t) JOIN_NEAR_NS, error_ns;

	if (streq(source->host, destination->host))
		return (struct clock_offset) { 0, 0 };
	if (stop_ns && run_ns)
		most = MIN(most, (int64_t) (run_ns - stop_ns));
	least = MIN(least, most);
	if (least <= 0 && most >= 0)
		return (struct clock_offset) { 0, -1 };
	ns = MIN(ns, most);
	ns = MAX(ns, least);
	error_ns = MAX(most - ns, ns - least);
	return (struct clock_offset) { ns, error_ns };
}

static void
set_blackout(json_t *record, const struct side *source, const struct side *destination,
	     const struct clock_offset *offset, enum side_status status)
{
	uint64_t stop_ns = time_of(source, "stop_ns"), run_ns = time_of(destination, "run_ns");
	int64_t ns = -1;

	if (status == SIDE_COMPLETED && stop_ns && run_ns)
		ns = MAX((int64_t) (run_ns - stop_ns) - offset->ns, 0);
	set_ns(record, "blackout_ns", (uint64_t) ns, UINT64_MAX);
}

/* -- The record ----------------------------------------------------------- */

static void
set_vm(json_t *record, const struct side *source, const struct side *destination)
{
	const char *names[] = { "uuid", "name" };
	json_t *vm = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = source ? json_string_value(
			json_object_get(source->process, names[i])) : NULL;

		if ((!value || !*value) && destination)
			value = json_string_value(json_object_get(destination->process, names[i]));
		set_text(vm, names[i], value && *value ? value : NULL);
	}
	json_object_set_new(record, "vm", vm);
}

/* Analyzers tell more finely ("postcopy-paused") than clients want to know. */
static const char *
known_stage(const json_t *stage)
{
	static const char *const stages[] = { "setup", "precopy", "stop-and-copy", "postcopy" };
	const char *name = json_string_value(stage);

	for (size_t i = 0; i < ARRAY_SIZE(stages) && name; i++)
		if (starts_with(name, stages[i]))
			return stages[i];
	return NULL;
}

static void
set_stages(json_t *record, const struct side *source, const struct side *destination)
{
	const json_t *given = either(source, destination, "stages");
	json_t *stages = json_array(), *stage, *copy;
	size_t i;

	set_text(record, "stage", known_stage(either(source, destination, "stage")));
	json_array_foreach(given, i, stage) {
		const json_t *name = json_object_get(stage, "name");

		if (!known_stage(name))
			continue;
		copy = json_copy(stage);
		set_text(copy, "name", known_stage(name));
		set(copy, "detail", name);
		json_array_append_new(stages, copy);
	}
	json_object_set_new(record, "stages", stages);
}

static void
set_array(json_t *record, const char *name, const json_t *value)
{
	if (json_is_array(value))
		set(record, name, value);
	else
		json_object_set_new(record, name, json_array());
}

static void
set_evidence(json_t *record, const struct side *source, const struct side *destination,
	     const struct clock_offset *offset)
{
	static const char *const names[][2] = {
		[JOIN_TIME] = { "time", "duration" },
		[JOIN_PORT] = { "port and time", "port and duration" },
		[JOIN_UUID] = { "uuid and time", "uuid and duration" },
	};
	json_t *evidence = json_object();
	json_int_t events = 0, lost = 0;

	for (int i = 0; i < 2; i++) {
		events += json_integer_value(attribute(i ? source : destination, "events"));
		lost += json_integer_value(attribute(i ? source : destination, "lost"));
	}
	json_object_set_new(evidence, "events", json_integer(events));
	json_object_set_new(evidence, "lost", json_integer(lost));
	set_ns(evidence, "clock_error_ns", (uint64_t) offset->error_ns, UINT64_MAX);
	json_object_set_new(evidence, "clock_offset_ns", source && destination ?
			    json_integer(offset->ns) : json_null());
	set_text(evidence, "joined_by", source && destination ?
		 names[source->evidence][source->by_duration] : NULL);
	json_object_set_new(record, "evidence", evidence);
}

/* Post-copy that was under way when the nodes were attached to is known first where it loads. */
static const json_t *
mode_of(const struct side *source, const struct side *destination)
{
	const json_t *mode = attribute(destination, "mode");

	return json_is_string(mode) && streq(json_string_value(mode), "postcopy") ? mode :
	       either(source, destination, "mode");
}

/* What comes from one side as it is. */
static void
set_attributes(json_t *record, const struct side *source, const struct side *destination)
{
	static const char *const of_source[] = {
		"dirty_syncs", "throttle_percent", "rolled_back", "return_path", "paused_before",
		"downtime_limit_ns", "max_bandwidth", "total_bytes", "remaining_bytes",
		"sent_bytes", "rounds_dropped", "uri", "stop_ns", "last_event", "last_event_ns",
		"last_checkpoint", "last_section",
	};
	const json_t *forecast = attribute(source, "forecast");
	const json_t *mode = mode_of(source, destination);

	set(record, "mode", mode);
	set(record, "inferred", either(source, destination, "inferred"));
	for (size_t i = 0; i < ARRAY_SIZE(of_source); i++)
		set(record, of_source[i], attribute(source, of_source[i]));
	if (json_is_string(mode) && streq(json_string_value(mode), "postcopy"))
		set(record, "downtime_ns", NULL);
	else
		set(record, "downtime_ns", attribute(source, "downtime_ns"));
	set(record, "run_ns", attribute(destination, "run_ns"));
	set_array(record, "rounds", attribute(source, "rounds"));
	if (json_is_object(forecast))
		set(record, "forecast", forecast);
	else
		json_object_set_new(record, "forecast",
				    json_pack("{s:s, s:n, s:n, s:n}", "verdict", "unknown",
					      "remaining_ns", "downtime_ns", "needs"));
}

json_t *
join_record(const struct side *source, const struct side *destination)
{
	const struct side *first = source ? source : destination;
	struct outcome outcome;
	struct clock_offset offset = { 0, -1 };
	json_t *record = json_object();
	_cleanup_(freep) char *reason = NULL;
	uint64_t end_ns;

	assert(first);
	outcome = (struct outcome) { first->status, first->end_ns, !source };
	if (source && destination) {
		outcome = outcome_of_both(source, destination);
		offset = clock_offset_of(source, destination);
	}
	reason = reason_of(source, destination, &outcome);
	end_ns = outcome.end_ns;
	/* An end that only the destination told is put on the source's clock. */
	if (end_ns && source && outcome.told_by_destination && end_ns != source->end_ns)
		end_ns = (uint64_t) MAX((int64_t) end_ns - offset.ns, (int64_t) source->start_ns);
	set_text(record, "id", first->id);
	set_text(record, "source_id", source ? source->id : NULL);
	set_text(record, "destination_id", destination ? destination->id : NULL);
	set_vm(record, source, destination);
	set_text(record, "source", source ? source->host : NULL);
	set_text(record, "destination", destination ? destination->host : NULL);
	set_pid(record, "source_pid", source);
	set_pid(record, "destination_pid", destination);
	set_text(record, "status", side_status_names[outcome.status]);
	set_stages(record, source, destination);
	set_attributes(record, source, destination);
	json_object_set_new(record, "start_ns", json_integer((json_int_t) first->start_ns));
	set_ns(record, "end_ns", end_ns, 0);
	set_ns(record, "total_ns", end_ns ? end_ns - MIN(end_ns, first->start_ns) : UINT64_MAX,
	       UINT64_MAX);
	if (source && destination)
		set_blackout(record, source, destination, &offset, outcome.status);
	else
		set(record, "blackout_ns", NULL);
	set_text(record, "reason", reason);
	set(record, "request_id", NULL);
	json_object_set_new(record, "source_open",
			    json_boolean(source && source->status == SIDE_RUNNING));
	set_evidence(record, source, destination, &offset);
	return record;
}
