/* SPDX-License-Identifier: MIT */
#include "analyzers/kernel_cpu_read.h"

#include <errno.h>
#include <string.h>

#include "lib/util.h"

void
read_transition(struct unpack *in, uint64_t before, struct transition *ret)
{
	const uint64_t value = unpack_number(in);

	ret->t = before + (value >> 3);
	ret->state = (unsigned) (value & 7);
	ret->how = in->bad || in->at == in->end ? 0 : *in->at++;
	ret->who = 0;
	if (ret->state == CPU_WAITING && ret->how == CAUSE_TASK)
		ret->who = (uint32_t) unpack_number(in);
	if (ret->state > CPU_TAKEN || ret->t < before ||
	    (ret->state == CPU_WAITING && ret->how >= N_CPU_CAUSES) ||
	    (ret->state == CPU_BLOCKED && ret->how >= N_CPU_BLOCKED))
		in->bad = true;
}

static void
unpack_detail(struct unpack *in, struct read_thread *t)
{
	struct transition transition = { .t = t->from };
	uint64_t n = unpack_count(in);

	if (n > MAX_SUM_LIST)
		in->bad = true;
	for (; t->n_takers < n && !in->bad; t->n_takers++) {
		struct cpu_sum_taker *taker = &t->takers[t->n_takers];

		taker->tid = (uint32_t) unpack_number(in);
		unpack_text(in, taker->name, sizeof taker->name);
		taker->ns = unpack_number(in);
	}
	t->guest_ns = unpack_number(in);
	t->halted_ns = unpack_number(in);
	n = unpack_count(in);
	if (n > MAX_SUM_LIST)
		in->bad = true;
	for (; t->n_exits < n && !in->bad; t->n_exits++) {
		t->exits[t->n_exits].reason = (uint32_t) unpack_number(in);
		t->exits[t->n_exits].count = unpack_number(in);
		t->exits[t->n_exits].ns = unpack_number(in);
	}
	n = unpack_count(in);
	if (n > N_CPU_CAUSES)
		in->bad = true;
	for (uint64_t i = 0; i < n && !in->bad; i++)
		t->causes[i] = unpack_number(in);
	t->n_transitions = unpack_count(in);
	t->transitions = *in;
	for (uint64_t i = 0; i < t->n_transitions && !in->bad; i++) {
		read_transition(in, transition.t, &transition);
		if (transition.state == CPU_TAKEN && transition.how >= t->n_takers)
			in->bad = true;
	}
}

void
read_thread(struct unpack *in, struct read_thread *t)
{
	uint64_t flags;

	t->n_takers = t->n_exits = 0;
	t->n_transitions = t->guest_ns = t->halted_ns = 0;
	memset(t->causes, 0, sizeof t->causes);
	t->tid = (uint32_t) unpack_number(in);
	t->pid = (uint32_t) unpack_number(in);
	unpack_text(in, t->name, sizeof t->name);
	t->role = (unsigned) MIN(unpack_number(in), (uint64_t) N_CPU_ROLES);
	t->from = unpack_number(in);
	for (unsigned i = 0; i < CPU_DEAD; i++)
		t->sums[i] = unpack_number(in);
	t->switches = unpack_number(in);
	flags = unpack_number(in);
	t->detail = flags & THREAD_DETAIL;
	t->exact = flags & THREAD_EXACT;
	t->start_state = flags >> THREAD_STATE_SHIFT & 7;
	t->born = flags & THREAD_BORN;
	t->died = flags & THREAD_DIED;
	if (t->role >= N_CPU_ROLES || flags > THREAD_FLAGS || t->start_state >= N_CPU_STATES ||
	    (t->exact && !t->detail))
		in->bad = true;
	if (t->detail && !in->bad)
		unpack_detail(in, t);
}

/* Everything in front of the threads. */
static int
unpack_window(const struct fact_window *window, struct read_window *ret)
{
	struct unpack *in = &ret->in;

	in->at = window->blob;
	in->end = in->at + window->size;
	in->bad = false;
	if (!window->size || *in->at++ != CPU_WINDOW_VERSION || window->end_ns <= window->start_ns)
		return -EINVAL;
	ret->late = unpack_number(in);
	ret->capped = unpack_number(in);
	ret->untold = unpack_number(in);
	ret->first = unpack_number(in);
	ret->n_cpus = unpack_count(in);
	if (ret->n_cpus > MAX_SUM_CPUS)
		return -EINVAL;
	for (uint64_t i = 0; i < ret->n_cpus; i++) {
		ret->numbers[i] = unpack_number(in);
		in->bad |= ret->numbers[i] >= MAX_SUM_CPUS;
		ret->cpus[i].idle_ns = unpack_number(in);
		ret->cpus[i].unknown_ns = unpack_number(in);
		ret->cpus[i].irq_ns = unpack_number(in);
		ret->cpus[i].softirq_ns = unpack_number(in);
		ret->cpus[i].switches = unpack_number(in);
	}
	ret->n_threads = unpack_count(in);
	return in->bad ? -EINVAL : 0;
}

int
read_window(const struct fact_window *window, struct read_window *read, struct read_thread *thread)
{
	struct unpack in;
	int r = unpack_window(window, read);

	if (r)
		return r;
	in = read->in;
	for (uint64_t i = 0; i < read->n_threads && !in.bad; i++)
		read_thread(&in, thread);
	return in.bad || in.at != in.end ? -EINVAL : 0;
}
