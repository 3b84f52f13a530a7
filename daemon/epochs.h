/* SPDX-License-Identifier: MIT
 *
 * epochs.h -- what the traces of a host take for the zero of its clock.
 *
 * They count the same clock, but each took the time since 1970 for itself, up to 0.1 ms
 * apart: more than the clocks of two hosts can be related by. */
#ifndef DAEMON_EPOCHS_H
#define DAEMON_EPOCHS_H

#include "analyzers/engine.h"
#include "ctf/event.h"

enum { MAX_EPOCHS = 64 };            /* Of a host; more are not told. */

struct epochs {
	const char *host;
	const uint8_t *clock_uuid;   /* 16 bytes; zero where traces name none. */
	uint64_t ns[MAX_EPOCHS];
	unsigned n, last;
};

/* Tells an entity "clock" (key "kernel" or "programs", start_ns: the epoch, attribute
 * "uuid") with the first event of each.  Lane's thread. */
void epochs_tell(struct epochs *epochs, const struct engine *engine, const struct ctf_event *event,
		 const struct fact_sink *sink);

static inline void
epochs_note(struct epochs *epochs, const struct engine *engine, const struct ctf_event *event,
	    const struct fact_sink *sink)
{
	if (__builtin_expect(epochs->ns[epochs->last] != event->t_ns - event->raw_ns, 0))
		epochs_tell(epochs, engine, event, sink);
}

#endif /* epochs.h */
