/* SPDX-License-Identifier: MIT */
#include "tests/ctf_make.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t trace_uuid[16] = {
	0x2a, 0x64, 0x22, 0xd0, 0x6c, 0xee, 0x11, 0xe0,
	0x8c, 0x08, 0xcb, 0x07, 0xd7, 0xb3, 0xa5, 0x64,
};

/* Bits of the header before the context, and of its members before the sizes. */
enum { HEADER_BITS = (4 + 16 + 4 + 8) * 8, SIZES_AT = HEADER_BITS + 128 };

void
make_bits(struct make *m, uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++) {
		uint64_t bit = m->big_endian ? value >> (size - 1 - i) & 1 : value >> i & 1;
		unsigned shift = m->big_endian ? 7 - m->bits % 8 : m->bits % 8;
		uint8_t *byte = &m->bytes[m->bits++ / 8];

		*byte = (uint8_t) ((*byte & ~(1u << shift)) | (unsigned) bit << shift);
	}
}

void
make_align(struct make *m, unsigned align)
{
	while (m->bits % align)
		make_bits(m, 0, 1);
}

void
make_bytes(struct make *m, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		make_bits(m, ((const uint8_t *) bytes)[i], 8);
}

void
make_begin(struct make *m)
{
	m->bits = 0;
	memset(m->bytes, 0, sizeof m->bytes);
	make_bits(m, 0xC1FC1FC1, 32);
	make_bytes(m, trace_uuid, sizeof trace_uuid);
	make_bits(m, 0, 32);
	make_bits(m, 7, 64);
	make_bits(m, m->begin, 64);
	make_bits(m, m->end, 64);
	make_bits(m, 0, 64);
	make_bits(m, 0, 64);
	make_bits(m, m->seq, 64);
	make_bits(m, m->discarded, 64);
	make_bits(m, 3, 32);
}

void
make_large(struct make *m, unsigned id, uint32_t time)
{
	make_bits(m, id, 16);
	make_bits(m, time, 32);
}

void
make_large_extended(struct make *m, uint32_t id, uint64_t time)
{
	make_bits(m, 65535, 16);
	make_bits(m, id, 32);
	make_bits(m, time, 64);
}

size_t
make_end(struct make *m, size_t padding)
{
	uint64_t content = m->bits, size = (content + 7) / 8 + padding;

	m->bits = SIZES_AT;
	make_bits(m, content, 64);
	make_bits(m, size * 8, 64);
	m->bits = content;
	return size;
}

struct ctf_trace *
make_trace(const char *metadata, const struct ctf_interest *interest)
{
	struct ctf_trace *trace = ctf_trace_new("made", interest);
	struct error error = { 0 };

	if (ctf_trace_add_metadata(trace, metadata, strlen(metadata), &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		abort();
	}
	return trace;
}

struct transcript {
	struct buf *to;
	unsigned depth;
};

static void
add_name(struct transcript *t, const char *name)
{
	buf_printf(t->to, name ? " %s=" : " ", name);
}

static void
event_begin(void *context, struct ctf_stream *stream, const char *name, uint64_t raw_ns,
	    uint64_t t_ns, bool has_time)
{
	struct transcript *t = context;

	buf_printf(t->to, "%" PRIu64 " %s", raw_ns, name);
}

static void
event_end(void *context)
{
	struct transcript *t = context;

	buf_add_char(t->to, '\n');
}

static void
scope_begin(void *context, const char *scope)
{
	struct transcript *t = context;

	buf_printf(t->to, " %s:", scope);
}

static void
scope_end(void *context)
{
}

static void
unsigned_integer(void *context, const char *name, uint64_t value)
{
	add_name(context, name);
	buf_printf(((struct transcript *) context)->to, "%" PRIu64, value);
}

static void
signed_integer(void *context, const char *name, int64_t value)
{
	add_name(context, name);
	buf_printf(((struct transcript *) context)->to, "%" PRId64, value);
}

static void
real(void *context, const char *name, double value, bool single)
{
	add_name(context, name);
	buf_printf(((struct transcript *) context)->to, single ? "%gf" : "%g", value);
}

static void
string(void *context, const char *name, const char *bytes, size_t size)
{
	add_name(context, name);
	buf_add_json_string(((struct transcript *) context)->to, bytes, size);
}

static void
structure_begin(void *context, const char *name)
{
	add_name(context, name);
	buf_add_char(((struct transcript *) context)->to, '{');
}

static void
structure_end(void *context)
{
	buf_add_string(((struct transcript *) context)->to, " }");
}

static void
array_begin(void *context, const char *name)
{
	add_name(context, name);
	buf_add_char(((struct transcript *) context)->to, '[');
}

static void
array_end(void *context)
{
	buf_add_string(((struct transcript *) context)->to, " ]");
}

static const struct ctf_visitor visitor = {
	event_begin, event_end, scope_begin, scope_end, unsigned_integer, signed_integer, real,
	string, structure_begin, structure_end, array_begin, array_end,
};

void
make_transcript(struct ctf_stream *stream, struct buf *to)
{
	struct transcript t = { .to = to };
	struct error error = { 0 };
	uint64_t raw_ns;
	int head;

	while ((head = ctf_stream_head(stream, &raw_ns, &error)) == CTF_HEAD_EVENT ||
	       head == CTF_HEAD_LOSS) {
		const struct ctf_loss *loss = ctf_stream_loss(stream);

		if (loss)
			buf_printf(to, "lost %" PRIu64 "-%" PRIu64 " events=%" PRIu64 " packets=%"
				   PRIu64 "\n", loss->begin_raw_ns, loss->end_raw_ns, loss->events,
				   loss->packets);
		else if (ctf_stream_visit(stream, &visitor, &t, &error) < 0)
			buf_printf(to, "error %s\n", error.text);
		ctf_stream_advance(stream);
	}
}
