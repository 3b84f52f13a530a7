/* SPDX-License-Identifier: MIT
 *
 * metadata.h -- small edits of a trace's metadata text, and its packets.
 *
 * Works on the text (TSDL) that ctf/trace.h has already found to be valid:
 * replaying changes the host's name and moves its clock, and nothing else. */
#ifndef REPLAY_METADATA_H
#define REPLAY_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

/* Sets env.hostname, which is added if it is missing. */
int metadata_set_hostname(struct buf *text, const char *hostname, struct error *error);
/* Adds 'cycles' to the offset of each clock. */
int metadata_shift_clocks(struct buf *text, int64_t cycles, struct error *error);
/* Frequency of the first clock in Hz: 1 GHz unless it says otherwise. */
uint64_t metadata_clock_frequency(const struct buf *text);
/* The largest alignment in bits that the text names, at least 8. */
unsigned metadata_max_alignment(const struct buf *text);
/* Whether trace.byte_order is big endian. */
bool metadata_is_big_endian(const struct buf *text);

/* Adds 'text' as metadata packets (CTF 1.8.3, section 7.1) to 'out', one
 * every METADATA_PACKET_SIZE bytes, the last one filled up with zeros. */
enum { METADATA_PACKET_SIZE = 4096 };
void metadata_packetize(const char *text, size_t size, const uint8_t uuid[16], bool big_endian,
			struct buf *out);

#endif /* metadata.h */
