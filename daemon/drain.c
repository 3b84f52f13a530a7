/* SPDX-License-Identifier: MIT */
#include "daemon/drain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/members.h"
#include "lib/clock.h"
#include "lib/util.h"

enum { RATE_SAMPLES = 200 };
/* What follows so soon after the one before is one evacuation. */
#define GAP_NS (600 * NS_PER_S)
/* The rate of a migration is measured over so long. */
#define RATE_NS (5 * NS_PER_S)
/* After this what a request does with its VM has been told. */
#define FRESH_NS (60 * NS_PER_S)
/* A step that is open for so long has lost its end. */
#define STEP_NS (600 * NS_PER_S)

const char *const drain_phase_names[] = {
	[DRAIN_SCHEDULING] = "scheduling", [DRAIN_QUEUED] = "queued", [DRAIN_PREPARING] = "preparing",
	[DRAIN_MIGRATING] = "migrating", [DRAIN_FINISHING] = "finishing", [DRAIN_ENDED] = "ended",
};

/* Requests that move a VM to another host. */
static const struct {
	const char *request, *kind;
} kinds[] = {
	{ "server.live-migrate", "live" }, { "server.migrate", "cold" }, { "server.resize", "resize" },
	{ "server.evacuate", "evacuate" },
};

static bool
is(const char *text, const char *other)
{
	return text && other && streq(text, other);
}

bool
drain_is_open(const struct drain_row *row)
{
	return row->phase != DRAIN_ENDED;
}

void
drain_done(struct drain_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		json_decref(rows->rows[i].request);
		json_decref(rows->rows[i].migration);
	}
	free(rows->rows);
}

/* -- Where a VM was -------------------------------------------------------------------- */

struct stay {
	char host[128];              /* Where it was when it was asked for; "": not known. */
	char to[128];                /* Where the request brought it. */
	uint64_t memory_bytes;       /* 0: not known. */
};

static void
copy_host(char ret[128], const char *host)
{
	snprintf(ret, 128, "%s", host ? host : "");
}

static struct stay
stay_of(struct store *store, const json_t *request, const char *uuid)
{
	const uint64_t t_ns = number_of(request, "start_ns");
	json_t *changes = store_facts_naming_in(store, uuid, "vm.change", 0, INT64_MAX, NULL), *change;
	json_t *vm = store_thing(store, "vm", uuid);
	struct stay stay = { .host = "" };
	bool before = false;
	size_t i;

	copy_host(stay.host, text_of(vm, "host"));
	stay.memory_bytes = MIN(number_of(vm, "memory_mib"), UINT64_C(1) << 40) << 20;
	json_array_foreach(changes, i, change) {
		const json_t *told = json_object_get(change, "attributes");
		const bool later = number_of(change, "start_ns") > t_ns;

		if (!is(text_of(told, "what"), "host"))
			continue;
		if (!later)
			copy_host(stay.host, text_of(told, "to"));
		else if (!before)
			copy_host(stay.host, text_of(told, "from"));
		before |= later;
		if (is(text_of(told, "request_id"), text_of(request, "id")))
			copy_host(stay.to, text_of(told, "to"));
	}
	json_decref(vm);
	json_decref(changes);
	return stay;
}

/* -- How far one is ------------------------------------------------------------------------ */

/* Steps at the source, in their order. */
static const struct {
	const char *name;
	enum drain_phase phase;
} phase_steps[] = {
	{ "pre_live_migration", DRAIN_PREPARING },
	{ "live_migration", DRAIN_MIGRATING },
	{ "post_live_migration", DRAIN_FINISHING },
};

static void
take_step(struct drain_row *row, const json_t *step, const char *source)
{
	const char *name = text_of(json_object_get(step, "attributes"), "name");
	const uint64_t end_ns = number_of(step, "end_ns");

	for (size_t i = 0; i < ARRAY_SIZE(phase_steps) && is(text_of(step, "host"), source); i++) {
		if (!is(name, phase_steps[i].name))
			continue;
		if (row->phase < phase_steps[i].phase)
			row->phase = phase_steps[i].phase;
		if (!row->slot_ns)
			row->slot_ns = number_of(step, "start_ns");
		row->step_open = !end_ns;
		/* As long as the hypervisor does not tell it better. */
		if (phase_steps[i].phase == DRAIN_MIGRATING) {
			row->moving_ns = number_of(step, "start_ns");
			row->moved_ns = end_ns;
		}
		/* It holds its slot until it has cleaned up. */
		if (phase_steps[i].phase == DRAIN_FINISHING)
			row->cleaned_ns = end_ns;
	}
}

/* Whether nova-compute of the source was told to migrate it: by a cast, while checks are
 * calls. */
static bool
is_at_source(struct store *store, const char *request, const char *source)
{
	json_t *calls = store_facts_naming_in(store, request, "rpc.call", 0, INT64_MAX, NULL), *call;
	bool told = false;
	size_t i;

	json_array_foreach(calls, i, call) {
		const json_t *attributes = json_object_get(call, "attributes");
		const char *topic = text_of(attributes, "topic");
		const char *dot = topic ? strchr(topic, '.') : NULL;

		told |= is(text_of(attributes, "what"), "cast") && dot && streq(dot + 1, source);
	}
	json_decref(calls);
	return told;
}

/* What is told of the VM until somebody asks for something else. */
static uint64_t
until_of(struct store *store, const struct drain_row *row)
{
	json_t *others = store_requests_of(store, row->uuid, row->asked_ns, INT64_MAX, NULL), *other;
	uint64_t until_ns = INT64_MAX;
	size_t i;

	json_array_foreach(others, i, other) {
		const uint64_t start_ns = number_of(other, "start_ns");

		if (start_ns > row->asked_ns && is(text_of(other, "kind"), "server.live-migrate"))
			until_ns = MIN(until_ns, start_ns);
	}
	json_decref(others);
	return until_ns;
}

static void
set_phase(struct drain_row *row, struct store *store, const char *source)
{
	const char *id = text_of(row->request, "id");
	json_t *steps = store_facts_naming_in(store, row->uuid, "nova.step", row->asked_ns,
					      until_of(store, row), NULL), *step;
	size_t i;

	row->phase = is_at_source(store, id, source) ? DRAIN_QUEUED : DRAIN_SCHEDULING;
	json_array_foreach(steps, i, step)
		take_step(row, step, source);
	json_decref(steps);
}

/* -- The hypervisor's part -------------------------------------------------------------------- */

/* By the last points of the curve: [t_ns, remaining, dirty pages, sent]. */
static uint64_t
rate_of(const json_t *samples)
{
	const size_t n = json_array_size(samples);
	const json_t *last = json_array_get(samples, n ? n - 1 : 0);
	const uint64_t to_ns = (uint64_t) json_integer_value(json_array_get(last, 0));
	const json_int_t sent = json_integer_value(json_array_get(last, 3));

	for (size_t i = n; i-- > 0 && n - i < RATE_SAMPLES; ) {
		const json_t *sample = json_array_get(samples, i);
		const uint64_t t_ns = (uint64_t) json_integer_value(json_array_get(sample, 0));
		const json_int_t more = sent - json_integer_value(json_array_get(sample, 3));

		if ((t_ns + RATE_NS <= to_ns || !i) && to_ns > t_ns && more > 0)
			return (uint64_t) ((double) more * 1e9 / (double) (to_ns - t_ns));
	}
	return 0;
}

static void
take_migration(struct drain_row *row, struct store *store)
{
	const json_t *m = row->migration, *forecast = json_object_get(m, "forecast");
	const char *id = text_of(m, "id"), *verdict = text_of(forecast, "verdict");
	json_t *shown;

	row->moving_ns = number_of(m, "start_ns");
	row->moved_ns = number_of(m, "end_ns");
	if (number_of(m, "total_bytes"))
		row->memory_bytes = number_of(m, "total_bytes");
	row->sent_bytes = number_of(m, "sent_bytes");
	row->remaining_bytes = number_of(m, "remaining_bytes");
	row->verdict = verdict ? verdict : "unknown";
	if (json_is_integer(json_object_get(forecast, "remaining_ns")))
		row->forecast_ns = number_of(forecast, "at_ns") + number_of(forecast, "remaining_ns");
	if (!*row->destination)
		copy_host(row->destination, text_of(m, "destination"));
	if (row->moved_ns || !id)
		return;
	shown = store_migration_show(store, id, NULL);
	row->rate_bytes_s = rate_of(json_object_get(shown, "samples"));
	json_decref(shown);
}

/* -- Rows ------------------------------------------------------------------------------------ */

static const char *
row_status(const json_t *record, enum drain_phase phase)
{
	const char *status = text_of(record, "status");

	if (!status || streq(status, "running"))
		return phase <= DRAIN_QUEUED ? "queued" : "running";
	return streq(status, "ok") || streq(status, "completed") ? "done" : streq(status, "error") ?
		"failed" : status;
}

static struct drain_row *
add_row(struct drain_rows *rows)
{
	if (rows->n % 64 == 0)
		rows->rows = xrealloc(rows->rows, (rows->n + 64) * sizeof *rows->rows);
	rows->rows[rows->n] = (struct drain_row) { .verdict = "unknown" };
	return &rows->rows[rows->n++];
}

/* What the source itself says of its steps is nearer than what the request's messages let
 * think: it can look as ended while nobody has cleaned up, and go on after that. */
static void
set_status(struct drain_row *row, uint64_t now_ns)
{
	const char *told = text_of(row->request, "status");
	const bool arrived = !row->migration || is(text_of(row->migration, "status"), "completed");
	const uint64_t last_ns = MAX(row->moved_ns, row->slot_ns);
	bool open = !told || streq(told, "running");

	/* A request that was just accepted looks as if that were all. */
	if (is(told, "ok") && !*row->destination && row->asked_ns + FRESH_NS > now_ns)
		open = true;

	if (row->cleaned_ns && arrived && (open || is(told, "ok"))) {
		row->status = "done";
		row->end_ns = row->cleaned_ns;
		row->phase = DRAIN_ENDED;
		return;
	}
	if (is(told, "ok") && row->step_open && last_ns + STEP_NS > now_ns)
		open = true;
	if (open && row->moved_ns && row->phase < DRAIN_FINISHING)
		row->phase = DRAIN_FINISHING;
	row->status = open ? row_status(NULL, row->phase) : row_status(row->request, row->phase);
	if (open)
		row->end_ns = 0;
	else
		row->phase = DRAIN_ENDED;
}

/* A request as a row, where it leaves 'host' (NULL: any). */
static void
add_request(struct drain_rows *rows, struct store *store, json_t *request, const char *kind,
	    const char *host, uint64_t now_ns)
{
	const json_t *vm = json_object_get(request, "vm");
	const char *uuid = text_of(vm, "uuid"), *source = text_of(request, "source");
	const char *to = text_of(request, "destination"), *migration = text_of(request, "migration");
	struct drain_row *row;
	struct stay stay;

	/* Most are of other hosts, and say so. */
	if (!uuid || (host && source && !streq(source, host)))
		return;
	stay = stay_of(store, request, uuid);
	source = source ? source : stay.host;
	to = to ? to : stay.to;
	if (!*source || (host && !streq(source, host)) || streq(source, to))
		return;
	row = add_row(rows);
	row->request = json_incref(request);
	row->kind = kind;
	row->uuid = uuid;
	row->name = text_of(vm, "name");
	row->asked_ns = number_of(request, "start_ns");
	row->end_ns = number_of(request, "end_ns");
	copy_host(row->destination, to);
	row->migration = migration ? store_migration(store, migration) : NULL;
	row->memory_bytes = stay.memory_bytes;
	if (streq(kind, "live"))
		set_phase(row, store, source);
	else
		row->phase = DRAIN_MIGRATING;
	if (row->migration)
		take_migration(row, store);
	if (row->moving_ns && row->phase < DRAIN_MIGRATING)
		row->phase = DRAIN_MIGRATING;
	set_status(row, now_ns);
}

/* A migration that no traced service asked for. */
static void
add_migration(struct drain_rows *rows, struct store *store, json_t *migration, const char *host)
{
	const json_t *vm = json_object_get(migration, "vm");
	struct drain_row *row;

	if (!is(text_of(migration, "source"), host) || text_of(migration, "request_id"))
		return;
	row = add_row(rows);
	row->migration = json_incref(migration);
	row->kind = "live";
	row->uuid = text_of(vm, "uuid");
	row->name = text_of(vm, "name");
	row->asked_ns = row->slot_ns = number_of(migration, "start_ns");
	row->phase = is(text_of(migration, "status"), "running") ? DRAIN_MIGRATING : DRAIN_ENDED;
	row->status = row_status(migration, row->phase);
	take_migration(row, store);
	row->end_ns = row->moved_ns;
}

static int
by_time(const void *a_, const void *b_)
{
	const struct drain_row *a = a_, *b = b_;

	if (a->asked_ns != b->asked_ns)
		return a->asked_ns < b->asked_ns ? -1 : 1;
	return strcmp(a->uuid ? a->uuid : "", b->uuid ? b->uuid : "");
}

int
drain_read(struct drain_rows *rows, struct store *store, const char *host, uint64_t since_ns,
	   uint64_t now_ns, unsigned limit, struct error *error)
{
	const struct store_filter of_host = { .host = host, .since_ns = since_ns, .limit = limit };
	json_t *list, *one;
	size_t i;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		const struct store_filter filter = { .kind = kinds[k].request, .since_ns = since_ns,
						     .limit = limit };

		list = store_flow_list(store, &filter, error);
		if (!list)
			return -EIO;
		json_array_foreach(list, i, one)
			add_request(rows, store, one, kinds[k].kind, host, now_ns);
		json_decref(list);
	}
	list = host ? store_migration_list(store, &of_host, error) : json_array();
	if (!list)
		return -EIO;
	json_array_foreach(list, i, one)
		add_migration(rows, store, one, host);
	json_decref(list);
	if (rows->n)
		qsort(rows->rows, rows->n, sizeof *rows->rows, by_time);
	return 0;
}

void
drain_keep_newest(struct drain_rows *rows, uint64_t now_ns)
{
	uint64_t busy_ns = 0;
	size_t first = 0;

	for (size_t i = 0; i < rows->n; i++) {
		const struct drain_row *row = &rows->rows[i];

		if (i && row->asked_ns > busy_ns + GAP_NS)
			first = i;
		busy_ns = MAX(busy_ns, drain_is_open(row) ? now_ns : row->end_ns);
	}
	for (size_t i = 0; i < first; i++) {
		json_decref(rows->rows[i].request);
		json_decref(rows->rows[i].migration);
	}
	memmove(rows->rows, rows->rows + first, (rows->n - first) * sizeof *rows->rows);
	rows->n -= first;
}
