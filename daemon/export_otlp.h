/* SPDX-License-Identifier: MIT
 *
 * export_otlp.h -- flows and migrations as the JSON of OTLP/HTTP (traces). */
#ifndef DAEMON_EXPORT_OTLP_H
#define DAEMON_EXPORT_OTLP_H

#include <jansson.h>

#include "lib/buf.h"

/* Adds an ExportTraceServiceRequest with the spans of 'records' (an array), in
 * resources by service and host.  The trace id is the record's "trace_id" if it
 * has one (OSprofiler's base id), else that of its request. */
void export_otlp(const json_t *records, struct buf *out);

#endif /* export_otlp.h */
