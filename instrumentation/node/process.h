/* SPDX-License-Identifier: MIT
 *
 * process.h -- what /proc/PID says of a process. */
#ifndef INSTRUMENTATION_NODE_PROCESS_H
#define INSTRUMENTATION_NODE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROCESS_COMM_SIZE = 32 };

struct process_stat {
	uint64_t start_ns;       /* CLOCK_BOOTTIME, in ticks of 10 ms. */
	int ppid;
	bool zombie;
};

/* False when there is no such process. */
bool process_stat(int pid, struct process_stat *ret);
/* The process's name (of a thread: with 'tid' its own, else 0); "" if it is gone. */
void process_comm(int pid, int tid, char ret[PROCESS_COMM_SIZE]);
/* The path of its program; "" if that can't be read. */
void process_exe(int pid, char *ret, size_t size);
/* Its number in its own pid namespace; 'pid' if that can't be told. */
int process_vpid(int pid);
/* Whether its UTS namespace is ours. */
bool process_is_in_own_uts(int pid);
/* Its command line, in a buffer that the next call uses again; NULL when it
 * has none.  A NUL is behind the last byte. */
const char *process_cmdline(int pid, size_t *ret_size);

#endif /* process.h */
