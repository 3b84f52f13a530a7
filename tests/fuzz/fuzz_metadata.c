/* SPDX-License-Identifier: MIT
 *
 * fuzz_metadata.c -- libFuzzer target: any bytes as metadata, whole and in two
 * chunks. */
#include <stdint.h>
#include <stdlib.h>

#include "ctf/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctf_interest *interest = ctf_interest_new();
	struct error error = { 0 };
	struct ctf_trace *trace;
	unsigned event = ctf_interest_event(interest, "e");

	ctf_interest_field(interest, event, CTF_PAYLOAD, "a");
	ctf_interest_field(interest, event, CTF_EVENT_CONTEXT, "a.b");
	ctf_interest_field(interest, event, CTF_PACKET_CONTEXT, "cpu_id");
	for (int parts = 1; parts <= 2; parts++) {
		size_t first = size / (size_t) parts;

		trace = ctf_trace_new("fuzz", interest);
		error.code = 0;
		if (ctf_trace_add_metadata(trace, data, first, &error) < 0 && !error.text[0])
			abort();
		if (parts > 1)
			ctf_trace_add_metadata(trace, data + first, size - first, NULL);
		ctf_trace_free(trace);
	}
	ctf_interest_free(interest);
	return 0;
}
