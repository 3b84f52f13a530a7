/* SPDX-License-Identifier: MIT
 *
 * lane.h -- the thread that reads: live viewers, decoding, merging per host,
 * analyzers.  What comes out goes to the writer in batches.
 *
 * Objects:  lane > relay (one viewer) > session > trace > stream
 *           lane > host (one clock of one node: a merge and its analyzers)
 * A stream belongs to its trace and is merged in its host.  All of it lives on
 * the lane's thread; other threads only use the functions below. */
#ifndef DAEMON_LANE_H
#define DAEMON_LANE_H

#include <stdint.h>

#include "daemon/config.h"
#include "daemon/writer.h"
#include "lib/error.h"

struct lane;

/* Starts the thread.  'writer' must outlive it; positions of an earlier run are
 * read from config->store. */
int lane_start(const struct config *config, struct writer *writer, struct lane **ret,
	       struct error *error);
/* Takes over relayds that were added or removed, and what else SIGHUP can change
 * (config.h); reading from the others goes on.  Any thread. */
void lane_reconfigure(struct lane *lane, const struct config *config);
/* Ends the thread and hands the last batch to the writer.  Accepts NULL. */
void lane_stop(struct lane *lane);
/* Monotonic time of the thread's last sign of life, for the watchdog. */
uint64_t lane_alive_ns(const struct lane *lane);

#endif /* lane.h */
