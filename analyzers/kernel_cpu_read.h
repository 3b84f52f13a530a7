/* SPDX-License-Identifier: MIT
 *
 * kernel_cpu_read.h -- a window of the kind "cpu" piece by piece: shared by
 * kernel_cpu_sum.c and kernel_cpu_split.c. */
#ifndef ANALYZERS_KERNEL_CPU_READ_H
#define ANALYZERS_KERNEL_CPU_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzers/kernel_cpu_sum.h"
#include "analyzers/pack.h"

enum { MAX_SUM_LIST = 256, MAX_SUM_CPUS = 1024 };

struct read_thread {
	uint32_t tid, pid;
	char name[16];
	unsigned role;
	uint64_t from;               /* ns behind the begin of the window. */
	uint64_t sums[CPU_DEAD];
	uint64_t switches;
	bool detail, exact, born, died;
	unsigned start_state;
	uint64_t guest_ns, halted_ns;
	uint64_t causes[N_CPU_CAUSES];
	size_t n_takers, n_exits;
	struct cpu_sum_taker takers[MAX_SUM_LIST];
	struct cpu_sum_exit exits[MAX_SUM_LIST];
	uint64_t n_transitions;
	struct unpack transitions;
};

struct transition {
	uint64_t t;                  /* ns behind the begin of the window. */
	unsigned state, how;
	uint32_t who;
};

struct read_window {
	struct unpack in;
	uint64_t late, capped, untold, first;
	uint64_t n_cpus, n_threads;
	uint64_t numbers[MAX_SUM_CPUS];
	struct cpu_sum_cpu cpus[MAX_SUM_CPUS];
};

/* Checks all of a window and reads what lies in front of its threads.  'thread' is
 * scratch.  -EINVAL: damaged. */
int read_window(const struct fact_window *window, struct read_window *ret,
		struct read_thread *thread);
/* The next of its n_threads threads, from 'in' of struct read_window. */
void read_thread(struct unpack *in, struct read_thread *ret);
/* The next of a thread's transitions; 'before' is the time of the one before, or
 * its 'from'. */
void read_transition(struct unpack *in, uint64_t before, struct transition *ret);

#endif /* kernel_cpu_read.h */
