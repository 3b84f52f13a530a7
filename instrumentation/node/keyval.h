/* SPDX-License-Identifier: MIT
 *
 * keyval.h -- one option argument of QEMU, "tap,id=net0,fd=31" or the same as
 * JSON, as keys and values.
 *
 * JSON is flattened the way QEMU writes it in key=value form: members of
 * members as "file.filename", elements as "fds.0"; true is "on". */
#ifndef INSTRUMENTATION_NODE_KEYVAL_H
#define INSTRUMENTATION_NODE_KEYVAL_H

#include <stdbool.h>

#include "lib/buf.h"

enum { KEYVAL_MAX = 128 };

struct keyval {
	struct buf text;
	unsigned n;
	struct { uint32_t key, value; } pairs[KEYVAL_MAX];
	bool whole;              /* False: not all could be read. */
};

/* Reads 'argument'.  A first value without "=" gets the key 'implied'. */
void keyval_parse(struct keyval *keyval, const char *argument, const char *implied);
/* The value of a key (the last one, as in QEMU), or NULL. */
const char *keyval_get(const struct keyval *keyval, const char *key);
/* Whether it is "on". */
bool keyval_is_on(const struct keyval *keyval, const char *key);
void keyval_done(struct keyval *keyval);

#endif /* keyval.h */
