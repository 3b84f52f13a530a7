/* SPDX-License-Identifier: MIT
 *
 * options.h -- the command line of cloudtrace-replay. */
#ifndef REPLAY_OPTIONS_H
#define REPLAY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* A node whose clock is to be wrong. */
struct clock_shift {
	char *hostname;
	int64_t ns;
};

struct options {
	const char *relayd;           /* HOST[:CONTROL[:DATA]] */
	double speed;                 /* 0: as fast as possible. */
	bool now, loop, keep_packets, quiet;
	uint64_t live_timer_ns, hold_ns;
	unsigned copies;              /* 0: the traces as they are. */
	struct clock_shift *shifts;
	unsigned n_shifts;
	const char *const *dirs;
	unsigned n_dirs;
};

/* Fills *ret from the command line.  Returns -1 to go on, or the exit code
 * after --help, --version (0) or a mistake that it has told (2). */
int options_parse(int argc, char **argv, struct options *ret);
void options_done(struct options *options);

#endif /* options.h */
