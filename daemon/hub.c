/* SPDX-License-Identifier: MIT
 *
 * hub.c -- takes the facts of all hosts, and has what they touch joined
 * (join.h) and projected (alerts.h) before each commit. */
#include "daemon/hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Memory that runs out ends the program, as everywhere (lib/util.h). */
#define uthash_fatal(MESSAGE) abort()
#include <uthash.h>

#include "daemon/alert_rules.h"
#include "daemon/alerts.h"
#include "daemon/flow.h"
#include "daemon/join.h"
#include "daemon/thing.h"
#include "daemon/touch.h"
#include "lib/clock.h"
#include "lib/util.h"

enum { CHANGES_AT_ONCE = 256 };

struct touched {
	struct join_touch touch;
	UT_hash_handle hh;
};

struct hub {
	struct store *store;
	struct hub_options options;
	void (*on_alert)(void *context, const json_t *alert);
	void *on_alert_context;
	void (*on_record)(void *context, const char *topic, const char *id, const json_t *record);
	struct touched *touched;     /* Since the last hub_settle(), by id. */
	struct touch touch;          /* The same: requests, VMs, ports, volumes. */
	char cursor[24], settled[24]; /* Changes that rules have seen, for good and so far. */
};

const struct hub_options hub_defaults = {
	.failed_hold_ns = 3600 * NS_PER_S,
};

/* Rules look at what changes from now on. */
static void
skip_changes(struct hub *hub)
{
	json_t *changes = store_changes(hub->store, NULL, NULL, 1, NULL);
	const char *cursor = json_string_value(json_object_get(changes, "cursor"));

	snprintf(hub->cursor, sizeof hub->cursor, "%s", cursor ? cursor : "");
	json_decref(changes);
}

struct hub *
hub_new(struct store *store, const struct hub_options *options)
{
	struct hub *hub = xcalloc(1, sizeof *hub);

	hub->store = store;
	hub->options = options ? *options : hub_defaults;
	skip_changes(hub);
	return hub;
}

void
hub_set_options(struct hub *hub, const struct hub_options *options)
{
	if (hub->options.rules != options->rules)
		alert_rules_free(hub->options.rules);
	hub->options = *options;
}

static void
forget_touched(struct hub *hub)
{
	struct touched *touched, *next;

	HASH_ITER(hh, hub->touched, touched, next) {
		HASH_DEL(hub->touched, touched);
		free(touched);
	}
}

void
hub_free(struct hub *hub)
{
	if (!hub)
		return;
	forget_touched(hub);
	touch_done(&hub->touch);
	alert_rules_free(hub->options.rules);
	free(hub);
}

void
hub_on_alert(struct hub *hub, void (*alert)(void *context, const json_t *alert), void *context)
{
	hub->on_alert = alert;
	hub->on_alert_context = context;
}

void
hub_on_record(struct hub *hub, void (*record)(void *context, const char *topic, const char *id,
					      const json_t *record))
{
	hub->on_record = record;
}

/* -- Facts ---------------------------------------------------------------- */

static void
touch(struct hub *hub, const char *id, uint64_t start_ns, uint64_t at_ns, bool identity)
{
	struct touched *touched;

	HASH_FIND_STR(hub->touched, id, touched);
	if (!touched) {
		touched = xcalloc(1, sizeof *touched);
		snprintf(touched->touch.id, sizeof touched->touch.id, "%s", id);
		touched->touch.start_ns = touched->touch.at_ns = start_ns;
		HASH_ADD_STR(hub->touched, touch.id, touched);
	}
	if (at_ns)
		touched->touch.at_ns = at_ns;
	touched->touch.identity |= identity;
}

static bool
is_side(const char *kind)
{
	return streq(kind, "migration.source") || streq(kind, "migration.destination");
}

static uint64_t
connect_of(const struct fact *fact)
{
	json_int_t value = json_integer_value(json_object_get(fact->attributes, "connect_ns"));

	return value > 0 ? (uint64_t) value : 0;
}

/* Whoever has this process ("PID", "PID/...") on a side has to be looked at again. */
static int
touch_process(struct hub *hub, const struct fact *fact, struct error *error)
{
	_cleanup_(freep) char *key = xstrndup(fact->key, strcspn(fact->key, "/"));
	static const char *const kinds[] = { "migration.source", "migration.destination" };
	json_t *spans, *span;
	size_t i;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		spans = store_spans_of_key(hub->store, kinds[k], fact->host, key, error);
		if (!spans)
			return -EIO;
		json_array_foreach(spans, i, span)
			touch(hub, json_string_value(json_object_get(span, "id")), 0, 0, true);
		json_decref(spans);
	}
	return 0;
}

/* An address came to another port: those that migrate on this host then may have
 * brought it. */
static int
touch_address(struct hub *hub, const struct fact *fact, struct error *error)
{
	json_t *sides = store_sides_near(hub->store, fact->host, fact->start_ns,
					 JOIN_NETWORK_EARLY_NS, JOIN_NETWORK_LATE_NS, error);
	json_t *side;
	size_t i;

	if (!sides)
		return -EIO;
	json_array_foreach(sides, i, side)
		touch(hub, json_string_value(json_object_get(side, "id")), 0, 0, true);
	json_decref(sides);
	return 0;
}

static int
note_entity(struct hub *hub, const struct fact *fact, struct error *error)
{
	if (streq(fact->kind, "qemu.process") || streq(fact->kind, "qemu.nic"))
		return touch_process(hub, fact, error);
	return streq(fact->kind, "net.address") ? touch_address(hub, fact, error) : 0;
}

static int
note(struct hub *hub, const struct fact *fact, struct error *error)
{
	char id[FACT_ID_SIZE];
	struct fact span = *fact;
	int r = 0;

	if (fact->type != FACT_RETRACT && fact->type != FACT_SAMPLE)
		r = touch_fact(&hub->touch, hub->store, fact, error);
	if (r)
		return r;
	if (fact->type == FACT_ENTITY)
		return note_entity(hub, fact, error);
	if (fact->type != FACT_SPAN && fact->type != FACT_RETRACT)
		return 0;
	span.type = FACT_SPAN;
	fact_id(&span, id);
	if (is_side(fact->kind)) {
		touch(hub, id, fact->start_ns, connect_of(fact), fact->type == FACT_RETRACT);
	} else if (alerts_kind(fact->kind)) {
		if (fact->type == FACT_RETRACT)
			return alerts_retract(hub->store, fact->kind, id, error);
		if (*fact->parent)
			touch(hub, fact->parent, 0, 0, false);
	}
	return 0;
}

/* A retraction names the fact, the fact what it was about. */
static int
touch_gone(struct hub *hub, const struct fact *fact, struct error *error)
{
	char id[FACT_ID_SIZE];
	struct fact gone = *fact;
	json_t *span;
	int r = 0;

	fact_id(fact, id);
	span = store_span(hub->store, id);
	if (span) {
		gone.type = FACT_SPAN;
		gone.attributes = json_object_get(span, "attributes");
		r = touch_fact(&hub->touch, hub->store, &gone, error);
	}
	json_decref(span);
	return r;
}

int
hub_fact(struct hub *hub, const struct fact *fact, struct error *error)
{
	int r = fact->type == FACT_RETRACT ? touch_gone(hub, fact, error) : 0;
	bool changed = true;

	if (!r)
		r = store_put_fact(hub->store, fact, error);
	if (r > 0)
		r = alert_rules_fact(hub->options.rules, hub->store, fact, error);
	else
		changed = false;
	if (!r && changed)
		r = note(hub, fact, error);
	json_decref(fact->attributes);
	return r;
}

/* -- Settling ------------------------------------------------------------- */

static int
written(void *context, const char *id, const json_t *record, struct error *error)
{
	struct hub *hub = context;
	int r = touch_migration(&hub->touch, hub->store, id, record, error);

	if (r)
		return r;
	return alerts_migration(hub->store, hub->options.rules, id, record,
				hub->options.failed_hold_ns, error);
}

static int
settle_requests(struct hub *hub, struct error *error)
{
	int r = flows_settle(hub->store, hub->touch.requests, error);

	if (!r)
		r = things_settle(hub->store, hub->touch.things, error);
	if (!r)
		touch_done(&hub->touch);
	return r;
}

static int
judge_record(struct hub *hub, const char *topic, const char *id, const json_t *record,
	     struct error *error)
{
	if (!json_is_object(record))
		record = NULL;
	if (record && hub->on_record)
		hub->on_record(hub->on_alert_context, topic, id, record);
	return alert_rules_record(hub->options.rules, hub->store, topic, id, record, error);
}

/* Rules look at the records of a topic that changed. */
static int
judge_records(struct hub *hub, const char *topic, struct error *error)
{
	char cursor[sizeof hub->cursor];
	json_t *changes, *items, *change;
	size_t n = 0, i;
	int r = 0;

	snprintf(cursor, sizeof cursor, "%s", *hub->cursor ? hub->cursor : "0");
	do {
		changes = store_changes(hub->store, topic, cursor, CHANGES_AT_ONCE, error);
		items = json_object_get(changes, "items");
		n = json_array_size(items);
		json_array_foreach(items, i, change)
			if (!r)
				r = judge_record(hub, topic, json_string_value(
					json_object_get(change, "id")),
					json_object_get(change, "item"), error);
		if (changes)
			snprintf(cursor, sizeof cursor, "%s",
				 json_string_value(json_object_get(changes, "cursor")));
		else
			r = -EIO;
		json_decref(changes);
	} while (n == CHANGES_AT_ONCE && !r);
	snprintf(hub->settled, sizeof hub->settled, "%s", cursor);
	return r;
}

void
hub_committed(struct hub *hub)
{
	memcpy(hub->cursor, hub->settled, sizeof hub->cursor);
}

int
hub_settle(struct hub *hub, struct error *error)
{
	size_t n = HASH_COUNT(hub->touched), i = 0;
	struct join_touch *touches = xcalloc(n + 1, sizeof *touches);
	int r;

	for (struct touched *touched = hub->touched; touched; touched = touched->hh.next)
		touches[i++] = touched->touch;
	r = join_migrations(hub->store, touches, n, written, hub, error);
	free(touches);
	if (!r)
		r = settle_requests(hub, error);
	if (!r && hub->options.rules)
		r = judge_records(hub, "migration", error);
	if (!r && hub->options.rules)
		r = judge_records(hub, "flow", error);
	if (!r)
		r = alert_rules_settle(hub->options.rules, hub->store, error);
	if (r)
		return r;
	forget_touched(hub);
	return store_alerts_untold(hub->store, clock_wall_ns(), hub->on_alert,
				   hub->on_alert_context, error);
}

int
hub_source(struct hub *hub, const struct store_source *source, struct error *error)
{
	int r = alerts_source(hub->store, hub->options.rules, source, error);

	return r ? r : alert_rules_source(hub->options.rules, hub->store, source, error);
}
