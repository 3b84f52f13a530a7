/* SPDX-License-Identifier: MIT
 *
 * node.h -- what this node has: CPUs, kernel tracer, instrumented programs; and
 * for what it lacks, a sentence that says what to do about it.  Reads /proc,
 * /sys and /lib/modules, and asks sessiond only for the kernel's events. */
#ifndef SESSION_NODE_H
#define SESSION_NODE_H

#include <stdbool.h>

#include "instrumentation/session/events.h"
#include "lib/buf.h"

/* The CPUs that buffers are made for: possible ones, also when off-line. */
unsigned node_cpus(void);

/* The version of lttng-modules in this kernel, such as "2.13.9"; NULL when it
 * isn't loaded. */
const char *node_modules_version(void);

/* Marks the kernel events of 'list' that this kernel's tracer doesn't have.
 * 0, or the negative LTTng error code when there is no kernel tracer to use:
 * then all of them are missing. */
int node_find_kernel_events(struct event_list *list);

/* Adds one line for each thing that 'list' would need and this node lacks.
 * 'kernel' is what node_find_kernel_events() gave. */
void node_missing(const struct event_list *list, int kernel, struct buf *text);

#endif /* node.h */
