/* SPDX-License-Identifier: MIT
 *
 * kernel_cpu_answers.h -- what kernel_cpu_answers.c has for kernel_node_answers.c. */
#ifndef DAEMON_KERNEL_CPU_ANSWERS_H
#define DAEMON_KERNEL_CPU_ANSWERS_H

#include "analyzers/kernel_cpu_sum.h"
#include "daemon/store.h"

/* The windows of the span, and what ends blocks that begin in it.  NULL: the store
 * can't be read. */
struct cpu_sum *kernel_read_sum(struct store *store, const char *host, uint64_t from_ns,
				uint64_t to_ns, struct error *error);
/* A thread in the shape of thread.json. */
json_t *kernel_thread_json(const char *host, const struct cpu_sum_thread *thread);
/* For qsort() of pointers to threads: those that waited longest first. */
int kernel_by_wait(const void *a, const void *b);

#endif /* kernel_cpu_answers.h */
