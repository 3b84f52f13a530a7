/* SPDX-License-Identifier: MIT
 *
 * kernel_cpu_window.c -- the open window as a blob, and all of the state as
 * records for a restart. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/kernel_cpu.h"
#include "lib/histogram.h"
#include "analyzers/pack.h"
#include "lib/util.h"

/* -- Telling ------------------------------------------------------------------ */

static int
by_tid(const void *a, const void *b)
{
	const struct thread *x = *(const struct thread *const *) a;
	const struct thread *y = *(const struct thread *const *) b;

	/* Of those that had one number after the other, the older one first. */
	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	if (x->gone != y->gone)
		return x->gone ? -1 : 1;
	return x->from_ns < y->from_ns ? -1 : x->from_ns > y->from_ns;
}

static void
pack_detail(const struct kernel_cpu *k, const struct detail *detail, struct buf *out)
{
	varint_write(detail->n_takers, out);
	for (uint32_t i = 0; i < detail->n_takers; i++) {
		varint_write(detail->takers[i].tid, out);
		pack_text(out, detail->takers[i].name);
		varint_write(detail->takers[i].ns, out);
	}
	varint_write(detail->guest_ns, out);
	varint_write(detail->halted_ns, out);
	varint_write(detail->n_exits, out);
	for (uint32_t i = 0; i < detail->n_exits; i++) {
		varint_write(detail->exits[i].reason, out);
		varint_write(detail->exits[i].count, out);
		varint_write(detail->exits[i].ns, out);
	}
	/* Sums by cause: only in windows that were joined. */
	varint_write(0, out);
	varint_write(detail->inexact ? 0 : detail->n_transitions, out);
	if (!detail->inexact)
		buf_add(out, detail->transitions.data ? detail->transitions.data : "",
			detail->transitions.size);
}

/* In this window. */
static bool
is_born(const struct kernel_cpu *k, const struct thread *thread)
{
	return thread->born && thread->from_ns >= k->window_ns;
}

static void
pack_thread(const struct kernel_cpu *k, const struct thread *thread, struct buf *out)
{
	const struct detail *detail = thread->detail;
	const uint64_t from_ns = MAX(thread->from_ns, k->first_ns);

	varint_write(thread->tid, out);
	varint_write(thread->pid, out);
	pack_text(out, thread->name);
	varint_write(thread->role, out);
	varint_write(from_ns > k->window_ns ? from_ns - k->window_ns : 0, out);
	for (unsigned i = 0; i < CPU_DEAD; i++)
		varint_write(thread->sums[i], out);
	varint_write(thread->switches, out);
	varint_write((detail ? THREAD_DETAIL : 0) | (detail && !detail->inexact ? THREAD_EXACT : 0) |
		     (detail ? detail->start_state << THREAD_STATE_SHIFT : 0) |
		     (is_born(k, thread) ? THREAD_BORN : 0) |
		     (thread->gone && thread->state == CPU_DEAD ? THREAD_DIED : 0), out);
	if (detail)
		pack_detail(k, detail, out);
}

static void
pack_cpus(const struct kernel_cpu *k, uint64_t end_ns, struct buf *out)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < k->n_cpus; i++)
		n += k->cpus[i].last_ns != 0;
	varint_write(n, out);
	for (uint32_t i = 0; i < k->n_cpus; i++) {
		const struct cpu *cpu = &k->cpus[i];
		const uint64_t from_ns = MAX(cpu->unknown_from_ns, k->window_ns);
		const uint64_t until_ns = MIN(cpu->unknown_until_ns, end_ns);

		if (!cpu->last_ns)
			continue;
		varint_write(i, out);
		varint_write(cpu->idle_ns, out);
		varint_write(until_ns > from_ns ? until_ns - from_ns : 0, out);
		varint_write(cpu->irq_ns, out);
		varint_write(cpu->softirq_ns, out);
		varint_write(cpu->switches, out);
	}
}

static void
begin_detail(struct thread *thread)
{
	struct detail *detail = thread->detail;

	detail->guest_ns = detail->halted_ns = 0;
	detail->n_takers = detail->n_exits = detail->n_transitions = 0;
	detail->inexact = false;
	detail->start_state = thread->state;
	buf_clear(&detail->transitions);
}

/* Sums start anew; whoever runs or waits is in the next window without an
 * event. */
static void
begin_next(struct kernel_cpu *k)
{
	struct thread *thread;
	size_t kept = 0;

	for (thread = k->interest; thread; thread = thread->interest_next) {
		begin_detail(thread);
		memset(thread->sums, 0, sizeof thread->sums);
		thread->switches = 0;
		thread->changed = true;
	}
	for (size_t i = 0; i < k->n_touched; i++) {
		thread = k->touched[i];
		if (thread->gone) {
			kernel_thread_free(thread);
			continue;
		}
		memset(thread->sums, 0, sizeof thread->sums);
		thread->switches = 0;
		thread->changed = true;
		thread->touched = thread->state == CPU_RUNNING || thread->state == CPU_WAITING;
		if (thread->touched)
			k->touched[kept++] = thread;
	}
	k->n_touched = kept;
	for (uint32_t i = 0; i < k->n_cpus; i++) {
		struct cpu *cpu = &k->cpus[i];

		cpu->changed |= cpu->idle_ns || cpu->irq_ns || cpu->softirq_ns || cpu->switches;
		cpu->idle_ns = cpu->irq_ns = cpu->softirq_ns = cpu->switches = 0;
	}
	k->late = k->capped = k->untold = 0;
	k->changed = true;
}

static bool
is_told(const struct kernel_cpu *k, const struct thread *thread)
{
	return thread->detail || thread->sums[CPU_RUNNING] || thread->sums[CPU_WAITING] ||
	       is_born(k, thread);
}

/* Of too many, those of interest and those that ran most. */
static int
by_weight(const void *a, const void *b)
{
	const struct thread *x = *(const struct thread *const *) a;
	const struct thread *y = *(const struct thread *const *) b;
	const uint64_t more = x->sums[CPU_RUNNING] + x->sums[CPU_WAITING];
	const uint64_t less = y->sums[CPU_RUNNING] + y->sums[CPU_WAITING];

	if ((x->detail != NULL) != (y->detail != NULL))
		return x->detail ? -1 : 1;
	if (more != less)
		return more > less ? -1 : 1;
	return by_tid(a, b);
}

static void
pack_threads(struct kernel_cpu *k, uint64_t end_ns, struct buf *out)
{
	struct thread **list = xcalloc(k->n_touched + k->n_details + 1, sizeof *list), *thread;
	struct thread others = { .name = "(others)" };
	size_t n = 0, told;

	for (uint32_t i = 0; i < k->n_cpus; i++)
		kernel_cpu_charge(k, &k->cpus[i], end_ns);
	for (size_t i = 0; i < k->n_touched; i++) {
		if (!k->touched[i]->gone)
			kernel_thread_account(k, k->touched[i], end_ns);
		if (is_told(k, k->touched[i]))
			list[n++] = k->touched[i];
	}
	for (thread = k->interest; thread; thread = thread->interest_next) {
		kernel_thread_account(k, thread, end_ns);
		if (!thread->touched)
			list[n++] = thread;
	}
	told = n;
	if (n > MAX_WINDOW_THREADS) {
		qsort(list, n, sizeof *list, by_weight);
		told = MAX_WINDOW_THREADS - 1;
		k->untold = n - told;
		for (size_t i = told; i < n; i++) {
			for (unsigned s = 0; s < CPU_DEAD; s++)
				others.sums[s] += list[i]->sums[s];
			others.switches += list[i]->switches;
		}
		list[told++] = &others;
	}
	qsort(list, told, sizeof *list, by_tid);
	varint_write(told, out);
	for (size_t i = 0; i < told; i++)
		pack_thread(k, list[i], out);
	free(list);
}

void
kernel_cpu_tell(struct kernel_cpu *k, const struct step *step, uint64_t end_ns)
{
	_cleanup_(buf_done) struct buf threads = { 0 }, blob = { 0 };
	struct fact fact = {
		.type = FACT_WINDOW, .kind = "cpu", .key = "-", .start_ns = k->window_ns,
		.end_ns = end_ns,
	};

	pack_threads(k, end_ns, &threads);
	buf_add_char(&blob, CPU_WINDOW_VERSION);
	varint_write(k->late, &blob);
	varint_write(k->capped, &blob);
	varint_write(k->untold, &blob);
	varint_write(MAX(k->first_ns, k->window_ns) - k->window_ns, &blob);
	pack_cpus(k, end_ns, &blob);
	buf_add(&blob, threads.data, threads.size);
	fact.blob = blob.data;
	fact.blob_size = blob.size;
	native_tell(step, &fact);
	begin_next(k);
}

/* -- Checkpoints --------------------------------------------------------------- */

#define KEY_CPU(N)    (UINT64_C(1) << 32 | (N))
#define KEY_HOST      (UINT64_C(1) << 33)
/* The last of those of one tid that are gone, but in the open window. */
#define KEY_GONE(N)   (UINT64_C(1) << 34 | (N))

struct saved_host {
	uint64_t window_ns, first_ns, last_loss_ns, late, capped;
	uint32_t n_marks, n_cpus;
	uint64_t has_wakeups, active;
	struct mark marks[MAX_MARKS];
};
struct saved_cpu {
	struct cpu cpu;              /* Its pointers are not used. */
	uint64_t current_tid;
};
/* Behind them the transitions. */
struct saved_thread {
	struct thread thread;        /* Its pointers are not used. */
	struct detail detail;        /* If thread.detail was set, as has_detail says. */
	uint64_t has_detail, n_bytes;
};

static size_t
host_used(uint32_t n_marks)
{
	return offsetof(struct saved_host, marks) + n_marks * sizeof(struct mark);
}

static void
save_thread(struct thread *thread, uint64_t key, struct buf *buf,
	    void (*put)(void *context, uint64_t key, const void *record, size_t size), void *context)
{
	struct saved_thread saved = { .thread = *thread, .has_detail = thread->detail != NULL };
	struct detail *detail = thread->detail;

	saved.thread.detail = NULL;
	saved.thread.next = saved.thread.waiter_next = saved.thread.waiter_before = NULL;
	saved.thread.interest_next = saved.thread.interest_before = NULL;
	saved.thread.changed = saved.thread.saved = 0;
	buf_clear(buf);
	if (detail) {
		saved.detail = *detail;
		memset(&saved.detail.transitions, 0, sizeof saved.detail.transitions);
		saved.n_bytes = detail->transitions.size;
	}
	buf_add(buf, &saved, sizeof saved);
	if (detail && detail->transitions.size)
		buf_add(buf, detail->transitions.data, detail->transitions.size);
	put(context, key, buf->data, buf->size);
	thread->changed = false;
	thread->saved = true;
}

void
kernel_cpu_save(void *state,
		void (*put)(void *context, uint64_t key, const void *record, size_t size),
		void *context)
{
	struct kernel_cpu *k = state;
	_cleanup_(buf_done) struct buf buf = { 0 };
	struct saved_host host = {
		.window_ns = k->window_ns, .first_ns = k->first_ns, .last_loss_ns = k->last_loss_ns,
		.late = k->late, .capped = k->capped, .n_marks = k->n_marks, .n_cpus = k->n_cpus,
		.has_wakeups = k->has_wakeups, .active = k->active,
	};

	memcpy(host.marks, k->marks, k->n_marks * sizeof *k->marks);
	put(context, KEY_HOST, &host, host_used(k->n_marks));
	/* First those that are gone: a new one may have the number. */
	for (size_t i = 0; i < k->n_gone; i++)
		put(context, k->gone[i], NULL, 0);
	k->n_gone = 0;
	for (uint32_t i = 0; i < k->saved_gone; i++)
		put(context, KEY_GONE(i), NULL, 0);
	k->saved_gone = 0;
	for (uint32_t i = 0; i < k->n_cpus; i++) {
		struct cpu *cpu = &k->cpus[i];
		struct saved_cpu saved = { .cpu = *cpu };

		saved.current_tid = cpu->current ? cpu->current->tid : 0;
		saved.cpu.current = saved.cpu.waiters = NULL;
		saved.cpu.changed = false;
		if (cpu->changed)
			put(context, KEY_CPU(i), &saved, sizeof saved);
		cpu->changed = false;
	}
	for (unsigned i = 0; i < N_BUCKETS; i++)
		for (struct thread *t = k->buckets[i]; t; t = t->next)
			if (t->changed)
				save_thread(t, t->tid, &buf, put, context);
	for (size_t i = 0; i < k->n_touched; i++)
		if (k->touched[i]->gone)
			save_thread(k->touched[i], KEY_GONE(k->saved_gone++), &buf, put, context);
}

static int
restore_host(struct kernel_cpu *k, const void *record, size_t size)
{
	struct saved_host host = { 0 };

	if (size < host_used(0) || size > sizeof host)
		return -EINVAL;
	memcpy(&host, record, size);
	if (host.n_marks > MAX_MARKS || size != host_used(host.n_marks) ||
	    host.n_cpus > MAX_CPUS || host.window_ns % KERNEL_WINDOW_NS || host.has_wakeups > 1 ||
	    host.active > 1)
		return -EINVAL;
	k->window_ns = host.window_ns;
	k->first_ns = host.first_ns;
	k->last_loss_ns = host.last_loss_ns;
	k->late = host.late;
	k->capped = host.capped;
	k->n_marks = host.n_marks;
	k->has_wakeups = host.has_wakeups != 0;
	k->active = host.active != 0;
	if (host.n_cpus)
		kernel_cpu_get(k, (int32_t) host.n_cpus - 1);
	memcpy(k->marks, host.marks, sizeof k->marks);
	return 0;
}

static struct thread *
thread_unpacked(const struct saved_thread *saved, const char *bytes, size_t size)
{
	const struct detail *d = &saved->detail;
	const struct thread *t = &saved->thread;
	struct thread *thread;

	if (t->state >= N_CPU_STATES || t->role >= N_CPU_ROLES || saved->has_detail > 1 ||
	    t->waking >= N_CPU_CAUSES || t->blocked_how >= N_CPU_BLOCKED || t->touched > 1 ||
	    t->gone > 1 || t->exiting > 1 || t->cpu < -1 || t->cpu >= MAX_CPUS ||
	    memchr(t->name, 0, sizeof t->name) == NULL || saved->n_bytes != size ||
	    (!saved->has_detail && size))
		return NULL;
	if (saved->has_detail &&
	    (d->n_takers > MAX_TAKERS || d->n_exits > MAX_EXITS || d->n_transitions > MAX_TRANSITIONS ||
	     d->start_state >= N_CPU_STATES || d->is_vcpu > 1 || d->in_guest > 1 || d->halted > 1 ||
	     d->inexact > 1))
		return NULL;
	for (uint32_t i = 0; saved->has_detail && i < d->n_takers; i++)
		if (!memchr(d->takers[i].name, 0, sizeof d->takers[i].name))
			return NULL;
	thread = xcalloc(1, sizeof *thread);
	*thread = *t;
	thread->next = thread->waiter_next = thread->waiter_before = NULL;
	thread->interest_next = thread->interest_before = NULL;
	thread->detail = NULL;
	thread->changed = false;
	thread->saved = true;
	if (saved->has_detail) {
		thread->detail = xcalloc(1, sizeof *thread->detail);
		*thread->detail = *d;
		memset(&thread->detail->transitions, 0, sizeof thread->detail->transitions);
		buf_add(&thread->detail->transitions, bytes, size);
	}
	return thread;
}

static int
restore_thread(struct kernel_cpu *k, uint64_t key, const void *record, size_t size)
{
	struct saved_thread saved;
	struct thread *thread;

	if (size < sizeof saved || k->n_threads >= MAX_THREADS)
		return -EINVAL;
	memcpy(&saved, record, sizeof saved);
	if ((key <= UINT32_MAX) != !saved.thread.gone || (key <= UINT32_MAX && key != saved.thread.tid) ||
	    (key <= UINT32_MAX && (kernel_thread_find(k, (uint32_t) key) || !key)))
		return -EINVAL;
	thread = thread_unpacked(&saved, (const char *) record + sizeof saved, size - sizeof saved);
	if (!thread)
		return -EINVAL;
	if (thread->gone)
		k->saved_gone = MAX(k->saved_gone, (uint32_t) (key - KEY_GONE(0)) + 1);
	kernel_thread_adopt(k, thread);
	return 0;
}

static int
restore_cpu(struct kernel_cpu *k, uint64_t number, const void *record, size_t size)
{
	struct saved_cpu saved;
	struct cpu *cpu;

	if (size != sizeof saved || number >= MAX_CPUS)
		return -EINVAL;
	memcpy(&saved, record, sizeof saved);
	if (saved.cpu.known > 1 || saved.cpu.idle > 1 || saved.current_tid > UINT32_MAX)
		return -EINVAL;
	cpu = kernel_cpu_get(k, (int32_t) number);
	/* Threads may be there already, or come behind: they find each other. */
	saved.cpu.waiters = cpu->waiters;
	*cpu = saved.cpu;
	cpu->current = NULL;
	cpu->current_tid = (uint32_t) saved.current_tid;
	cpu->changed = false;
	if (cpu->current_tid)
		cpu->current = kernel_thread_find(k, cpu->current_tid);
	return 0;
}

int
kernel_cpu_restore(void *state, uint64_t key, const void *record, size_t size)
{
	struct kernel_cpu *k = state;

	if (key == KEY_HOST)
		return restore_host(k, record, size);
	if (key >= KEY_CPU(0) && key < KEY_CPU(MAX_CPUS))
		return restore_cpu(k, key - KEY_CPU(0), record, size);
	if (key <= UINT32_MAX || (key >= KEY_GONE(0) && key < KEY_GONE(UINT32_MAX)))
		return restore_thread(k, key, record, size);
	return -EINVAL;
}
