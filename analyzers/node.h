/* SPDX-License-Identifier: MIT
 *
 * node.h -- what the analyzers of cloudtrace-node's events share (node.c,
 * node_host.c). */
#ifndef ANALYZERS_NODE_H
#define ANALYZERS_NODE_H

#include "analyzers/analyzer.h"

/* A new reference.  Null for "-" (cloudtrace-node's "none"), and for bytes that
 * are no UTF-8: a JSON text can't hold them. */
json_t *node_text(const struct text *text);
/* Null for -1: not known. */
json_t *node_number(int64_t number);
/* Of all that is in it. */
uint64_t node_hash(const json_t *attributes);

#endif /* node.h */
