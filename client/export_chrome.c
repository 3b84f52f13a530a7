/* SPDX-License-Identifier: MIT
 *
 * export_chrome.c -- Chrome's Trace Event Format (JSON): complete events, flow
 * arrows, counters. */
#include "client/export.h"

#include "lib/util.h"
#include "proto/trace.h"

/* us after the first span, with the ns behind the point. */
static json_t *
us_json(uint64_t ns)
{
	return json_real((double) ns / 1000.0);
}

static unsigned
pid_of(const struct export *export, const char *host)
{
	unsigned i = 0;

	while (i < export->n_groups && !streq(export->groups[i].host, host))
		i++;
	return i + 1;
}

static unsigned
tid_of(unsigned group, unsigned lane)
{
	return group * 1000 + lane + 1;
}

static void
add_names(json_t *events, const struct export *export)
{
	for (unsigned i = 0; i < export->n_groups; i++) {
		const struct export_group *group = &export->groups[i];
		unsigned pid = pid_of(export, group->host);

		if (pid == i + 1)
			json_array_append_new(events, json_pack(
				"{s:s, s:s, s:i, s:{s:s}}", "ph", "M", "name", "process_name", "pid",
				(int) pid, "args", "name", *group->host ? group->host : "?"));
		for (unsigned lane = 0; lane < group->lanes; lane++)
			json_array_append_new(events, json_pack(
				"{s:s, s:s, s:i, s:i, s:{s:s}}", "ph", "M", "name", "thread_name", "pid",
				(int) pid, "tid", (int) tid_of(i, lane), "args", "name",
				*group->service ? group->service : "?"));
	}
}

static void
add_arrow(json_t *events, const struct export *export, unsigned child, uint64_t epoch_ns)
{
	const struct export_span *span = &export->spans[child], *parent = &export->spans[span->parent];
	const struct export_span *ends[] = { parent, span };

	if (span->parent == child || parent->group == span->group)
		return;
	for (int i = 0; i < 2; i++) {
		/* An arrow begins within its span. */
		uint64_t within_ns = MIN(span->start_ns, parent->end_ns);
		uint64_t t_ns = i ? span->start_ns : MAX(parent->start_ns, within_ns);

		json_array_append_new(events, json_pack(
			"{s:s, s:s, s:s, s:i, s:o, s:i, s:i, s:s*}", "ph", i ? "f" : "s", "name", "calls",
			"cat", "flow", "id", (int) child, "ts", us_json(t_ns - epoch_ns), "pid",
			(int) pid_of(export, export->groups[ends[i]->group].host), "tid",
			(int) tid_of(ends[i]->group, ends[i]->lane), "bp", i ? "e" : NULL));
	}
}

static void
add_span(json_t *events, const struct export *export, unsigned at, uint64_t epoch_ns)
{
	const struct export_span *span = &export->spans[at];
	json_t *attributes = json_object_get(span->span, "attributes"), *args;

	args = json_is_object(attributes) ? json_copy(attributes) : json_object();
	if (json_is_string(json_object_get(span->span, "status")))
		json_object_set(args, "status", json_object_get(span->span, "status"));
	json_array_append_new(events, json_pack(
		"{s:s, s:O?, s:O?, s:o, s:o, s:i, s:i, s:o}", "ph", "X", "name",
		json_object_get(span->span, "name"), "cat", json_object_get(span->span, "layer"), "ts",
		us_json(span->start_ns - epoch_ns), "dur", us_json(span->end_ns - span->start_ns), "pid",
		(int) pid_of(export, export->groups[span->group].host), "tid",
		(int) tid_of(span->group, span->lane), "args", args));
	add_arrow(events, export, at, epoch_ns);
}

static void
add_samples(json_t *events, const struct export *export, const json_t *record, uint64_t epoch_ns)
{
	const char *host = json_string_value(json_object_get(record, "source"));
	json_t *sample;
	size_t i;

	json_array_foreach(json_object_get(record, "samples"), i, sample) {
		uint64_t t_ns = (uint64_t) json_integer_value(json_array_get(sample, 0));
		json_t *left = json_array_get(sample, 1);

		if (json_is_integer(left) && t_ns >= epoch_ns)
			json_array_append_new(events, json_pack(
				"{s:s, s:s, s:o, s:i, s:{s:O}}", "ph", "C", "name", "memory left", "ts",
				us_json(t_ns - epoch_ns), "pid", (int) pid_of(export, host ? host : ""),
				"args", "bytes", left));
	}
}

static int
add_bytes(const char *bytes, size_t size, void *out)
{
	buf_add(out, bytes, size);
	return 0;
}

void
export_chrome(const json_t *record, struct buf *out)
{
	json_t *events = json_array(), *file;
	uint64_t epoch_ns = UINT64_MAX;
	struct export export;

	export_prepare(record, &export);
	for (unsigned i = 0; i < export.n; i++)
		epoch_ns = MIN(epoch_ns, export.spans[i].start_ns);
	add_names(events, &export);
	for (unsigned i = 0; i < export.n; i++)
		add_span(events, &export, i, epoch_ns);
	add_samples(events, &export, record, epoch_ns);
	export_done(&export);
	file = json_pack("{s:o, s:s, s:{s:I, s:O?}}", "traceEvents", events, "displayTimeUnit", "ms",
			 "otherData", "epoch_ns", (json_int_t) (epoch_ns == UINT64_MAX ? 0 : epoch_ns), "id",
			 json_object_get(record, "id"));
	json_dump_callback(file, add_bytes, out, JSON_COMPACT | JSON_REAL_PRECISION(17));
	buf_add_char(out, '\n');
	json_decref(file);
}
