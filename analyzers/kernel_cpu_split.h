/* SPDX-License-Identifier: MIT
 *
 * kernel_cpu_split.h -- where processes spent many spans, while the windows of
 * the kind "cpu" of their host are read once.
 *
 * A process is as busy as its busiest thread: it runs while one does, else waits for a
 * CPU while one does, else sleeps until the first is woken.  Threads of interest are
 * followed by each change of state; where windows have but sums, the part is taken. */
#ifndef ANALYZERS_KERNEL_CPU_SPLIT_H
#define ANALYZERS_KERNEL_CPU_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/windows.h"

enum cpu_part_kind {
	PART_CPU,
	PART_WAITING,                /* For a CPU that 'by' had. */
	PART_DISK, PART_NETWORK, PART_TIMER, PART_INTERRUPT, /* Slept until that. */
	PART_TASK,                   /* Slept until thread 'by' woke it. */
	PART_BLOCKED,                /* Slept; why is not known. */
	PART_UNKNOWN,                /* Events were lost, or it was not seen yet. */
	PART_ABSENT,                 /* There was no such thread, or it did not run yet. */
	PART_GAP,                    /* There are no windows. */
	N_CPU_PARTS
};

struct cpu_part {
	enum cpu_part_kind kind;
	char by[16];                 /* "": nobody that is known. */
	uint64_t ns;
};

enum cpu_who {
	WHO_PROCESS,
	WHO_MIGRATION,               /* QEMU's threads that migrate, while there are any; else
				      * its main thread. */
	WHO_SERVICE,                 /* Threads that can be a service's by their name: in a
				      * container 'pid' may be another process of the host. */
};

struct cpu_question {
	uint32_t pid;                /* 0: 'tid' says it all. */
	uint32_t tid;                /* 0: the whole process. */
	enum cpu_who who;
	uint64_t from_ns, to_ns;
};

struct cpu_split;

/* Questions are copied. */
struct cpu_split *cpu_split_new(const struct cpu_question *questions, size_t n);
/* Accepts NULL. */
void cpu_split_free(struct cpu_split *split);
/* Windows in the order of their begin.  Those behind a span say what ended a sleep
 * that began in it: cpu_split_pending() tells whether any is open.  -EINVAL: damaged,
 * nothing of it was taken. */
int cpu_split_add(struct cpu_split *split, const struct fact_window *window);
bool cpu_split_pending(const struct cpu_split *split);
/* The parts of one question, which add up to its span, the longest first; once, after
 * all windows.  To be freed. */
struct cpu_part *cpu_split_parts(struct cpu_split *split, size_t question, size_t *ret_n);

#endif /* kernel_cpu_split.h */
