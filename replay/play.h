/* SPDX-License-Identifier: MIT
 *
 * play.h -- publishes the recorded traces at the pace of their time.
 *
 * One live session per host and trace name, each with its own connections and
 * its own timer, so that one that is slow does not hold the others back.
 * Trace time here is the recorded one, ns since 1970: what --now and --shift
 * do to clocks concerns only the metadata. */
#ifndef REPLAY_PLAY_H
#define REPLAY_PLAY_H

#include "lib/error.h"
#include "replay/options.h"
#include "replay/relayd.h"
#include "replay/sources.h"

/* Returns 0 when everything is published and closed, 1 when a signal ended it
 * in good order, or a negative errno. */
int play(const struct options *options, struct sources *sources,
	 const struct relayd_address *address, struct error *error);

#endif /* play.h */
