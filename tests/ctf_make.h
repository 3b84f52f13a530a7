/* SPDX-License-Identifier: MIT
 *
 * ctf_make.h -- makes traces in memory for the tests of ctf/: metadata from
 * templates, packets bit by bit. */
#ifndef TESTS_CTF_MAKE_H
#define TESTS_CTF_MAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "ctf/stream.h"
#include "lib/buf.h"

/* Types, trace, env and clock as LTTng writes them, for "le" or "be". */
#define PREAMBLE(ORDER) \
	"/* CTF 1.8 */\n" \
	"typealias integer { size = 8; align = 8; signed = false; } := uint8_t;\n" \
	"typealias integer { size = 16; align = 8; signed = false; } := uint16_t;\n" \
	"typealias integer { size = 32; align = 8; signed = false; } := uint32_t;\n" \
	"typealias integer { size = 64; align = 8; signed = false; } := uint64_t;\n" \
	"typealias integer { size = 32; align = 8; signed = true; } := int32_t;\n" \
	"typealias integer { size = 64; align = 8; signed = false; } := unsigned long;\n" \
	"typealias integer { size = 5; align = 1; signed = false; } := uint5_t;\n" \
	"trace { major = 1; minor = 8; uuid = \"2a6422d0-6cee-11e0-8c08-cb07d7b3a564\";\n" \
	"	byte_order = " ORDER ";\n" \
	"	packet.header := struct { uint32_t magic; uint8_t uuid[16]; uint32_t stream_id;\n" \
	"		uint64_t stream_instance_id; }; };\n" \
	"env { hostname = \"node-1\"; tracer_major = 2; delta = -3; };\n" \
	"clock { name = \"monotonic\"; uuid = \"01234567-89ab-cdef-0123-456789abcdef\";\n" \
	"	freq = 1000000000; offset = 1000000000000000000; };\n" \
	"typealias integer { size = 27; align = 1; map = clock.monotonic.value; } := time27_t;\n" \
	"typealias integer { size = 32; align = 8; map = clock.monotonic.value; } := time32_t;\n" \
	"typealias integer { size = 64; align = 8; map = clock.monotonic.value; } := time64_t;\n" \
	"struct packet_context { time64_t timestamp_begin; time64_t timestamp_end;\n" \
	"	uint64_t content_size; uint64_t packet_size; uint64_t packet_seq_num;\n" \
	"	unsigned long events_discarded; uint32_t cpu_id; };\n" \
	"struct compact { enum : uint5_t { compact = 0 ... 30, extended = 31 } id;\n" \
	"	variant <id> { struct { time27_t timestamp; } compact;\n" \
	"		struct { uint32_t id; time64_t timestamp; } extended; } v; } align(8);\n" \
	"struct large { enum : uint16_t { compact = 0 ... 65534, extended = 65535 } id;\n" \
	"	variant <id> { struct { time32_t timestamp; } compact;\n" \
	"		struct { uint32_t id; time64_t timestamp; } extended; } v; } align(8);\n"

#define STREAM(HEADER, MORE) \
	"stream { id = 0; event.header := struct " HEADER "; packet.context := struct " \
	"packet_context; " MORE "};\n"

#define EVENT(NAME, ID, FIELDS) \
	"event { name = \"" NAME "\"; id = " ID "; stream_id = 0; loglevel = 13; " \
	"fields := struct { " FIELDS " }; };\n"

/* A packet in the making. */
struct make {
	bool big_endian;
	uint8_t bytes[4096];
	uint64_t bits;               /* Written so far. */
	uint64_t begin, end, seq, discarded;
};

/* Writes the header and context of PREAMBLE's packets. */
void make_begin(struct make *m);
/* Writes 'size' bits of 'value'. */
void make_bits(struct make *m, uint64_t value, unsigned size);
void make_align(struct make *m, unsigned align);
void make_bytes(struct make *m, const void *bytes, size_t size);
/* Header of LTTng's large kind, as "compact" or, with an id of 65535 before it, "extended". */
void make_large(struct make *m, unsigned id, uint32_t time);
void make_large_extended(struct make *m, uint32_t id, uint64_t time);
/* Sets the sizes in the context; 'padding' bytes follow the content.  Returns
 * the size of the packet in bytes. */
size_t make_end(struct make *m, size_t padding);

/* A trace with 'metadata', which must be good. */
struct ctf_trace *make_trace(const char *metadata, const struct ctf_interest *interest);

/* All that is left in the stream, one line each: events as "time name
 * field=value ...", losses as "lost BEGIN-END events=N packets=N". */
void make_transcript(struct ctf_stream *stream, struct buf *to);

#endif /* ctf_make.h */
