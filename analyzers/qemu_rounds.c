/* SPDX-License-Identifier: MIT
 *
 * qemu_rounds.c -- the rounds of pre-copy: how much was left, sent and written
 * again in each, and after each the forecast (forecast.c). */
#include <string.h>

#include "analyzers/forecast.h"
#include "analyzers/qemu.h"
#include "lib/clock.h"
#include "lib/util.h"

/* Whole numbers out of arithmetic with what the trace may say. */
static uint64_t
to_u64(double value)
{
	return value >= 0 && value < 1e18 ? (uint64_t) value : value >= 1e18 ? (uint64_t) 1e18 : 0;
}

static struct qemu_round *
last_round(struct qemu_migration *m)
{
	return m->n_rounds ? &m->rounds[m->n_rounds - 1] : NULL;
}

static void
open_round(struct qemu_migration *m, uint64_t t_ns)
{
	struct qemu_round *round;
	const uint32_t n = m->n_rounds ? last_round(m)->n + 1 : 1;

	if (m->n_rounds == QEMU_ROUNDS) {
		/* The first and the newest say most. */
		memmove(&m->rounds[1], &m->rounds[2], (QEMU_ROUNDS - 2) * sizeof *m->rounds);
		m->n_rounds--;
		m->rounds_dropped++;
	}
	round = &m->rounds[m->n_rounds++];
	*round = (struct qemu_round) {
		.start_ns = t_ns, .n = n, .throttle = (uint32_t) m->throttle_percent,
	};
}

static void
close_round(struct qemu_round *round, uint64_t t_ns)
{
	round->end_ns = MAX(t_ns, round->start_ns);
	if (!round->remaining_bytes)
		round->remaining_bytes = round->low_bytes;
}

void
qemu_rounds_begin(struct qemu *q, uint64_t t_ns)
{
	struct qemu_round *round = last_round(&q->m);

	/* The first round sends from here on, although the bitmap was first
	 * synchronised during setup. */
	if (!round)
		open_round(&q->m, t_ns);
	else if (round->n == 1 && !round->end_ns)
		round->start_ns = t_ns;
}

void
qemu_rounds_end(struct qemu *q, const struct step *step)
{
	struct qemu_round *round = last_round(&q->m);

	if (round && !round->end_ns)
		close_round(round, step->t_ns);
}

/* Pages found by this synchronisation alone.  QEMU counts over periods of at
 * least one second, that is over several synchronisations near the end. */
static uint64_t
pages_found(struct qemu_migration *m, uint64_t counted, uint64_t t_ns)
{
	uint64_t found;

	if (!m->period_ns)
		m->period_ns = t_ns;
	found = counted >= m->period_pages ? counted - m->period_pages : counted;
	m->period_pages = counted;
	if (t_ns - m->period_ns > NS_PER_S) {
		m->period_ns = t_ns;
		m->period_pages = 0;
	}
	return found;
}

void
qemu_sync_start(struct flow *flow, const struct step *step)
{
	qemu_of(flow)->m.sync_start_ns = step->t_ns;
}

void
qemu_sync_end(struct flow *flow, const struct step *step)
{
	struct qemu *q = qemu_of(flow);
	struct qemu_migration *m = &q->m;
	const struct qemu_sync *sync = step->values;
	const uint64_t t_ns = m->sync_start_ns ? m->sync_start_ns : step->t_ns;
	struct qemu_round *round = last_round(m);
	bool closes;

	m->dirty_pages = pages_found(m, sync->dirty_pages, step->t_ns);
	m->sync_start_ns = 0;
	/* The first one, during setup, finds nothing and closes nothing. */
	m->dirty_syncs++;
	closes = round && (m->dirty_syncs > 1 || m->inferred);
	if (closes) {
		round->dirty_pages += m->dirty_pages;
		round->remaining_bytes = m->dirty_pages * QEMU_PAGE +
			(m->has_pending ? m->remaining_bytes : 0);
	}
	if (flow->state != SETUP && flow->state != PRECOPY)
		return;
	if (closes)
		close_round(round, t_ns);
	if (closes || !round)
		open_round(m, t_ns);
	if (m->has_pending)
		m->expect_pending = 1;
	else
		qemu_reforecast(q, step);
}

void
qemu_pending(struct flow *flow, const struct step *step)
{
	struct qemu *q = qemu_of(flow);
	struct qemu_migration *m = &q->m;
	const struct qemu_pending *pending = step->values;
	struct qemu_round *round = last_round(m);

	m->has_pending = 1;
	m->remaining_bytes = pending->size;
	m->total_bytes = MAX(m->total_bytes, pending->size);
	if (round && !round->end_ns) {
		if (m->expect_pending || !round->known_ns) {
			round->start_bytes = round->low_bytes = pending->size;
			round->known_ns = round->low_ns = step->t_ns;
		} else if (pending->size < round->low_bytes) {
			round->low_bytes = pending->size;
			round->low_ns = step->t_ns;
		}
	}
	if (m->expect_pending) {
		m->expect_pending = 0;
		if (m->n_rounds > 1)
			m->rounds[m->n_rounds - 2].remaining_bytes = pending->size;
		qemu_reforecast(q, step);
	}
	if (step->t_ns / (100 * NS_PER_MS) != m->sample_slot) {
		m->sample_slot = step->t_ns / (100 * NS_PER_MS);
		qemu_tell_sample(q, step);
	}
}

void
qemu_transferred(struct flow *flow, const struct step *step)
{
	struct qemu_migration *m = &qemu_of(flow)->m;
	const struct qemu_transferred *t = step->values;
	struct qemu_round *round = last_round(m);

	m->sent_bytes += t->transferred;
	if (t->time_ms)
		m->bandwidth = to_u64((double) t->transferred * 1e3 / (double) t->time_ms);
	if (round && !round->end_ns)
		round->sent_bytes += t->transferred;
}

void
qemu_iterate(struct flow *flow, const struct step *step)
{
	struct qemu_round *round = last_round(&qemu_of(flow)->m);

	if (round && !round->end_ns)
		round->iterations++;
}

/* -- Throttling ---------------------------------------------------------- */

static void
set_throttle(struct qemu *q, const struct step *step, uint64_t percent)
{
	struct qemu_migration *m = &q->m;

	if (percent == m->throttle_percent)
		return;
	m->throttle_percent = MIN(percent, UINT64_C(100));
	if (m->n_rounds && !m->rounds[m->n_rounds - 1].end_ns)
		m->rounds[m->n_rounds - 1].throttle = (uint32_t) m->throttle_percent;
	qemu_tell_throttle(q, step);
	q->flow.tell = 1;
}

/* Another step of auto-converge; what it is follows from the settings unless
 * an event tells. */
void
qemu_throttle_step(struct flow *flow, const struct step *step)
{
	struct qemu *q = qemu_of(flow);
	const struct qemu_settings *s = qemu_settings(q);

	if (q->m.exact_throttle)
		return;
	set_throttle(q, step, q->m.throttle_percent
		? MIN(q->m.throttle_percent + s->throttle_increment, s->throttle_max)
		: s->throttle_initial);
}

void
qemu_throttle(struct flow *flow, const struct step *step)
{
	const int64_t percent = ((const struct qemu_number *) step->values)->value;
	struct qemu *q = qemu_of(flow);

	q->m.exact_throttle = 1;
	if (percent >= 0)
		set_throttle(q, step, (uint64_t) percent);
}

/* -- Forecast ------------------------------------------------------------ */

/* The newest closed rounds as the model wants them. */
static unsigned
past_rounds(const struct qemu_migration *m, struct forecast_round ret[FORECAST_ROUNDS])
{
	unsigned end = m->n_rounds, begin, n = 0;

	while (end && !m->rounds[end - 1].end_ns)
		end--;
	begin = end > FORECAST_ROUNDS ? end - FORECAST_ROUNDS : 0;
	for (unsigned i = begin; i < end; i++) {
		const struct qemu_round *r = &m->rounds[i];
		const double seconds = (double) (r->end_ns - r->start_ns) / 1e9;

		ret[n++] = (struct forecast_round) {
			.seconds = seconds,
			.dirty_bytes = (double) r->dirty_pages * QEMU_PAGE,
			.left_bytes = (double) r->remaining_bytes,
			.drained_bytes = (double) (r->start_bytes - r->low_bytes),
			.drained_s = (double) (r->low_ns - r->known_ns) / 1e9,
			.first = r->n == 1,
			.throttle = (double) r->throttle / 100,
		};
		if (m->has_pending || !i)
			continue;
		/* All that the round before left was sent. */
		ret[n - 1].drained_bytes = (double) m->rounds[i - 1].remaining_bytes;
		ret[n - 1].drained_s = seconds;
	}
	return n;
}

static uint64_t
to_ns(double seconds)
{
	return seconds >= 0 && seconds < 1e9 ? (uint64_t) (seconds * 1e9) : UINT64_MAX;
}

/* Tells when the verdict became "not converging", and when it no longer is. */
static void
follow_verdict(struct qemu *q, const struct step *step)
{
	struct qemu_migration *m = &q->m;

	if (m->forecast.verdict == FORECAST_NOT_CONVERGING) {
		if (!m->slow_ns)
			m->slow_ns = step->t_ns;
		m->slow_round = m->n_rounds > 1 ? m->rounds[m->n_rounds - 2].n : 0;
		qemu_tell_slow(q, step, 0);
	} else if (m->slow_ns) {
		qemu_tell_slow(q, step, step->t_ns);
		m->slow_ns = 0;
	}
}

void
qemu_reforecast(struct qemu *q, const struct step *step)
{
	struct qemu_migration *m = &q->m;
	struct forecast_round rounds[FORECAST_ROUNDS];
	struct forecast result;
	struct forecast_input input = {
		.rounds = rounds,
		.n_rounds = past_rounds(m, rounds),
		.bytes_per_s = (double) m->bandwidth,
		.downtime_limit_s = (double) q->settings.downtime_limit_ns / 1e9,
		.throttle = (double) m->throttle_percent / 100,
		.auto_converge = q->settings.auto_converge == 1,
		.throttle_initial = q->settings.throttle_initial / 100.0,
		.throttle_increment = q->settings.throttle_increment / 100.0,
		.throttle_max = q->settings.throttle_max / 100.0,
	};

	q->flow.tell = 1;
	if (!input.n_rounds)
		return;
	input.left_bytes = m->has_pending ? (double) m->remaining_bytes
		: rounds[input.n_rounds - 1].left_bytes;
	forecast(&input, &result);
	m->forecast = (struct qemu_forecast) {
		.at_ns = step->t_ns,
		.verdict = result.verdict,
		.remaining_ns = to_ns(result.remaining_s),
		.downtime_ns = to_ns(result.downtime_s),
		.needs_bytes_s = to_u64(result.needs_bytes_per_s),
		.needs_limit_ns = to_u64(result.needs_downtime_limit_s * 1e9),
		.needs_throttle = to_u64(result.needs_throttle * 100 + 0.5),
	};
	follow_verdict(q, step);
}
