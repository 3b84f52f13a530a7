/* SPDX-License-Identifier: MIT
 *
 * missing.h -- what this node does not let us know: told once in the log, and
 * as event "missing" with each dump.  Never an error. */
#ifndef INSTRUMENTATION_NODE_MISSING_H
#define INSTRUMENTATION_NODE_MISSING_H

#include <stdbool.h>

#include "lib/util.h"

/* 'what' names the source ("proc-connector"); the detail says why and what
 * would help. */
void missing_note(const char *what, const char *format, ...) _printf_(2, 3);
/* It is there after all. */
void missing_forget(const char *what);
void missing_dump(void);
unsigned missing_count(void);

#endif /* missing.h */
