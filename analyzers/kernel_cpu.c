/* SPDX-License-Identifier: MIT
 *
 * kernel_cpu.c -- who runs, who waits for a CPU and who has it meanwhile, who
 * is blocked and what wakes it; for vCPUs, what of that is the guest's.
 *
 * A thread runs between its switches; it waits when it was put off its CPU
 * while runnable, and from its wake-up on; else it is blocked.  The time of
 * interrupts counts as running.  Where events of a CPU are missing, threads
 * that were there are unknown until an event tells their state. */
#include "analyzers/kernel_cpu.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/util.h"

/* -- What it reads ----------------------------------------------------------- */

struct switch_values {
	uint64_t prev_tid, next_tid, pid;
	int64_t prev_state;
	struct text prev_comm, next_comm;
};
static const struct field switch_fields[] = {
	FIELD(U64, struct switch_values, prev_tid, "prev_tid"),
	FIELD(U64, struct switch_values, next_tid, "next_tid"),
	FIELD(I64, struct switch_values, prev_state, "prev_state"),
	FIELD(TEXT, struct switch_values, prev_comm, "prev_comm", .optional = true),
	FIELD(TEXT, struct switch_values, next_comm, "next_comm", .optional = true),
	FIELD(U64, struct switch_values, pid, "pid", .scope = CTF_EVENT_CONTEXT, .optional = true),
	{ 0 }
};

struct thread_values {
	uint64_t tid;
	int64_t cpu;
	struct text comm;
};
static const struct field wakeup_fields[] = {
	FIELD(U64, struct thread_values, tid, "tid"),
	FIELD(I64, struct thread_values, cpu, "target_cpu"),
	FIELD(TEXT, struct thread_values, comm, "comm", .optional = true),
	{ 0 }
};
static const struct field migrate_fields[] = {
	FIELD(U64, struct thread_values, tid, "tid"),
	FIELD(I64, struct thread_values, cpu, "dest_cpu"),
	FIELD(TEXT, struct thread_values, comm, "comm", .optional = true),
	{ 0 }
};
static const struct field exit_fields[] = {
	FIELD(U64, struct thread_values, tid, "tid"),
	{ 0 }
};

struct fork_values {
	uint64_t tid, pid, parent_pid;
	struct text comm;
};
static const struct field fork_fields[] = {
	FIELD(U64, struct fork_values, tid, "child_tid"),
	FIELD(U64, struct fork_values, pid, "child_pid", .optional = true),
	FIELD(TEXT, struct fork_values, comm, "child_comm", .optional = true),
	{ 0 }
};
static const struct field dump_fields[] = {
	FIELD(U64, struct fork_values, tid, "tid"),
	FIELD(U64, struct fork_values, pid, "pid"),
	FIELD(U64, struct fork_values, parent_pid, "status", .optional = true),
	FIELD(TEXT, struct fork_values, comm, "name", .optional = true),
	{ 0 }
};

struct number {
	uint64_t number, isa, tid;
	struct text comm;
};
static const struct field vec_fields[] = { FIELD(U64, struct number, number, "vec"), { 0 } };
/* Whose they are says the last switch; before the first one, the context. */
#define CONTEXT \
	FIELD(U64, struct number, tid, "tid", .scope = CTF_EVENT_CONTEXT, .optional = true), \
	FIELD(TEXT, struct number, comm, "procname", .scope = CTF_EVENT_CONTEXT, .optional = true)
static const struct field entry_fields[] = { CONTEXT, { 0 } };
static const struct field exit_reason_fields[] = {
	FIELD(U64, struct number, number, "exit_reason"),
	FIELD(U64, struct number, isa, "isa", .optional = true),
	CONTEXT,
	{ 0 }
};
static const struct field reason_fields[] = {
	FIELD(U64, struct number, number, "reason"),
	CONTEXT,
	{ 0 }
};

/* Processes and threads that cloudtrace-node names. */
static const struct field pid_fields[] = { FIELD(U64, struct number, number, "pid"), { 0 } };
static const struct field tid_fields[] = { FIELD(U64, struct number, number, "tid"), { 0 } };

enum {
	SWITCH, WAKEUP, WAKEUP_NEW, WAKING, MIGRATE, FORK, EXIT, DUMP, IRQ_ENTRY, IRQ_EXIT,
	SOFTIRQ_ENTRY, SOFTIRQ_EXIT, TIMER_ENTRY, TIMER_EXIT, DISK_DONE, PACKET_IN,
	KVM_ENTRY, KVM_EXIT, KVM_ENTRY_X86, KVM_EXIT_X86, KVM_USERSPACE,
	NODE_QEMU, NODE_SERVICE, NODE_VCPU, NODE_THREAD,
};
static const struct native_event events[] = {
	[SWITCH] = { .name = "sched_switch", .reads = switch_fields },
	[WAKEUP] = { .name = "sched_wakeup", .reads = wakeup_fields },
	[WAKEUP_NEW] = { .name = "sched_wakeup_new", .reads = wakeup_fields },
	[WAKING] = { .name = "sched_waking", .reads = wakeup_fields },
	[MIGRATE] = { .name = "sched_migrate_task", .reads = migrate_fields },
	[FORK] = { .name = "sched_process_fork", .reads = fork_fields },
	[EXIT] = { .name = "sched_process_exit", .reads = exit_fields },
	[DUMP] = { .name = "lttng_statedump_process_state", .reads = dump_fields },
	[IRQ_ENTRY] = { .name = "irq_handler_entry" },
	[IRQ_EXIT] = { .name = "irq_handler_exit" },
	[SOFTIRQ_ENTRY] = { .name = "irq_softirq_entry", .reads = vec_fields },
	[SOFTIRQ_EXIT] = { .name = "irq_softirq_exit", .reads = vec_fields },
	[TIMER_ENTRY] = { .name = "timer_hrtimer_expire_entry" },
	[TIMER_EXIT] = { .name = "timer_hrtimer_expire_exit" },
	[DISK_DONE] = { .name = "block_rq_complete" },
	[PACKET_IN] = { .name = "net_if_receive_skb" },
	[KVM_ENTRY] = { .name = "kvm_entry", .reads = entry_fields },
	[KVM_EXIT] = { .name = "kvm_exit", .reads = exit_reason_fields },
	[KVM_ENTRY_X86] = { .name = "kvm_x86_entry", .reads = entry_fields },
	[KVM_EXIT_X86] = { .name = "kvm_x86_exit", .reads = exit_reason_fields },
	[KVM_USERSPACE] = { .name = "kvm_userspace_exit", .reads = reason_fields },
	[NODE_QEMU] = { .name = "cloudtrace_node:qemu_process", .reads = pid_fields, .silent = true,
			.other = true },
	[NODE_SERVICE] = { .name = "cloudtrace_node:service_process", .reads = pid_fields, .silent = true,
			.other = true },
	[NODE_VCPU] = { .name = "cloudtrace_node:vcpu_thread", .reads = tid_fields, .silent = true,
			.other = true },
	[NODE_THREAD] = { .name = "cloudtrace_node:qemu_thread", .reads = tid_fields, .silent = true,
			.other = true },
	{ 0 }
};

/* -- Contexts ----------------------------------------------------------------- */

/* What an interrupt did that woke somebody: of 'irq_does'. */
enum { DOES_NOTHING, DOES_DISK, DOES_NETWORK };
enum {
	SOFTIRQ_TIMER = 1, SOFTIRQ_NET_TX = 2, SOFTIRQ_NET_RX = 3, SOFTIRQ_BLOCK = 4,
	SOFTIRQ_IRQ_POLL = 5, SOFTIRQ_HRTIMER = 8,
};
#define BIT(N) (UINT32_C(1) << (N))

static enum cpu_cause
cause_of(const struct cpu *cpu)
{
	if (cpu->timer)
		return CAUSE_TIMER;
	if (cpu->irqs || cpu->softirqs) {
		if (cpu->irq_does)
			return cpu->irq_does == DOES_DISK ? CAUSE_DISK : CAUSE_NETWORK;
		if (cpu->irqs)
			return CAUSE_IRQ;
		if (cpu->softirqs & (BIT(SOFTIRQ_NET_TX) | BIT(SOFTIRQ_NET_RX)))
			return CAUSE_NETWORK;
		if (cpu->softirqs & (BIT(SOFTIRQ_BLOCK) | BIT(SOFTIRQ_IRQ_POLL)))
			return CAUSE_DISK;
		if (cpu->softirqs & (BIT(SOFTIRQ_TIMER) | BIT(SOFTIRQ_HRTIMER)))
			return CAUSE_TIMER;
		return CAUSE_SOFTIRQ;
	}
	/* Not every interrupt is traced: the idle task itself wakes nobody. */
	return cpu->current ? CAUSE_TASK : cpu->known && cpu->idle ? CAUSE_IRQ : CAUSE_UNKNOWN;
}

static void
irq_entry(struct cpu *cpu, uint64_t t_ns)
{
	if (!cpu->irqs++)
		cpu->irq_mark_ns = t_ns;
	if (!cpu->softirqs)
		cpu->irq_does = DOES_NOTHING;
}

static void
irq_exit(const struct kernel_cpu *k, struct cpu *cpu, uint64_t t_ns)
{
	const uint64_t from_ns = MAX(cpu->irq_mark_ns, k->window_ns);

	if (!cpu->irqs || --cpu->irqs)
		return;
	cpu->irq_ns += t_ns > from_ns ? t_ns - from_ns : 0;
	if (!cpu->softirqs)
		cpu->irq_does = DOES_NOTHING;
}

static void
softirq_entry(struct cpu *cpu, uint64_t t_ns, uint64_t vec)
{
	if (!cpu->softirqs)
		cpu->softirq_mark_ns = t_ns;
	cpu->softirqs |= BIT(vec % 32);
	cpu->irq_does = DOES_NOTHING;
}

static void
softirq_exit(const struct kernel_cpu *k, struct cpu *cpu, uint64_t t_ns, uint64_t vec)
{
	const uint64_t from_ns = MAX(cpu->softirq_mark_ns, k->window_ns);

	if (!(cpu->softirqs & BIT(vec % 32)))
		return;
	cpu->softirqs &= ~BIT(vec % 32);
	cpu->irq_does = DOES_NOTHING;
	if (!cpu->softirqs)
		cpu->softirq_ns += t_ns > from_ns ? t_ns - from_ns : 0;
}

/* -- Threads ------------------------------------------------------------------ */

/* Numbers of the kernel's states are bits; from 256 on it is "preempted", by
 * which bit differs between kernels. */
enum {
	STATE_SLEEP = 1, STATE_DISK_SLEEP = 2, STATES_ENDED = 0x30,
	STATES_DEAD = 0xf0,          /* The other bits are parked and idle workers' too. */
	STATE_PREEMPTED = 256,
};

static bool
is_end(int64_t state, bool exiting)
{
	return state < STATE_PREEMPTED && (state & (exiting ? STATES_DEAD : STATES_ENDED));
}

static void
leaves(struct kernel_cpu *k, struct thread *thread, uint64_t t_ns, int64_t state)
{
	struct detail *detail = thread->detail;
	unsigned how = state & STATE_DISK_SLEEP ? BLOCKED_DISK_SLEEP :
		state & STATE_SLEEP ? BLOCKED_SLEEP : BLOCKED_OTHER;

	if (is_end(state, thread->exiting)) {
		kernel_thread_set(k, thread, t_ns, CPU_DEAD, 0, 0);
		kernel_thread_remove(k, thread);
		return;
	}
	if (!state || state >= STATE_PREEMPTED) {
		kernel_thread_set(k, thread, t_ns, CPU_WAITING, CAUSE_PREEMPTED, 0);
		return;
	}
	if (detail) {
		/* HLT: 12 of VMX, 120 of SVM. */
		detail->halted = detail->is_vcpu && (detail->last_exit == (1U << 24 | 12) ||
						     detail->last_exit == (2U << 24 | 120));
		if (detail->halted)
			how = BLOCKED_HALTED;
	}
	thread->blocked_how = (uint8_t) how;
	kernel_thread_set(k, thread, t_ns, CPU_BLOCKED, how, 0);
}

/* A thread that gets on its CPU without having been woken, or off it without
 * having got on: when events were lost meanwhile, nobody knows what it did. */
static void
doubt(struct kernel_cpu *k, struct thread *thread, uint64_t t_ns)
{
	uint64_t from_ns = MAX(thread->since_ns, k->window_ns), ns;

	if (thread->state == CPU_UNKNOWN || thread->since_ns >= k->last_loss_ns)
		return;
	kernel_thread_account(k, thread, t_ns);
	ns = MIN(thread->sums[thread->state], t_ns > from_ns ? t_ns - from_ns : 0);
	thread->sums[thread->state] -= ns;
	thread->sums[CPU_UNKNOWN] += ns;
	if (thread->detail)
		thread->detail->inexact = true;
	kernel_thread_move(k, thread, -1);   /* It waits for no CPU any more. */
	thread->state = CPU_UNKNOWN;
}

/* NULL: the idle task, or one of which nothing is known but that it ends. */
static struct thread *
leaving(struct kernel_cpu *k, const struct cpu *cpu, const struct step *step)
{
	const struct switch_values *v = step->values;
	struct thread *thread = cpu->current;

	if (!v->prev_tid || (thread && thread->tid == v->prev_tid))
		return v->prev_tid ? thread : NULL;
	thread = kernel_thread_find(k, (uint32_t) v->prev_tid);
	if (thread || is_end(v->prev_state, false))
		return thread;
	return kernel_thread_get(k, (uint32_t) v->prev_tid, step->t_ns);
}

static void
on_switch(struct kernel_cpu *k, const struct step *step, struct cpu *cpu)
{
	const struct switch_values *v = step->values;
	struct thread *prev, *next = NULL;

	kernel_cpu_charge(k, cpu, step->t_ns);
	cpu->charged_ns = step->t_ns;
	prev = leaving(k, cpu, step);
	if (v->next_tid)
		next = kernel_thread_get(k, (uint32_t) v->next_tid, step->t_ns);
	cpu->current = NULL;
	if (prev) {
		kernel_thread_name(k, prev, &v->prev_comm, step->t_ns);
		kernel_thread_pid(k, prev, v->pid, step->t_ns);
		if (prev->state != CPU_RUNNING)
			doubt(k, prev, step->t_ns);
		kernel_thread_move(k, prev, step->cpu);
		leaves(k, prev, step->t_ns, v->prev_state);
	}
	if (next) {
		kernel_thread_name(k, next, &v->next_comm, step->t_ns);
		if (next->state == CPU_BLOCKED)
			doubt(k, next, step->t_ns);
		kernel_thread_set(k, next, step->t_ns, CPU_RUNNING, 0, 0);
		next->cpu = step->cpu;
	}
	cpu->current = next;
	cpu->idle = !v->next_tid;
	cpu->known = true;
	cpu->switches++;
	/* Softirqs and interrupts end before a switch; what is left was lost. */
	cpu->irqs = cpu->timer = 0;
	cpu->softirqs = 0;
	cpu->irq_does = DOES_NOTHING;
}

/* 'cause' by the CPU whose context woke it. */
static void
wakes(struct kernel_cpu *k, const struct step *step, struct cpu *cpu, bool is_new)
{
	const struct thread_values *v = step->values;
	struct thread *thread = v->tid ? kernel_thread_get(k, (uint32_t) v->tid, step->t_ns) : NULL;
	enum cpu_cause cause;
	uint32_t waker = 0;

	if (!thread)
		return;
	kernel_thread_name(k, thread, &v->comm, step->t_ns);
	if (thread->state == CPU_RUNNING || thread->state == CPU_WAITING)
		return;
	cause = (enum cpu_cause) thread->waking;
	waker = thread->waker;
	if (is_new)
		cause = CAUSE_NEW;
	else if (cause == CAUSE_UNKNOWN) {
		cause = cause_of(cpu);
		waker = cause == CAUSE_TASK ? cpu->current->tid : 0;
	}
	thread->waking = CAUSE_UNKNOWN;
	thread->cpu = kernel_cpu_get(k, (int32_t) v->cpu) ? (int32_t) v->cpu : -1;
	kernel_thread_set(k, thread, step->t_ns, CPU_WAITING, cause, waker);
}

/* Says who wakes it; it counts as runnable when it is queued (sched_wakeup), but
 * where that is not traced, from here on. */
static void
on_waking(struct kernel_cpu *k, const struct step *step, struct cpu *cpu)
{
	const struct thread_values *v = step->values;
	struct thread *thread = v->tid ? kernel_thread_get(k, (uint32_t) v->tid, step->t_ns) : NULL;

	if (!thread || thread->state == CPU_RUNNING || thread->state == CPU_WAITING)
		return;
	thread->waking = (uint8_t) cause_of(cpu);
	thread->waker = thread->waking == CAUSE_TASK ? cpu->current->tid : 0;
	thread->changed = true;
	if (!k->has_wakeups)
		wakes(k, step, cpu, false);
}

static void
on_migrate(struct kernel_cpu *k, const struct step *step)
{
	const struct thread_values *v = step->values;
	struct thread *thread = kernel_thread_find(k, (uint32_t) v->tid);

	if (!thread || thread->state == CPU_RUNNING)
		return;
	if (thread->state == CPU_WAITING && thread->cpu >= 0 && (uint32_t) thread->cpu < k->n_cpus)
		kernel_cpu_charge(k, &k->cpus[thread->cpu], step->t_ns);
	kernel_thread_move(k, thread, kernel_cpu_get(k, (int32_t) v->cpu) ? (int32_t) v->cpu : -1);
	if (thread->state == CPU_WAITING && thread->cpu >= 0 && (uint32_t) thread->cpu < k->n_cpus)
		kernel_cpu_charge(k, &k->cpus[thread->cpu], step->t_ns);
}

static void
on_fork(struct kernel_cpu *k, const struct step *step)
{
	const struct fork_values *v = step->values;
	struct thread *thread = kernel_thread_find(k, (uint32_t) v->tid);

	if (thread) {
		kernel_thread_account(k, thread, step->t_ns);
		kernel_thread_remove(k, thread);
	}
	thread = kernel_thread_get(k, (uint32_t) v->tid, step->t_ns);
	if (!thread)
		return;
	thread->born = true;
	/* Until it is woken. */
	kernel_thread_set(k, thread, step->t_ns, CPU_BLOCKED, BLOCKED_OTHER, 0);
	kernel_thread_name(k, thread, &v->comm, step->t_ns);
	kernel_thread_pid(k, thread, v->pid, step->t_ns);
}

static void
on_dump(struct kernel_cpu *k, const struct step *step)
{
	enum { STATUS_WAIT = 5 };
	const struct fork_values *v = step->values;
	struct thread *thread = v->tid ? kernel_thread_get(k, (uint32_t) v->tid, step->t_ns) : NULL;

	if (!thread)
		return;
	thread->pid = (uint32_t) v->pid;
	thread->changed = true;
	if (thread->state == CPU_UNKNOWN && v->parent_pid == STATUS_WAIT)
		kernel_thread_set(k, thread, step->t_ns, CPU_BLOCKED, BLOCKED_SLEEP, 0);
	/* The dump has the process's name for threads too: one that is known is better. */
	if (!*thread->name)
		kernel_thread_name(k, thread, &v->comm, step->t_ns);
	kernel_thread_role(k, thread, step->t_ns);
}

static void
on_exit_process(struct kernel_cpu *k, const struct step *step)
{
	const struct thread_values *v = step->values;
	struct thread *thread = kernel_thread_find(k, (uint32_t) v->tid);

	if (thread)
		thread->exiting = thread->changed = true;
}

/* -- vCPUs -------------------------------------------------------------------- */

/* Who runs on a CPU that had no switch yet. */
static void
adopt_current(struct kernel_cpu *k, const struct step *step, struct cpu *cpu)
{
	const struct number *v = step->values;
	struct thread *thread = v->tid && v->tid <= UINT32_MAX ?
		kernel_thread_get(k, (uint32_t) v->tid, step->t_ns) : NULL;

	if (!thread || thread->state != CPU_UNKNOWN)
		return;
	kernel_thread_name(k, thread, &v->comm, step->t_ns);
	kernel_thread_move(k, thread, step->cpu);
	kernel_thread_set(k, thread, step->t_ns, CPU_RUNNING, 0, 0);
	cpu->current = thread;
	cpu->known = true;
	cpu->idle = false;
	cpu->charged_ns = step->t_ns;
}

/* Of the thread that runs on the CPU: the number that KVM gives is not always right. */
static void
on_kvm(struct kernel_cpu *k, const struct step *step, struct cpu *cpu, unsigned event)
{
	const struct number *v = step->values;
	struct thread *thread;
	uint32_t reason;

	if (!cpu->known)
		adopt_current(k, step, cpu);
	thread = cpu->current;
	if (thread && !thread->in_kvm) {
		thread->in_kvm = thread->changed = true;
		kernel_thread_role(k, thread, step->t_ns);
	}
	if (!thread || !thread->detail)
		return;
	if (event == KVM_USERSPACE) {
		kernel_exit_count(thread, (uint32_t) EXIT_USERSPACE << 24 | (v->number & 0xffffff));
		return;
	}
	kernel_thread_account(k, thread, step->t_ns);
	if (event == KVM_ENTRY || event == KVM_ENTRY_X86) {
		kernel_guest_enter(thread, step->t_ns);
		return;
	}
	/* Bit 31 of VMX's reason: the entry failed. */
	reason = (uint32_t) (v->isa & 0x7f) << 24 | ((uint32_t) v->number & 0xffffff);
	kernel_guest_leave(thread, step->t_ns, reason);
}

/* -- Loss --------------------------------------------------------------------- */

static void
lose_cpu(struct kernel_cpu *k, int32_t number, uint64_t until_ns)
{
	struct cpu *cpu = &k->cpus[number];

	if (!cpu->last_ns || until_ns <= cpu->last_ns)
		return;
	kernel_cpu_charge(k, cpu, cpu->last_ns);
	for (unsigned i = 0; i < N_BUCKETS; i++)
		for (struct thread *t = k->buckets[i]; t; t = t->next)
			if (t->cpu == number && t->state != CPU_UNKNOWN)
				kernel_thread_set(k, t, MAX(cpu->last_ns, t->since_ns), CPU_UNKNOWN, 0, 0);
	cpu->current = NULL;
	cpu->known = cpu->idle = false;
	cpu->irqs = cpu->timer = 0;
	cpu->softirqs = 0;
	cpu->unknown_from_ns = cpu->last_ns;
	cpu->unknown_until_ns = MAX(cpu->unknown_until_ns, until_ns);
	cpu->changed = true;
	k->last_loss_ns = MAX(k->last_loss_ns, until_ns);
}

static void
kernel_cpu_loss(void *state, const struct step *step, const struct ctf_loss *loss)
{
	struct kernel_cpu *k = state;

	if (step->cpu >= 0 && (uint32_t) step->cpu < k->n_cpus)
		lose_cpu(k, step->cpu, loss->end_t_ns);
	for (int32_t i = 0; step->cpu < 0 && (uint32_t) i < k->n_cpus; i++)
		lose_cpu(k, i, loss->end_t_ns);
}

/* -- Windows ------------------------------------------------------------------ */

static void
open_window(struct kernel_cpu *k, const struct step *step)
{
	k->window_ns = step->t_ns / KERNEL_WINDOW_NS * KERNEL_WINDOW_NS;
	k->first_ns = step->t_ns;
	step_wake(step, k->window_ns + KERNEL_WINDOW_NS);
}

static void
kernel_cpu_watermark(void *state, const struct step *step)
{
	struct kernel_cpu *k = state;
	const bool quiet = !k->active;
	uint64_t end_ns = step->t_ns + KERNEL_WINDOW_NS;

	kernel_cpu_tell(k, step, step->t_ns);
	k->window_ns = k->first_ns = step->t_ns;
	k->active = false;
	/* What is silent for longer, or a clock that was set, is one window: not when
	 * the last event was in this one, as the next is not known then when live. */
	if (quiet)
		end_ns = MAX(end_ns, step->next_ns / KERNEL_WINDOW_NS * KERNEL_WINDOW_NS);
	step_wake(step, end_ns);
}

static void
dispatch(struct kernel_cpu *k, const struct step *step, struct cpu *cpu, unsigned event)
{
	const struct number *v = step->values;

	switch (event) {
	case SWITCH:
		on_switch(k, step, cpu);
		break;
	case WAKEUP:
		k->has_wakeups = true;
		wakes(k, step, cpu, false);
		break;
	case WAKEUP_NEW:
		wakes(k, step, cpu, true);
		break;
	case WAKING:
		on_waking(k, step, cpu);
		break;
	case MIGRATE:
		on_migrate(k, step);
		break;
	case FORK:
		on_fork(k, step);
		break;
	case EXIT:
		on_exit_process(k, step);
		break;
	case DUMP:
		on_dump(k, step);
		break;
	case IRQ_ENTRY:
		irq_entry(cpu, step->t_ns);
		break;
	case IRQ_EXIT:
		irq_exit(k, cpu, step->t_ns);
		break;
	case SOFTIRQ_ENTRY:
		softirq_entry(cpu, step->t_ns, v->number);
		break;
	case SOFTIRQ_EXIT:
		softirq_exit(k, cpu, step->t_ns, v->number);
		break;
	case TIMER_ENTRY:
	case TIMER_EXIT:
		cpu->timer = event == TIMER_ENTRY;
		break;
	case DISK_DONE:
	case PACKET_IN:
		if (cpu->irqs || cpu->softirqs)
			cpu->irq_does = event == DISK_DONE ? DOES_DISK : DOES_NETWORK;
		break;
	default:
		on_kvm(k, step, cpu, event);
	}
}

static void
kernel_cpu_event(void *state, const struct step *step, unsigned event)
{
	struct kernel_cpu *k = state;
	const struct number *v = step->values;
	struct cpu *cpu;

	if (event >= NODE_QEMU) {
		kernel_mark(k, (uint32_t) v->number, event == NODE_SERVICE ? CPU_SERVICE : CPU_QEMU,
			    MAX(step->t_ns, k->window_ns));
		return;
	}
	if (step->late) {
		k->late++;
		k->changed = true;
		return;
	}
	cpu = kernel_cpu_get(k, step->cpu);
	if (!cpu)
		return;
	/* Interrupts alone say nothing of threads. */
	if (!k->window_ns && (event < IRQ_ENTRY || event > PACKET_IN))
		open_window(k, step);
	k->active = k->changed = true;
	dispatch(k, step, cpu, event);
	cpu = &k->cpus[step->cpu];   /* They may have moved. */
	cpu->last_ns = step->t_ns;
	cpu->changed = true;
}

static void
kernel_cpu_start(void *state, const struct step *step)
{
	struct kernel_cpu *k = state;

	k->buckets = xcalloc(N_BUCKETS, sizeof *k->buckets);
}

static void
kernel_cpu_stop(void *state)
{
	struct kernel_cpu *k = state;

	for (size_t i = 0; i < k->n_touched; i++)
		if (k->touched[i]->gone)
			kernel_thread_free(k->touched[i]);
	for (unsigned i = 0; i < N_BUCKETS; i++)
		for (struct thread *t = k->buckets[i], *next; t; t = next) {
			next = t->next;
			kernel_thread_free(t);
		}
	free(k->buckets);
	free(k->cpus);
	free(k->touched);
	free(k->gone);
}

static size_t
kernel_cpu_bytes(const void *state)
{
	const struct kernel_cpu *k = state;

	return N_BUCKETS * sizeof *k->buckets + k->cpus_capacity * sizeof *k->cpus +
		k->touched_capacity * sizeof *k->touched + k->n_threads * sizeof(struct thread) +
		k->n_details * (sizeof(struct detail) + 1024);
}

static const struct native native = {
	.events = events,
	.state_size = sizeof(struct kernel_cpu),
	.start = kernel_cpu_start,
	.stop = kernel_cpu_stop,
	.event = kernel_cpu_event,
	.loss = kernel_cpu_loss,
	.watermark = kernel_cpu_watermark,
	.save = kernel_cpu_save,
	.restore = kernel_cpu_restore,
	.bytes = kernel_cpu_bytes,
};

const struct analyzer kernel_cpu_analyzer = {
	.name = "kernel_cpu",
	.summary = "Who runs, waits for a CPU or is blocked, and by what",
	.version = 2,
	.roles = ROLE_COMPUTE | ROLE_NETWORK | ROLE_STORAGE | ROLE_CONTROLLER,
	.kernel = true,
	.rules = no_rules,
	.native = &native,
};
