/* SPDX-License-Identifier: MIT
 *
 * qemu_stages.c -- the stages of a migration, as the states of qemu.c change, and
 * the timer of stop-and-copy. */
#include <string.h>

#include "analyzers/qemu.h"
#include "lib/util.h"

/* Stage that a state is part of; STAGE_NONE: goes on with the one before. */
static const enum qemu_stage_name stage_of[] = {
	[SETUP] = STAGE_SETUP, [PRECOPY] = STAGE_PRECOPY, [STOPCOPY] = STAGE_STOPCOPY,
	[POSTCOPY] = STAGE_POSTCOPY, [PAUSED] = STAGE_PAUSED, [RECOVER] = STAGE_RECOVER,
	[LOADING] = STAGE_PRECOPY, [D_POSTCOPY] = STAGE_POSTCOPY, [D_PAUSED] = STAGE_PAUSED,
	[D_RECOVER] = STAGE_RECOVER, [GONE] = STAGE_NONE,
};

static void
open_stage(struct qemu_migration *m, enum qemu_stage_name name, uint64_t t_ns)
{
	if (m->n_stages == QEMU_STAGES) {
		/* Only post-copy that is paused again and again comes here. */
		memmove(&m->stages[1], &m->stages[2], (QEMU_STAGES - 2) * sizeof *m->stages);
		m->n_stages--;
		m->stages_dropped++;
	}
	m->stages[m->n_stages++] = (struct qemu_stage) {
		.name = name, .inferred = m->guessed, .start_ns = t_ns,
	};
	m->guessed = 0;
}

static void
enter_stage(struct qemu *q, const struct step *step, enum qemu_stage_name name)
{
	const uint64_t limit = q->settings.downtime_limit_ns * step->options->stall_factor;
	struct qemu_migration *m = &q->m;

	open_stage(m, name, name == STAGE_SETUP ? q->flow.start_ns : step->t_ns);
	if (name == STAGE_PRECOPY && q->flow.state == PRECOPY)
		qemu_rounds_begin(q, step->t_ns);
	if (name == STAGE_STOPCOPY) {
		m->stall_limit_ns = MIN(limit, step->options->stall_max_ns);
		m->stall_limit_ns = MAX(m->stall_limit_ns, step->options->stall_min_ns);
		q->flow.deadline_ns = step->t_ns + m->stall_limit_ns;
	}
}

static void
leave_stage(struct qemu *q, const struct step *step)
{
	struct qemu_migration *m = &q->m;
	struct qemu_stage *stage = m->n_stages ? &m->stages[m->n_stages - 1] : NULL;

	if (!stage || stage->end_ns)
		return;
	stage->end_ns = step->t_ns;
	q->flow.deadline_ns = 0;
	if (m->stall_ns)
		qemu_tell_stall(q, step, MAX(step->t_ns, m->stall_ns));
	if (m->slow_ns)
		qemu_tell_slow(q, step, step->t_ns);
	m->stall_ns = m->slow_ns = 0;
}

void
qemu_moved(struct flow *flow, const struct step *step, unsigned from, unsigned to)
{
	struct qemu *q = qemu_of(flow);
	const struct qemu_migration *m = &q->m;
	const enum qemu_stage_name name = stage_of[to];
	const struct qemu_stage *last = m->n_stages ? &m->stages[m->n_stages - 1] : NULL;

	if (to == CANCELLING || (name && last && last->name == name && !last->end_ns))
		return;
	leave_stage(q, step);
	if (name != STAGE_PRECOPY)
		qemu_rounds_end(q, step);
	if (name)
		enter_stage(q, step, name);
}

void
qemu_stalled(struct flow *flow, const struct step *step)
{
	struct qemu *q = qemu_of(flow);
	struct qemu_migration *m = &q->m;

	m->stall_ns = step->t_ns;
	m->stall_event = flow->last_event;
	m->stall_event_ns = flow->last_ns;
	memcpy(m->stall_checkpoint, m->checkpoint, sizeof m->stall_checkpoint);
	memcpy(m->stall_section, m->section, sizeof m->stall_section);
	qemu_tell_stall(q, step, 0);
}
