/* SPDX-License-Identifier: MIT
 *
 * status.h -- what --status and --dry-run print. */
#ifndef SESSION_STATUS_H
#define SESSION_STATUS_H

#include "instrumentation/session/wanted.h"

/* Exit statuses of --status; the first two as for every service's. */
enum {
	STATUS_RECORDING = 0, STATUS_NONE = 3, STATUS_UNKNOWN = 4, STATUS_BROKEN = 5,
};

/* Prints the session's state on standard output.  Gives the exit status. */
int status_print(struct wanted *wanted, bool json);

/* Prints what would be done, as lttng commands.  Gives the exit status. */
int dry_run(struct wanted *wanted);

#endif /* status.h */
