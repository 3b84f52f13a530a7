/* SPDX-License-Identifier: MIT
 *
 * wire.h -- integers in and out of bytes, in either byte order. */
#ifndef REPLAY_WIRE_H
#define REPLAY_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"

static inline void
wire_store(uint8_t *to, unsigned bytes, bool big_endian, uint64_t value)
{
	for (unsigned i = 0; i < bytes; i++)
		to[big_endian ? bytes - 1 - i : i] = (uint8_t) (value >> 8 * i);
}

static inline uint64_t
wire_load(const uint8_t *from, unsigned bytes, bool big_endian)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t) from[big_endian ? bytes - 1 - i : i] << 8 * i;
	return value;
}

static inline void
wire_add(struct buf *buf, unsigned bytes, bool big_endian, uint64_t value)
{
	uint8_t raw[8];

	wire_store(raw, bytes, big_endian, value);
	buf_add(buf, raw, bytes);
}

static inline void
wire_add_be32(struct buf *buf, uint32_t value)
{
	wire_add(buf, 4, true, value);
}

static inline void
wire_add_be64(struct buf *buf, uint64_t value)
{
	wire_add(buf, 8, true, value);
}

#endif /* wire.h */
