/* SPDX-License-Identifier: MIT
 *
 * keeper.h -- brings the session to what is wanted, once; and tells whether it
 * still records.  watch.h does so again and again. */
#ifndef SESSION_KEEPER_H
#define SESSION_KEEPER_H

#include "instrumentation/session/link.h"
#include "instrumentation/session/wanted.h"
#include "lib/buf.h"

struct keeper {
	struct wanted *wanted;
	struct links links;     /* The session's own connections, where 'exact'. */
	bool exact;
	bool adopted;           /* The session was looked at and found good before. */
	unsigned short_of;      /* Checks in a row that found too few connections. */
	bool looked;            /* The kernel's events are known of this sessiond. */
	bool gave_up;           /* A domain, until there is another sessiond. */
	struct buf problems;    /* What LTTng refused, one a line. */
};

enum keep { KEEP_NOTHING, KEEP_CHANGED, KEEP_MADE };

/* Compares and does what is needed.  'lost' is why the session is of no use, or
 * NULL.  'because' is set to why it was made anew, or NULL.  Gives an enum
 * keep, or negative with 'error' filled. */
int keep(struct keeper *keeper, const char *lost, const char **because, struct error *error);

/* Why the session doesn't record any more, or NULL.  Cheap. */
const char *keeper_lost(struct keeper *keeper);

/* All that is missing or refused here, one a line. */
void keeper_missing(struct keeper *keeper, struct buf *text);

/* Asks sessiond for the kernel's events, where that wasn't done. */
int keeper_look(struct keeper *keeper, struct error *error);

/* Has the next keep() look for a kernel tracer that was installed since. */
void keeper_look_again(struct keeper *keeper);

/* A new sessiond can have a kernel tracer that the old one had not. */
void keeper_forget(struct keeper *keeper);

/* How many connections there are to the relayd, and should be for all the
 * node's sessions.  Negative when the kernel or sessiond doesn't tell. */
int connections_count(uint16_t data_port, int *ret_found, int *ret_due);

#endif /* keeper.h */
