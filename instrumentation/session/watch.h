/* SPDX-License-Identifier: MIT
 *
 * watch.h -- stays and makes the session again when sessiond, relayd or
 * somebody else ended it; regenerates the statedump; tells systemd. */
#ifndef SESSION_WATCH_H
#define SESSION_WATCH_H

#include "instrumentation/session/keeper.h"

struct watch_options {
	uint64_t statedump_ns;  /* 0: only after the session was made. */
	bool spawn_sessiond;
	bool once;
};

/* Until SIGTERM or SIGINT, or with 'once' until the session is there.  The
 * session stays.  Gives the exit status. */
int watch_run(struct wanted *wanted, const struct watch_options *options);

/* Starts a sessiond and waits until it answers. */
int sessiond_spawn(struct error *error);

#endif /* watch.h */
