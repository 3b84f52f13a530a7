/* SPDX-License-Identifier: MIT
 *
 * export_perfetto.c -- Perfetto's protobuf: TracePacket with TrackDescriptor and
 * TrackEvent, times in ns as they are. */
#include <stdlib.h>
#include <string.h>

#include "client/export.h"
#include "lib/util.h"
#include "proto/trace.h"

/* Numbers of fields, as perfetto's protos/perfetto/trace has them. */
enum {
	TRACE_PACKET = 1,
	PACKET_TIMESTAMP = 8, PACKET_SEQUENCE = 10, PACKET_EVENT = 11, PACKET_FLAGS = 13,
	PACKET_DESCRIPTOR = 60,
	EVENT_ANNOTATIONS = 4, EVENT_TYPE = 9, EVENT_TRACK = 11, EVENT_CATEGORIES = 22, EVENT_NAME = 23,
	EVENT_COUNTER = 30, EVENT_FLOW = 47, EVENT_FLOW_END = 48,
	TRACK_UUID = 1, TRACK_NAME = 2, TRACK_PARENT = 5, TRACK_COUNTER = 8,
	ANNOTATION_BOOL = 2, ANNOTATION_INT = 4, ANNOTATION_DOUBLE = 5, ANNOTATION_STRING = 6,
	ANNOTATION_NAME = 10,
	TYPE_BEGIN = 1, TYPE_END = 2, TYPE_COUNTER = 4,
	SEQUENCE = 1, STATE_CLEARED = 1,
};

enum wire { WIRE_VARINT, WIRE_FIXED64, WIRE_BYTES };

/* -- Protobuf ------------------------------------------------------------- */

static void
add_varint(struct buf *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buf_add_char(out, (char) (value | 0x80));
	buf_add_char(out, (char) value);
}

static void
add_number(struct buf *out, unsigned field, uint64_t value)
{
	add_varint(out, field << 3 | WIRE_VARINT);
	add_varint(out, value);
}

static void
add_fixed64(struct buf *out, unsigned field, uint64_t value)
{
	add_varint(out, field << 3 | WIRE_FIXED64);
	for (int i = 0; i < 8; i++)
		buf_add_char(out, (char) (value >> (8 * i)));
}

static void
add_bytes(struct buf *out, unsigned field, const char *bytes, size_t size)
{
	add_varint(out, field << 3 | WIRE_BYTES);
	add_varint(out, size);
	buf_add(out, bytes, size);
}

static void
add_text(struct buf *out, unsigned field, const char *text)
{
	add_bytes(out, field, text, strlen(text));
}

/* A message within another; 'inner' is emptied. */
static void
add_message(struct buf *out, unsigned field, struct buf *inner)
{
	add_bytes(out, field, inner->size ? inner->data : "", inner->size);
	buf_clear(inner);
}

/* -- Tracks --------------------------------------------------------------- */

static uint64_t
track_of(const struct export_group *group, const char *what, unsigned lane)
{
	_cleanup_(freep) char *text = xasprintf("%s\n%s\n%s\n%u", group->host, group->service, what, lane);

	return trace_hash(text, 5);
}

static uint64_t
host_track(const char *host)
{
	return trace_hash(host, 6);
}

static void
add_track(struct buf *out, uint64_t track, uint64_t parent, const char *name, bool counter)
{
	_cleanup_(buf_done) struct buf descriptor = { 0 }, packet = { 0 };

	add_number(&descriptor, TRACK_UUID, track);
	add_text(&descriptor, TRACK_NAME, name);
	if (parent)
		add_number(&descriptor, TRACK_PARENT, parent);
	if (counter)
		add_bytes(&descriptor, TRACK_COUNTER, "", 0);
	add_number(&packet, PACKET_SEQUENCE, SEQUENCE);
	add_number(&packet, PACKET_FLAGS, STATE_CLEARED);
	add_message(&packet, PACKET_DESCRIPTOR, &descriptor);
	add_message(out, TRACE_PACKET, &packet);
}

static void
add_tracks(struct buf *out, const struct export *export)
{
	for (unsigned i = 0; i < export->n_groups; i++) {
		const struct export_group *group = &export->groups[i];
		bool is_new = true;

		for (unsigned k = 0; k < i; k++)
			is_new &= !streq(export->groups[k].host, group->host);
		if (is_new)
			add_track(out, host_track(group->host), 0, *group->host ? group->host : "?", false);
		for (unsigned lane = 0; lane < group->lanes; lane++)
			add_track(out, track_of(group, "lane", lane), host_track(group->host),
				  *group->service ? group->service : "?", false);
	}
}

/* -- Events --------------------------------------------------------------- */

static void
add_annotation(struct buf *event, const char *name, const json_t *value)
{
	_cleanup_(buf_done) struct buf annotation = { 0 };
	char *text;

	add_text(&annotation, ANNOTATION_NAME, name);
	if (json_is_boolean(value)) {
		add_number(&annotation, ANNOTATION_BOOL, json_is_true(value));
	} else if (json_is_integer(value)) {
		add_number(&annotation, ANNOTATION_INT, (uint64_t) json_integer_value(value));
	} else if (json_is_real(value)) {
		double number = json_real_value(value);
		uint64_t bits;

		memcpy(&bits, &number, sizeof bits);
		add_fixed64(&annotation, ANNOTATION_DOUBLE, bits);
	} else if (json_is_string(value)) {
		add_text(&annotation, ANNOTATION_STRING, json_string_value(value));
	} else {
		text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
		add_text(&annotation, ANNOTATION_STRING, text ? text : "");
		free(text);
	}
	add_message(event, EVENT_ANNOTATIONS, &annotation);
}

static void
add_event(struct buf *out, uint64_t t_ns, struct buf *event)
{
	_cleanup_(buf_done) struct buf packet = { 0 };

	add_number(&packet, PACKET_TIMESTAMP, t_ns);
	add_number(&packet, PACKET_SEQUENCE, SEQUENCE);
	add_message(&packet, PACKET_EVENT, event);
	add_message(out, TRACE_PACKET, &packet);
}

static bool
is_elsewhere(const struct export *export, unsigned child)
{
	const struct export_span *span = &export->spans[child];

	return span->parent != child && export->spans[span->parent].group != span->group;
}

static uint64_t
flow_of(const struct export_span *span)
{
	const char *id = json_string_value(json_object_get(span->span, "id"));

	return trace_hash(id ? id : "", 7);
}

/* Arrows go from a span to those of its children that are somewhere else. */
static void
add_flows(struct buf *event, const struct export *export, unsigned at)
{
	for (unsigned i = 0; i < export->n; i++)
		if (export->spans[i].parent == at && is_elsewhere(export, i))
			add_fixed64(event, EVENT_FLOW, flow_of(&export->spans[i]));
	if (is_elsewhere(export, at))
		add_fixed64(event, EVENT_FLOW_END, flow_of(&export->spans[at]));
}

static void
add_begin(struct buf *out, const struct export *export, unsigned at)
{
	const struct export_span *span = &export->spans[at];
	_cleanup_(buf_done) struct buf event = { 0 };
	const char *name = json_string_value(json_object_get(span->span, "name"));
	const char *layer = json_string_value(json_object_get(span->span, "layer"));
	const json_t *status = json_object_get(span->span, "status");
	json_t *attributes = json_object_get(span->span, "attributes"), *value;
	const char *key;

	add_number(&event, EVENT_TYPE, TYPE_BEGIN);
	add_number(&event, EVENT_TRACK, track_of(&export->groups[span->group], "lane", span->lane));
	add_text(&event, EVENT_CATEGORIES, layer ? layer : "application");
	add_text(&event, EVENT_NAME, name ? name : "?");
	if (json_is_string(status))
		add_annotation(&event, "status", status);
	json_object_foreach(attributes, key, value)
		if (!json_is_null(value))
			add_annotation(&event, key, value);
	add_flows(&event, export, at);
	add_event(out, span->start_ns, &event);
}

static void
add_end(struct buf *out, const struct export *export, unsigned at)
{
	const struct export_span *span = &export->spans[at];
	_cleanup_(buf_done) struct buf event = { 0 };

	add_number(&event, EVENT_TYPE, TYPE_END);
	add_number(&event, EVENT_TRACK, track_of(&export->groups[span->group], "lane", span->lane));
	add_event(out, span->end_ns, &event);
}

/* Begins and ends of each track as they nest. */
static void
add_spans(struct buf *out, const struct export *export)
{
	unsigned *open = xcalloc(export->n + 1, sizeof *open), depth = 0;

	for (unsigned i = 0; i < export->n; i++) {
		const struct export_span *span = &export->spans[i];

		while (depth && (export->spans[open[depth - 1]].group != span->group ||
				 export->spans[open[depth - 1]].lane != span->lane ||
				 export->spans[open[depth - 1]].end_ns <= span->start_ns))
			add_end(out, export, open[--depth]);
		add_begin(out, export, i);
		open[depth++] = i;
	}
	while (depth)
		add_end(out, export, open[--depth]);
	free(open);
}

/* The curve of memory left to send. */
static void
add_samples(struct buf *out, const json_t *record)
{
	const char *host = json_string_value(json_object_get(record, "source"));
	const struct export_group group = { host ? host : "", "qemu", 1 };
	uint64_t track = track_of(&group, "left", 0);
	json_t *sample;
	size_t i;

	if (!json_array_size(json_object_get(record, "samples")))
		return;
	add_track(out, track, host_track(group.host), "memory left (bytes)", true);
	json_array_foreach(json_object_get(record, "samples"), i, sample) {
		_cleanup_(buf_done) struct buf event = { 0 };
		const json_t *left = json_array_get(sample, 1);

		if (!json_is_integer(left))
			continue;
		add_number(&event, EVENT_TYPE, TYPE_COUNTER);
		add_number(&event, EVENT_TRACK, track);
		add_number(&event, EVENT_COUNTER, (uint64_t) json_integer_value(left));
		add_event(out, (uint64_t) json_integer_value(json_array_get(sample, 0)), &event);
	}
}

void
export_perfetto(const json_t *record, struct buf *out)
{
	struct export export;

	export_prepare(record, &export);
	add_tracks(out, &export);
	add_spans(out, &export);
	add_samples(out, record);
	export_done(&export);
}
