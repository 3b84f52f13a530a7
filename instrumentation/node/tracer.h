/* SPDX-License-Identifier: MIT
 *
 * tracer.h -- what the tracer does that concerns us: sessions that begin to
 * listen, and a lttng-sessiond that was started anew. */
#ifndef INSTRUMENTATION_NODE_TRACER_H
#define INSTRUMENTATION_NODE_TRACER_H

#include <stdint.h>

/* To be called first; 'argv' must stay valid. */
void tracer_init(char **argv);
/* A descriptor that becomes readable when a session starts, or is to have its
 * state dumped again (lttng regenerate statedump); -1 if that can't be known. */
int tracer_open(void);
/* Empties the descriptor. */
void tracer_ready(void);
/* For each new process: is it a lttng-sessiond? */
void tracer_consider(int pid, const char *comm);
/* Starts this program anew once a new lttng-sessiond listens, and does not
 * return then.  Else it returns when to call again, UINT64_MAX if never. */
uint64_t tracer_check_due(uint64_t now_ns);

#endif /* tracer.h */
