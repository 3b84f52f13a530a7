/* SPDX-License-Identifier: MIT
 *
 * trace.h -- one CTF trace: its metadata, compiled.
 *
 * The metadata may grow while the trace is live; each addition is parsed and
 * the new event classes are compiled.  Metadata is untrusted: every error is
 * returned with line and column and leaves what was known before usable. */
#ifndef CTF_TRACE_H
#define CTF_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctf/event.h"
#include "lib/error.h"

struct ctf_trace;

/* 'interest' is borrowed and must outlive the trace; NULL wants nothing (for
 * readers that walk whole events).  'name' is for messages: a path or
 * "relayd/session/trace"; it is copied. */
struct ctf_trace *ctf_trace_new(const char *name, const struct ctf_interest *interest);
/* Accepts NULL.  Its streams must be freed before. */
void ctf_trace_free(struct ctf_trace *trace);

/* Adds the next bytes of the metadata stream: packets (either byte order) or,
 * for a whole file at once, plain text.  Live chunks end at packet borders.
 * Returns 0; -EPROTONOSUPPORT for CTF 2 (JSON) metadata, with a text that
 * names it; -EBADMSG for what is not TSDL; -EFBIG beyond 64 MiB. */
int ctf_trace_add_metadata(struct ctf_trace *trace, const void *bytes, size_t size,
			   struct error *error);

/* Facts from the metadata; strings are valid as long as the trace.  NULL or
 * 0 when the metadata does not tell (yet). */
const char *ctf_trace_name(const struct ctf_trace *trace);
const char *ctf_trace_hostname(const struct ctf_trace *trace);     /* env.hostname */
const char *ctf_trace_env(const struct ctf_trace *trace, const char *key); /* strings; numbers as text */
bool ctf_trace_uuid(const struct ctf_trace *trace, uint8_t ret_uuid[16]);
/* The clock that event headers map to: its uuid (same uuid = same boot),
 * and the offset in ns from its raw value to 1970. */
bool ctf_trace_clock_uuid(const struct ctf_trace *trace, uint8_t ret_uuid[16]);
const char *ctf_trace_clock_name(const struct ctf_trace *trace);
int64_t ctf_trace_clock_offset_ns(const struct ctf_trace *trace);
/* A value of that clock in ns, without the offset (cycles, unless 1 GHz). */
uint64_t ctf_trace_cycles_to_ns(const struct ctf_trace *trace, uint64_t cycles);
unsigned ctf_trace_n_event_classes(const struct ctf_trace *trace);
/* Metadata text read so far, for replaying and messages. */
const char *ctf_trace_metadata_text(const struct ctf_trace *trace, size_t *ret_size);

#endif /* trace.h */
