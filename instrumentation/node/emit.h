/* SPDX-License-Identifier: MIT
 *
 * emit.h -- gives the events of events.h to LTTng, or prints them (--print). */
#ifndef INSTRUMENTATION_NODE_EMIT_H
#define INSTRUMENTATION_NODE_EMIT_H

#include <stdbool.h>

#include "instrumentation/node/events.h"

/* From now on events are printed on standard output, one JSON object a line. */
void emit_to_stdout(void);
/* Whether a tracing session listens. */
bool emit_is_traced(void);
/* Whether anybody does. */
bool emit_is_wanted(void);

/* These fit set.h's emit_fn. */
void emit_qemu_process(const char *reason, const void *event);
void emit_vcpu_thread(const char *reason, const void *event);
void emit_qemu_thread(const char *reason, const void *event);
void emit_nic(const char *reason, const void *event);
void emit_disk(const char *reason, const void *event);
void emit_block_device(const char *reason, const void *event);
void emit_interface(const char *reason, const void *event);
void emit_service_process(const char *reason, const void *event);
void emit_missing(const char *reason, const void *event);

void emit_host(const char *reason, const struct node_host *event, const struct node_clock *clock);
void emit_dump_end(const struct node_dump_end *event);

#endif /* emit.h */
