/* SPDX-License-Identifier: MIT
 *
 * fuzz_packet.c -- libFuzzer target: metadata text, a NUL, then the bytes of a
 * stream.  Its packets are walked once for a few fields, once with a visitor,
 * and must give the same number of events. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctf/stream.h"
#include "lib/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

static void
see_event(void *context, struct ctf_stream *stream, const char *name, uint64_t raw_ns,
	  uint64_t t_ns, bool has_time)
{
	sink += strlen(name) + raw_ns + t_ns + has_time;
}

static void
see_end(void *context)
{
}

static void
see_name(void *context, const char *name)
{
	sink += name ? strlen(name) : 0;
}

static void
see_unsigned(void *context, const char *name, uint64_t value)
{
	sink += value;
}

static void
see_signed(void *context, const char *name, int64_t value)
{
	sink += (uint64_t) value;
}

static void
see_real(void *context, const char *name, double value, bool single)
{
	sink += value > 0;
}

static void
see_string(void *context, const char *name, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sink += (unsigned char) bytes[i];
}

static const struct ctf_visitor visitor = {
	see_event, see_end, see_name, see_end, see_unsigned, see_signed, see_real, see_string,
	see_name, see_end, see_name, see_end,
};

static void
see_values(const struct ctf_event *event)
{
	for (uint32_t i = 0; i < event->n_values; i++) {
		const struct ctf_value *value = &event->values[i];

		if (value->type == CTF_STRING || value->type == CTF_BYTES)
			see_string(NULL, NULL, value->s, value->size);
		else if (value->type != CTF_ABSENT)
			sink += value->u;
	}
}

static void
push_packets(struct ctf_stream *stream, const uint8_t *bytes, size_t size)
{
	struct ctf_packet_info info;
	size_t n;

	for (; size; bytes += n, size -= n) {
		if (ctf_packet_peek(ctf_stream_trace(stream), bytes, size, &info, NULL) < 0)
			info.packet_bits = 0;
		n = info.packet_bits ? MIN((size_t) (info.packet_bits / 8), size) : size;
		ctf_stream_push(stream, bytes, n, NULL, NULL, NULL);
	}
	ctf_stream_end(stream);
}

static uint64_t
walk(struct ctf_trace *trace, const uint8_t *bytes, size_t size, bool all)
{
	struct ctf_stream *stream = ctf_stream_new(trace, "fuzz");
	struct error error = { 0 };
	uint64_t raw_ns, n;
	int head;

	if (all)
		ctf_stream_want_all(stream);
	push_packets(stream, bytes, size);
	while ((head = ctf_stream_head(stream, &raw_ns, &error)) != CTF_HEAD_END) {
		if (head == CTF_HEAD_NONE)
			abort();
		/* Fields that can be stepped over can be visited. */
		if (head == CTF_HEAD_EVENT && all &&
		    ctf_stream_visit(stream, &visitor, NULL, &error) < 0)
			abort();
		if (head == CTF_HEAD_EVENT && !all)
			see_values(ctf_stream_event(stream));
		ctf_stream_advance(stream);
	}
	n = ctf_stream_counters(stream)->events;
	ctf_stream_free(stream);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const fields[] = { "a", "b", "c", "s", "n", "v", "v.x" };
	size_t text = strnlen((const char *) data, size);
	struct ctf_interest *interest = ctf_interest_new();
	unsigned event = ctf_interest_event(interest, "e");
	struct ctf_trace *trace;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		for (int scope = CTF_PAYLOAD; scope <= CTF_PACKET_CONTEXT; scope++)
			ctf_interest_field(interest, event, (enum ctf_scope) scope, fields[i]);
	trace = ctf_trace_new("fuzz", interest);
	ctf_trace_add_metadata(trace, data, text, NULL);
	if (text < size) {
		const uint8_t *bytes = data + text + 1;

		size -= text + 1;
		if (walk(trace, bytes, size, false) != walk(trace, bytes, size, true))
			abort();
	}
	ctf_trace_free(trace);
	ctf_interest_free(interest);
	return 0;
}
