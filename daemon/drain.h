/* SPDX-License-Identifier: MIT
 *
 * drain.h -- a host is being emptied: who leaves it, how far each is, and when the
 * last will have left (proto/schemas/drain.json).
 *
 *   drain.c         who leaves, in which phase, in order
 *   drain_eta.c     when all will have left
 *   drain_answer.c  the answer
 *
 * nova-compute of the source runs so many live migrations at a time and lets the
 * others wait; one holds its slot from the preparation of the destination until it
 * has cleaned up.  How many, and for how long, is measured. */
#ifndef DAEMON_DRAIN_H
#define DAEMON_DRAIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/store.h"
#include "lib/error.h"

/* What left, or is to leave, from 'since_ns' on; 0: the newest that follow each other. */
json_t *drain_status(struct store *store, const char *host, uint64_t since_ns,
		     struct error *error);

/* -- For these files --------------------------------------------------------- */

enum { DRAIN_MAX_ROWS = 500 };

enum drain_phase {
	DRAIN_SCHEDULING,            /* Nobody at the source was told yet. */
	DRAIN_QUEUED,                /* At the source, without a slot. */
	DRAIN_PREPARING,
	DRAIN_MIGRATING,
	DRAIN_FINISHING,
	DRAIN_ENDED,
};
extern const char *const drain_phase_names[];

struct drain_row {
	json_t *request, *migration; /* Owned; either may be NULL. */
	const char *uuid, *name;     /* Of the VM; borrowed, or NULL. */
	const char *kind, *status;   /* "live", "cold", "resize", "evacuate"; see drain.json. */
	char destination[128];
	enum drain_phase phase;
	uint64_t asked_ns;           /* When it was asked for. */
	uint64_t slot_ns;            /* When it got its slot; 0: not yet, or not known. */
	uint64_t moving_ns, moved_ns; /* When memory began and ended to be sent; 0. */
	bool step_open;              /* The last step at the source goes on. */
	uint64_t cleaned_ns;         /* When the source had cleaned up; 0: not yet. */
	uint64_t end_ns;             /* 0: not yet. */
	uint64_t memory_bytes, sent_bytes, remaining_bytes;
	uint64_t rate_bytes_s;       /* Lately; 0: not known. */
	const char *verdict;         /* Of the forecast; "unknown". */
	uint64_t forecast_ns;        /* When it ends by that; 0: not known. */
	uint64_t eta_ns, low_ns, high_ns; /* Set by drain_eta(); 0: not known. */
};

struct drain_rows {
	struct drain_row *rows;
	size_t n;
};

/* All that leave 'host' (NULL: any; then but those that were asked for) and did not end
 * before 'since_ns', at most 'limit' of a kind, in order of time. */
int drain_read(struct drain_rows *rows, struct store *store, const char *host, uint64_t since_ns,
	       uint64_t now_ns, unsigned limit, struct error *error);
/* Forgets the first ones, which are of an earlier time. */
void drain_keep_newest(struct drain_rows *rows, uint64_t now_ns);
void drain_done(struct drain_rows *rows);
/* Whether it goes on, in a slot or not. */
bool drain_is_open(const struct drain_row *row);

/* When the rows that are open will have ended, as "eta" of drain.json; sets that of each.
 * 'past': others that ended well, for how long it takes.  'slots': how many at a
 * time, 0: not known.  'unknown': texts why there is none are added. */
json_t *drain_eta(struct drain_row *rows, size_t n, const struct drain_row *past, size_t n_past,
		  unsigned slots, uint64_t now_ns, json_t *unknown);

#endif /* drain.h */
