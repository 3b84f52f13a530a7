/* SPDX-License-Identifier: MIT
 *
 * compare_private.h -- shared by the files of compare() (parts.h). */
#ifndef DAEMON_COMPARE_PRIVATE_H
#define DAEMON_COMPARE_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>

#include "daemon/parts.h"
#include "lib/buf.h"

struct compared {
	const char *topic;
	json_t *record;              /* Expanded. */
	json_t *migration;           /* Itself, or that of a flow, or NULL. */
	json_t *parts;
};

bool compared_is_flow(const struct compared *one);
/* What can be told of both in numbers, and side by side what each took, new references. */
json_t *compared_figures(const struct compared *a, const struct compared *b);
json_t *compared_steps(const struct compared *a, const struct compared *b);
/* Adds a sentence about figures that differ by more than a quarter. */
void compared_tell(const struct compared *a, const struct compared *b, struct buf *out);

#endif /* compare_private.h */
