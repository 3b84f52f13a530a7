/* SPDX-License-Identifier: MIT
 *
 * kernel_block_sum.h -- windows of the kind "block": what they hold, and their
 * sum over the windows of a span. */
#ifndef ANALYZERS_KERNEL_BLOCK_SUM_H
#define ANALYZERS_KERNEL_BLOCK_SUM_H

#include <stdint.h>

#include "analyzers/windows.h"
#include "lib/histogram.h"
#include "lib/keyed.h"

enum { BLOCK_WINDOW_VERSION = 1, MAX_BLOCK_DEVICES = 1024, MAX_BLOCK_OWNERS = 4096 };

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_OTHER, N_BLOCK_OPS };

/* Device numbers as the kernel has them: major << 20 | minor. */
#define BLOCK_MAJOR(DEV) ((unsigned) ((DEV) >> 20))
#define BLOCK_MINOR(DEV) ((unsigned) ((DEV) & 0xfffff))

struct block_device {
	uint32_t dev, spare;
	char name[32];               /* "" when it is not known. */
	uint64_t queued;             /* Bios that came to it. */
	uint64_t issued;             /* Requests given to the driver. */
	uint64_t done[N_BLOCK_OPS], bytes[N_BLOCK_OPS];   /* Requests; of a dm device, bios. */
	uint64_t flushes, discards, merges, errors;
	uint64_t unmatched;          /* Completed, without a known begin. */
	uint64_t in_flight;          /* At the end. */
	uint64_t queue_ns;           /* From the queue to the driver, all together. */
	struct histogram service[2]; /* In the driver and the device: reads, writes. */
	struct histogram total[2];   /* From the bio's queueing to completion. */
};

struct block_owner_key {
	uint32_t dev, tid;
};
struct block_owner {
	struct block_owner_key key;
	uint32_t pid, spare;
	char name[16];
	uint64_t done[N_BLOCK_OPS], bytes[N_BLOCK_OPS];
	uint64_t total_ns, max_ns;
};

struct block_sum {
	struct keyed devices, owners;    /* struct block_device, block_owner. */
	uint64_t late, capped, lost;
	uint64_t from_ns, to_ns;     /* Of the windows that were added. */
};

void block_sum_init(struct block_sum *sum);
void block_sum_done(struct block_sum *sum);
/* Empties a device's counters, keeping who it is. */
void block_device_clear(struct block_device *device);
/* -EINVAL: damaged, and a part may have been taken. */
int block_sum_add(struct block_sum *sum, const struct fact_window *window);
/* As a window's blob: devices that did something, or all that are known. */
void block_sum_write(struct block_sum *sum, bool all, struct buf *out);

extern const struct window_kind block_window_kind;

#endif /* kernel_block_sum.h */
