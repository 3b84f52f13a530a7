/* SPDX-License-Identifier: MIT
 *
 * qemu_tell.c -- what qemu.c knows of a migration, as facts.  doc/analyzers/qemu.md
 * lists them with their attributes. */
#include <inttypes.h>
#include <string.h>

#include "analyzers/forecast.h"
#include "analyzers/qemu.h"
#include "lib/util.h"

const char *const qemu_stage_names[] = {
	[STAGE_NONE]     = NULL,
	[STAGE_SETUP]    = "setup",
	[STAGE_PRECOPY]  = "precopy",
	[STAGE_STOPCOPY] = "stop-and-copy",
	[STAGE_POSTCOPY] = "postcopy",
	[STAGE_PAUSED]   = "postcopy-paused",
	[STAGE_RECOVER]  = "postcopy-recover",
};

static const char *const verdicts[] = {
	[FORECAST_UNKNOWN]        = "unknown",
	[FORECAST_CONVERGING]     = "converging",
	[FORECAST_NOT_CONVERGING] = "not-converging",
};

static void
set_number(json_t *object, const char *name, uint64_t value)
{
	value = MIN(value, (uint64_t) INT64_MAX);
	json_object_set_new_nocheck(object, name, json_integer((json_int_t) value));
}

/* Zero is "not known": null. */
static void
set_known(json_t *object, const char *name, uint64_t value)
{
	if (value)
		set_number(object, name, value);
	else
		json_object_set_new(object, name, json_null());
}

/* Text of the trace is whatever QEMU wrote; if it is no UTF-8, its ASCII part. */
static void
set_text(json_t *object, const char *name, const char *text)
{
	json_t *string = *text ? json_string(text) : json_null();
	char ascii[256];
	size_t n = 0;

	if (!string) {
		for (; *text && n < sizeof ascii - 1; text++)
			ascii[n++] = (unsigned char) *text < 0x80 ? *text : '?';
		ascii[n] = '\0';
		string = json_string(ascii);
	}
	json_object_set_new(object, name, string);
}

static void
set_bool(json_t *object, const char *name, bool value)
{
	json_object_set_new(object, name, json_boolean(value));
}

static json_t *
rounds_json(const struct qemu_migration *m)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < m->n_rounds; i++) {
		const struct qemu_round *r = &m->rounds[i];
		json_t *round = json_object();

		set_number(round, "n", r->n);
		set_number(round, "start_ns", r->start_ns);
		set_known(round, "end_ns", r->end_ns);
		set_number(round, "dirty_pages", r->dirty_pages);
		set_number(round, "sent_bytes", r->sent_bytes);
		if (r->end_ns || r->known_ns)
			set_number(round, "remaining_bytes",
				   r->end_ns ? r->remaining_bytes : r->low_bytes);
		else
			json_object_set_new(round, "remaining_bytes", json_null());
		set_number(round, "iterations", r->iterations);
		json_array_append_new(array, round);
	}
	return array;
}

static json_t *
stages_json(const struct qemu_migration *m)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < m->n_stages; i++) {
		const struct qemu_stage *s = &m->stages[i];
		json_t *stage = json_object();

		set_text(stage, "name", qemu_stage_names[s->name]);
		set_number(stage, "start_ns", s->start_ns);
		set_known(stage, "end_ns", s->end_ns);
		set_bool(stage, "inferred", s->inferred);
		json_array_append_new(array, stage);
	}
	return array;
}

json_t *
qemu_forecast_json(const struct qemu_forecast *f)
{
	json_t *object, *needs;

	if (!f->at_ns)
		return json_null();
	object = json_object();
	needs = json_object();
	set_text(object, "verdict", verdicts[f->verdict]);
	set_known(object, "remaining_ns", f->remaining_ns == UINT64_MAX ? 0 : f->remaining_ns);
	set_known(object, "downtime_ns", f->downtime_ns == UINT64_MAX ? 0 : f->downtime_ns);
	set_number(object, "at_ns", f->at_ns);
	set_known(needs, "bandwidth_bytes_s", f->needs_bytes_s);
	set_known(needs, "downtime_limit_ns", f->needs_limit_ns);
	set_known(needs, "throttle_percent", f->needs_throttle);
	json_object_set_new(object, "needs", needs);
	return object;
}

/* When and what of the switchover. */
static void
set_times(json_t *object, const struct qemu_migration *m, bool source)
{
	set_known(object, "connect_ns", m->connect_ns);
	set_known(object, "switchover_ns", m->switchover_ns);
	set_known(object, "stop_ns", m->stop_ns);
	set_bool(object, "paused_before", m->paused_before);
	set_known(object, "run_ns", m->run_ns);
	set_known(object, "completed_ns", m->completed_ns);
	/* As QEMU counts it; after post-copy only the two sides together can tell. */
	if (source && m->switchover_ns && m->completed_ns && !m->postcopy)
		set_number(object, "downtime_ns", m->completed_ns - m->switchover_ns);
	else
		json_object_set_new(object, "downtime_ns", json_null());
}

static void
set_evidence(json_t *object, const struct qemu *q, const struct step *step)
{
	set_bool(object, "inferred", q->m.inferred);
	set_number(object, "events", q->flow.events);
	set_number(object, "lost", q->flow.lost);
	set_text(object, "last_event", step_event_name(step, q->flow.last_event));
	set_number(object, "last_event_ns", q->flow.last_ns);
	set_text(object, "last_checkpoint", q->m.checkpoint);
	set_text(object, "last_section", q->m.section);
}

json_t *
qemu_attributes(const struct flow *flow, const struct step *step, unsigned state)
{
	const struct qemu *q = (const struct qemu *) (const void *) flow;
	const struct qemu_migration *m = &q->m;
	const bool source = state < INCOMING;
	const uint32_t stage = m->n_stages ? m->stages[m->n_stages - 1].name : STAGE_NONE;
	json_t *object = json_object();

	set_number(object, "pid", flow->key);
	set_text(object, "uri", m->uri);
	set_text(object, "listen_uri", source ? "" : q->listen_uri);
	set_text(object, "mode", m->postcopy ? "postcopy" : "precopy");
	set_text(object, "stage", stage ? qemu_stage_names[stage] : "");
	set_times(object, m, source);
	set_number(object, "dirty_syncs", m->dirty_syncs);
	set_number(object, "throttle_percent", m->throttle_percent);
	set_number(object, "downtime_limit_ns", q->settings.downtime_limit_ns);
	set_known(object, "max_bandwidth", q->settings.max_bandwidth);
	set_bool(object, "rolled_back", m->rolled_back);
	json_object_set_new(object, "return_path",
			    m->return_path ? json_boolean(m->return_path == 1) : json_null());
	json_object_set_new(object, "ret", m->has_ret ? json_integer(m->ret) : json_null());
	set_text(object, "reason", m->reason);
	set_evidence(object, q, step);
	set_known(object, "total_bytes", m->total_bytes);
	set_number(object, "sent_bytes", m->sent_bytes);
	set_number(object, "remaining_bytes", m->remaining_bytes);
	set_number(object, "rounds_dropped", m->rounds_dropped);
	json_object_set_new(object, "rounds", rounds_json(m));
	json_object_set_new(object, "stages", stages_json(m));
	json_object_set_new(object, "forecast", qemu_forecast_json(&m->forecast));
	return object;
}

static void
tell_child(struct qemu *q, const struct step *step, struct fact *fact)
{
	step_span_id(step, &q->flow, fact->parent);
	step_tell(step, &q->flow, fact);
}

void
qemu_tell_sample(struct qemu *q, const struct step *step)
{
	const struct qemu_migration *m = &q->m;
	struct fact fact = { .type = FACT_SAMPLE, .kind = "migration.pending",
			     .start_ns = step->t_ns, .attributes = json_object() };

	set_number(fact.attributes, "remaining_bytes", m->remaining_bytes);
	set_number(fact.attributes, "dirty_pages", m->dirty_pages);
	set_number(fact.attributes, "sent_bytes", m->sent_bytes);
	set_number(fact.attributes, "bandwidth", m->bandwidth);
	tell_child(q, step, &fact);
}

void
qemu_tell_throttle(struct qemu *q, const struct step *step)
{
	struct fact fact = { .type = FACT_MARK, .kind = "migration.throttle",
			     .start_ns = step->t_ns, .attributes = json_object() };

	set_number(fact.attributes, "percent", q->m.throttle_percent);
	tell_child(q, step, &fact);
}

void
qemu_tell_stall(struct qemu *q, const struct step *step, uint64_t end_ns)
{
	const struct qemu_migration *m = &q->m;
	struct fact fact = { .type = FACT_SPAN, .kind = "migration.stall",
			     .start_ns = m->stall_ns, .end_ns = end_ns,
			     .status = end_ns ? "ended" : "running",
			     .attributes = json_object() };

	set_text(fact.attributes, "stage", qemu_stage_names[STAGE_STOPCOPY]);
	set_text(fact.attributes, "side", "source");
	set_number(fact.attributes, "limit_ns", m->stall_limit_ns);
	set_known(fact.attributes, "stop_ns", m->stop_ns);
	set_text(fact.attributes, "last_event", step_event_name(step, m->stall_event));
	set_number(fact.attributes, "last_event_ns", m->stall_event_ns);
	set_text(fact.attributes, "last_checkpoint", m->stall_checkpoint);
	set_text(fact.attributes, "last_section", m->stall_section);
	tell_child(q, step, &fact);
}

void
qemu_tell_slow(struct qemu *q, const struct step *step, uint64_t end_ns)
{
	const struct qemu_migration *m = &q->m;
	struct fact fact = { .type = FACT_SPAN, .kind = "migration.not-converging",
			     .start_ns = m->slow_ns, .end_ns = end_ns,
			     .status = end_ns ? "ended" : "running",
			     .attributes = json_object() };

	json_object_set_new(fact.attributes, "forecast", qemu_forecast_json(&m->forecast));
	set_number(fact.attributes, "round", m->slow_round);
	tell_child(q, step, &fact);
}
