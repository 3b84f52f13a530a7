/* SPDX-License-Identifier: MIT */
#include "proto/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/util.h"

uint64_t
trace_hash(const char *text, uint64_t seed)
{
	/* FNV-1a, and a last mixing as its high bits are weak. */
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (seed * UINT64_C(0x9e3779b97f4a7c15));

	for (; *text; text++)
		hash = (hash ^ (unsigned char) *text) * UINT64_C(0x100000001b3);
	hash ^= hash >> 33;
	hash *= UINT64_C(0xff51afd7ed558ccd);
	hash ^= hash >> 33;
	return hash ? hash : 1;
}

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* The hex digits of a uuid without its dashes; false: it is none. */
static bool
uuid_digits(const char *text, char ret[TRACE_ID_SIZE])
{
	size_t n = 0;

	if (strlen(text) != 36)
		return false;
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !is_hex(text[i]))
			return false;
		if (!dash)
			ret[n++] = text[i];
	}
	ret[n] = '\0';
	return strspn(ret, "0") != n;
}

void
trace_id(const char *id, char ret[TRACE_ID_SIZE])
{
	if (uuid_digits(starts_with(id, "req-") ? id + 4 : id, ret))
		return;
	snprintf(ret, TRACE_ID_SIZE, "%016" PRIx64 "%016" PRIx64, trace_hash(id, 1), trace_hash(id, 2));
}

void
trace_span_id(const char *id, char ret[SPAN_ID_SIZE])
{
	size_t n = 0;

	while (is_hex(id[n]))
		n++;
	if (n == SPAN_ID_SIZE - 1 && !id[n] && strspn(id, "0") != n)
		strcpy(ret, id);
	else
		snprintf(ret, SPAN_ID_SIZE, "%016" PRIx64, trace_hash(id, 3));
}

static uint64_t
ns_of(const json_t *object, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 ? (uint64_t) value : 0;
}

uint64_t
trace_start(const json_t *span)
{
	return ns_of(span, "start_ns");
}

uint64_t
trace_end(const json_t *span)
{
	uint64_t start_ns = ns_of(span, "start_ns"), end_ns = ns_of(span, "end_ns");

	return end_ns > start_ns ? end_ns : start_ns;
}

/* -- Migrations ----------------------------------------------------------- */

static void
copy_members(json_t *to, const json_t *from, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_t *value = json_object_get(from, names[i]);

		if (value && !json_is_null(value))
			json_object_set(to, names[i], value);
	}
}

/* A span of the migration; 'of' has its times. */
static json_t *
span_new(const json_t *migration, const char *what, const char *parent, const char *name,
	 const json_t *of, json_t *attributes)
{
	const char *id = json_string_value(json_object_get(migration, "id"));
	_cleanup_(freep) char *text = xasprintf("%s/%s", id ? id : "", what);
	char span_id[SPAN_ID_SIZE];
	json_t *end = json_object_get(of, "end_ns");

	snprintf(span_id, sizeof span_id, "%016" PRIx64, trace_hash(text, 4));
	return json_pack("{s:s, s:s?, s:s, s:s, s:O?, s:s, s:I, s:O?, s:O?, s:o}", "id", span_id, "parent",
			 parent, "layer", "virtualization", "service", "qemu", "host",
			 json_object_get(migration, "source"), "name", name, "start_ns",
			 (json_int_t) ns_of(of, "start_ns"), "end_ns", end, "status",
			 json_object_get(migration, "status"), "attributes", attributes);
}

static const char *
id_of(const json_t *span)
{
	return json_string_value(json_object_get(span, "id"));
}

static void
add_rounds(json_t *spans, const json_t *migration, const char *parent)
{
	static const char *const names[] = { "dirty_pages", "sent_bytes", "remaining_bytes" };
	json_t *round;
	size_t i;

	json_array_foreach(json_object_get(migration, "rounds"), i, round) {
		json_t *attributes = json_object();
		char name[40], what[40];

		copy_members(attributes, round, names, ARRAY_SIZE(names));
		snprintf(name, sizeof name, "round %" JSON_INTEGER_FORMAT,
			 json_integer_value(json_object_get(round, "n")));
		snprintf(what, sizeof what, "round %zu", i);
		json_array_append_new(spans, span_new(migration, what, parent, name, round, attributes));
	}
}

static json_t *
spans_of_migration(const json_t *migration)
{
	static const char *const names[] = {
		"mode", "downtime_ns", "blackout_ns", "dirty_syncs", "throttle_percent", "reason",
		"request_id", "destination", "source_pid", "destination_pid",
	};
	json_t *attributes = json_object(), *spans = json_array(), *stage, *root, *span;
	json_t *vm = json_object_get(migration, "vm");
	size_t i;

	copy_members(attributes, migration, names, ARRAY_SIZE(names));
	if (json_is_string(json_object_get(vm, "uuid")))
		json_object_set(attributes, "instance", json_object_get(vm, "uuid"));
	root = span_new(migration, "root", NULL, "live migration", migration, attributes);
	json_array_append_new(spans, root);
	json_array_foreach(json_object_get(migration, "stages"), i, stage) {
		const char *name = json_string_value(json_object_get(stage, "name"));

		if (!name)
			continue;
		span = span_new(migration, name, id_of(root), name, stage, json_object());
		json_array_append_new(spans, span);
		if (streq(name, "precopy"))
			add_rounds(spans, migration, id_of(span));
	}
	return spans;
}

json_t *
trace_spans(const json_t *record)
{
	json_t *spans = json_object_get(record, "spans");

	return json_is_array(spans) ? json_incref(spans) : spans_of_migration(record);
}
