/* SPDX-License-Identifier: MIT
 *
 * trace.h -- a flow or a live migration as one tree of spans, for exports. */
#ifndef PROTO_TRACE_H
#define PROTO_TRACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRACE_ID_SIZE = 33, SPAN_ID_SIZE = 17 };

/* Its spans in the form of those of flow.json, the root first; a new reference.
 * 'record' is a flow or a migration as flow.show and migration.show give it. */
json_t *trace_spans(const json_t *record);
/* 32 hex digits: those of the uuid in 'id' ("req-UUID"), else a hash of it. */
void trace_id(const char *id, char ret[TRACE_ID_SIZE]);
/* 16 hex digits: 'id' itself if it is that, else a hash of it; never zero. */
void trace_span_id(const char *id, char ret[SPAN_ID_SIZE]);
uint64_t trace_hash(const char *text, uint64_t seed);
/* What a span is worth to its end: its start if it never ended. */
uint64_t trace_start(const json_t *span);
uint64_t trace_end(const json_t *span);

#endif /* trace.h */
