/* SPDX-License-Identifier: MIT
 *
 * progress.h -- how far it is, on standard error: one line that is renewed on a
 * terminal, otherwise a line each 5 s. */
#ifndef REPLAY_PROGRESS_H
#define REPLAY_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "replay/node.h"

struct progress {
	bool quiet, terminal;
	bool open;                    /* A line without its end is on the terminal. */
	uint64_t next_mono_ns;
};

void progress_init(struct progress *progress, bool quiet);
/* To be called each second or so. */
void progress_show(struct progress *progress, const struct stage *stage,
		   const struct node *nodes, unsigned n);
/* Ends the line, before anything else is written. */
void progress_clear(struct progress *progress);
/* The last line. */
void progress_summary(struct progress *progress, const struct stage *stage,
		      const struct node *nodes, unsigned n);

#endif /* progress.h */
