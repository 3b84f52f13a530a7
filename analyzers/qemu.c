/* SPDX-License-Identifier: MIT
 *
 * qemu.c -- live migrations, by QEMU's trace events at the source and at the
 * destination.  Tells the spans migration.source and migration.destination,
 * with stages and rounds, and what happens inside them (stalls, pre-copy that
 * does not converge, throttling).  The hub joins the two sides.
 *
 * Names and fields differ over QEMU's versions (2.7 to 10.x); the tables have
 * all of them.  doc/analyzers/qemu.md draws the states. */
#include <stdio.h>
#include <string.h>

#include "analyzers/qemu.h"
#include "lib/clock.h"
#include "lib/util.h"

/* -- States -------------------------------------------------------------- */

#define SOURCE      "migration.source"
#define DESTINATION "migration.destination"

const struct state qemu_states[] = {
	[IDLE] = { .name = "idle" },
	[REQUESTED] = { .name = "requested" },
	[SETUP] = { .name = "setup", .span = SOURCE },
	[PRECOPY] = { .name = "precopy", .span = SOURCE },
	[STOPCOPY] = { .name = "stop-and-copy", .span = SOURCE },
	[POSTCOPY] = { .name = "postcopy", .span = SOURCE },
	[PAUSED] = { .name = "postcopy-paused", .span = SOURCE },
	[RECOVER] = { .name = "postcopy-recover", .span = SOURCE },
	[CANCELLING] = { .name = "cancelling", .span = SOURCE },
	[COMPLETED] = { .name = "completed", .span = SOURCE, .status = "completed",
			  .ended = true },
	[FAILED] = { .name = "failed", .span = SOURCE, .status = "failed", .ended = true },
	[CANCELLED] = { .name = "cancelled", .span = SOURCE, .status = "cancelled", .ended = true },
	[INCOMING] = { .name = "incoming" },
	[LOADING] = { .name = "loading", .span = DESTINATION },
	[D_POSTCOPY] = { .name = "loading postcopy", .span = DESTINATION },
	[D_PAUSED] = { .name = "loading postcopy-paused", .span = DESTINATION },
	[D_RECOVER] = { .name = "loading postcopy-recover", .span = DESTINATION },
	[D_COMPLETED] = { .name = "loaded", .span = DESTINATION, .status = "completed",
			  .ended = true },
	[D_FAILED] = { .name = "load failed", .span = DESTINATION, .status = "failed",
		       .ended = true },
	[GONE] = { .name = "gone", .final = true },
};

#define S_PRE   (IN(SETUP) | IN(PRECOPY) | IN(STOPCOPY))
#define S_POST  (IN(POSTCOPY) | IN(PAUSED) | IN(RECOVER))
#define S_LIVE  (S_PRE | S_POST | IN(CANCELLING))
#define S_ENDED (IN(COMPLETED) | IN(FAILED) | IN(CANCELLED))
#define D_LIVE  (IN(LOADING) | IN(D_POSTCOPY) | IN(D_PAUSED) | IN(D_RECOVER))
#define D_ENDED (IN(D_COMPLETED) | IN(D_FAILED))
#define AT_REST (IN(IDLE) | S_ENDED | D_ENDED)
#define ACTIVE  (IN(REQUESTED) | S_LIVE | S_ENDED | IN(INCOMING) | D_LIVE | D_ENDED)
#define ANY     (IN(IDLE) | ACTIVE)

/* -- Fields -------------------------------------------------------------- */

struct thread { uint64_t vtid; };
static const struct field thread_fields[] = {
	FIELD(U64, struct thread, vtid, "vtid", .scope = CTF_EVENT_CONTEXT, .optional = true),
	{ 0 }
};
static const struct field procname_fields[] = {
	FIELD(TEXT, struct qemu_words, text, "procname", .scope = CTF_EVENT_CONTEXT,
	      .optional = true),
	{ 0 }
};
static const struct field json_fields[] = { FIELD(TEXT, struct qemu_words, text, "json"), { 0 } };
static const struct field result_fields[] = {
	FIELD(TEXT, struct qemu_words, text, "result"), { 0 }
};
static const struct field error_desc_fields[] = {
	FIELD(TEXT, struct qemu_words, text, "error_desc", "err", .optional = true), { 0 }
};
static const struct field checkpoint_fields[] = {
	FIELD(TEXT, struct qemu_words, text, "checkpoint"), { 0 }
};
static const struct field section_fields[] = {
	FIELD(TEXT, struct qemu_words, text, "id", .optional = true), { 0 }
};
static const struct field succeeded_fields[] = {
	FIELD(I64, struct qemu_number, value, "succeeded", .optional = true), { 0 }
};
static const struct field err_fields[] = {
	FIELD(I64, struct qemu_number, value, "err", .optional = true), { 0 }
};
static const struct field rp_error_fields[] = {
	FIELD(I64, struct qemu_number, value, "rp_error", .optional = true), { 0 }
};
static const struct field ret_fields[] = { FIELD(I64, struct qemu_number, value, "ret"), { 0 } };
static const struct field percent_fields[] = {
	FIELD(I64, struct qemu_number, value, "new_throttle_pct"), { 0 }
};
static const struct field current_fields[] = {
	FIELD(TEXT, struct qemu_words, text, "current_state_str", .optional = true), { 0 }
};
static const struct field reason_fields[] = {
	FIELD(TEXT, struct qemu_words, text, "reason_str", .optional = true), { 0 }
};
static const struct field sync_fields[] = {
	FIELD(U64, struct qemu_sync, dirty_pages, "dirty_pages"), { 0 }
};
static const struct field pending_fields[] = {
	FIELD(U64, struct qemu_pending, size, "size"), { 0 }
};
static const struct field transferred_fields[] = {
	FIELD(U64, struct qemu_transferred, transferred, "transferred", "tranferred"),
	FIELD(U64, struct qemu_transferred, time_ms, "time_spent"),
	{ 0 }
};

/* -- Guards -------------------------------------------------------------- */

/* At the source RAM is sent by a thread of its own; the main thread is what
 * loads at a destination, and what writes snapshots. */
static bool
by_thread(const struct flow *flow, const struct step *step)
{
	const struct thread *thread = step->values;

	return thread->vtid != flow->key;
}

/* "postcopy/listen", since 10.0 "mig/dst/listen": loads RAM while the guest runs
 * at the destination already. */
static bool
by_listener(const struct flow *flow, const struct step *step)
{
	const struct text *name = &((const struct qemu_words *) step->values)->text;

	return name->size && memmem(name->s, name->size, "listen", strlen("listen"));
}

static bool
is_zero(const struct flow *flow, const struct step *step)
{
	return !((const struct qemu_number *) step->values)->value;
}

static bool
is_finish_migrate(const struct flow *flow, const struct step *step)
{
	return text_is(&((const struct qemu_words *) step->values)->text, "finish-migrate");
}

/* A process that starts with this number was another one's before. */
static bool
was_prelaunch(const struct flow *flow, const struct step *step)
{
	return text_is(&((const struct qemu_words *) step->values)->text, "prelaunch");
}

/* -- Beginning ----------------------------------------------------------- */

static void
begin(struct qemu *q)
{
	qemu_settings(q);
	memset(&q->m, 0, sizeof q->m);
	q->m.return_path = q->settings.return_path;
}

static void
begin_source(struct flow *flow, const struct step *step)
{
	struct qemu *q = qemu_of(flow);

	begin(q);
	if (flow->state == REQUESTED) {
		flow->start_ns = q->request_ns;
		memcpy(q->m.uri, q->request_uri, sizeof q->m.uri);
		flow->events++;
	}
}

/* The trace begins, or goes on after a gap, in the middle of a migration. */
static void
guess_source(struct flow *flow, const struct step *step)
{
	begin_source(flow, step);
	qemu_of(flow)->m.guessed = qemu_of(flow)->m.inferred = 1;
}

static void
guess_sending(struct flow *flow, const struct step *step)
{
	guess_source(flow, step);
	qemu_of(flow)->m.either = 1;
}

static void
accept_source(struct flow *flow, const struct step *step)
{
	struct qemu *q = qemu_of(flow);

	begin(q);
	q->m.connect_ns = step->t_ns;
	memcpy(q->m.uri, q->listen_uri, sizeof q->m.uri);
}

static void
guess_destination(struct flow *flow, const struct step *step)
{
	accept_source(flow, step);
	qemu_of(flow)->m.guessed = qemu_of(flow)->m.inferred = 1;
}

static void
guess_postcopy(struct flow *flow, const struct step *step)
{
	guess_destination(flow, step);
	qemu_of(flow)->m.postcopy = 1;
}

static void
new_process(struct flow *flow, const struct step *step)
{
	struct qemu *q = qemu_of(flow);

	memset(&q->settings, 0, sizeof q->settings);
	qemu_settings(q);
	*q->listen_uri = '\0';
	memset(&q->m, 0, sizeof q->m);
}

static void
connected(struct flow *flow, const struct step *step)
{
	struct qemu_migration *m = &qemu_of(flow)->m;

	if (!m->connect_ns)
		m->connect_ns = step->t_ns;
}

static void
has_return_path(struct flow *flow, const struct step *step)
{
	qemu_of(flow)->m.return_path = 1;
}

/* -- Switchover ---------------------------------------------------------- */

static void
switch_over(struct flow *flow, const struct step *step)
{
	struct qemu_migration *m = &qemu_of(flow)->m;

	if (m->switchover_ns)
		return;
	m->switchover_ns = step->t_ns;
	if (m->paused_ns) {
		m->stop_ns = m->paused_ns;
		m->paused_before = 1;
	}
}

static void
finish_migrate(struct flow *flow, const struct step *step)
{
	struct qemu_migration *m = &qemu_of(flow)->m;

	switch_over(flow, step);
	if (!m->stop_ns && text_is(&((const struct qemu_words *) step->values)->text, "paused")) {
		/* Paused before the migration began: it did not stop the guest. */
		m->paused_before = 1;
		m->stop_ns = step->t_ns;
	}
}

static void
guess_finish_migrate(struct flow *flow, const struct step *step)
{
	guess_source(flow, step);
	switch_over(flow, step);
}

static void
stopped(struct flow *flow, const struct step *step)
{
	struct qemu_migration *m = &qemu_of(flow)->m;

	if (flow->state == PRECOPY || flow->state == SETUP)
		m->paused_ns = step->t_ns;
	else if (!m->stop_ns || (flow->state == STOPCOPY && !m->paused_before))
		m->stop_ns = step->t_ns;
}

static void
unpaused(struct flow *flow, const struct step *step)
{
	qemu_of(flow)->m.paused_ns = 0;
}

/* The guest goes on at the source. */
static void
runs_again(struct flow *flow, const struct step *step)
{
	struct qemu_migration *m = &qemu_of(flow)->m;

	if (m->run_ns || !m->switchover_ns)
		return;
	m->run_ns = step->t_ns;
	m->rolled_back = flow->state == FAILED || flow->state == CANCELLED ||
		flow->state == CANCELLING;
	flow->tell = 1;
}

/* The guest runs at the destination. */
static void
runs_here(struct flow *flow, const struct step *step)
{
	struct qemu_migration *m = &qemu_of(flow)->m;

	if (m->run_ns)
		return;
	m->run_ns = step->t_ns;
	flow->tell = 1;
}

static void
checkpoint(struct flow *flow, const struct step *step)
{
	struct qemu_migration *m = &qemu_of(flow)->m;
	const struct text *name = &((const struct qemu_words *) step->values)->text;

	text_copy(m->checkpoint, sizeof m->checkpoint, name);
	if (text_is(name, "src-vm-stopped") && !m->stop_ns)
		m->stop_ns = step->t_ns;
}

static void
checkpoint_start(struct flow *flow, const struct step *step)
{
	checkpoint(flow, step);
	switch_over(flow, step);
}

static void
vm_stop_done(struct flow *flow, const struct step *step)
{
	struct qemu_migration *m = &qemu_of(flow)->m;

	if (!m->stop_ns)
		m->stop_ns = step->t_ns;
	if (!*m->checkpoint)
		qemu_copy(m->checkpoint, sizeof m->checkpoint, "src-vm-stopped");
}

static void
section(struct flow *flow, const struct step *step)
{
	struct qemu_migration *m = &qemu_of(flow)->m;

	text_copy(m->section, sizeof m->section, &((const struct qemu_words *) step->values)->text);
}

static void
to_postcopy(struct flow *flow, const struct step *step)
{
	qemu_of(flow)->m.postcopy = 1;
}

/* What began in the middle was taken for pre-copy; if that ends without a
 * synchronisation and a stop, it was post-copy. */
static void
reconsider(struct flow *flow)
{
	struct qemu_migration *m = &qemu_of(flow)->m;

	if (!m->either || m->switchover_ns || m->dirty_syncs || flow->lost || m->n_stages != 1)
		return;
	m->stages[0].name = STAGE_POSTCOPY;
	m->postcopy = 1;
	m->n_rounds = 0;
}

static void
interrupted(struct flow *flow, const struct step *step)
{
	reconsider(flow);
	to_postcopy(flow, step);
}

/* The runstate was not seen to change, but the guest is stopped. */
static void
guess_stop(struct flow *flow, const struct step *step)
{
	struct qemu_migration *m = &qemu_of(flow)->m;

	m->guessed = 1;
	switch_over(flow, step);
	if (!m->stop_ns)
		m->stop_ns = step->t_ns;
}

/* -- Ending -------------------------------------------------------------- */

/* Keeps the first reason, but prefers one that QEMU wrote for people. */
static void
because(struct flow *flow, const char *reason, bool weak)
{
	struct qemu_migration *m = &qemu_of(flow)->m;

	if (*m->reason && (weak || !m->weak_reason))
		return;
	qemu_copy(m->reason, sizeof m->reason, reason);
	m->weak_reason = weak;
	flow->tell = 1;
}

static void
error_desc(struct flow *flow, const struct step *step)
{
	const struct text *text = &((const struct qemu_words *) step->values)->text;
	char reason[240];

	text_copy(reason, sizeof reason, text);
	if (*reason)
		because(flow, reason, false);
}

static void
file_error(struct flow *flow, const struct step *step)
{
	because(flow, "the connection to the destination broke", true);
}

static void
bad_return_path(struct flow *flow, const struct step *step)
{
	because(flow, "the destination closed the return path", true);
}

static void
end_return_path(struct flow *flow, const struct step *step)
{
	qemu_of(flow)->m.return_path = 1;
	if (((const struct qemu_number *) step->values)->value)
		because(flow, "the destination reported an error (rp_error)", false);
}

static void
loaded(struct flow *flow, const struct step *step)
{
	struct qemu_migration *m = &qemu_of(flow)->m;
	char reason[64];

	m->has_ret = 1;
	m->ret = ((const struct qemu_number *) step->values)->value;
	if (m->ret < 0) {
		snprintf(reason, sizeof reason, "loading failed, ret=%lld", (long long) m->ret);
		because(flow, reason, false);
	}
	flow->tell = 1;
}

static void
complete(struct flow *flow, const struct step *step)
{
	struct qemu_migration *m = &qemu_of(flow)->m;

	reconsider(flow);
	m->completed_ns = step->t_ns;
	m->reason[0] = '\0';
}

static void
fail(struct flow *flow, const struct step *step)
{
	struct qemu_migration *m = &qemu_of(flow)->m;

	m->rolled_back = m->switchover_ns && m->run_ns;
}

static void
process_gone(struct flow *flow, const struct step *step)
{
	because(flow, "the QEMU process is gone", true);
}

/* -- Rules --------------------------------------------------------------- */

#define RULE(ON, IS, STATES, TO, ...) \
	{ .on = "qemu:" ON, .is = (IS), .in = (STATES), .to = (TO), ##__VA_ARGS__ }
#define STATE(IS, STATES, TO, ...) RULE("migrate_set_state", IS, STATES, TO, ##__VA_ARGS__)
#define RUNSTATE(IS, STATES, TO, ...) RULE("runstate_set", IS, STATES, TO, ##__VA_ARGS__)
#define BY_THREAD .reads = thread_fields, .when = by_thread

static const struct rule rules[] = {
	/* Asked by management. */
	RULE("qmp_enter_migrate_set_parameters", NULL, ANY, STAY,
	     .act = qemu_set_parameters, .reads = json_fields),
	RULE("qmp_enter_migrate_set_capabilities", NULL, ANY, STAY,
	     .act = qemu_set_capabilities, .reads = json_fields),
	RULE("qmp_enter_migrate", NULL, AT_REST | IN(REQUESTED), REQUESTED,
	     .act = qemu_request, .reads = json_fields),
	RULE("qmp_enter_migrate", NULL, S_LIVE | IN(INCOMING) | D_LIVE, STAY),
	RULE("qmp_exit_migrate", NULL, IN(REQUESTED), IDLE,
	     .reads = succeeded_fields, .when = is_zero),
	RULE("qmp_exit_migrate", NULL, ACTIVE, STAY),
	RULE("qmp_enter_migrate_incoming", NULL, IN(IDLE) | IN(INCOMING) | IN(D_FAILED), INCOMING,
	     .act = qemu_listen_at, .reads = json_fields),
	RULE("qmp_enter_migrate_incoming", NULL, IN(SETUP), INCOMING,
	     .act = qemu_listen_at, .reads = json_fields, .begins = true, .retracts = true),
	RULE("qmp_exit_query_migrate", NULL, IN(PRECOPY), STAY,
	     .act = qemu_read_query, .reads = result_fields),
	RULE("qmp_exit_query_migrate", NULL, ACTIVE & ~IN(PRECOPY), STAY),

	/* The state machine of QEMU itself.  Since 8.x a destination says "setup"
	 * too, when it begins to listen. */
	STATE("setup", IN(REQUESTED) | AT_REST | S_LIVE, SETUP, .act = begin_source,
	      .begins = true),
	STATE("setup", IN(INCOMING) | D_LIVE, STAY),
	STATE("active", IN(SETUP), PRECOPY, BY_THREAD),
	STATE("active", IN(SETUP), LOADING, .act = guess_destination, .begins = true,
	      .retracts = true),
	STATE("active", IN(REQUESTED), PRECOPY, .act = begin_source, .begins = true),
	STATE("active", IN(IDLE), PRECOPY, BY_THREAD, .act = guess_source, .begins = true),
	STATE("active", IN(IDLE), LOADING, .act = guess_destination, .begins = true),
	STATE("active", IN(INCOMING) | IN(D_FAILED), LOADING, .act = accept_source,
	      .begins = true),
	STATE("active", IN(PRECOPY) | IN(LOADING), STAY),
	STATE("pre-switchover", IN(SETUP) | IN(PRECOPY) | IN(STOPCOPY), STOPCOPY,
	      .act = switch_over),
	STATE("device", IN(SETUP) | IN(PRECOPY) | IN(STOPCOPY), STOPCOPY, .act = switch_over),
	STATE("device", S_POST | IN(CANCELLING), STAY),
	STATE("postcopy-device", S_PRE | S_POST, POSTCOPY, .act = to_postcopy),
	STATE("postcopy-active", S_PRE | S_POST, POSTCOPY, .act = to_postcopy),
	STATE("postcopy-active", D_LIVE, D_POSTCOPY, .act = to_postcopy),
	STATE("postcopy-paused", S_PRE | S_POST, PAUSED, .act = interrupted),
	STATE("postcopy-paused", D_LIVE, D_PAUSED, .act = to_postcopy),
	STATE("postcopy-recover-setup", S_POST, RECOVER, .act = to_postcopy),
	STATE("postcopy-recover-setup", D_LIVE, D_RECOVER, .act = to_postcopy),
	STATE("postcopy-recover", S_POST, RECOVER, .act = to_postcopy),
	STATE("postcopy-recover", D_LIVE, D_RECOVER, .act = to_postcopy),
	STATE("completed", S_LIVE, COMPLETED, .act = complete),
	STATE("completed", D_LIVE, D_COMPLETED, .act = complete),
	STATE("failed", S_LIVE, FAILED, .act = fail),
	STATE("failed", D_LIVE, D_FAILED),
	STATE("failed", IN(INCOMING), STAY),
	STATE("cancelling", S_LIVE, CANCELLING),
	STATE("cancelled", S_LIVE, CANCELLED, .act = fail),

	/* The guest. */
	RUNSTATE("inmigrate", IN(IDLE) | IN(INCOMING), INCOMING),
	RUNSTATE("inmigrate", ACTIVE & ~IN(INCOMING), INCOMING, .act = new_process,
		 .begins = true),
	RUNSTATE("finish-migrate", IN(SETUP) | IN(PRECOPY) | IN(STOPCOPY), STOPCOPY,
		 .act = finish_migrate, .reads = current_fields),
	RUNSTATE("finish-migrate", S_POST | IN(CANCELLING), STAY, .act = finish_migrate,
		 .reads = current_fields),
	RUNSTATE("finish-migrate", IN(IDLE), STOPCOPY, BY_THREAD, .act = guess_finish_migrate,
		 .begins = true),
	RUNSTATE("running", S_ENDED | D_ENDED, GONE, .reads = current_fields,
		 .when = was_prelaunch),
	RUNSTATE("shutdown", IN(IDLE) | S_ENDED | D_ENDED | IN(INCOMING) | IN(REQUESTED), GONE),
	RUNSTATE(NULL, ACTIVE, STAY),
	RULE("vm_state_notify", "stopped", IN(SETUP) | IN(PRECOPY), STOPCOPY,
	     .act = guess_stop, .reads = reason_fields, .when = is_finish_migrate),
	RULE("vm_state_notify", "stopped", S_LIVE, STAY, .act = stopped),
	RULE("vm_state_notify", "running", IN(SETUP) | IN(PRECOPY), STAY, .act = unpaused),
	RULE("vm_state_notify", "running", IN(STOPCOPY) | IN(CANCELLING) | IN(FAILED) |
	     IN(CANCELLED), STAY, .act = runs_again),
	RULE("vm_state_notify", "running", D_LIVE | IN(D_COMPLETED), STAY, .act = runs_here),
	RULE("vm_state_notify", NULL, ACTIVE, STAY),
	RULE("migration_completion_vm_stop", NULL, IN(SETUP) | IN(PRECOPY), STOPCOPY,
	     .act = guess_stop),
	RULE("migration_completion_vm_stop", NULL, IN(STOPCOPY) | S_POST, STAY,
	     .act = vm_stop_done),
	RULE("vmstate_downtime_checkpoint", "src-downtime-start",
	     IN(SETUP) | IN(PRECOPY) | IN(STOPCOPY), STOPCOPY, .act = checkpoint_start,
	     .reads = checkpoint_fields),
	RULE("vmstate_downtime_checkpoint", "src-downtime-start", S_POST, STAY,
	     .act = checkpoint_start, .reads = checkpoint_fields),
	RULE("vmstate_downtime_checkpoint", NULL, S_LIVE | D_LIVE, STAY,
	     .act = checkpoint, .reads = checkpoint_fields),
	RULE("vmstate_downtime_checkpoint", NULL, S_ENDED | D_ENDED, STAY),

	/* Connecting. */
	RULE("migration_socket_outgoing_connected", NULL, S_LIVE, STAY, .act = connected),
	RULE("migration_set_outgoing_channel", NULL, S_LIVE, STAY, .act = connected,
	     .reads = err_fields, .when = is_zero),
	RULE("migration_set_outgoing_channel", NULL, ACTIVE, STAY),
	RULE("migration_fd_outgoing", NULL, S_LIVE, STAY, .act = connected),
	RULE("migration_exec_outgoing", NULL, S_LIVE, STAY, .act = connected),
	RULE("migration_socket_outgoing_error", NULL, S_LIVE | IN(FAILED), STAY,
	     .act = error_desc, .reads = error_desc_fields),
	RULE("migration_socket_incoming_accepted", NULL, IN(IDLE) | IN(INCOMING) | IN(D_FAILED),
	     LOADING, .act = accept_source, .begins = true),
	RULE("migration_socket_incoming_accepted", NULL, IN(SETUP), LOADING,
	     .act = accept_source, .begins = true, .retracts = true),
	RULE("migration_socket_incoming_accepted", NULL, D_LIVE | IN(D_COMPLETED), STAY),
	RULE("migration_set_incoming_channel", NULL, IN(IDLE) | IN(INCOMING) | IN(D_FAILED),
	     LOADING, .act = accept_source, .begins = true),
	RULE("migration_set_incoming_channel", NULL, D_LIVE | IN(D_COMPLETED), STAY),
	RULE("loadvm_state_setup", NULL, IN(IDLE), LOADING, .act = guess_destination,
	     .begins = true),
	RULE("loadvm_state_setup", NULL, IN(INCOMING), LOADING, .act = accept_source,
	     .begins = true),
	RULE("loadvm_state_setup", NULL, D_LIVE, STAY),
	/* Each part of RAM that was loaded: enough to tell one that is under way. */
	RULE("ram_load_complete", NULL, IN(IDLE), D_POSTCOPY, .act = guess_postcopy,
	     .reads = procname_fields, .when = by_listener, .begins = true),
	RULE("ram_load_complete", NULL, IN(IDLE), LOADING, .act = guess_destination,
	     .begins = true),
	RULE("ram_load_complete", NULL, IN(INCOMING) | D_LIVE | D_ENDED, STAY),
	RULE("open_return_path_on_source", NULL, S_LIVE, STAY, .act = has_return_path),
	RULE("source_return_path_thread_entry", NULL, S_LIVE, STAY, .act = has_return_path),

	/* Pre-copy. */
	RULE("migration_thread_setup_complete", NULL, IN(SETUP), PRECOPY),
	RULE("migration_thread_setup_complete", NULL, IN(IDLE), PRECOPY, .act = guess_source,
	     .begins = true),
	RULE("migration_thread_setup_complete", NULL, S_LIVE & ~IN(SETUP), STAY),
	RULE("migration_bitmap_sync_start", NULL, S_LIVE, STAY, .act = qemu_sync_start),
	RULE("migration_bitmap_sync_end", NULL, IN(IDLE), PRECOPY, BY_THREAD,
	     .act = guess_source, .begins = true),
	RULE("migration_bitmap_sync_end", NULL, S_LIVE, STAY, .act = qemu_sync_end,
	     .reads = sync_fields),
	RULE("migrate_pending", NULL, IN(IDLE), PRECOPY, BY_THREAD, .act = guess_sending,
	     .begins = true),
	RULE("migrate_pending", NULL, S_LIVE, STAY, .act = qemu_pending,
	     .reads = pending_fields),
	RULE("migrate_pending_estimate", NULL, IN(IDLE), PRECOPY, BY_THREAD,
	     .act = guess_sending, .begins = true),
	RULE("migrate_pending_estimate", NULL, S_LIVE, STAY, .act = qemu_pending,
	     .reads = pending_fields),
	RULE("migrate_pending_exact", NULL, S_LIVE, STAY, .act = qemu_pending,
	     .reads = pending_fields),
	RULE("migrate_transferred", NULL, S_LIVE, STAY, .act = qemu_transferred,
	     .reads = transferred_fields),
	RULE("savevm_state_iterate", NULL, S_LIVE, STAY, .act = qemu_iterate),
	RULE("migration_throttle", NULL, S_LIVE, STAY, .act = qemu_throttle_step),
	RULE("cpu_throttle_set", NULL, S_LIVE, STAY, .act = qemu_throttle,
	     .reads = percent_fields),

	/* Stop-and-copy: what is saved, as the last sign before a silence. */
	RULE("savevm_section_start", NULL, S_LIVE, STAY, .act = section, .reads = section_fields),
	RULE("savevm_section_end", NULL, S_LIVE, STAY),
	RULE("migration_thread_low_pending", NULL, S_LIVE, STAY),
	RULE("savevm_state_complete_precopy", NULL, IN(SETUP) | IN(PRECOPY), STOPCOPY,
	     .act = guess_stop),
	RULE("savevm_state_complete_precopy", NULL, S_LIVE & ~(IN(SETUP) | IN(PRECOPY)), STAY),
	RULE("migration_precopy_complete", NULL, S_LIVE, STAY),

	/* The end. */
	RULE("migrate_error", NULL, S_LIVE | IN(FAILED) | D_LIVE | IN(D_FAILED), STAY,
	     .act = error_desc, .reads = error_desc_fields),
	RULE("migrate_fd_error", NULL, S_LIVE | IN(FAILED), STAY, .act = error_desc,
	     .reads = error_desc_fields),
	RULE("migration_thread_file_err", NULL, S_LIVE | IN(FAILED), STAY, .act = file_error),
	RULE("migration_completion_file_err", NULL, S_LIVE | IN(FAILED), STAY,
	     .act = file_error),
	RULE("source_return_path_thread_bad_end", NULL, S_PRE | S_POST | IN(FAILED), STAY,
	     .act = bad_return_path),
	RULE("source_return_path_thread_bad_end", NULL, IN(CANCELLING) | IN(CANCELLED) |
	     IN(COMPLETED), STAY),
	RULE("migration_return_path_end_after", NULL, S_LIVE, STAY, .act = end_return_path,
	     .reads = rp_error_fields),
	RULE("migration_completion_postcopy_end_after_rp", NULL, S_LIVE, STAY,
	     .act = end_return_path, .reads = rp_error_fields),
	RULE("process_incoming_migration_co_end", NULL, D_LIVE | D_ENDED, STAY, .act = loaded,
	     .reads = ret_fields),
	{ .on = "cloudtrace_node:qemu_process", .is = "gone", .in = ANY, .to = GONE,
	  .act = process_gone },
	{ .on = "cloudtrace_node:qemu_process", .in = ACTIVE, .to = STAY },
	{ 0 }
};

/* QAPI's MigrationStatus, for versions whose events have its number (2.7 to
 * 2.9: up to "colo"; 2.11 and 2.12 added two). */
const char *const qemu_status_numbers[N_QEMU_STATUS_NUMBERS] = {
	"none", "setup", "cancelling", "cancelled", "active", "postcopy-active", "completed",
	"failed", "colo", "pre-switchover", "device",
};
const char *const qemu_running_numbers[N_QEMU_RUNNING_NUMBERS] = { "stopped", "running" };

static const struct source sources[] = {
	{ .event = "qemu:migrate_set_state", .selector = "new_state", .numbers = qemu_status_numbers,
	  .n_numbers = N_QEMU_STATUS_NUMBERS },
	{ .event = "qemu:runstate_set", .selector = "new_state_str" },
	{ .event = "qemu:vm_state_notify", .selector = "running", .numbers = qemu_running_numbers,
	  .n_numbers = N_QEMU_RUNNING_NUMBERS },
	{ .event = "qemu:vmstate_downtime_checkpoint", .selector = "checkpoint" },
	{ .event = "cloudtrace_node:qemu_process", .key = "pid", .selector = "reason" },
	{ 0 }
};

/* -- Checkpoints --------------------------------------------------------- */

static size_t
used(const struct flow *flow)
{
	const struct qemu *q = (const struct qemu *) (const void *) flow;

	return offsetof(struct qemu, m.rounds) + q->m.n_rounds * sizeof q->m.rounds[0];
}

static bool
is_text(const char *buffer, size_t size)
{
	return memchr(buffer, '\0', size) != NULL;
}

static bool
check(const struct flow *flow)
{
	const struct qemu *q = (const struct qemu *) (const void *) flow;
	const struct qemu_migration *m = &q->m;

	for (uint32_t i = 0; i < m->n_stages && i < QEMU_STAGES; i++)
		if (m->stages[i].name >= N_STAGE_NAMES || !m->stages[i].name)
			return false;
	return m->n_rounds <= QEMU_ROUNDS && m->n_stages <= QEMU_STAGES &&
		m->forecast.verdict <= 2 && is_text(m->uri, sizeof m->uri) &&
		is_text(m->reason, sizeof m->reason) &&
		is_text(m->checkpoint, sizeof m->checkpoint) &&
		is_text(m->section, sizeof m->section) &&
		is_text(m->stall_checkpoint, sizeof m->stall_checkpoint) &&
		is_text(m->stall_section, sizeof m->stall_section) &&
		is_text(q->listen_uri, sizeof q->listen_uri) &&
		is_text(q->request_uri, sizeof q->request_uri);
}

const struct analyzer qemu_analyzer = {
	.name = "qemu",
	.summary = "Live migrations: stages, rounds, downtime, forecast",
	.version = 1,
	.roles = ROLE_COMPUTE,
	.key = "vpid",
	.flow_size = sizeof(struct qemu),
	.states = qemu_states,
	.n_states = QEMU_N_STATES,
	.gone = GONE,
	.rules = rules,
	.sources = sources,
	.moved = qemu_moved,
	.timer = qemu_stalled,
	.attributes = qemu_attributes,
	.used = used,
	.check = check,
};
