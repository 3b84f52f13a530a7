/* SPDX-License-Identifier: MIT
 *
 * epochs.c -- what the traces of a host take for the zero of its clock. */
#include "daemon/epochs.h"

#include <stdio.h>

static json_t *
clock_attributes(const uint8_t uuid[16])
{
	static const char digits[] = "0123456789abcdef";
	char text[33] = "";
	bool named = false;

	for (int i = 0; i < 16; i++) {
		named |= uuid[i] != 0;
		text[2 * i] = digits[uuid[i] >> 4];
		text[2 * i + 1] = digits[uuid[i] & 15];
	}
	return json_pack("{s:s?}", "uuid", named ? text : NULL);
}

void
epochs_tell(struct epochs *epochs, const struct engine *engine, const struct ctf_event *event,
	    const struct fact_sink *sink)
{
	const uint64_t epoch_ns = event->t_ns - event->raw_ns;
	struct fact fact = { .type = FACT_ENTITY, .host = epochs->host, .kind = "clock",
			     .start_ns = epoch_ns };
	unsigned i;

	if (event->t_ns <= event->raw_ns)
		return;
	for (i = 0; i < epochs->n && epochs->ns[i] != epoch_ns; i++)
		;
	epochs->last = i < MAX_EPOCHS ? i : 0;
	if (i < epochs->n || i == MAX_EPOCHS)
		return;
	epochs->ns[epochs->n++] = epoch_ns;
	snprintf(fact.key, sizeof fact.key, "%s", engine_is_kernel(engine, event) ? "kernel" : "programs");
	fact.attributes = clock_attributes(epochs->clock_uuid);
	sink->fact(sink->context, &fact);
}
