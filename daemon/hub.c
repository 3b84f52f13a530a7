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

#include "daemon/alerts.h"
#include "daemon/flow.h"
#include "daemon/join.h"
#include "daemon/thing.h"
#include "daemon/touch.h"
#include "lib/clock.h"
#include "lib/util.h"

struct touched {
	struct join_touch touch;
	UT_hash_handle hh;
};

struct hub {
	struct store *store;
	struct hub_options options;
	void (*on_alert)(void *context, const json_t *alert);
	void *on_alert_context;
	struct touched *touched;     /* Since the last hub_settle(), by id. */
	struct touch touch;          /* The same: requests, VMs, ports, volumes. */
};

const struct hub_options hub_defaults = {
	.failed_hold_ns = 3600 * NS_PER_S,
};

struct hub *
hub_new(struct store *store, const struct hub_options *options)
{
	struct hub *hub = xcalloc(1, sizeof *hub);

	hub->store = store;
	hub->options = options ? *options : hub_defaults;
	return hub;
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
	free(hub);
}

void
hub_on_alert(struct hub *hub, void (*alert)(void *context, const json_t *alert), void *context)
{
	hub->on_alert = alert;
	hub->on_alert_context = context;
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

	if (!r)
		r = store_put_fact(hub->store, fact, error);
	if (r > 0)
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
	return alerts_migration(hub->store, id, record, hub->options.failed_hold_ns, error);
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
	if (r)
		return r;
	forget_touched(hub);
	return store_alerts_untold(hub->store, clock_wall_ns(), hub->on_alert,
				   hub->on_alert_context, error);
}

int
hub_source(struct hub *hub, const struct store_source *source, struct error *error)
{
	return alerts_source(hub->store, source, error);
}
