/* SPDX-License-Identifier: MIT
 *
 * kernel_threads.c -- the threads of a host: found by tid, their states summed
 * up, and for those of interest each change and who had the CPU meanwhile. */
#include <stdlib.h>
#include <string.h>

#include "analyzers/kernel_cpu.h"
#include "lib/histogram.h"
#include "lib/util.h"

/* -- Which are of interest -------------------------------------------------- */

/* By the names that the programs give them (at most 15 bytes are left). */
static const struct {
	const char *prefix, *suffix;
	enum cpu_role role;
} names[] = {
	{ "CPU ", "/KVM", CPU_VCPU },
	{ "CPU ", "/TCG", CPU_VCPU },
	{ "live_migration", "", CPU_MIGRATION },
	{ "mig/", "", CPU_MIGRATION },
	{ "multifd", "", CPU_MIGRATION },
	{ "return path", "", CPU_MIGRATION },
	{ "IO ", "", CPU_IOTHREAD },
	{ "vhost-", "", CPU_VHOST },
	{ "kvm-pit/", "", CPU_QEMU },
	{ "qemu-", "", CPU_QEMU },
	{ "ksoftirqd/", "", CPU_SOFTIRQD },
	{ "ovs-vswitchd", "", CPU_SWITCH },
	{ "ovsdb-server", "", CPU_SWITCH },
	{ "handler", "", CPU_SWITCH },
	{ "revalidator", "", CPU_SWITCH },
	{ "nova-", "", CPU_SERVICE },
	{ "neutron-", "", CPU_SERVICE },
	{ "cinder-", "", CPU_SERVICE },
	{ "glance-", "", CPU_SERVICE },
	{ "keystone", "", CPU_SERVICE },
	{ "placement", "", CPU_SERVICE },
	{ "libvirtd", "", CPU_SERVICE },
	{ "virtqemud", "", CPU_SERVICE },
};

static enum cpu_role
role_of_name(const char *name)
{
	const size_t length = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const size_t tail = strlen(names[i].suffix);

		if (starts_with(name, names[i].prefix) && length >= tail &&
		    streq(name + length - tail, names[i].suffix))
			return names[i].role;
	}
	return CPU_OTHER;
}

static enum cpu_role
role_of(const struct kernel_cpu *k, const struct thread *thread)
{
	enum cpu_role role = thread->in_kvm ? CPU_VCPU : role_of_name(thread->name);

	for (uint32_t i = 0; i < k->n_marks && !role && thread->pid; i++)
		if (k->marks[i].pid == thread->pid || k->marks[i].pid == thread->tid)
			role = (enum cpu_role) k->marks[i].role;
	return role;
}

static void
detail_free(struct detail *detail)
{
	if (detail)
		buf_done(&detail->transitions);
	free(detail);
}

static void
leave_waiters(struct kernel_cpu *k, struct thread *thread)
{
	struct cpu *cpu;

	if (thread->cpu < 0 || (uint32_t) thread->cpu >= k->n_cpus)
		return;
	cpu = &k->cpus[thread->cpu];
	if (thread->waiter_before)
		thread->waiter_before->waiter_next = thread->waiter_next;
	else if (cpu->waiters == thread)
		cpu->waiters = thread->waiter_next;
	if (thread->waiter_next)
		thread->waiter_next->waiter_before = thread->waiter_before;
	thread->waiter_next = thread->waiter_before = NULL;
}

static void
join_waiters(struct kernel_cpu *k, struct thread *thread)
{
	struct cpu *cpu;

	if (!thread->detail || thread->cpu < 0 || (uint32_t) thread->cpu >= k->n_cpus)
		return;
	cpu = &k->cpus[thread->cpu];
	thread->waiter_next = cpu->waiters;
	if (cpu->waiters)
		cpu->waiters->waiter_before = thread;
	cpu->waiters = thread;
}

static void
add_interest(struct kernel_cpu *k, struct thread *thread)
{
	k->n_details++;
	thread->interest_next = k->interest;
	thread->interest_before = NULL;
	if (k->interest)
		k->interest->interest_before = thread;
	k->interest = thread;
}

void
kernel_thread_role(struct kernel_cpu *k, struct thread *thread, uint64_t t_ns)
{
	const enum cpu_role role = role_of(k, thread);

	if (role == thread->role)
		return;
	thread->role = role;
	thread->changed = true;
	if (role == CPU_OTHER || thread->detail)
		return;              /* It stays one of interest. */
	if (k->n_details >= MAX_DETAILS) {
		k->capped++;
		return;
	}
	/* Its changes are known from now on; what was before is a sum. */
	kernel_thread_account(k, thread, t_ns);
	thread->detail = xcalloc(1, sizeof *thread->detail);
	thread->detail->start_state = thread->state;
	thread->detail->last_transition_ns = t_ns;
	thread->detail->inexact = thread->from_ns < t_ns;
	add_interest(k, thread);
	if (thread->state == CPU_WAITING)
		join_waiters(k, thread);
}

void
kernel_mark(struct kernel_cpu *k, uint32_t pid, enum cpu_role role, uint64_t t_ns)
{
	if (!pid)
		return;
	for (uint32_t i = 0; i < k->n_marks; i++)
		if (k->marks[i].pid == pid)
			return;
	if (k->n_marks == MAX_MARKS) {
		memmove(k->marks, k->marks + 1, (MAX_MARKS - 1) * sizeof *k->marks);
		k->n_marks--;
	}
	k->marks[k->n_marks++] = (struct mark) { pid, role };
	k->changed = true;
	for (unsigned i = 0; i < N_BUCKETS; i++)
		for (struct thread *t = k->buckets[i]; t; t = t->next)
			if (t->pid == pid || t->tid == pid)
				kernel_thread_role(k, t, MAX(t_ns, t->accounted_ns));
}

/* -- Found and made ---------------------------------------------------------- */

static unsigned
bucket(uint32_t tid)
{
	return (tid * UINT32_C(0x9e3779b1)) >> 20;   /* 12 bits: N_BUCKETS. */
}

struct thread *
kernel_thread_find(const struct kernel_cpu *k, uint32_t tid)
{
	struct thread *thread = k->buckets[bucket(tid)];

	while (thread && thread->tid != tid)
		thread = thread->next;
	return thread;
}

void
kernel_thread_free(struct thread *thread)
{
	detail_free(thread->detail);
	free(thread);
}

/* Out of the tables; it lives on while the window that it touched is open. */
void
kernel_thread_remove(struct kernel_cpu *k, struct thread *thread)
{
	struct thread **at = &k->buckets[bucket(thread->tid)];

	while (*at != thread)
		at = &(*at)->next;
	*at = thread->next;
	k->n_threads--;
	leave_waiters(k, thread);
	for (uint32_t i = 0; i < k->n_cpus; i++)
		if (k->cpus[i].current == thread) {
			k->cpus[i].current = NULL;
			k->cpus[i].known = false;
			k->cpus[i].changed = true;
		}
	if (thread->detail) {
		if (thread->interest_before)
			thread->interest_before->interest_next = thread->interest_next;
		else
			k->interest = thread->interest_next;
		if (thread->interest_next)
			thread->interest_next->interest_before = thread->interest_before;
		k->n_details--;
	}
	if (thread->saved) {
		if (k->n_gone == k->gone_capacity) {
			k->gone_capacity = MAX(2 * k->gone_capacity, (size_t) 64);
			k->gone = xrealloc(k->gone, k->gone_capacity * sizeof *k->gone);
		}
		k->gone[k->n_gone++] = thread->tid;
	}
	thread->gone = true;
	if (!thread->touched)
		kernel_thread_free(thread);
}

static void touch(struct kernel_cpu *k, struct thread *thread);

void
kernel_thread_adopt(struct kernel_cpu *k, struct thread *thread)
{
	struct thread **at = &k->buckets[bucket(thread->tid)];

	if (thread->touched) {
		thread->touched = false;
		touch(k, thread);
	}
	thread->changed = false;
	if (thread->gone)
		return;
	thread->next = *at;
	*at = thread;
	k->n_threads++;
	if (thread->cpu >= 0)
		kernel_cpu_get(k, thread->cpu);
	for (uint32_t i = 0; i < k->n_cpus; i++)
		if (k->cpus[i].current_tid == thread->tid)
			k->cpus[i].current = thread;
	if (!thread->detail)
		return;
	add_interest(k, thread);
	if (thread->state == CPU_WAITING)
		join_waiters(k, thread);
}

static int
by_rest(const void *a, const void *b)
{
	const struct thread *x = *(const struct thread *const *) a;
	const struct thread *y = *(const struct thread *const *) b;

	if (x->since_ns != y->since_ns)
		return x->since_ns < y->since_ns ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

/* Forgets an eighth of all: those that have been asleep for longest. */
static void
make_room(struct kernel_cpu *k)
{
	struct thread **resting = xcalloc(MAX_THREADS, sizeof *resting);
	size_t n = 0;

	for (unsigned i = 0; i < N_BUCKETS; i++)
		for (struct thread *t = k->buckets[i]; t; t = t->next)
			if (!t->detail && !t->touched && t->state != CPU_RUNNING &&
			    t->state != CPU_WAITING)
				resting[n++] = t;
	qsort(resting, n, sizeof *resting, by_rest);
	for (size_t i = 0; i < MIN(n, (size_t) MAX_THREADS / 8); i++)
		kernel_thread_remove(k, resting[i]);
	k->capped += MIN(n, (size_t) MAX_THREADS / 8);
	free(resting);
}

struct thread *
kernel_thread_get(struct kernel_cpu *k, uint32_t tid, uint64_t t_ns)
{
	struct thread *thread = kernel_thread_find(k, tid), **at;

	if (thread)
		return thread;
	if (k->n_threads >= MAX_THREADS)
		make_room(k);
	if (k->n_threads >= MAX_THREADS) {
		k->capped++;
		return NULL;
	}
	thread = xcalloc(1, sizeof *thread);
	thread->tid = tid;
	thread->cpu = -1;
	thread->from_ns = thread->accounted_ns = thread->since_ns = t_ns;
	at = &k->buckets[bucket(tid)];
	thread->next = *at;
	*at = thread;
	k->n_threads++;
	return thread;
}

void
kernel_thread_name(struct kernel_cpu *k, struct thread *thread, const struct text *name,
		   uint64_t t_ns)
{
	const size_t size = MIN(name->size, (size_t) KERNEL_NAME_SIZE - 1);

	if (!name->size || (!memcmp(thread->name, name->s, size) && !thread->name[size]))
		return;
	memcpy(thread->name, name->s, size);
	memset(thread->name + size, 0, sizeof thread->name - size);
	thread->changed = true;
	kernel_thread_role(k, thread, t_ns);
}

void
kernel_thread_pid(struct kernel_cpu *k, struct thread *thread, uint64_t pid, uint64_t t_ns)
{
	if (thread->pid || !pid || pid > UINT32_MAX)
		return;
	thread->pid = (uint32_t) pid;
	thread->changed = true;
	kernel_thread_role(k, thread, t_ns);
}

struct cpu *
kernel_cpu_get(struct kernel_cpu *k, int32_t number)
{
	if (number < 0 || number >= MAX_CPUS) {
		k->capped++;
		return NULL;
	}
	if ((uint32_t) number >= k->cpus_capacity) {
		const uint32_t capacity = MAX(2 * k->cpus_capacity, (uint32_t) number + 8);

		k->cpus = xrealloc(k->cpus, capacity * sizeof *k->cpus);
		memset(k->cpus + k->cpus_capacity, 0,
		       (capacity - k->cpus_capacity) * sizeof *k->cpus);
		k->cpus_capacity = capacity;
	}
	k->n_cpus = MAX(k->n_cpus, (uint32_t) number + 1);
	return &k->cpus[number];
}

/* -- States ------------------------------------------------------------------- */

static void
touch(struct kernel_cpu *k, struct thread *thread)
{
	thread->changed = true;
	if (thread->touched)
		return;
	thread->touched = true;
	if (k->n_touched == k->touched_capacity) {
		k->touched_capacity = MAX(2 * k->touched_capacity, (size_t) 256);
		k->touched = xrealloc(k->touched, k->touched_capacity * sizeof *k->touched);
	}
	k->touched[k->n_touched++] = thread;
}

static struct guest_exit *
find_exit(struct detail *detail, uint32_t reason)
{
	uint32_t i = 0;

	while (i < detail->n_exits && detail->exits[i].reason != reason)
		i++;
	if (i == MAX_EXITS)
		i--;
	if (i == detail->n_exits)
		detail->exits[detail->n_exits++] = (struct guest_exit) { .reason = reason };
	return &detail->exits[i];
}

/* What of the running time since the mark was the guest's. */
static void
account_guest(struct detail *detail, uint64_t from_ns, uint64_t t_ns)
{
	const uint64_t mark_ns = MAX(detail->guest_mark_ns, from_ns);

	if (!detail->is_vcpu || t_ns <= mark_ns)
		return;
	if (detail->in_guest)
		detail->guest_ns += t_ns - mark_ns;
	else if (detail->last_exit)
		find_exit(detail, detail->last_exit)->ns += t_ns - mark_ns;
	detail->guest_mark_ns = t_ns;
}

void
kernel_thread_account(struct kernel_cpu *k, struct thread *thread, uint64_t t_ns)
{
	const uint64_t from_ns = MAX(thread->accounted_ns, k->window_ns);

	if (t_ns > from_ns) {
		thread->sums[thread->state] += t_ns - from_ns;
		if (thread->detail && thread->state == CPU_RUNNING)
			account_guest(thread->detail, from_ns, t_ns);
		else if (thread->detail && thread->state == CPU_BLOCKED && thread->detail->halted)
			thread->detail->halted_ns += t_ns - from_ns;
	}
	thread->accounted_ns = MAX(thread->accounted_ns, t_ns);
}

static bool add_entry(struct kernel_cpu *k, struct detail *detail, uint64_t t_ns, unsigned code);

static void
add_transition(struct kernel_cpu *k, struct thread *thread, uint64_t t_ns, enum cpu_state state,
	       unsigned how, uint32_t who)
{
	struct detail *detail = thread->detail;

	if (!add_entry(k, detail, t_ns, state))
		return;
	buf_add_char(&detail->transitions, (char) how);
	if (state == CPU_WAITING && how == CAUSE_TASK)
		varint_write(who, &detail->transitions);
}

void
kernel_thread_set(struct kernel_cpu *k, struct thread *thread, uint64_t t_ns, enum cpu_state state,
		  unsigned how, uint32_t who)
{
	kernel_thread_account(k, thread, t_ns);
	touch(k, thread);
	if (thread->state == CPU_WAITING)
		leave_waiters(k, thread);
	if (thread->detail) {
		add_transition(k, thread, t_ns, state, how, who);
		thread->detail->guest_mark_ns = t_ns;
		if (state != CPU_RUNNING)
			thread->detail->in_guest = false;
	}
	thread->state = state;
	thread->since_ns = t_ns;
	if (state == CPU_WAITING)
		join_waiters(k, thread);
	else if (state == CPU_RUNNING)
		thread->switches++;
}

void
kernel_thread_move(struct kernel_cpu *k, struct thread *thread, int32_t cpu)
{
	const bool waits = thread->state == CPU_WAITING;

	if (waits)
		leave_waiters(k, thread);
	thread->cpu = cpu;
	thread->changed = true;
	if (waits)
		join_waiters(k, thread);
}

void
kernel_guest_enter(struct thread *thread, uint64_t t_ns)
{
	struct detail *detail = thread->detail;

	detail->is_vcpu = detail->in_guest = true;
	detail->guest_mark_ns = t_ns;
	thread->changed = true;
}

void
kernel_guest_leave(struct thread *thread, uint64_t t_ns, uint32_t reason)
{
	struct detail *detail = thread->detail;

	detail->is_vcpu = true;
	detail->in_guest = false;
	detail->last_exit = reason;
	detail->guest_mark_ns = t_ns;
	find_exit(detail, reason)->count++;
	thread->changed = true;
}

void
kernel_exit_count(struct thread *thread, uint32_t reason)
{
	thread->detail->is_vcpu = true;
	find_exit(thread->detail, reason)->count++;
	thread->changed = true;
}

/* Names of workers differ by their number alone. */
static void
taker_name(const struct thread *thread, char ret[KERNEL_NAME_SIZE])
{
	memset(ret, 0, KERNEL_NAME_SIZE);
	strcpy(ret, thread->name);
	if (starts_with(ret, "kworker/") || starts_with(ret, "ksoftirqd/"))
		memset(strchr(ret, '/'), 0, (size_t) (ret + KERNEL_NAME_SIZE - strchr(ret, '/')));
}

/* Returns its number. */
static uint32_t
add_taker(struct detail *detail, const struct thread *by, bool idle, uint64_t ns)
{
	struct taker taker = { 0 };
	uint32_t i = 0;

	if (by) {
		taker.tid = by->detail ? by->tid : 0;
		taker_name(by, taker.name);
	} else {
		strcpy(taker.name, idle ? "(idle)" : "(unknown)");
	}
	while (i < detail->n_takers && (detail->takers[i].tid != taker.tid ||
					memcmp(detail->takers[i].name, taker.name, sizeof taker.name)))
		i++;
	if (i >= MAX_TAKERS - 1 && i == detail->n_takers) {
		/* The last one is for all others. */
		i = MAX_TAKERS - 1;
		taker = (struct taker) { .name = "(others)" };
	}
	if (i == detail->n_takers) {
		detail->takers[i] = taker;
		detail->n_takers++;
	}
	detail->takers[i].ns += ns;
	return i;
}

/* One more entry among the changes; false when they are too many. */
static bool
add_entry(struct kernel_cpu *k, struct detail *detail, uint64_t t_ns, unsigned code)
{
	const uint64_t last_ns = MAX(detail->last_transition_ns, k->window_ns);

	if (detail->n_transitions == MAX_TRANSITIONS)
		detail->inexact = true;
	if (detail->inexact)
		return false;
	detail->n_transitions++;
	varint_write((t_ns - MIN(last_ns, t_ns)) << 3 | code, &detail->transitions);
	detail->last_transition_ns = MAX(last_ns, t_ns);
	return true;
}

void
kernel_cpu_charge(struct kernel_cpu *k, struct cpu *cpu, uint64_t t_ns)
{
	const uint64_t begin_ns = MAX(cpu->charged_ns, k->window_ns);

	if (!cpu->known && !cpu->waiters)
		return;
	for (struct thread *t = cpu->waiters; t; t = t->waiter_next) {
		const uint64_t from_ns = MAX(begin_ns, t->since_ns);

		uint32_t taker;

		if (t_ns <= from_ns)
			continue;
		taker = add_taker(t->detail, cpu->current, cpu->known && cpu->idle, t_ns - from_ns);
		if (add_entry(k, t->detail, t_ns, CPU_TAKEN))
			buf_add_char(&t->detail->transitions, (char) taker);
		t->changed = true;
	}
	if (cpu->known && cpu->idle && t_ns > begin_ns)
		cpu->idle_ns += t_ns - begin_ns;
	cpu->charged_ns = MAX(cpu->charged_ns, t_ns);
	cpu->changed = true;
}
