/* SPDX-License-Identifier: MIT
 *
 * pack.h -- reading what windows hold, without trust: numbers (varint_write()
 * of histogram.h) and short texts with their length in front. */
#ifndef ANALYZERS_PACK_H
#define ANALYZERS_PACK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/histogram.h"

struct unpack {
	const unsigned char *at, *end;
	bool bad;                    /* What was read last was not there; all later is 0. */
};

static inline uint64_t
unpack_number(struct unpack *unpack)
{
	uint64_t value = 0;
	ssize_t n;

	if (unpack->bad)
		return 0;
	n = varint_read(unpack->at, (size_t) (unpack->end - unpack->at), &value);
	if (n < 0) {
		unpack->bad = true;
		return 0;
	}
	unpack->at += n;
	return value;
}

/* A number of things of which each takes a byte at least. */
static inline uint64_t
unpack_count(struct unpack *unpack)
{
	const uint64_t n = unpack_number(unpack);

	if (n > (uint64_t) (unpack->end - unpack->at))
		unpack->bad = true;
	return unpack->bad ? 0 : n;
}

/* A text into 'buffer', NUL-terminated and cut to its size. */
static inline void
unpack_text(struct unpack *unpack, char *buffer, size_t size)
{
	const uint64_t n = unpack_count(unpack);
	const size_t kept = n < size ? (size_t) n : size - 1;

	memcpy(buffer, unpack->at, kept);
	buffer[kept] = '\0';
	unpack->at += n;
}

static inline void
pack_text(struct buf *out, const char *text)
{
	const size_t n = strlen(text);

	varint_write(n, out);
	buf_add(out, text, n);
}

#endif /* pack.h */
