/* SPDX-License-Identifier: MIT
 *
 * sources.h -- the recorded traces to publish: finds them and says where
 * each belongs. */
#ifndef REPLAY_SOURCES_H
#define REPLAY_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "ctf/trace.h"
#include "lib/buf.h"
#include "lib/error.h"
#include "replay/packets.h"

struct source_stream {
	char *channel;                /* Name of the file. */
	struct stream_file *file;
};

/* One CTF trace. */
struct source {
	char *path;
	char *hostname;               /* env.hostname, else the folder's name. */
	char *session;                /* env.trace_name, else the folder's name. */
	char *domain;                 /* Folder in the session: "kernel", "ust/uid/0/64-bit". */
	struct ctf_trace *trace;
	struct buf metadata;          /* Text. */
	uint8_t uuid[16];
	bool big_endian;
	int64_t offset_ns;            /* From clock value to 1970. */
	struct source_stream *streams;
	unsigned n_streams;
};

struct sources {
	struct source *all;           /* By host name, session and path. */
	unsigned n;
	unsigned n_bad;               /* Told, and left out or cut short. */
	uint64_t first_event_ns, end_ns;  /* Since 1970, over all. */
};

/* Opens all traces below 'paths'; warns of those that cannot be published.
 * Fails when there is none that can. */
int sources_open(const char *const *paths, unsigned n_paths, struct sources *ret,
		 struct error *error);
void sources_close(struct sources *sources);

#endif /* sources.h */
