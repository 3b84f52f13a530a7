/* SPDX-License-Identifier: MIT
 *
 * tracer.h -- a tracer that was started anew gets us back at once.
 *
 * liblttng-ust waits for 5 s when lttng-sessiond was killed, before it tries
 * again, and can't be told to try.  A program that starts registers
 * immediately: so we start ourselves anew. */
#ifndef INSTRUMENTATION_NODE_TRACER_H
#define INSTRUMENTATION_NODE_TRACER_H

/* To be called first; 'argv' must stay valid. */
void tracer_init(char **argv);
/* For each new process. */
void tracer_consider(int pid, const char *comm);
/* From time to time.  Does not return when it starts this program anew. */
void tracer_tick(void);

#endif /* tracer.h */
