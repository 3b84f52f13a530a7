/* SPDX-License-Identifier: MIT
 *
 * trace_writer.h -- writes CTF 1.8 traces in the layout of LTTng-UST's per-user
 * buffers: packetized metadata and one file of packets per stream.  Used by
 * gen_trace.c; ends the program on any error. */
#ifndef BENCH_TRACE_WRITER_H
#define BENCH_TRACE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum writer_type {
	WRITER_NO_MORE = 0,
	WRITER_I32, WRITER_U8, WRITER_U16, WRITER_U32, WRITER_I64, WRITER_U64, WRITER_X64,
	WRITER_STRING,
	WRITER_COMM,      /* char[16], filled up with NULs */
};

enum { WRITER_MAX_FIELDS = 8 };

struct writer_class {
	const char *name;
	struct {
		const char *name;
		enum writer_type type;
	} fields[WRITER_MAX_FIELDS];
};

struct writer_options {
	const char *path;            /* Made, with the folders above it. */
	const char *hostname;
	const char *channel;         /* Files are CHANNEL_0, CHANNEL_1... */
	unsigned n_streams;
	size_t packet_size;          /* Bytes; a multiple of 4096. */
	bool compact;                /* 5+27 bit event headers; else 16+32 bit. */
	uint64_t clock_offset_ns;
	uint64_t seed;               /* Makes the uuids. */
};

struct writer;

/* The classes get ids by their place. */
struct writer *writer_new(const struct writer_options *options, const struct writer_class *classes,
			  unsigned n_classes);
/* Writes what is left and frees. */
void writer_close(struct writer *writer);

struct writer_context {
	int32_t vpid, vtid;
	const char *procname;
};

union writer_value {
	uint64_t u;                  /* Integers of any size and sign. */
	const char *s;               /* WRITER_STRING, WRITER_COMM */
};

/* Adds an event with a value for each field; 'raw_ns' must not be less than
 * before in this stream. */
void writer_event(struct writer *writer, unsigned stream, uint64_t raw_ns, unsigned id,
		  const struct writer_context *context, const union writer_value *values);

#endif /* trace_writer.h */
