/* SPDX-License-Identifier: MIT
 *
 * drain_answer.c -- what is told of a host that is being emptied (drain.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/drain.h"
#include "daemon/members.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/util.h"

enum { MAX_PAST = 20, MAX_LEFT = 1000 };
/* How far back is looked for those that follow each other. */
#define BACK_NS (7 * 86400 * NS_PER_S)

static bool
is(const char *text, const char *other)
{
	return text && other && streq(text, other);
}

/* -- How many at a time -------------------------------------------------------------------------- */

/* Most that held a slot at once; where others wait, those that hold one now. */
static unsigned
slots_of(const struct drain_rows *rows)
{
	unsigned most = 0, now = 0, waiting = 0;

	for (size_t i = 0; i < rows->n; i++) {
		const struct drain_row *row = &rows->rows[i];
		unsigned at_once = 0;

		now += row->slot_ns && drain_is_open(row);
		waiting += row->phase == DRAIN_QUEUED && streq(row->kind, "live");
		for (size_t k = 0; k < rows->n && row->slot_ns; k++) {
			const struct drain_row *other = &rows->rows[k];

			at_once += other->slot_ns && other->slot_ns <= row->slot_ns &&
				   (drain_is_open(other) || other->end_ns > row->slot_ns);
		}
		most = MAX(most, at_once);
	}
	return waiting && now ? MAX(now, most) : most;
}

/* -- JSON ------------------------------------------------------------------------------------------ */

static json_t *
number_json(uint64_t value)
{
	return value ? json_integer((json_int_t) MIN(value, (uint64_t) INT64_MAX)) : json_null();
}

static json_t *
text_json(const char *text)
{
	return text && *text ? store_string(text) : json_null();
}

static json_t *
progress_json(const struct drain_row *row)
{
	double left;

	if (is(row->status, "done"))
		return json_real(100);
	if (!row->memory_bytes || !row->moving_ns)
		return json_null();
	left = (double) MIN(row->remaining_bytes, row->memory_bytes) / (double) row->memory_bytes;
	return json_real((double) (int) (1000.0 * (1.0 - left)) / 10);
}

static json_t *
reason_json(const struct drain_row *row)
{
	const char *reason = text_of(row->migration, "reason");
	const char *message = text_of(json_object_get(row->request, "error"), "message");

	return is(row->status, "done") ? json_null() : text_json(message ? message : reason);
}

static json_t *
row_json(const struct drain_row *row)
{
	json_t *json = json_pack(
		"{s:{s:o, s:o}, s:s, s:s, s:s, s:o, s:o, s:o}", "vm", "uuid", text_json(row->uuid), "name",
		text_json(row->name), "kind", row->kind, "status", row->status, "phase",
		drain_phase_names[row->phase], "request_id", text_json(text_of(row->request, "id")),
		"migration", text_json(text_of(row->migration, "id")), "destination",
		text_json(row->destination));
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{ "asked_ns", row->asked_ns }, { "slot_ns", row->slot_ns }, { "end_ns", row->end_ns },
		{ "memory_bytes", row->memory_bytes }, { "sent_bytes", row->sent_bytes },
		{ "rate_bytes_s", row->rate_bytes_s }, { "eta_ns", row->eta_ns },
		{ "eta_low_ns", row->low_ns }, { "eta_high_ns", row->high_ns },
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		json_object_set_new(json, numbers[i].name, number_json(numbers[i].value));
	json_object_set_new(json, "remaining_bytes", row->moving_ns && drain_is_open(row) ?
			    json_integer((json_int_t) row->remaining_bytes) : json_null());
	json_object_set_new(json, "progress_percent", progress_json(row));
	json_object_set_new(json, "verdict", row->moving_ns && drain_is_open(row) ?
			    text_json(row->verdict) : json_null());
	json_object_set_new(json, "reason", reason_json(row));
	return json;
}

static bool
leaves(const struct drain_rows *rows, const char *uuid)
{
	for (size_t i = 0; i < rows->n; i++)
		if (is(rows->rows[i].uuid, uuid) && drain_is_open(&rows->rows[i]))
			return true;
	return false;
}

/* VMs that are there and have nothing that brings them away. */
static json_t *
left_json(struct store *store, const char *host, const struct drain_rows *rows)
{
	const struct store_filter filter = { .host = host, .limit = MAX_LEFT };
	json_t *vms = store_thing_list(store, "vm", &filter, NULL), *vm;
	json_t *left = json_array();
	size_t i;

	json_array_foreach(vms, i, vm) {
		const char *uuid = text_of(vm, "uuid");

		if (!uuid || json_is_true(json_object_get(vm, "deleted")) || leaves(rows, uuid))
			continue;
		json_array_append_new(left, json_pack(
			"{s:s, s:O?, s:O?, s:O?}", "uuid", uuid, "name", json_object_get(vm, "name"),
			"vm_state", json_object_get(vm, "vm_state"), "memory_mib",
			json_object_get(vm, "memory_mib")));
	}
	json_decref(vms);
	return left;
}

static json_t *
counts_json(const struct drain_rows *rows, size_t left)
{
	static const char *const names[] = { "running", "queued", "done", "failed", "cancelled", "lost" };
	json_t *counts = json_object();

	for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
		json_int_t n = 0;

		for (size_t i = 0; i < rows->n; i++)
			n += streq(rows->rows[i].status, names[k]);
		json_object_set_new(counts, names[k], json_integer(n));
	}
	json_object_set_new(counts, "left", json_integer((json_int_t) left));
	return counts;
}

static void
add_count(const json_t *counts, const char *name, const char *text, struct buf *out)
{
	const json_int_t n = json_integer_value(json_object_get(counts, name));

	if (n)
		buf_printf(out, "%s%lld %s", out->size ? ", " : "", (long long) n, text);
}

static void
add_eta(const json_t *eta, uint64_t now_ns, struct buf *out)
{
	static const char *const names[] = { "end_ns", "low_ns", "high_ns" };
	static const char *const before[] = { "; the last has left in about ", " (", " to " };
	char text[48];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const uint64_t t_ns = number_of(eta, names[i]);

		buf_printf(out, "%s%s", before[i],
			   format_duration(t_ns - MIN(t_ns, now_ns), text, sizeof text));
	}
	buf_add_char(out, ')');
}

static json_t *
summary_json(const json_t *counts, const json_t *eta, const json_t *unknown, uint64_t now_ns)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *why;
	size_t i;

	add_count(counts, "running", "leaving", &out);
	add_count(counts, "queued", "waiting", &out);
	add_count(counts, "done", "done", &out);
	add_count(counts, "failed", "failed", &out);
	add_count(counts, "cancelled", "cancelled", &out);
	add_count(counts, "lost", "lost", &out);
	add_count(counts, "left", "still there without a migration", &out);
	if (!out.size)
		buf_add_string(&out, "nothing leaves this host, and no VM is known to be on it");
	if (json_is_object(eta))
		add_eta(eta, now_ns, &out);
	json_array_foreach((json_t *) (uintptr_t) unknown, i, why)
		buf_printf(&out, "%s%s", i ? ", " : "; when all have left is unknown: ",
			   json_string_value(why));
	return store_string(out.data);
}

/* -- All --------------------------------------------------------------------------------------------- */

/* Of the newest of any host those that ended well. */
static void
read_past(struct drain_rows *past, struct store *store, uint64_t now_ns)
{
	size_t n = 0;

	if (drain_read(past, store, NULL, 0, now_ns, MAX_PAST, NULL) < 0)
		return;
	for (size_t i = 0; i < past->n; i++) {
		if (is(past->rows[i].status, "done")) {
			past->rows[n++] = past->rows[i];
		} else {
			json_decref(past->rows[i].request);
			json_decref(past->rows[i].migration);
		}
	}
	past->n = n;
}

static bool
goes_on(const struct drain_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		if (drain_is_open(&rows->rows[i]))
			return true;
	return false;
}

static json_t *
status_json(struct store *store, const char *host, struct drain_rows *rows, uint64_t now_ns)
{
	struct drain_rows past = { 0 };
	json_t *unknown = json_array(), *list = json_array(), *left = left_json(store, host, rows);
	json_t *counts = counts_json(rows, json_array_size(left)), *eta;
	const unsigned slots = slots_of(rows);
	uint64_t rate = 0, first_ns = 0;

	if (goes_on(rows))
		read_past(&past, store, now_ns);
	eta = drain_eta(rows->rows, rows->n, past.rows, past.n, slots, now_ns, unknown);
	for (size_t i = 0; i < rows->n; i++) {
		json_array_append_new(list, row_json(&rows->rows[i]));
		rate += drain_is_open(&rows->rows[i]) ? rows->rows[i].rate_bytes_s : 0;
		first_ns = first_ns ? first_ns : rows->rows[i].asked_ns;
	}
	drain_done(&past);
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "host", host, "now_ns",
			 number_json(now_ns), "started_ns", number_json(first_ns), "text",
			 summary_json(counts, eta, unknown, now_ns), "counts", counts, "slots",
			 number_json(slots), "rate_bytes_s", number_json(rate), "migrations", list,
			 "left", left, "eta", eta, "unknown_because", unknown);
}

json_t *
drain_status(struct store *store, const char *host, uint64_t since_ns, struct error *error)
{
	const uint64_t now_ns = store_newest_ns(store);
	const uint64_t from_ns = since_ns ? since_ns : now_ns - MIN(now_ns, BACK_NS);
	struct drain_rows rows = { 0 };
	json_t *answer = NULL;

	if (!store_is_host(store, host)) {
		error_set(error, ENOENT, "no host is known by \"%s\"", host);
		return NULL;
	}
	if (drain_read(&rows, store, host, from_ns, now_ns, DRAIN_MAX_ROWS, error) >= 0) {
		if (!since_ns)
			drain_keep_newest(&rows, now_ns);
		answer = status_json(store, host, &rows, now_ns);
	}
	drain_done(&rows);
	return answer;
}
