/* SPDX-License-Identifier: MIT
 *
 * reader.h -- trace directories as merged events, by our decoder or by
 * libbabeltrace2.  Both give the same events.
 *
 * A path may be a CTF trace (a folder with a file 'metadata') or any folder
 * above some.  Stream files are all regular files beside 'metadata' that are
 * not hidden; 'index/NAME.idx' is not needed, and told when it disagrees. */
#ifndef CTF_READER_H
#define CTF_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctf/event.h"
#include "ctf/merge.h"
#include "ctf/stream.h"
#include "lib/error.h"

enum ctf_backend { CTF_BACKEND_OWN, CTF_BACKEND_BABELTRACE2 };

/* One clock of one host. */
struct ctf_host {
	const char *hostname;       /* env.hostname, else the path of the trace. */
	uint8_t clock_uuid[16];     /* Zero if the trace names none. */
	void *user;                 /* For the consumer. */
};

struct ctf_reader_item {
	enum ctf_head what;         /* EVENT, LOSS, or END: this host is at its end. */
	struct ctf_host *host;
	const struct ctf_event *event;
	const struct ctf_loss *loss;
	uint64_t watermark_raw_ns;
};

struct ctf_reader_totals {
	unsigned traces, streams, hosts;
	uint64_t bytes_total, bytes_done;   /* Of stream files; for progress. */
	struct ctf_stream_counters sum;
};

struct ctf_reader;

/* Finds and opens the traces under 'paths'; 'interest' NULL wants every event,
 * without values, for ctf_stream_visit().  Traces that can't be opened do
 * not keep the others from being read: their error is in
 * ctf_reader_problem(); if none can be, the first error is returned. */
int ctf_reader_open(const char *const *paths, size_t n_paths, const struct ctf_interest *interest,
		    enum ctf_backend backend, struct ctf_reader **ret, struct error *error);
void ctf_reader_close(struct ctf_reader *reader);

/* Gives the next item: 1; 0 at the end of all; negative errno.  Hosts are read
 * one after the other in the order of (hostname, clock uuid), each in time order. */
int ctf_reader_next(struct ctf_reader *reader, struct ctf_reader_item *ret, struct error *error);
void ctf_reader_totals(const struct ctf_reader *reader, struct ctf_reader_totals *ret);
/* Problems that did not stop the reading (bad traces, bad packets, muxing
 * faults), in order; NULL after the last. */
const char *ctf_reader_problem(const struct ctf_reader *reader, size_t index);

/* Writes every event of a reader that was opened without an interest as a line
 * of JSON (doc: cloudtraced(8), --dump) to 'file', host by host in time order. */
int ctf_reader_dump(struct ctf_reader *reader, void *file, struct error *error);

#endif /* reader.h */
