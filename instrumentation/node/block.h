/* SPDX-License-Identifier: MIT
 *
 * block.h -- the block devices of this node and what each lies on. */
#ifndef INSTRUMENTATION_NODE_BLOCK_H
#define INSTRUMENTATION_NODE_BLOCK_H

#include <stdbool.h>

#include "instrumentation/node/events.h"

/* Begins to listen for changes.  Returns a descriptor that block_ready() is to
 * be called for when it can be read, or -1. */
int block_open(void);
/* Reads what the kernel says.  Whether block devices changed: block_scan(). */
bool block_ready(void);
/* Reads /sys/class/block and tells what changed. */
void block_scan(void);
void block_dump(void);
unsigned block_count(void);
const struct node_block_device *block_find(int32_t major, int32_t minor);
/* Where its data come from, on the device or below it: "iscsi:...", or "". */
const char *block_source(int32_t major, int32_t minor);
/* The Cinder volume that it is, or lies on; or "". */
const char *block_volume_id(int32_t major, int32_t minor);
void block_done(void);

#endif /* block.h */
