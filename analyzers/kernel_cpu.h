/* SPDX-License-Identifier: MIT
 *
 * kernel_cpu.h -- what the files of the analyzer kernel_cpu share:
 *
 *   kernel_cpu.c          events to states
 *   kernel_threads.c      the threads: found, made, their states and sums
 *   kernel_cpu_window.c   an open window as a blob; checkpoints
 *
 * What a blob holds is read by kernel_cpu_sum.c. */
#ifndef ANALYZERS_KERNEL_CPU_H
#define ANALYZERS_KERNEL_CPU_H

#include "analyzers/analyzer.h"
#include "analyzers/kernel_cpu_sum.h"
#include "lib/buf.h"

enum {
	KERNEL_NAME_SIZE = 16,
	MAX_CPUS = 1024,
	MAX_THREADS = 32768,         /* Of a host; those at rest for longest make room. */
	MAX_DETAILS = 1024,          /* Threads of interest. */
	MAX_MARKS = 512,             /* Processes that other traces name. */
	MAX_TAKERS = 16,             /* Of a thread and window; the others are one. */
	MAX_EXITS = 48,              /* Reasons to leave the guest, of a thread and window. */
	MAX_TRANSITIONS = 1024,       /* Of a thread and window; then only sums. */
	MAX_WINDOW_THREADS = 512,    /* Told of a window; the others are one. */
	N_BUCKETS = 4096,
};
#define KERNEL_WINDOW_NS UINT64_C(100000000)

/* Who had the CPU for which a thread waited. */
struct taker {
	uint32_t tid;                /* Of a thread of interest; else 0: all of this name. */
	char name[KERNEL_NAME_SIZE];
	uint64_t ns;
};

struct guest_exit {
	uint32_t reason;             /* isa << 24 | reason; EXIT_USERSPACE: of kvm_userspace_exit. */
	uint32_t spare;
	uint64_t count, ns;          /* ns: running until the guest was entered again. */
};

/* What is kept of threads of interest in the open window. */
struct detail {
	uint64_t guest_ns, halted_ns;
	uint64_t guest_mark_ns;      /* Since when it is in the guest, or out of it and runs. */
	uint64_t last_transition_ns;
	uint32_t last_exit;          /* Reason, as above. */
	uint32_t n_takers, n_exits, n_transitions;
	uint8_t is_vcpu, in_guest, halted, start_state;
	uint8_t inexact;             /* Not each change of this window is there. */
	struct taker takers[MAX_TAKERS];
	struct guest_exit exits[MAX_EXITS];
	struct buf transitions;      /* As they are in the blob. */
};

struct thread {
	uint32_t tid, pid;
	char name[KERNEL_NAME_SIZE];
	uint8_t state, role;
	uint8_t exiting, touched, changed, saved, gone;
	uint8_t in_kvm;              /* It was seen to run a guest. */
	uint8_t born;                /* It was seen to be made, at from_ns. */
	uint8_t blocked_how;         /* enum cpu_blocked */
	uint8_t waking;              /* enum cpu_cause of a wake-up that is under way. */
	uint32_t waker;              /* Of CAUSE_TASK. */
	int32_t cpu;                 /* Where it runs, waits or was last; -1: not known. */
	uint64_t from_ns;            /* Since when it is known in this window, or before. */
	uint64_t accounted_ns;       /* Up to when its state is summed up. */
	uint64_t since_ns;           /* When it came into its state. */
	uint64_t sums[N_CPU_STATES];
	uint64_t switches;           /* Times that it got a CPU, in this window. */
	struct detail *detail;       /* NULL: not of interest. */
	struct thread *next;         /* Of the same bucket. */
	struct thread *waiter_next, *waiter_before;   /* Waiting for the same CPU. */
	struct thread *interest_next, *interest_before;
};

struct cpu {
	struct thread *current;      /* NULL: idle, or not known. */
	struct thread *waiters;      /* Of interest. */
	uint64_t last_ns;            /* Of its last event. */
	uint64_t charged_ns;         /* Up to when waiters know who runs. */
	uint64_t idle_ns, unknown_ns, irq_ns, softirq_ns, switches;
	uint64_t irq_mark_ns, softirq_mark_ns;
	uint64_t unknown_from_ns, unknown_until_ns;   /* Its events are missing there. */
	uint32_t softirqs;           /* Bits of the vectors it is in. */
	uint8_t known, idle, irqs, irq_does, timer;
	uint8_t changed;
	uint32_t current_tid;        /* While records are taken back: 'current' to be. */
};

/* A process that another trace says to be of interest. */
struct mark {
	uint32_t pid;
	uint32_t role;
};

struct kernel_cpu {
	uint64_t window_ns;          /* Begin of the open window; 0: none. */
	uint64_t first_ns;           /* From when on the window is known. */
	uint64_t last_loss_ns;       /* Events were lost until then, on some CPU. */
	uint64_t late, capped, untold;
	uint32_t n_threads, n_details, n_marks;
	uint32_t n_cpus;             /* Highest seen + 1. */
	struct thread **buckets;     /* N_BUCKETS */
	struct cpu *cpus;            /* MAX_CPUS, made when first seen. */
	uint32_t cpus_capacity;
	struct thread **touched;     /* In this window. */
	size_t n_touched, touched_capacity;
	struct thread *interest;     /* List of those with detail. */
	struct mark marks[MAX_MARKS];
	uint32_t *gone;              /* Threads whose records are to be forgotten. */
	size_t n_gone, gone_capacity;
	uint32_t saved_gone;         /* Records of threads that are gone, in the open window. */
	uint8_t changed, has_wakeups;
	uint8_t active;              /* The window has events. */
};

/* -- kernel_threads.c ----------------------------------------------------- */

struct thread *kernel_thread_find(const struct kernel_cpu *k, uint32_t tid);
/* Made when it is not there; NULL only when MAX_THREADS are busy. */
struct thread *kernel_thread_get(struct kernel_cpu *k, uint32_t tid, uint64_t t_ns);
/* Takes a new name, or its process where that was not known, and whether it is of interest
 * by it. */
void kernel_thread_name(struct kernel_cpu *k, struct thread *thread, const struct text *name,
			uint64_t t_ns);
void kernel_thread_pid(struct kernel_cpu *k, struct thread *thread, uint64_t pid, uint64_t t_ns);
void kernel_thread_role(struct kernel_cpu *k, struct thread *thread, uint64_t t_ns);
/* Its tid belongs to somebody else now. */
void kernel_thread_remove(struct kernel_cpu *k, struct thread *thread);
void kernel_thread_free(struct thread *thread);
/* Takes in a thread that was made of a record. */
void kernel_thread_adopt(struct kernel_cpu *k, struct thread *thread);
void kernel_mark(struct kernel_cpu *k, uint32_t pid, enum cpu_role role, uint64_t t_ns);
/* NULL over MAX_CPUS. */
struct cpu *kernel_cpu_get(struct kernel_cpu *k, int32_t number);

/* Sums up the state until 't_ns'. */
void kernel_thread_account(struct kernel_cpu *k, struct thread *thread, uint64_t t_ns);
/* Moves it; 'how' and 'who': what the new state needs (kernel_cpu_sum.h). */
void kernel_thread_set(struct kernel_cpu *k, struct thread *thread, uint64_t t_ns,
		       enum cpu_state state, unsigned how, uint32_t who);
/* Waiting or not, it is another CPU's now. */
void kernel_thread_move(struct kernel_cpu *k, struct thread *thread, int32_t cpu);
/* A vCPU's thread, whose state is summed up until 't_ns'. */
void kernel_guest_enter(struct thread *thread, uint64_t t_ns);
void kernel_guest_leave(struct thread *thread, uint64_t t_ns, uint32_t reason);
void kernel_exit_count(struct thread *thread, uint32_t reason);
/* Whoever waits for the CPU learns who had it until 't_ns'. */
void kernel_cpu_charge(struct kernel_cpu *k, struct cpu *cpu, uint64_t t_ns);

/* -- kernel_cpu_window.c -------------------------------------------------- */

/* Tells the open window, which ends at 'end_ns', and begins the next. */
void kernel_cpu_tell(struct kernel_cpu *k, const struct step *step, uint64_t end_ns);
void kernel_cpu_save(void *state,
		     void (*put)(void *context, uint64_t key, const void *record, size_t size),
		     void *context);
int kernel_cpu_restore(void *state, uint64_t key, const void *record, size_t size);

#endif /* kernel_cpu.h */
