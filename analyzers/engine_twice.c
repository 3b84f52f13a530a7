/* SPDX-License-Identifier: MIT
 *
 * engine_twice.c -- what two sessions of a node trace counts once.
 *
 * LTTng calls the probe of each session by itself, and each reads the clock: the
 * copies of an event have the same payload, are of the same process, lie some 100 ns
 * apart, and in different traces.  Looked at is what goes to flows; natives sum up
 * far more events than could be compared. */
#include <stdlib.h>
#include <xxhash.h>

#include "analyzers/engine_private.h"
#include "lib/clock.h"
#include "lib/util.h"

enum { REMEMBERED = 32 };

/* Further apart are copies only where the thread lost its CPU between two probes. */
#define APART_NS NS_PER_MS

struct seen {
	uint64_t what;         /* Hash of event, process and payload; 0: nobody's. */
	const void *trace;
	uint64_t raw_ns;
};

struct twice {
	struct seen seen[REMEMBERED];  /* Those whose copy did not come. */
	unsigned next;
};

static uint64_t
hash_value(const struct ctf_value *value, uint64_t hash)
{
	if (value->type == CTF_ABSENT)
		return hash;
	if (value->type == CTF_STRING || value->type == CTF_BYTES)
		return XXH64(value->s, value->size, hash);
	return XXH64(&value->u, sizeof value->u, hash);
}

/* Contexts may differ between sessions; the process is told by one, or by the
 * trace. */
static uint64_t
what_is(const struct engine *engine, const struct ctf_event *event)
{
	const char *env = ctf_stream_env(event->stream, "vpid");
	uint64_t hash = event->wanted, pid = 0;

	if (env && parse_u64(env, &pid))
		pid = 0;
	for (unsigned i = 0; i < event->n_values; i++) {
		enum ctf_scope scope;
		const char *name = ctf_interest_field_name(engine->interest, event->wanted, i, &scope);

		if (scope == CTF_PAYLOAD)
			hash = hash_value(&event->values[i], hash);
		else if (streq(name, "vpid"))
			value_u64(&event->values[i], &pid);
	}
	return XXH64(&pid, sizeof pid, hash);
}

bool
told_twice(struct engine_host *host, const struct ctf_event *event)
{
	struct twice *twice = host->twice;
	struct seen now;

	if (!event->stream)
		return false;
	if (!twice)
		twice = host->twice = xcalloc(1, sizeof *twice);
	now = (struct seen) {
		what_is(host->engine, event), ctf_stream_origin(event->stream), event->raw_ns
	};
	for (unsigned i = 0; i < REMEMBERED; i++) {
		struct seen *seen = &twice->seen[i];

		if (seen->what != now.what || seen->trace == now.trace ||
		    MAX(seen->raw_ns, now.raw_ns) - MIN(seen->raw_ns, now.raw_ns) > APART_NS)
			continue;
		seen->what = 0;
		host->engine->counters.twice++;
		return true;
	}
	twice->seen[twice->next++ % REMEMBERED] = now;
	return false;
}
