/* SPDX-License-Identifier: MIT
 *
 * packet.h -- the header and context of a packet, for stream.c. */
#ifndef CTF_PACKET_H
#define CTF_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "ctf/stream.h"

struct ctf_stream_class;

struct ctf_packet_head {
	struct ctf_packet_info info;
	const struct ctf_stream_class *stream_class;
	uint64_t context_at;     /* Bits: where the packet context starts, */
	uint64_t events_at;      /* and where the events do. */
	uint64_t end_cycles;     /* As info.end_raw_ns. */
};

/* Reads them.  'stored' holds CTF_STORE_END values, '*clock' the cycles that
 * the stream stands at; 'packet_values' (may be NULL) gets the wanted fields.
 * Returns 0; -ENODATA if they do not fit in 'size', -EBADMSG if they make no
 * sense. */
int ctf_packet_read(struct ctf_trace *trace, const uint8_t *bytes, size_t size, uint64_t *stored,
		    uint64_t *clock, struct ctf_value *packet_values,
		    struct ctf_packet_head *ret, struct error *error);

#endif /* packet.h */
