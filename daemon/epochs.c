/* SPDX-License-Identifier: MIT
 *
 * epochs.c -- what the traces of a host take for the zero of its clock. */
#include "daemon/epochs.h"

#include <stdio.h>

void
epochs_tell(struct epochs *epochs, const struct engine *engine, const char *host,
	    const struct ctf_event *event, const struct fact_sink *sink)
{
	const uint64_t epoch_ns = event->t_ns - event->raw_ns;
	struct fact fact = { .type = FACT_ENTITY, .host = host, .kind = "clock", .start_ns = epoch_ns };
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
	sink->fact(sink->context, &fact);
}
