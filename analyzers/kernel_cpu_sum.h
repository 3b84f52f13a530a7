/* SPDX-License-Identifier: MIT
 *
 * kernel_cpu_sum.h -- windows of the kind "cpu": what they hold, and their sum
 * over any span.
 *
 * A window has sums for each thread that ran or waited in it.  For threads of
 * interest (vCPUs, migration, services, ...) it has each change of state too,
 * so that a span that begins or ends within a window is summed up exactly; for
 * others, and in windows that were joined with age, the part of the span is
 * taken.  A thread that a window does not tell of slept in it; where events were
 * lost, or threads left out, what it did is unknown: its states add up to the span.
 * What a thread was blocked on is known when it is woken, which can be in a later
 * window. */
#ifndef ANALYZERS_KERNEL_CPU_SUM_H
#define ANALYZERS_KERNEL_CPU_SUM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "analyzers/windows.h"

enum { CPU_WINDOW_VERSION = 1 };
/* Flags of a thread in a window; start_state is in the bits between. */
enum {
	THREAD_DETAIL = 1, THREAD_EXACT = 2, THREAD_STATE_SHIFT = 2, THREAD_BORN = 32, THREAD_DIED = 64,
	THREAD_FLAGS = 127,
};

enum cpu_state { CPU_UNKNOWN, CPU_RUNNING, CPU_WAITING, CPU_BLOCKED, CPU_DEAD, N_CPU_STATES };
/* Among the changes of a state: since the entry before, while it waited, the CPU
 * was had by the taker of number 'how'. */
enum { CPU_TAKEN = N_CPU_STATES };

/* What woke a thread ('how' of CPU_WAITING; CAUSE_TASK has 'who' did it). */
enum cpu_cause {
	CAUSE_UNKNOWN, CAUSE_TIMER, CAUSE_DISK, CAUSE_NETWORK, CAUSE_TASK, CAUSE_IRQ, CAUSE_SOFTIRQ,
	CAUSE_NEW,             /* It was just made. */
	CAUSE_PREEMPTED,       /* Nothing did: it was put off its CPU. */
	N_CPU_CAUSES
};
/* 'how' of CPU_BLOCKED. */
enum cpu_blocked { BLOCKED_SLEEP, BLOCKED_DISK_SLEEP, BLOCKED_OTHER, BLOCKED_HALTED, N_CPU_BLOCKED };

enum cpu_role {
	CPU_OTHER, CPU_VCPU, CPU_QEMU, CPU_MIGRATION, CPU_IOTHREAD, CPU_VHOST, CPU_SERVICE,
	CPU_SOFTIRQD, CPU_SWITCH, N_CPU_ROLES
};
extern const char *const cpu_state_names[N_CPU_STATES], *const cpu_cause_names[N_CPU_CAUSES],
	*const cpu_role_names[N_CPU_ROLES];

enum { EXIT_USERSPACE = 255 };       /* As isa: reason of kvm_userspace_exit. */
/* Name of a reason to leave the guest (isa << 24 | reason), or NULL. */
const char *cpu_exit_name(uint32_t reason);

struct cpu_sum_taker {
	uint32_t tid;                /* 0: all threads of that name. */
	char name[16];
	uint64_t ns;
};
struct cpu_sum_exit {
	uint32_t reason;
	uint64_t count, ns;
};

struct cpu_sum_thread {
	uint32_t tid;
	uint32_t pid;
	char name[16];
	enum cpu_role role;
	uint64_t ns[N_CPU_STATES];   /* CPU_DEAD is always 0. */
	uint64_t causes[N_CPU_CAUSES];   /* Of CPU_BLOCKED: by what ended it. */
	uint64_t absent_ns;          /* Of the span, before it was made and after it ended. */
	uint64_t born_ns, died_ns;   /* When it was made and ended, if that was seen; else 0. */
	uint64_t halted_ns;          /* Of CPU_BLOCKED: a vCPU without work. */
	uint64_t guest_ns;           /* Of CPU_RUNNING. */
	uint64_t switches;
	bool exact;                  /* By changes of state alone. */
	struct cpu_sum_taker *takers;
	size_t n_takers;
	struct cpu_sum_exit *exits;
	size_t n_exits;
	uint32_t waker;              /* The task that woke it for the longest block. */
	uint64_t waker_ns;
	uint64_t pending_ns;         /* Blocked, and not woken yet. */
};
struct cpu_sum_cpu {
	uint64_t idle_ns, unknown_ns, irq_ns, softirq_ns, switches, span_ns;
};

struct cpu_sum;

struct cpu_sum *cpu_sum_new(uint64_t from_ns, uint64_t to_ns);
void cpu_sum_free(struct cpu_sum *sum);
/* Adds a window; in the order of their begin.  Those behind the span say what
 * ended a block that began in it: cpu_sum_pending() tells whether any is open.
 * -EINVAL: damaged, nothing of it was taken. */
int cpu_sum_add(struct cpu_sum *sum, const struct fact_window *window);
bool cpu_sum_pending(const struct cpu_sum *sum);
/* Threads by tid and name; valid until the next call with 'sum'. */
size_t cpu_sum_threads(struct cpu_sum *sum, const struct cpu_sum_thread **ret);
size_t cpu_sum_cpus(const struct cpu_sum *sum, const struct cpu_sum_cpu **ret);

extern const struct window_kind cpu_window_kind;

#endif /* kernel_cpu_sum.h */
