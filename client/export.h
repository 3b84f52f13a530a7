/* SPDX-License-Identifier: MIT
 *
 * export.h -- one flow or migration as a file for trace viewers.
 *
 * Spans of one service on one host share tracks; a track holds only what nests,
 * so what overlaps gets a further one. */
#ifndef CLIENT_EXPORT_H
#define CLIENT_EXPORT_H

#include <jansson.h>

#include "lib/buf.h"

/* A span on its track. */
struct export_span {
	const json_t *span;
	uint64_t start_ns, end_ns;
	unsigned group, lane;      /* Group: service on a host. */
	unsigned parent;           /* Index, or its own: none. */
};

struct export_group {
	const char *host, *service;
	unsigned lanes;
};

struct export {
	json_t *owned;             /* The array of spans. */
	struct export_span *spans; /* By (group, lane, start, longest first). */
	unsigned n;
	struct export_group *groups;
	unsigned n_groups;
};

/* 'record' is a flow or a migration; export_done() always. */
void export_prepare(const json_t *record, struct export *ret);
void export_done(struct export *export);

/* export_perfetto.c: packets of TrackEvent (protobuf), for ui.perfetto.dev. */
void export_perfetto(const json_t *record, struct buf *out);
/* export_chrome.c: the JSON of Chrome's about:tracing, for the same and others;
 * times are relative to the first span, as doubles lose ns since 1970. */
void export_chrome(const json_t *record, struct buf *out);

#endif /* export.h */
