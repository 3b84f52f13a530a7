/* SPDX-License-Identifier: MIT
 *
 * watch.h -- notices new processes.
 *
 * With CAP_NET_ADMIN the kernel tells of each exec and fork (the proc connector;
 * a filter in the kernel leaves out threads and ends).  Without it, /proc
 * is listed twice a second, if any process was made at all, and only numbers
 * that were not in the last listing are looked at. */
#ifndef INSTRUMENTATION_NODE_WATCH_H
#define INSTRUMENTATION_NODE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* Called for a process that is new, or may be something else than before. */
typedef void watch_fn(int pid, const char *comm);

/* 'is_known': whether the children of a process are of interest too. */
void watch_init(watch_fn *consider, bool (*is_known)(int pid));
/* Begins to listen.  Returns the descriptor that watch_ready() is to be called for, or -1: then,
 * and until watch_is_told(), watch_poll() finds new ones. */
int watch_open(void);
void watch_ready(void);
bool watch_is_told(void);
/* Lists /proc if something was started since the last call. */
void watch_poll(uint64_t now_ns);
/* Looks at all processes. */
void watch_all(void);
void watch_done(void);

#endif /* watch.h */
